import { nothing, OpenFile } from './open-file.ts'
import type { PidNamespace } from './pid-namespace.ts'
import { Pipe } from './pipe.ts'
import type { Process } from './process.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
/** Ctrl-D on an empty line, on its way through the input: 0xff never is in UTF-8. */
const endMark = new Uint8Array([0xff])

/**
 * A pseudo terminal with a line discipline: echo, erase, kill line, word erase, Ctrl-C, Ctrl-\, Ctrl-D, CR to NL on input and
 * NL to CR-NL on output. In raw mode (a shell's line editor) bytes pass as they come, except that nothing is echoed.
 */
export class Terminal {
  cols: number
  rows: number
  raw = false
  echo = true
  /** Process group that Ctrl-C is for. */
  foreground = 0
  /** Where that group is to be found, if not among those of who opened the terminal. */
  pids: PidNamespace | undefined
  private readonly output: (data: Uint8Array) => void
  private readonly signal: (pgid: number, signal: 'INT' | 'QUIT' | 'WINCH' | 'HUP') => void
  private readonly input = new Pipe()
  private readonly inputWriter = this.input.writer().retain()
  private line = ''
  private atEnd = false

  constructor(
    size: { cols: number; rows: number },
    output: (data: Uint8Array) => void,
    signal: (pgid: number, signal: 'INT' | 'QUIT' | 'WINCH' | 'HUP') => void,
  ) {
    this.cols = size.cols
    this.rows = size.rows
    this.output = output
    this.signal = signal
    // The terminal itself holds the reading end: what is typed waits for whoever reads next.
    this.input.reader().retain()
  }

  /** A descriptor of the terminal. */
  open(): OpenFile {
    return new TerminalFile(this)
  }

  /** Keys from outside. */
  type(data: Uint8Array): void {
    if (this.raw) {
      this.input.feed(data)
      return
    }
    for (const char of decoder.decode(data)) this.key(char)
  }

  hangUp(): void {
    if (this.line !== '') this.input.feed(encoder.encode(this.line))
    this.line = ''
    this.inputWriter.release()
    this.signal(this.foreground, 'HUP')
  }

  resize(cols: number, rows: number): void {
    this.cols = cols
    this.rows = rows
    this.signal(this.foreground, 'WINCH')
  }

  show(text: string): void {
    this.output(encoder.encode(text))
  }

  async take(max: number, process: Process): Promise<Uint8Array> {
    if (this.atEnd) {
      this.atEnd = false
      return nothing
    }
    const data = await this.input.take(max, process)
    if (data.length === 1 && data[0] === 0xff) return nothing
    if (data.length > 1 && data[data.length - 1] === 0xff) {
      this.atEnd = true
      return data.subarray(0, data.length - 1)
    }
    return data
  }

  put(data: Uint8Array): void {
    this.output(data.includes(10) ? encoder.encode(decoder.decode(data).replace(/\r?\n/g, '\r\n')) : data.slice())
  }

  private key(char: string): void {
    switch (char) {
      case '\x03':
      case '\x1c':
        if (this.echo) this.show(char === '\x03' ? '^C' : '^\\')
        this.line = ''
        this.signal(this.foreground, char === '\x03' ? 'INT' : 'QUIT')
        break
      case '\x04':
        this.input.feed(this.line === '' ? endMark : encoder.encode(this.line))
        this.line = ''
        break
      case '\x7f':
      case '\b':
        this.erase(1)
        break
      case '\x15':
        this.erase(this.line.length)
        break
      case '\x17':
        this.erase(this.line.length - this.line.replace(/\S+\s*$/, '').length)
        break
      default:
        this.typed(char === '\r' ? '\n' : char)
    }
  }

  private typed(char: string): void {
    if (this.echo)
      this.show(char === '\n' ? '\r\n' : char < ' ' && char !== '\t' ? `^${String.fromCharCode(char.charCodeAt(0) + 64)}` : char)
    this.line += char
    if (char !== '\n') return
    this.input.feed(encoder.encode(this.line))
    this.line = ''
  }

  private erase(count: number): void {
    const gone = Math.min(count, this.line.length)
    this.line = this.line.slice(0, this.line.length - gone)
    if (this.echo) this.show('\b \b'.repeat(gone))
  }
}

class TerminalFile extends OpenFile {
  readonly kind = 'tty'
  readonly terminal: Terminal
  constructor(terminal: Terminal) {
    super()
    this.terminal = terminal
    this.path = '/dev/pts/0'
  }
  read(max: number, process: Process): Promise<Uint8Array> {
    return this.terminal.take(max, process)
  }
  async write(data: Uint8Array): Promise<void> {
    this.terminal.put(data)
  }
}
