import { execFile, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { asProcessEnv, outsideEnvironment } from '../terminal/launch.ts'
import { limits } from './limits.ts'

const execute = promisify(execFile)

/** What finds a holder again (JSON). Pids are this machine's. */
export interface HolderRecord {
  pid: number
  /** When the kernel started it, in its ticks since boot: another process of the same number has another one. */
  started: string
  /** First processes of the hosts; empty while they are made. */
  hosts: { name: string; pid: number }[]
  /** The FIFO by which it hears that somebody looks after it. */
  pulse: string
}

/** The process that keeps the hosts of one sandbox, also while no platform runs. Disposing leaves it as it is. */
export interface Holder extends Disposable {
  readonly hosts: HolderRecord['hosts']
  alive(): Promise<boolean>
  /** Resolves when everything on the hosts is gone. */
  end(): Promise<void>
}

/**
 * Starts a holder by hostsCommand() and resolves once its hosts are ready. `keep` is called with what finds it again, as soon
 * as there is something to be found and once more when it is complete. Rejects with what went wrong; nothing is left then.
 */
export async function startHolder(
  argv: readonly string[],
  names: readonly string[],
  pulse: string,
  keep: (record: HolderRecord) => Promise<void>,
): Promise<Holder> {
  await execute('mkfifo', ['-m', '600', pulse])
  // reading and writing: neither side waits for the other to open it
  await using stdin = await open(pulse, constants.O_RDWR)
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: [stdin.fd, 'pipe', 'pipe'],
    env: asProcessEnv(outsideEnvironment()),
    cwd: '/',
    detached: true,
  })
  const [stdout, stderr] = [child.stdout as Readable, child.stderr as Readable]
  const problems: Buffer[] = []
  const ready = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    stderr.on('data', (chunk: Buffer) => problems.push(chunk))
    stdout.once('data', () => resolve())
    child.once('close', (code, signal) =>
      reject(new Error(`The hosts could not be made (${signal ?? `exit ${code}`}): ${Buffer.concat(problems).toString('utf8').trim()}`)),
    )
  })
  ready.catch(() => undefined)
  const pid = child.pid
  if (pid === undefined) return ready.then(() => Promise.reject(new Error('The hosts could not be made')))
  try {
    const record: HolderRecord = { pid, started: (await startedAt(pid)) ?? '', hosts: [], pulse }
    await keep(record)
    await ready
    record.hosts = await hostsOf(pid, names)
    await keep(record)
    stdout.destroy()
    stderr.destroy()
    child.unref()
    return await hold(record)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** The holder of a record, when it still runs and its hosts are complete; null otherwise, and then nothing of it runs any more. */
export async function findHolder(record: HolderRecord): Promise<Holder | null> {
  if (!(await runs(record))) return null
  if (record.hosts.length > 0) return hold(record)
  await end(record)
  return null
}

async function hold(record: HolderRecord): Promise<Holder> {
  const pulse: FileHandle = await open(record.pulse, constants.O_RDWR | constants.O_NONBLOCK)
  // a holder that has ended reads no more: the beats fill the pipe and fail, which changes nothing
  const beat = () => void pulse.write('\n').catch(() => undefined)
  beat()
  const timer = setInterval(beat, (limits.orphanSeconds * 1000) / 10)
  timer.unref()
  let held = true
  const letGo = () => {
    if (!held) return
    held = false
    clearInterval(timer)
    void pulse.close()
  }
  return {
    hosts: record.hosts,
    alive: () => runs(record),
    async end() {
      letGo()
      await end(record)
    },
    [Symbol.dispose]: letGo,
  }
}

/** Its death is that of the first process in its pid namespace, and that one's is everybody's. */
async function end(record: HolderRecord): Promise<void> {
  for (let tries = 0; tries < 500 && (await runs(record)); tries++) {
    if (tries === 0) process.kill(record.pid, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  // the kernel clears the namespaces up after that: wait for the hosts' first processes too
  for (const host of record.hosts)
    for (let tries = 0; tries < 500 && (await startedAt(host.pid)) !== null; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10))
}

async function runs({ pid, started }: HolderRecord): Promise<boolean> {
  return (await startedAt(pid)) === started
}

/** null for a process that has ended, also when nobody has asked for its exit code yet. */
async function startedAt(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  // the name, in parentheses, may hold anything
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? []
  return fields[0] === undefined || fields[0] === 'Z' ? null : (fields[19] ?? null)
}

/** The holder's child has one child a host, in their order, and each of these has the host's first process. */
async function hostsOf(holder: number, names: readonly string[]): Promise<HolderRecord['hosts']> {
  const [underlay] = await childrenOf(holder)
  const launchers = underlay === undefined ? [] : await childrenOf(underlay)
  return Promise.all(
    names.map(async (name, index) => {
      const [pid] = launchers[index] === undefined ? [] : await childrenOf(launchers[index])
      if (pid === undefined) throw new Error(`Host ${name} ended while it was made`)
      return { name, pid }
    }),
  )
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text.split(' ').filter(Boolean).map(Number)
}
