import type { Machine } from './kernel/machine.ts'
import { NullFile, type OpenFile, SinkFile } from './kernel/open-file.ts'
import { Pipe } from './kernel/pipe.ts'
import type { Process as KernelProcess } from './kernel/process.ts'
import { type SignalName, signalByName } from './kernel/signals.ts'
import { Terminal } from './kernel/terminal.ts'
import type { Process } from './runtime.ts'

/** The streams of an exec: what is written before anybody listens waits. */
export class Session {
  readonly process: Process
  private readonly terminal: Terminal | undefined
  private readonly pipe = new Pipe()
  private stdinWriter: OpenFile | undefined
  private readonly withStdin: boolean
  private readonly listeners = new Set<(stream: 'stdout' | 'stderr', data: Uint8Array) => void>()
  private early: ['stdout' | 'stderr', Uint8Array][] | undefined = []
  private kernel: KernelProcess | undefined
  private machine: Machine | undefined
  private end: (result: { exitCode: number }) => void = () => {}

  constructor(options: { tty: boolean; stdin: boolean; cols?: number; rows?: number }) {
    this.withStdin = options.stdin
    if (options.tty) {
      this.terminal = new Terminal(
        { cols: options.cols ?? 80, rows: options.rows ?? 24 },
        (data) => this.emit('stdout', data),
        (pgid, signal) => void this.machine?.killGroup(pgid, signal, this.terminal?.pids),
      )
    }
    this.process = {
      write: (data) => (this.terminal ? this.terminal.type(data) : this.pipe.feed(data)),
      closeStdin: () => {
        this.terminal?.hangUp()
        this.stdinWriter?.release()
        this.stdinWriter = undefined
      },
      resize: (cols, rows) => this.terminal?.resize(cols, rows),
      onOutput: (listener) => {
        this.listeners.add(listener)
        const { early } = this
        this.early = undefined
        for (const [stream, data] of early ?? []) listener(stream, data)
        return { [Symbol.dispose]: () => this.listeners.delete(listener) }
      },
      exited: new Promise((resolve) => {
        this.end = resolve
      }),
      kill: (signal) => this.kernel?.kill(signalByName(signal) as SignalName, 'outside'),
    }
  }

  files(): Map<number, OpenFile> {
    if (this.terminal) {
      const open = this.terminal.open()
      return new Map([
        [0, open],
        [1, open],
        [2, open],
      ])
    }
    if (this.withStdin) this.stdinWriter = this.pipe.writer().retain()
    return new Map([
      [0, this.withStdin ? this.pipe.reader() : new NullFile()],
      [1, new SinkFile((data) => this.emit('stdout', data))],
      [2, new SinkFile((data) => this.emit('stderr', data))],
    ])
  }

  attach(machine: Machine, process: KernelProcess): void {
    this.machine = machine
    this.kernel = process
    process.terminal = this.terminal
    if (this.terminal) this.terminal.foreground = process.pgid
    process.onEnd((status) => this.end({ exitCode: status.code }))
  }

  private emit(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    if (this.early) this.early.push([stream, data])
    else for (const listener of [...this.listeners]) listener(stream, data)
  }
}
