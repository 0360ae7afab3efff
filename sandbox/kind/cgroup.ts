import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where the kernel keeps account of a container's memory. */
export interface MemoryCgroup {
  version: 1 | 2
  folder: string
}

/**
 * The memory cgroup of a container whose first process is `pid` here; null where that is not a process of this machine (a
 * daemon in a virtual machine).
 */
export async function memoryCgroup(container: string, pid: number): Promise<MemoryCgroup | null> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  // a node's first process may be in a cgroup below its container's, whose name has the container's id in it
  const path = new RegExp(`^\\d+:(memory)?:(/.*?${container}[^/\\n]*)`, 'm').exec(text)
  if (!path) return null
  const [, controller, below] = path
  return controller ? { version: 1, folder: `/sys/fs/cgroup/memory${below}` } : { version: 2, folder: `/sys/fs/cgroup${below}` }
}

/** Bytes that are charged to it, without the page cache that the kernel drops when it needs the room. Null once it is gone. */
export async function memoryUsed({ version, folder }: MemoryCgroup): Promise<number | null> {
  const read = (file: string) => readFile(join(folder, file), 'utf8')
  const [usage, stat] = await Promise.all([read(version === 1 ? 'memory.usage_in_bytes' : 'memory.current'), read('memory.stat')]).catch(
    () => [null, ''],
  )
  if (usage === null) return null
  const cache = (version === 1 ? /^total_inactive_file (\d+)$/m : /^inactive_file (\d+)$/m).exec(stat ?? '')
  return Number(usage) - Number(cache?.[1] ?? 0)
}

/**
 * Asks the kernel to take back what it can: page cache, and with swap (zram will do) everything that stands still. Whoever may
 * not ask, or asks a kernel before 5.19, has lost nothing.
 */
export async function reclaimMemory({ version, folder }: MemoryCgroup): Promise<void> {
  const ask = async () =>
    version === 1
      ? writeFile(join(folder, 'memory.force_empty'), '0')
      : writeFile(join(folder, 'memory.reclaim'), await readFile(join(folder, 'memory.current'), 'utf8'))
  await ask().catch(() => undefined) // EAGAIN says that not all of it could be had
}
