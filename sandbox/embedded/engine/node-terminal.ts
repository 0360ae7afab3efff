import type { TerminalProcess } from '../../engine.ts'
import type { ProcessPool } from './pool.ts'

/** A shell on a node of an embedded cluster: it runs in the cluster's process and ends with it. */
export class NodeTerminal implements TerminalProcess {
  readonly number: number
  private readonly pool: ProcessPool
  private readonly cluster: string
  private readonly listening: { number: number } & Disposable
  private readonly onEnd: () => void
  private readonly dataListeners = new Set<(data: Uint8Array) => void>()
  private readonly exitListeners = new Set<(exit: { exitCode: number }) => void>()
  /** What came while nobody listened, or while reading was paused. */
  private waiting: Uint8Array[] = []
  private paused = false
  private ended: { exitCode: number } | undefined

  constructor(pool: ProcessPool, cluster: string, onEnd: () => void) {
    this.pool = pool
    this.cluster = cluster
    this.onEnd = onEnd
    this.listening = pool.terminal({
      data: (data) => {
        this.waiting.push(data)
        this.flush()
      },
      exit: (exitCode) => this.exit(exitCode),
    })
    this.number = this.listening.number
  }

  write(data: string): void {
    this.ask(this.pool.call('writeTerminal', this.cluster, this.number, data))
  }

  resize(cols: number, rows: number): void {
    this.ask(this.pool.call('resizeTerminal', this.cluster, this.number, { cols, rows }))
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.flush()
  }

  onData(listener: (data: Uint8Array) => void): Disposable {
    this.dataListeners.add(listener)
    // Not before whoever asked has got hold of what is returned.
    queueMicrotask(() => this.flush())
    return { [Symbol.dispose]: () => this.dataListeners.delete(listener) }
  }

  onExit(listener: (exit: { exitCode: number }) => void): Disposable {
    if (this.ended) listener(this.ended)
    else this.exitListeners.add(listener)
    return { [Symbol.dispose]: () => this.exitListeners.delete(listener) }
  }

  /** The shell is over, or the process that ran it. */
  exit(exitCode: number): void {
    if (this.ended) return
    this.ended = { exitCode }
    this.listening[Symbol.dispose]()
    for (const listener of [...this.exitListeners]) listener(this.ended)
    this.exitListeners.clear()
    this.onEnd()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended) return
    this.exit(137)
    // A process that is gone has taken the shell with it.
    await this.pool.call('closeTerminal', this.cluster, this.number).catch(() => undefined)
  }

  private flush(): void {
    while (!this.paused && this.dataListeners.size > 0 && this.waiting.length > 0) {
      const data = this.waiting.shift() as Uint8Array
      for (const listener of [...this.dataListeners]) listener(data)
    }
  }

  /** When the cluster's process is gone the shell is, too: its end is told by the sandbox. */
  private ask(call: Promise<void>): void {
    call.catch(() => this.exit(137))
  }
}
