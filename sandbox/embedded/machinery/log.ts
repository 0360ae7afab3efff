import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'

/** One write. Without a value it is a deletion. Records have no revision. */
export interface LogEntry {
  key: string
  /** Cluster ms. */
  time: number
  revision: number
  value?: unknown
  /** The value as JSON, where somebody has it already. */
  json?: string
}

/** A new file of changes, as soon as so many of the pending entries are in the old one. */
interface Rotation {
  generation: number
  after: number
  done: PromiseWithResolvers<void>
}

interface Waiter {
  /** How many entries must have been written. */
  at: number
  promise: Promise<void>
  resolve: () => void
  reject: (error: unknown) => void
}

/** Bytes of changes after which a compaction is worth its while; as many as the snapshot has, where that is larger. */
const compactionSize = 8 * 2 ** 20
/** Bytes of changes before the current snapshot that stay for those who read the history. */
const historySize = 64 * 2 ** 20
const headerSize = 8
/** Frames that a compaction goes through before others have their turn. */
const framesAtOnce = 256
const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
/** Real ms between one sync of the disk and the next: each makes the writes beside it wait. */
const syncPause = 100
/** ms that writes gather while nobody waits for them. */
const gatherPause = 10

/**
 * The append-only log of a cluster: numbered generations, each a snapshot of everything (none for the first) and the
 * changes since. A frame is length, CRC-32 and JSON; what a crash tore off at the end is cut when the log is opened.
 * Writes are grouped, for a few ms where nobody waits for them: `durable()` resolves when all that was appended before is with
 * the operating system, which keeps it whatever becomes of this process. The disk follows, a few times a second, and nobody waits
 * for that (kind's etcd does not even ask for it): a machine that loses its power may lose the last moment.
 */
export class Log implements AsyncDisposable {
  private readonly directory: string
  private generation: number
  private file: FileHandle
  private size: number
  private snapshotSize = 0
  private pending: Uint8Array[] = []
  private appended = 0
  private synced = 0
  private waiting: Waiter[] = []
  private rotation: Rotation | undefined
  private flushing: Promise<void> | undefined
  private compacting: Promise<void> | undefined
  private failure: unknown
  private syncing: Promise<void> | undefined
  private unsynced = false
  private hurried = false
  private readonly betweenSyncs = new Pause()
  private readonly gathering = new Pause()

  private constructor(directory: string, generation: number, file: FileHandle, size: number) {
    this.directory = directory
    this.generation = generation
    this.file = file
    this.size = size
  }

