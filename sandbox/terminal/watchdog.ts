import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Text } from '../text.ts'
import { limits } from './jail.ts'

export interface Watched {
  /** First processes of pid namespaces: what runs in these, and in those made in them, counts together. */
  pids: readonly number[]
  /** A folder that may hold limits.homeBytes; null for none. */
  home: string | null
  memoryBytes: number
}

interface Entry extends Watched {
  namespaces: Set<string>
  notice: (text: Text) => void
}

const watched = new Set<Entry>()
let timer: NodeJS.Timeout | undefined
const intervalMs = 2_000
const pageBytes = 4096

/**
 * Keeps processes together within memoryBytes and their home within limits.homeBytes: the largest process (or, for the
 * home, every process) is killed, and the notice says so. One look at /proc serves everything that is watched.
 */
export function watchProcesses(what: Watched, notice: (text: Text) => void): Disposable {
  const entry: Entry = { ...what, namespaces: new Set(), notice }
  watched.add(entry)
  schedule()
  return {
    [Symbol.dispose]() {
      watched.delete(entry)
      if (watched.size === 0) {
        clearTimeout(timer)
        timer = undefined
      }
    },
  }
}

function schedule(): void {
  if (timer || watched.size === 0) return
  timer = setTimeout(() => {
    look()
      .catch(() => undefined) // a process that ended while we looked: the next look sees the rest
      .finally(() => {
        timer = undefined
        schedule()
      })
  }, intervalMs)
  timer.unref()
}

interface Seen {
  pid: number
  bytes: number
}

async function look(): Promise<void> {
  const byNamespace = processes()
  const owners = new Map<string, Entry | null>()
  for (const entry of watched) {
    if (entry.namespaces.size === 0) entry.namespaces = new Set(entry.pids.map(namespaceOf).filter((name) => name !== null))
    for (const name of entry.namespaces) owners.set(name, entry)
  }
  for (const entry of watched) {
    const inside = [...byNamespace].flatMap(([name, seen]) => (ownerOf(name, byNamespace, owners) === entry ? seen : []))
    const others = inside.filter((one) => !entry.pids.includes(one.pid))
    const total = others.reduce((sum, one) => sum + one.bytes, 0)
    if (total > entry.memoryBytes) {
      const largest = others.reduce((most, one) => (one.bytes > most.bytes ? one : most))
      end(largest.pid)
      const most = `${entry.memoryBytes / 2 ** 20} MiB`
      entry.notice({
        en: `a process was killed: the terminals may use ${most} of memory together`,
        zh: `有一个进程被终止：所有终端合计最多使用 ${most} 内存`,
      })
    }
    if (entry.home !== null && others.length > 0 && (await sizeOf(entry.home, limits.homeBytes)) > limits.homeBytes) {
      for (const one of others) end(one.pid)
      const most = `${limits.homeBytes / 2 ** 20} MiB`
      entry.notice({
        en: `all processes were killed: the home folder may hold ${most}; remove some files`,
        zh: `所有进程都已终止：主目录最多容纳 ${most}，请删除一些文件`,
      })
    }
  }
}

/** Whose a pid namespace is: that of the nearest one around it that is watched. Fills `owners`. */
function ownerOf(name: string, byNamespace: Map<string, Seen[]>, owners: Map<string, Entry | null>): Entry | null {
  const known = owners.get(name)
  if (known !== undefined) return known
  owners.set(name, null)
  // the first process of a namespace was started from the one around it
  const parent = (byNamespace.get(name) ?? []).map(({ pid }) => parentOf(pid)).find((pid) => pid !== null && namespaceOf(pid) !== name)
  const around = parent ? namespaceOf(parent) : null
  const owner = around === null ? null : ownerOf(around, byNamespace, owners)
  owners.set(name, owner)
  return owner
}

/** Of the whole machine. Synchronous: /proc is memory, and a few hundred promises would cost fifty times as much as the reading. */
function processes(): Map<string, Seen[]> {
  const found = new Map<string, Seen[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const namespace = namespaceOf(pid)
    if (namespace === null || namespace === ourNamespace) continue
    const seen = { pid, bytes: residentPages(pid) * pageBytes }
    const others = found.get(namespace)
    if (others) others.push(seen)
    else found.set(namespace, [seen])
  }
  return found
}

const ourNamespace = namespaceOf(process.pid)

/** null for a process that is gone or not ours to ask about. */
function namespaceOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return null
  }
}

function parentOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the name, in parentheses, may hold anything
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return null // it ended meanwhile
  }
}

function residentPages(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1] ?? 0)
  } catch {
    return 0 // it ended meanwhile
  }
}

/** Bytes of the files in a folder; stops at `enough`. Folder by folder, so that the platform goes on between them. */
async function sizeOf(folder: string, enough: number): Promise<number> {
  let total = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (total > enough) return total
    const path = join(folder, entry.name)
    if (entry.isDirectory()) total += await sizeOf(path, enough - total)
    else if (entry.isFile()) total += fileSize(path)
  }
  return total
}

function fileSize(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0 // it is gone, or in a folder that its owner has closed
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
