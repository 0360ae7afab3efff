import { LogFile, sizeOfLine } from './log-file.ts'
import type { ContainerLog, LogLine } from './runtime.ts'
import type { FileNode } from './vfs/node.ts'

/** A container's output, cut into lines as the runtime's logger does: what has no newline waits for it, or for the end. */
export class Log implements ContainerLog {
  /** How many lines there have been. */
  count = 0
  /** Rises when the lines that there were are not its own any more: put aside, cut off. */
  generation = 0
  /** Hears of that. */
  onNewGeneration = (): void => {}
  private file: LogFile
  /** Oldest first. */
  private aside: { file: LogFile; at: number }[] = []
  private readonly listeners = new Set<(line: LogLine) => void>()
  private readonly partial = { stdout: '', stderr: '' }
  private readonly decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  private readonly now: () => number

  constructor(now: () => number, lines: LogLine[] = []) {
    this.now = now
    this.file = new LogFile(now(), () => this.begun(), lines)
    this.count = lines.length
  }

  lines(): readonly LogLine[] {
    return this.file.lines
  }

  get fileBytes(): number {
    return this.file.size
  }

  get removed(): boolean {
    return this.file.removed
  }

  /** Bytes on the disk. */
  get size(): number {
    return this.shown('').reduce((sum, [, { size }]) => sum + size, 0)
  }

  putAside(files: number): void {
    const { file } = this
    this.aside = [...this.aside.filter(({ file }) => !file.removed), { file, at: this.now() }].slice(-files)
    void file.pack()
    this.reopen()
  }

  reopen(): void {
    this.file = new LogFile(this.now(), () => this.begun())
    this.begun()
  }

  /** Its files as the node has them: the newest of those put aside is plain, the others are packed. */
  shown(name: string): [name: string, node: FileNode][] {
    const current: [string, FileNode][] = this.removed ? [] : [[name, this.file]]
    const aside = this.aside.filter(({ file }) => !file.removed)
    return [
      ...current,
      ...aside.map(({ file, at }, index): [string, FileNode] => {
        const stamp = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')
        return index === aside.length - 1 ? [`${name}.${stamp}`, file] : [`${name}.${stamp}.gz`, file.packed()]
      }),
    ]
  }

  onLine(listener: (line: LogLine) => void): Disposable {
    this.listeners.add(listener)
    return { [Symbol.dispose]: () => this.listeners.delete(listener) }
  }

  write(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    const time = this.now()
    let text = this.partial[stream] + this.decoders[stream].decode(data, { stream: true })
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
      // A terminal's lines end with two characters, which become one.
      this.add(stream, text[end - 1] === '\r' ? `${text.slice(0, end - 1)}\n` : text.slice(0, end + 1), time)
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
    const { lines } = this.file
    let start = lines.length
    const first = Math.max(0, since - (this.count - lines.length))
    while (start > first) {
      bytes += sizeOfLine(lines[start - 1] as LogLine)
      if (bytes > maxBytes) break
      start--
    }
    return lines.slice(start)
  }

  private begun(): void {
    this.generation++
    this.onNewGeneration()
  }

  private add(stream: 'stdout' | 'stderr', text: string, time: number): void {
    const line = { time, stream, text }
    this.keep(line)
    for (const listener of [...this.listeners]) listener(line)
  }

  private keep(line: LogLine): void {
    this.count++
    this.file.add(line)
  }
}

const longestLine = 16384
