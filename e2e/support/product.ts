import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')
/** ms */
const startsWithin = 150_000
const stopsWithin = 20_000

/** A running Labernetes, started as `npm start` does. Disposing ends it; its data folder stays. */
export interface Product extends AsyncDisposable {
  /** http://127.0.0.1:4711 */
  readonly url: string
  readonly pid: number
  readonly dataDir: string
  /** Makes the first administrator; null when this data folder has one. */
  readonly firstRunLink: string | null
  /** What the server has printed so far. */
  log(): string
  /** Ends it without a chance to do anything about it. Resolves when the process is gone. */
  kill(): Promise<void>
}

export async function newDataDir(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'labernetes-e2e-'))
}

/** Starts the built product on a data folder, with these settings. Rejects with what it printed when it does not come up. */
export async function startProduct(dataDir: string, port = 0, settings: Readonly<Record<string, string>> = {}): Promise<Product> {
  const child = spawn(path.join(root, 'node_modules/.bin/node'), ['server/main.ts'], {
    cwd: root,
    env: {
      ...settings,
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DATA_DIR: dataDir,
      PORT: String(port),
    } as unknown as NodeJS.ProcessEnv,
    // Through the channel the server notices when the tests are gone, however they went.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let log = ''
  const read = (chunk: Buffer) => {
    log += chunk
  }
  child.stdout!.on('data', read)
  child.stderr!.on('data', read)
  const url = await ready(child, () => log)
  return {
    url,
    pid: child.pid!,
    dataDir,
    firstRunLink: /^Become the first administrator: (\S+)$/m.exec(log)?.[1] ?? null,
    log: () => log,
    kill: () => stop(child, 'SIGKILL'),
    [Symbol.asyncDispose]: () => stop(child, 'SIGTERM'),
  }
}

export function removeDataDir(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true })
}

export interface Process {
  pid: number
  parent: number
  command: string
  /** Bytes in memory. */
  resident: number
}

/** Every process of this machine that can be read. */
export async function processes(): Promise<Process[]> {
  const found = await Promise.all(
    (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map((name) => readProcess(Number(name)).catch(() => null)),
  )
  return found.filter((each) => each !== null)
}

/** A process and all that descend from it. */
export async function familyOf(pid: number): Promise<Process[]> {
  const all = await processes()
  const family = all.filter((each) => each.pid === pid)
  for (const each of family) family.push(...all.filter((other) => other.parent === each.pid))
  return family
}

async function readProcess(pid: number): Promise<Process> {
  const [stat, command, memory] = await Promise.all(['stat', 'cmdline', 'statm'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')))
  // The name in parentheses may hold anything, spaces too.
  const parent = Number(stat!.slice(stat!.lastIndexOf(')') + 2).split(' ')[1])
  return { pid, parent, command: command!.replaceAll('\0', ' ').trim(), resident: Number(memory!.split(' ')[1]) * 4096 }
}

async function ready(child: ChildProcess, log: () => string): Promise<string> {
  const deadline = setTimeout(() => child.kill('SIGKILL'), startsWithin)
  try {
    return await new Promise<string>((resolve, reject) => {
      child.stdout!.on('data', () => {
        const line = /^Labernetes ready: (\S+)$/m.exec(log())
        if (line) resolve(line[1]!)
      })
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`The server ended (${signal ?? code}) before it was ready:\n${log()}`)))
    })
  } finally {
    clearTimeout(deadline)
  }
}

async function stop(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  const impatient = setTimeout(() => child.kill('SIGKILL'), stopsWithin)
  const [, by] = await gone
  clearTimeout(impatient)
  if (signal === 'SIGTERM' && by === 'SIGKILL') throw new Error(`The server did not stop within ${stopsWithin} ms`)
}
