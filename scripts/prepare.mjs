/** What must be there before anything runs: packages, kubectl and helm, compiled content and the built site. Each is made once. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Fault, say, step } from './say.mjs'

export const root = path.resolve(import.meta.dirname, '..')
const cache = path.join(root, '.cache')
/** The Node that runs everything but these scripts: it comes with the packages. */
export const node = path.join(root, 'node_modules/.bin/node')

/** Throws a Fault when this Node cannot even run the scripts. */
export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    throw new Fault(`Labernetes needs Node.js 20.19 or newer; this is ${process.versions.node}. https://nodejs.org has one.`)
}

/** Installs the packages of package-lock.json unless exactly those are there. */
export async function installPackages() {
  if (await packagesAreThere()) return
  // not `npm ci`: it refuses a lock made where a registry has not every platform's binaries; this keeps to the lock as well
  await step('Installing packages (once, about a minute)', () =>
    quietly('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], 'install'),
  )
}

/** kubectl and helm for the learners' shells. Without them the site runs all the same, and says so. */
export async function prepareTools() {
  const script = `import { prepareTools } from ${JSON.stringify(path.join(root, 'sandbox/terminal/tools.ts'))}
    try { await prepareTools(${JSON.stringify(cache)}) } catch (error) { console.error(error.message); process.exitCode = 1 }`
  try {
    await quietly(node, ['--input-type=module', '--eval', script], 'tools')
  } catch (error) {
    say(`kubectl and helm are not ready: ${error.output ?? error.message}`)
  }
}

/** Compiles the content and builds the site when their sources are others than at the last build. */
export async function buildSite() {
  const hash = await sourceHash()
  const stamp = path.join(cache, 'build-hash')
  if (existsSync(path.join(root, '.next/BUILD_ID')) && (await readFile(stamp, 'utf8').catch(() => '')) === hash) return
  await rm(stamp, { force: true })
  await step('Compiling lessons', () => quietly(node, ['app/content/build.ts'], 'content'))
  await step('Building the site', () =>
    quietly(node, ['node_modules/next/dist/bin/next', 'build'], 'build', { NEXT_TELEMETRY_DISABLED: '1' }),
  )
  await writeFile(stamp, hash)
}

/** Every package that the lock names is installed in that version (those for other platforms may be missing). */
async function packagesAreThere() {
  try {
    const wanted = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')).packages
    const present = JSON.parse(await readFile(path.join(root, 'node_modules/.package-lock.json'), 'utf8')).packages
    return Object.entries(wanted).every(([place, { version, optional }]) => {
      if (place === '') return true
      return present[place] ? present[place].version === version : optional === true
    })
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw error
  }
}

async function sourceHash() {
  const hash = createHash('sha256')
  const add = async (relative) => {
    const full = path.join(root, relative)
    if (!existsSync(full)) return
    const entries = await readdir(full, { withFileTypes: true }).catch(() => null)
    if (!entries) {
      hash
        .update(`${relative}\0`)
        .update(await readFile(full))
        .update('\0')
      return
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1)))
      if (!/\.test\.tsx?$/.test(entry.name)) await add(`${relative}/${entry.name}`)
  }
  for (const source of [
    'app',
    'content',
    'labs',
    'public',
    'platform',
    'proxy.ts',
    'next.config.mjs',
    'postcss.config.mjs',
    'package-lock.json',
    'tsconfig.json',
  ])
    await add(source)
  return hash.digest('hex')
}

/** Runs a program with its output kept in .cache/<name>.log; shows the end of it when the program fails. */
async function quietly(program, args, name, environment = {}) {
  const chunks = []
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  child.stderr.on('data', (chunk) => chunks.push(chunk))
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const output = Buffer.concat(chunks).toString()
  await mkdir(cache, { recursive: true })
  await writeFile(path.join(cache, `${name}.log`), output)
  if (code === 0) return output
  const fault = new Fault(
    `${output.trimEnd().split('\n').slice(-40).join('\n')}\n\n${program} ${args.slice(0, 2).join(' ')} failed (${code}); all of it is in .cache/${name}.log`,
  )
  fault.output = output.trim()
  throw fault
}