  /** Opens or makes the log of a directory; `apply` gets every entry that a complete write left in it, oldest first. */
  static async open(directory: string, apply: (entry: LogEntry) => void): Promise<Log> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const { snapshots, changes } = await generations(directory)
    const snapshot = snapshots.at(-1)
    if (snapshot) for (const entry of await readEntries(snapshotFile(directory, snapshot))) apply(entry)
    let generation = snapshot ?? 1
    let size = 0
    for (const number of changes.filter((number) => number >= (snapshot ?? 1))) {
      const path = changesFile(directory, number)
      const bytes = await readFile(path)
      const { entries, end } = decode(bytes)
      for (const entry of entries) apply(entry)
      generation = number
      size = end
      if (end < bytes.length) {
        // Nothing after a torn frame was ever acknowledged, so later generations can hold nothing either.
        await truncate(path, end)
        for (const later of changes.filter((other) => other > number)) await rm(changesFile(directory, later), { force: true })
        break
      }
    }
    const file = await open(changesFile(directory, generation), 'a', 0o600)
    await syncDirectory(directory)
    return new Log(directory, generation, file, size)
  }

  append(entry: LogEntry): void {
    this.pending.push(frame(entry))
    this.appended++
    this.flushing ??= this.flush()
  }

  /** Resolves when everything appended so far outlives this process; rejects for ever after a failed write. */
  durable(): Promise<void> {
    if (this.failure) return Promise.reject(this.failure)
    if (this.synced === this.appended) return Promise.resolve()
    const last = this.waiting.at(-1)
    if (last?.at === this.appended) return last.promise
    const waiter = { at: this.appended, ...Promise.withResolvers<void>() }
    this.waiting.push(waiter)
    this.gathering.end()
    return waiter.promise
  }

  /** Whether the changes have outgrown their worth. */
  get large(): boolean {
    return this.size > Math.max(compactionSize, this.snapshotSize) && !this.compacting
  }

  /**
   * Starts a new generation and makes its snapshot from the files of the one before: of every key the last entry, and `last`
   * at its end. A crash at any step leaves either the old generation or the new one complete.
   */
  compact(last: LogEntry): Promise<void> {
    this.compacting ??= this.compactNow(last).finally(() => {
      this.compacting = undefined
    })
    return this.compacting
  }

  /** Every change that is still stored, oldest first, also those from before the snapshot. */
  async *history(): AsyncGenerator<LogEntry> {
    await this.durable()
    const { changes } = await generations(this.directory)
    for (const number of changes) yield* await readEntries(changesFile(this.directory, number))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.compacting?.catch(() => {})
    await this.flushing
    await this.settled()
    await this.file.close()
  }

  /** Begins to bring what was written to the disk, unless that is under way: then once more after it. */
  private sync(): void {
    this.unsynced = true
    this.syncing ??= this.syncNow().finally(() => {
      this.syncing = undefined
    })
  }

  private async syncNow(): Promise<void> {
    try {
      while (this.unsynced) {
        this.unsynced = false
        await this.file.datasync()
        if (!this.hurried) await this.betweenSyncs.take(syncPause)
      }
    } catch (error) {
      this.failure = error
    }
  }

  /** Resolves when all that was written is on the disk. */
  private async settled(): Promise<void> {
    this.hurried = true
    this.betweenSyncs.end()
    await this.syncing
    this.hurried = false
  }

  private async flush(): Promise<void> {
    try {
      for (;;) {
        if (this.rotation?.after === 0) await this.rotate(this.rotation)
        if (this.pending.length === 0) break
        await this.gather()
        const count = this.rotation?.after ?? this.pending.length
        const batch = this.pending.splice(0, count)
        if (this.rotation) this.rotation.after -= batch.length
        const bytes = Buffer.concat(batch)
        await writeAll(this.file, bytes)
        this.sync()
        this.size += bytes.length
        this.synced += batch.length
        while (this.waiting[0] && this.waiting[0].at <= this.synced) this.waiting.shift()?.resolve()
      }
    } catch (error) {
      this.failure = error
      for (const waiter of this.waiting.splice(0)) waiter.reject(error)
      this.rotation?.done.reject(error)
    } finally {
      this.flushing = undefined
    }
  }

  /** Until somebody waits for what was appended, or enough time has gone by. */
  private async gather(): Promise<void> {
    await null
    if (this.waiting.length === 0) await this.gathering.take(gatherPause)
  }

  private async rotate({ generation, done }: Rotation): Promise<void> {
    const next = await open(changesFile(this.directory, generation), 'a', 0o600)
    await syncDirectory(this.directory)
    await this.settled()
    await this.file.close()
    this.file = next
    this.generation = generation
    this.size = 0
    this.rotation = undefined
    done.resolve()
  }

  private async compactNow(last: LogEntry): Promise<void> {
    if (this.failure) throw this.failure
    const generation = this.generation + 1
    this.rotation = { generation, after: this.pending.length, done: Promise.withResolvers() }
    this.flushing ??= this.flush()
    await this.rotation.done.promise
    const temporary = join(this.directory, 'snapshot.tmp')
    const file = await open(temporary, 'w', 0o600)
    try {
      const frames = await this.lastFrames(generation)
      frames.push(frame(last))
      let size = 0
      for (let start = 0; start < frames.length; start += framesAtOnce) {
        const bytes = Buffer.concat(frames.slice(start, start + framesAtOnce))
        await writeAll(file, bytes)
        size += bytes.length
      }
      await file.sync()
      this.snapshotSize = size
    } finally {
      await file.close()
    }
    await rename(temporary, snapshotFile(this.directory, generation))
    await syncDirectory(this.directory)
    await this.dropBefore(generation)
  }

  /** Of every key that has a value before a generation, the frame that says so. */
  private async lastFrames(generation: number): Promise<Uint8Array[]> {
    const { snapshots, changes } = await generations(this.directory)
    const snapshot = snapshots.at(-1)
    const files = changes
      .filter((number) => number >= (snapshot ?? 1) && number < generation)
      .map((number) => changesFile(this.directory, number))
    if (snapshot) files.unshift(snapshotFile(this.directory, snapshot))
    const last = new Map<string, Uint8Array>()
    for (const path of files) {
      const bytes = await readFile(path)
      let count = 0
      for (let start = 0; start < bytes.length; ) {
        const end = start + headerSize + bytes.readUInt32LE(start)
        if (end > bytes.length) throw new Error(`${path} ends in the middle of an entry`)
        const { key, hasValue } = keyOf(bytes, start + headerSize)
        if (hasValue) last.set(key, bytes.subarray(start, end))
        else last.delete(key)
        start = end
        if (++count % framesAtOnce === 0) await setImmediate()
      }
    }
    return [...last.values()]
  }

  private async dropBefore(generation: number): Promise<void> {
    const { snapshots, changes } = await generations(this.directory)
    for (const number of snapshots) if (number < generation) await rm(snapshotFile(this.directory, number), { force: true })
    let kept = 0
    for (const number of changes.filter((number) => number < generation).reverse()) {
      const path = changesFile(this.directory, number)
      kept += (await stat(path)).size
      if (kept > historySize) await rm(path, { force: true })
    }
  }
}

