import type { Records } from '../machinery/context.ts'
import type { Log } from './log.ts'
import { sizeOfLine } from './log-file.ts'
import type { LogLine } from './runtime.ts'

/** Lines in one record: what a container writes later does not write those before it again. */
const chunkLines = 8
/** The last lines of a container's log, up to so many bytes, outlive the process. */
const keptBytes = 64 * 1024

interface Chunk {
  number: number
  lines: LogLine[]
  bytes: number
}

interface Written {
  /** Of the log. */
  generation: number
  /** Lines that the log had had when it was last recorded. */
  count: number
  /** Oldest first; only the last is still added to. */
  chunks: Chunk[]
  /** Of all chunks. */
  bytes: number
}

/** The ends of containers' logs in a cluster's records, in chunks of which only the last is written anew. */
export class LogRecords {
  private readonly records: Records
  private readonly prefix: string
  private readonly written = new Map<string, Written>()

  constructor(records: Records, prefix: string) {
    this.records = records
    this.prefix = prefix
  }

  /** Records what has been added to a container's log. */
  save(id: string, log: Log): void {
    let known = this.written.get(id)
    if (known?.generation !== log.generation) {
      this.delete(id)
      this.written.set(id, (known = { generation: log.generation, count: 0, chunks: [], bytes: 0 }))
    }
    const added = log.tail(keptBytes, known.count)
    known.count = log.count
    for (let next = 0; next < added.length; ) {
      const chunk = openChunk(known)
      const taken = added.slice(next, next + chunkLines - chunk.lines.length)
      next += taken.length
      chunk.lines = [...chunk.lines, ...taken]
      for (const line of taken) {
        chunk.bytes += sizeOfLine(line)
        known.bytes += sizeOfLine(line)
      }
      this.records.put(this.keyOf(id, chunk.number), chunk.lines)
    }
    this.trim(id, known)
  }

  read(id: string): LogLine[] {
    return this.keysOf(id).flatMap((key) => this.records.get<LogLine[]>(key) ?? [])
  }

  delete(id: string): void {
    this.written.delete(id)
    for (const key of this.keysOf(id)) this.records.delete(key)
  }

  /** Lets go of the oldest chunks without which there is still enough. */
  private trim(id: string, known: Written): void {
    for (let oldest = known.chunks[0]; oldest && known.bytes - oldest.bytes >= keptBytes; oldest = known.chunks[0]) {
      known.bytes -= oldest.bytes
      known.chunks.shift()
      this.records.delete(this.keyOf(id, oldest.number))
    }
  }

  private keyOf(id: string, chunk: number): string {
    return `${this.prefix}${id}/${String(chunk).padStart(12, '0')}`
  }

  private keysOf(id: string): string[] {
    return this.records.keys(`${this.prefix}${id}/`)
  }
}

function openChunk({ chunks }: Written): Chunk {
  const last = chunks.at(-1)
  if (last && last.lines.length < chunkLines) return last
  const chunk = { number: (last?.number ?? 0) + 1, lines: [], bytes: 0 }
  chunks.push(chunk)
  return chunk
}
