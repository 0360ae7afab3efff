import type { ContainerLog, LogLine } from './runtime.ts'

/** A container's output, cut into lines as the runtime's logger does: what has no newline waits for it, or for the end. */
export class Log implements ContainerLog {
  /** How many lines there have been. */
  count = 0
  private kept: LogLine[] = []
  private bytes = 0
  /** Bytes that those who were put aside take. */
  private aside: number[] = []
  fileBytes = 0
  private readonly listeners = new Set<(line: LogLine) => void>()
  private readonly partial = { stdout: '', stderr: '' }
  private readonly decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  private readonly now: () => number

  constructor(now: () => number, lines: LogLine[] = []) {
    this.now = now
    for (const line of lines) this.keep(line)
  }

  lines(): readonly LogLine[] {
    return this.kept
  }

  /** Bytes on the disk. */
  get size(): number {
    return this.aside.reduce((sum, bytes) => sum + bytes, this.bytes)
  }

  putAside(files: number): void {
    this.aside = [...this.aside, this.bytes].slice(-files)
    this.kept = []
    this.bytes = 0
    this.fileBytes = 0
  }

  onLine(listener: (line: LogLine) => void): Disposable {
    this.listeners.add(listener)
    return { [Symbol.dispose]: () => this.listeners.delete(listener) }
  }

  write(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    const time = this.now()
    let text = this.partial[stream] + this.decoders[stream].decode(data, { stream: true })
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
      this.add(stream, text.slice(0, end + 1), time)
      text = text.slice(end + 1)
    }
    // containerd splits longer lines at 16 KiB.
    while (text.length > longestLine) {
      this.add(stream, text.slice(0, longestLine), time)
      text = text.slice(longestLine)
    }
    this.partial[stream] = text
  }

  /** The container has ended: what waited for a newline is a line now. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.partial[stream] !== '') this.add(stream, this.partial[stream], this.now())
      this.partial[stream] = ''
    }
  }

  /** The last lines, up to so many bytes, of those that came after the first `since`. */
  tail(maxBytes: number, since: number): LogLine[] {
    let bytes = 0
    let start = this.kept.length
    const first = Math.max(0, since - (this.count - this.kept.length))
    while (start > first) {
      bytes += sizeOfLine(this.kept[start - 1] as LogLine)
      if (bytes > maxBytes) break
      start--
    }
    return this.kept.slice(start)
  }

  private add(stream: 'stdout' | 'stderr', text: string, time: number): void {
    const line = { time, stream, text }
    this.keep(line)
    for (const listener of [...this.listeners]) listener(line)
  }

  private keep(line: LogLine): void {
    this.count++
    this.kept.push(line)
    this.bytes += sizeOfLine(line)
    this.fileBytes += line.text.length + prefixBytes
    if (this.bytes <= limit) return
    // A tenth at once, so that a chatty container does not shift the array with every line.
    let drop = 0
    while (this.bytes > limit * 0.9) this.bytes -= sizeOfLine(this.kept[drop++] as LogLine)
    this.kept = this.kept.slice(drop)
  }
}

/** Bytes that a line takes. */
export function sizeOfLine({ text }: LogLine): number {
  return text.length + overhead
}

const limit = 10 * 1024 * 1024
const longestLine = 16384
/** What the runtime writes before a line: its time, the stream, and whether it is a whole one. */
const prefixBytes = 41
/** What a line costs besides its text. */
const overhead = 64