/** A wait that somebody else may cut short. */
class Pause {
  private resolve: (() => void) | undefined

  /** Resolves after `ms` of real time, or once `end` is called meanwhile. */
  async take(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    this.resolve = resolve
    await promise
    clearTimeout(timer)
    this.resolve = undefined
  }

  end(): void {
    this.resolve?.()
  }
}

function snapshotFile(directory: string, generation: number): string {
  return join(directory, `snapshot-${String(generation).padStart(6, '0')}.log`)
}

function changesFile(directory: string, generation: number): string {
  return join(directory, `changes-${String(generation).padStart(6, '0')}.log`)
}

async function generations(directory: string): Promise<{ snapshots: number[]; changes: number[] }> {
  const names = (await readdir(directory)).sort()
  const numbers = (kind: string) =>
    names.flatMap((name) => {
      const match = new RegExp(`^${kind}-(\\d+)\\.log$`).exec(name)
      return match ? [Number(match[1])] : []
    })
  return { snapshots: numbers('snapshot'), changes: numbers('changes') }
}

async function readEntries(path: string): Promise<LogEntry[]> {
  return decode(await readFile(path)).entries
}

function frame({ revision, time, key, value, json }: LogEntry): Uint8Array {
  const start = `[${revision},${time},${JSON.stringify(key)}`
  const text = value === undefined ? `${start}]` : `${start},${json ?? JSON.stringify(value)}]`
  const length = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(headerSize + length)
  bytes.write(text, headerSize)
  bytes.writeUInt32LE(length, 0)
  bytes.writeUInt32LE(crc32(bytes.subarray(headerSize)), 4)
  return bytes
}

/** The key of an entry as it stands in its JSON, [revision, time, key] or [revision, time, key, value]. */
function keyOf(bytes: Buffer, start: number): { key: string; hasValue: boolean } {
  const from = bytes.indexOf(quote, start) + 1
  let to = from
  while (bytes[to] !== quote) to += bytes[to] === backslash ? 2 : 1
  return { key: bytes.toString('latin1', from, to), hasValue: bytes[to + 1] === comma }
}

function decode(bytes: Buffer): { entries: LogEntry[]; end: number } {
  const entries: LogEntry[] = []
  let end = 0
  while (end + headerSize <= bytes.length) {
    const length = bytes.readUInt32LE(end)
    const start = end + headerSize
    if (length === 0 || start + length > bytes.length) break
    const payload = bytes.subarray(start, start + length)
    if (crc32(payload) !== bytes.readUInt32LE(end + 4)) break
    const [revision, time, key, value] = JSON.parse(payload.toString()) as [number, number, string, unknown]
    entries.push({ revision, time, key, ...(value === undefined ? {} : { value }) })
    end = start + length
  }
  return { entries, end }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, offset)
    offset += bytesWritten
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
