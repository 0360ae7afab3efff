/**
 * `npm test`: everything that can be checked, from the style of the code to a browser at work. Goes on after a failure, tells
 * all of them, and closes with the line "N passed, N failed".
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { buildSite, checkNode, installPackages, node, prepareTools, root } from './prepare.mjs'
import { Fault, say, step } from './say.mjs'

const cache = path.join(root, '.cache')
const bin = (name) => path.join(root, 'node_modules', name)
let passed = 0
let failed = 0
let skipped = 0
/** What failed, by name: said once more at the end, where it is found. */
const failures = []

try {
  checkNode()
  await installPackages()
  await systemPackages()
  await mkdir(cache, { recursive: true })
  await kindKit()
  await check('Style (biome)', bin('.bin/biome'), ['check', '--diagnostic-level=error', '.'])
  await check('Types (tsc)', bin('.bin/tsc'), ['--noEmit', '--incremental', 'false'])
  await check('Arrows between rooms', node, ['scripts/arrows.mjs'])
  await tests(
    'Unit and integration tests (vitest)',
    ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', '--reporter=json'],
    vitestCounts,
    'vitest.json',
  )
  await prepareTools()
  await proofs()
  if ((await attempt('Build', buildSite)) && existsSync(path.join(root, 'playwright.config.ts')))
    await tests(
      'Browser tests (playwright)',
      ['node_modules/@playwright/test/cli.js', 'test', '--reporter=line,json'],
      playwrightCounts,
      'playwright.json',
    )
} catch (error) {
  process.stderr.write(`\n${error instanceof Fault ? error.message : (error.stack ?? error)}\n`)
  fail('npm test')
}
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
if (skipped > 0) process.stdout.write(`\n${skipped} skipped, each with its reason above\n`)
if (failures.length > 0) process.stdout.write(`\nFailed:\n${failures.map((name) => `  ${name}\n`).join('')}`)
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)

/** A check that either holds or does not: counts as one test. */
async function check(heading, program, args) {
  say(heading)
  const code = await shown(program, args)
  count(code === 0, heading)
}

async function attempt(heading, work) {
  try {
    await work()
    count(true, heading)
    return true
  } catch (error) {
    process.stderr.write(`\n${error.message}\n`)
    count(false, heading)
    return false
  }
}

function count(good, heading) {
  if (good) passed++
  else {
    fail(heading)
    say(`${heading}: failed`)
  }
}

function fail(name) {
  failed++
  failures.push(name)
}

/** A test runner that writes what it counted to a file. One that ends badly without a failed test counts as one failure. */
async function tests(heading, args, countsOf, file) {
  say(heading)
  const report = path.join(cache, file)
  await rm(report, { force: true })
  const code = await shown(node, [...args, ...(file === 'vitest.json' ? [`--outputFile.json=${report}`] : [])], {
    PLAYWRIGHT_JSON_OUTPUT_FILE: report,
  })
  const counts = existsSync(report)
    ? countsOf(JSON.parse(await readFile(report, 'utf8')))
    : { passed: 0, failed: [], skipped: 0, reasons: [] }
  passed += counts.passed
  skipped += counts.skipped
  for (const reason of counts.reasons) say(`Skipped: ${reason}`)
  counts.failed.forEach(fail)
  if (counts.failed.length === 0 && (code !== 0 || counts.passed === 0)) fail(`${heading}: ended with ${code}`)
}

/** Every lab: fails at the start, passes after its solution, rejects each wrong answer. */
async function proofs() {
  say('Labs (lab:prove)')
  const child = spawn(node, ['scripts/prove.ts'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
    process.stdout.write(chunk)
  })
  await once(child, 'close')
  const [, good, bad] = /^(\d+) passed, (\d+) failed$/m.exec(text) ?? [null, '0', '1']
  passed += Number(good)
  const named = text.match(/^FAIL .*$/gm) ?? []
  for (let index = 0; index < Number(bad); index++) fail(named[index] ?? 'Labs (lab:prove): ended early')
}

function vitestCounts(report) {
  const unloaded = report.testResults.filter((suite) => suite.status === 'failed' && suite.assertionResults.length === 0)
  const bad = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => `${fromRoot(name)}: ${fullName}`),
  )
  const pending = report.testResults.flatMap((suite) =>
    suite.assertionResults.filter(({ status }) => status === 'skipped' || status === 'pending'),
  )
  return {
    passed: report.numPassedTests,
    failed: [...bad, ...unloaded.map(({ name }) => `${fromRoot(name)}: not loaded`)],
    skipped: pending.length,
    reasons: new Set(pending.map(({ ancestorTitles, title }) => ancestorTitles[0] ?? title)),
  }
}

