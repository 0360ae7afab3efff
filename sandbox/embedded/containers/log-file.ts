import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGzip, gunzipSync, gzipSync } from 'node:zlib'
import { criLength, criLine } from './cri-line.ts'
import type { LogLine } from './runtime.ts'
import { Errno } from './vfs/errno.ts'
import { type FileNode, file, type LiveContent } from './vfs/node.ts'

/**
 * A file of a container's log on its node. There are only the lines, which `kubectl logs` shows, too; the file's text is made of them
 * when somebody reads it. Lines that were let go of because there is no room for them are passed over.
 */
export class LogFile implements FileNode {
  readonly type = 'file'
  readonly mode = 0o640
  readonly uid = 0
  readonly gid = 0
  readonly owner = undefined
  readonly data = new Uint8Array(0)
  readonly live: LiveContent = { open: () => this.reader(), truncate: () => this.cutOff(), remove: () => this.remove() }
  lines: LogLine[]
  /** In bytes; with those of lines that were let go of. */
  size = 0
  mtime: number
  /** Nobody finds it any more; who has it open reads and writes on. */
  removed = false
  private gone = { lines: 0, bytes: 0 }
  private memory = 0
  private cuts = 0
  private readonly onCut: () => void
  private gz: Uint8Array | undefined
  private packedNode: FileNode | undefined

  /** @param now cluster ms */
  constructor(now: number, onCut: () => void, lines: LogLine[] = []) {
    this.mtime = now
    this.onCut = onCut
    this.lines = lines
    for (const line of lines) this.count(line)
  }

  add(line: LogLine): void {
    this.lines.push(line)
    this.mtime = line.time
    this.count(line)
    if (this.memory <= limit) return
    // A tenth at once, so that a chatty container does not shift the array with every line.
    let drop = 0
    for (; this.memory > limit * 0.9; drop++) {
      const first = this.lines[drop] as LogLine
      this.memory -= sizeOfLine(first)
      this.gone.bytes += criLength(first)
    }
    this.gone.lines += drop
    this.lines = this.lines.slice(drop)
  }

  private count(line: LogLine): void {
    this.size += criLength(line)
    this.memory += sizeOfLine(line)
  }

  /** It is written no more: it need not take the room of its text. */
  async pack(): Promise<void> {
    const packed = await pipeline(Readable.from(this.pieces()), createGzip(), (source) => buffer(source))
    this.gz ??= packed
    this.lines = []
  }

  /** A few lines at a time, so that others have their turns in between. */
  private *pieces(): Generator<string> {
    for (let at = 0; at < this.lines.length; at += 200) {
      yield this.lines
        .slice(at, at + 200)
        .map(criLine)
        .join('')
    }
  }

  /** The same, packed: another file. */
  packed(): FileNode {
    const content = (this.gz ??= gzipSync(this.text()))
    return (this.packedNode ??= { ...file(content, this.mode), mtime: this.mtime, live: liveOf(content, () => this.remove()) })
  }

  private text(): Buffer {
    return this.gz ? gunzipSync(this.gz) : Buffer.from(this.lines.map(criLine).join(''))
  }

  private cutOff(): void {
    if (this.gz) throw new Errno('EPERM')
    this.lines = []
    this.gone = { lines: 0, bytes: 0 }
    this.size = 0
    this.memory = 0
    this.cuts++
    this.onCut()
  }

  private remove(): void {
    this.removed = true
  }

  private reader(): ReturnType<LiveContent['open']> {
    // A line by its number in the file, and the byte it begins with: who reads on begins there.
    let line = 0
    let start = 0
    let { cuts } = this
    let whole: Uint8Array | undefined
    return (offset, max) => {
      if (this.gz) {
        whole ??= this.text()
        const from = Math.max(0, offset - this.gone.bytes)
        return whole.subarray(from, from + max)
      }
      const { lines, gone } = this
      const at = (number: number) => lines[number - gone.lines] as LogLine
      const end = gone.lines + lines.length
      if (cuts !== this.cuts || line < gone.lines) {
        cuts = this.cuts
        line = gone.lines
        start = gone.bytes
      }
      while (line > gone.lines && start > offset) start -= criLength(at(--line))
      for (let length = 0; line < end; line++, start += length) {
        length = criLength(at(line))
        if (start + length > offset) break
      }
      const skipped = Math.max(0, offset - start)
      const parts: Buffer[] = []
      let bytes = -skipped
      for (let next = line; next < end && bytes < max; next++) {
        const part = Buffer.from(criLine(at(next)))
        parts.push(part)
        bytes += part.length
      }
      return new Uint8Array(Buffer.concat(parts).subarray(skipped, skipped + max))
    }
  }
}

/** Bytes that a line takes. */
export function sizeOfLine({ text }: LogLine): number {
  return text.length + overhead
}

const limit = 10 * 1024 * 1024
/** What a line costs besides its text. */
const overhead = 64

function liveOf(content: Uint8Array, remove: () => void): LiveContent {
  const truncate = () => {
    throw new Errno('EPERM')
  }
  return { open: () => (offset, max) => content.subarray(offset, offset + max), truncate, remove }
}
