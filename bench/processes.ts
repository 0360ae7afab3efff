import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'

/** Figures of processes as Linux's /proc has them (proc(5)). Other systems have none: they reject. */
const ticksPerSecond = 100

/** A process and everything that descends from it. */
export async function familyOf(pid: number): Promise<number[]> {
  const parents = new Map<number, number>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const fields = await statOf(Number(name))
    if (fields) parents.set(Number(name), Number(fields[1]))
  }
  const family = [pid]
  for (const member of family) for (const [child, parent] of parents) if (parent === member) family.push(child)
  return family
}

/** MB that are resident, summed; a page that several of them share counts for each. */
export async function residentMB(pids: readonly number[]): Promise<number> {
  return (await sum(pids, (pid) => kilobytes(`/proc/${pid}/status`, 'VmRSS'))) / 1024
}

/** MB that are resident, summed; a page that several processes share is divided among them. */
export async function proportionalMB(pids: readonly number[]): Promise<number> {
  return (await sum(pids, (pid) => kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss'))) / 1024
}

/** CPU seconds that they have used so far. */
export async function cpuSeconds(pids: readonly number[]): Promise<number> {
  return sum(pids, async (pid) => {
    const fields = await statOf(pid)
    return fields ? (Number(fields[11]) + Number(fields[12])) / ticksPerSecond : 0
  })
}

/** Starts a program, waits for its end and resolves; what every process on this machine costs at least. */
export async function runBareNode(): Promise<void> {
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`node -e 0 ended with ${code}`)
}

/** MB of a Node process that does nothing. */
export async function bareNodeMB(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'console.log(); setInterval(() => {}, 1e6)'], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  const size = await residentMB([child.pid as number])
  child.kill()
  await once(child, 'exit')
  return size
}

/** The fields of /proc/pid/stat after the name: state, ppid ... ; null when the process is gone. */
async function statOf(pid: number): Promise<string[] | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

async function kilobytes(file: string, field: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '') // it may have ended meanwhile
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
}

async function sum(pids: readonly number[], figure: (pid: number) => Promise<number>): Promise<number> {
  return (await Promise.all(pids.map(figure))).reduce((total, one) => total + one, 0)
}