function playwrightCounts({ stats, errors, suites }) {
  const specs = (suite) => [...(suite.specs ?? []), ...(suite.suites ?? []).flatMap(specs)]
  const bad = suites.flatMap(specs).filter(({ ok }) => !ok)
  return {
    passed: stats.expected + stats.flaky,
    failed: [...bad.map(({ file, title }) => `${file}: ${title}`), ...errors.map(({ message }) => message.split('\n')[0])],
    skipped: stats.skipped,
    reasons: [],
  }
}

const fromRoot = (file) => path.relative(root, file)

function shown(program, args, environment = {}) {
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
}

/**
 * Where a kit for kind lies beside the project (it starts Docker and builds a node image without a registry), it is brought
 * up, so that tests of real clusters run. The first time on a machine that takes ten minutes.
 */
async function kindKit() {
  const kit = path.join(root, '..', 'shared', 'kind-kit')
  if (!existsSync(path.join(kit, 'up'))) return
  await attempt('Docker and a kind node image (kind-kit)', async () => {
    const script = `set -e; eval "$("$1/up")"; image=$("$1/build-node-image"); printf '%s\\n' "$DOCKER_HOST" "$PATH" "$image"`
    const [host, search, image] = await step('Bringing up kind-kit', async () => {
      const child = spawn('bash', ['-c', script, 'bash', kit], { stdio: ['ignore', 'pipe', 'pipe'] })
      const output = { stdout: '', stderr: '' }
      for (const stream of ['stdout', 'stderr']) child[stream].on('data', (chunk) => (output[stream] += chunk))
      const [code] = await once(child, 'close')
      if (code !== 0) throw new Error(`kind-kit: ${output.stderr.trim().split('\n').slice(-5).join('\n')}`)
      return output.stdout.trim().split('\n').slice(-3)
    })
    Object.assign(process.env, { DOCKER_HOST: host, PATH: search, KIND_NODE_IMAGES: `1.34=${image}` })
    await shown('bash', ['sandbox/kind/toolbox/image/base.sh'])
  })
}

/** What tests need beside npm's packages: installed where that is possible without asking, named where it is not. */
async function systemPackages() {
  if (process.platform !== 'linux') return
  const missing = [
    ['bubblewrap', onPath('bwrap')],
    ['iproute2', onPath('ip')],
    ['iptables', onPath('iptables')],
    ['iputils-ping', onPath('ping')],
    ['tcpdump', onPath('tcpdump')],
    ['containernetworking-plugins', existsSync('/usr/lib/cni/ptp')],
    ['postgresql', existsSync('/usr/lib/postgresql') && readdirSync('/usr/lib/postgresql').length > 0],
    ['etcd-client', onPath('etcdctl')],
    ['python3-venv', hasVenv()],
    ['libnss3', hasLibrary('libnss3.so')],
    ['libnspr4', hasLibrary('libnspr4.so')],
    ['libexpat1', hasLibrary('libexpat.so.1')],
    ['fontconfig', onPath('fc-list')],
    ['fonts-wqy-zenhei', onPath('fc-list') && output('fc-list', [':lang=zh']) !== ''],
  ]
    .filter(([, there]) => !there)
    .map(([name]) => name)
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    say(`Not on this machine, and tests that need it are skipped: ${missing.join(', ')} (Debian's names)`)
    return
  }
  try {
    await step(`Installing ${missing.join(', ')}`, async () => {
      const quiet = { stdio: 'pipe', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
      execFileSync('apt-get', ['update', '-qq'], quiet)
      execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], quiet)
    })
  } catch (error) {
    say(
      `That did not work: ${String(error.stderr ?? error.message)
        .trim()
        .split('\n')
        .at(-1)}`,
    )
  }
}

function onPath(name) {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, name)))
}

function hasLibrary(name) {
  return ['/sbin/ldconfig', '/usr/sbin/ldconfig'].some((program) => existsSync(program) && output(program, ['-p']).includes(name))
}

/** Whether Python can make environments of its own, with pip in them. */
function hasVenv() {
  return onPath('python3') && spawnSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' }).status === 0
}

function output(program, args) {
  return execFileSync(program, args, { encoding: 'utf8' }).trim()
}
