import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { JailKind } from './jail.ts'
import { asProcessEnv, outsideEnvironment } from './launch.ts'

export interface Holder {
  /** Of the first process in its pid namespace, as this machine sees it. */
  pid: number
  alive: () => boolean
  end: () => Promise<void>
}

/** Starts the holder of a toolbox and resolves once its jail stands. */
export async function startHolder(kind: JailKind, argv: string[]): Promise<Holder> {
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: asProcessEnv(outsideEnvironment()),
    cwd: '/',
  })
  const problems: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => problems.push(chunk))
  const gone = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(
        new Error(`The toolbox could not be opened (${signal ?? `exit ${code}`}): ${Buffer.concat(problems).toString('utf8').trim()}`),
      ),
    )
  })
  gone.catch(() => undefined)
  const alive = () => child.exitCode === null && child.signalCode === null
  const end = async () => {
    child.stdin?.end()
    if (!alive()) return
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const impatient = setTimeout(() => child.kill('SIGKILL'), 1_000)
    await exited
    clearTimeout(impatient)
  }
  try {
    const [pid] = await Promise.race([
      Promise.all([kind === 'bubblewrap' ? pidFromInfo(child.stdio[3] as Readable) : null, once(child.stdout as Readable, 'data')]),
      gone,
    ])
    const inside = pid ?? (await firstChild(child.pid as number))
    return { pid: inside, alive, end }
  } catch (error) {
    await end()
    throw error
  }
}

function pidFromInfo(info: Readable): Promise<number> {
  let text = ''
  return new Promise((resolve) => {
    // read to its end: bubblewrap dies of a pipe that nobody reads
    info.on('data', (chunk) => {
      text += String(chunk)
      const found = /"child-pid":\s*(\d+)/.exec(text)
      if (found) resolve(Number(found[1]))
    })
  })
}

async function firstChild(pid: number): Promise<number> {
  const first = Number.parseInt(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'), 10)
  if (Number.isNaN(first)) throw new Error('The toolbox ended while it was opened')
  return first
}

const firstUid = 210_000
const claimed = new Set<number>()

/** A uid that no other sandbox of this process uses now; the given one when a sandbox comes back that has it already. */
export function claimUid(known?: number): number {
  let uid = known ?? firstUid + (randomBytes(2).readUInt16BE() % 40_000)
  while (known === undefined && claimed.has(uid)) uid++
  claimed.add(uid)
  return uid
}

export function releaseUid(uid: number): void {
  claimed.delete(uid)
}
