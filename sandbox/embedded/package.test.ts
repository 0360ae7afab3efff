import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepareTools } from '../terminal/tools.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
/** The package's name in `import ... from 'name/file'`, also where the import goes over several lines. */
const imports = /^(?:(?:import|export)\b(?:[^'\n]*\bfrom)?|\} from) '((?:@[\w-]+\/)?[\w-][\w.:-]*)/gm

let folder: string
let kubectl: string
let installed: string

beforeAll(async () => {
  // inside the project, so that what the package depends on is found without a registry
  await mkdir(join(root, '.cache'), { recursive: true })
  folder = await mkdtemp(join(root, '.cache/package-test-'))
  kubectl = join((await prepareTools(join(tmpdir(), 'labernetes-tools'))).folder, 'bin/kubectl')
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, 'pack.ts')], { timeout: 120_000 })
  installed = join(folder, 'node_modules/labernetes-cluster')
  await mkdir(installed, { recursive: true })
  await run('tar', ['-xzf', stdout.trim(), '-C', installed, '--strip-components=1'])
}, 150_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

test('everything it imports is a dependency of its own', async () => {
  const description = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
  const imported = new Set<string>()
  for (const file of await readdir(join(installed, 'dist'), { recursive: true })) {
    if (!file.endsWith('.js')) continue
    for (const [, name] of (await readFile(join(installed, 'dist', file), 'utf8')).matchAll(imports)) {
      if (name && !name.startsWith('node:')) imported.add(name)
    }
  }
  expect([...imported].sort()).toEqual(Object.keys(description.dependencies).sort())
})

test('its binary is a cluster for kubectl until it is interrupted', async () => {
  const kubeconfig = join(folder, 'kubeconfig')
  const child = spawn(process.execPath, [join(installed, 'dist/embedded/bin.js'), '--kubeconfig', kubeconfig, '--nodes', '2'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(createInterface({ input: child.stdout }), 'line')
    const { stdout } = await run(kubectl, ['--kubeconfig', kubeconfig, 'get', 'nodes', '-o', 'name'])
    expect(stdout.split('\n').filter(Boolean)).toHaveLength(2)
  } finally {
    child.kill('SIGINT')
    if (child.exitCode === null) await once(child, 'exit')
  }
  expect(child.exitCode).toBe(0)
}, 60_000)

test('its binary says how it is used, and what it was asked that it does not know', async () => {
  const binary = join(installed, 'dist/embedded/bin.js')
  expect((await run(process.execPath, [binary, '--help'])).stdout).toContain('usage: labernetes-cluster --kubeconfig FILE')
  const refused = await run(process.execPath, [binary, '--fly']).catch((error: { code: number; stderr: string }) => error)
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Unknown option '--fly'.*\n.*usage:/s) })
}, 30_000)

test("its README's examples run", async () => {
  const examples = [...(await readFile(join(installed, 'README.md'), 'utf8')).matchAll(/```js\n(.*?)```/gs)].map(([, code = '']) => code)
  const tests = examples.filter((code) => code.includes("'vitest'"))
  const programs = examples.filter((code) => !code.includes("'vitest'"))
  expect([tests.length, programs.length]).toEqual([1, 2])
  await mkdir(join(folder, 'examples'))
  const file = async (name: string, code: string) => {
    await writeFile(join(folder, 'examples', name), code)
    return join(folder, 'examples', name)
  }
  for (const [index, code] of programs.entries()) {
    const { stderr } = await run(process.execPath, [await file(`${index}.mjs`, code)], { cwd: join(folder, 'examples'), timeout: 60_000 })
    expect(stderr).toBe('')
  }
  await file('rollout.test.js', tests[0] ?? '')
  await file('vitest.config.mjs', 'export default {}')
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const { stdout } = await run(process.execPath, [vitest, 'run', '--root', join(folder, 'examples')], {
    timeout: 60_000,
  })
  expect(stdout).toMatch(/1 passed/)
}, 120_000)

test('a program makes one, skips time in it, forks it and opens its snapshot', async () => {
  const script = join(folder, 'program.mjs')
  await writeFile(script, program)
  const { stdout } = await run(process.execPath, [script], { timeout: 60_000 })
  expect(JSON.parse(stdout)).toEqual({ skipped: 600, ready: 2, inFork: 0, inOriginal: 2, reopened: 2, kubeconfig: true })
}, 60_000)

const program = `
import { create, open } from 'labernetes-cluster'

const path = '/apis/apps/v1/namespaces/default/deployments'
const ready = async (cluster) => (await cluster.request({ method: 'GET', path: path + '/web' })).body.status?.readyReplicas ?? 0
const labels = { app: 'web' }
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'nginx', image: 'nginx:1.27' }] } },
  },
}
await using cluster = await create({ nodes: 2, clockRate: 0, seed: 7 })
await cluster.request({ method: 'POST', path, body: deployment })
const before = cluster.clock.now()
await cluster.clock.advance(600_000)
const skipped = (cluster.clock.now() - before) / 1000
await using fork = await cluster.fork()
await fork.request({ method: 'PATCH', path: path + '/web', body: { spec: { replicas: 0 } } })
await fork.clock.advance(60_000)
await using again = await open(cluster.snapshot())
console.log(JSON.stringify({
  skipped,
  ready: await ready(cluster),
  inFork: await ready(fork),
  inOriginal: await ready(cluster),
  reopened: await ready(again),
  kubeconfig: cluster.kubeconfig().includes(cluster.server),
}))
`
