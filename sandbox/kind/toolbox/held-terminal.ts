import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TerminalProcess } from '../../engine.ts'
import type { Docker } from '../docker.ts'

export interface HeldTerminalOptions {
  docker: Docker
  /** The container whose holder (image/holder.py) has the terminal. */
  container: string
  id: string
  /** From which byte of its output on, when it is there already. */
  seq: number
  cols: number
  rows: number
  argv: readonly string[]
  environment: Readonly<Record<string, string>>
  cwd: string
  /** Called once when this end is closed, whatever the reason. */
  onClosed?: () => void
}

/** `beat`: so often, in s, the holder says something at least; one from before an upgrade does not. */
type Begin = { fresh: boolean; seq: number; beat?: number }
type Exit = { exitCode: number; signal?: number }

/** Where the holder listens, inside its container. */
export const holderSocket = '/run/toolbox/holder.sock'
const frameLimit = 2 ** 20
const openWithinMs = 20_000
/** A connection that broke (docker was restarted, somebody killed its client) is made again so often, at such a distance. ms. */
const attempts = 5
const retryAfterMs = 400
/** So many beats that the holder misses are a broken connection: `docker exec` may never learn that its container has ended. */
const missedBeats = 4

/**
 * A shell that a holder keeps in a container, seen through `docker exec`. Opening the id of a shell that runs attaches to it.
 * Disposing destroys the shell and what runs in it, detaching leaves it. Rejects when the container cannot be entered.
 */
export async function openHeldTerminal(options: HeldTerminalOptions): Promise<TerminalProcess> {
  const terminal = new HeldTerminal(options)
  const { fresh, seq } = await terminal.connect()
  if (!fresh) terminal.continuesAt = seq
  return terminal
}

class HeldTerminal implements TerminalProcess {
  continuesAt?: number
  private readonly options: HeldTerminalOptions
  private readonly dataListeners = new Set<(data: Uint8Array) => void>()
  private readonly exitListeners = new Set<(exit: Exit) => void>()
  /** What came before anybody listened. */
  private early: Uint8Array[] = []
  private connection: ChildProcessWithoutNullStreams | null = null
  /** Offset of the next byte. */
  seq: number
  private size: { cols: number; rows: number }
  private exit: Exit | null = null
  private closing = false
  private closed = false
  private flowing = true
  /** `performance.now()` when something came last, or could come again. */
  private heardAt = 0

  constructor(options: HeldTerminalOptions) {
    this.options = options
    this.seq = options.seq
    this.size = { cols: options.cols, rows: options.rows }
  }

  /** Resolves with whether the shell began just now, and the offset of what comes first. */
  async connect(): Promise<Begin> {
    const { docker, container, id, argv, environment, cwd } = this.options
    const child = spawn(docker.program, ['exec', '--interactive', container, 'socat', 'STDIO', `UNIX-CONNECT:${holderSocket}`], {
      stdio: 'pipe',
      // neither Ctrl-C at the server's terminal nor its end takes a learner's shell along
      detached: true,
    })
    this.connection = child
    let problem = ''
    let stood = false
    child.stderr.on('data', (chunk: Buffer) => {
      problem = `${problem}${chunk}`.slice(-500)
    })
    child.stdin.on('error', () => undefined) // its end is told by 'close'
    const started = Promise.withResolvers<Begin>()
    started.promise.catch(() => undefined)
    const patience = setTimeout(() => started.reject(new Error('The terminal did not answer')), openWithinMs)
    child.once('error', started.reject)
    child.once('close', () => {
      started.reject(new Error(`The toolbox cannot be entered: ${problem.trim() || 'it has ended'}`))
      if (this.connection === child && stood) void this.broken()
    })
    const take = frameReader((kind, payload) => {
      if (kind === 'S') {
        const begin = JSON.parse(payload.toString('utf8')) as Begin
        this.seq = begin.seq
        if (!this.flowing) child.stdout.pause()
        started.resolve(begin)
      } else if (kind === 'D') this.receive(payload)
      else if (kind === 'X') {
        const { code, signal } = JSON.parse(payload.toString('utf8')) as { code: number; signal?: number }
        this.ended(signal === undefined ? { exitCode: code } : { exitCode: code, signal })
      }
    })
    child.stdout.on('data', (chunk: Buffer) => {
      this.heardAt = performance.now()
      try {
        take(chunk)
      } catch (error) {
        started.reject(error)
        child.kill('SIGKILL')
      }
    })
    this.send('O', { id, seq: this.seq, ...this.size, argv, env: environment, cwd })
    try {
      const begin = await started.promise
      stood = true
      if (begin.beat) this.listenFor(child, begin.beat * 1000)
      return begin
    } catch (error) {
      this.connection = null
      child.kill('SIGKILL')
      throw error
    } finally {
      clearTimeout(patience)
    }
  }

  write(data: string): void {
    const bytes = Buffer.from(data)
    for (let at = 0; at < bytes.length; at += 65_536) this.frame('I', bytes.subarray(at, at + 65_536))
  }

  resize(cols: number, rows: number): void {
    this.size = { cols, rows }
    this.send('R', this.size)
  }

  pause(): void {
    this.flowing = false
    this.connection?.stdout.pause()
  }

  resume(): void {
    this.flowing = true
    this.heardAt = performance.now()
    this.connection?.stdout.resume()
  }

  onData(listener: (data: Uint8Array) => void): Disposable {
    this.dataListeners.add(listener)
    const early = this.early
    this.early = []
    for (const bytes of early) listener(bytes)
    return { [Symbol.dispose]: () => void this.dataListeners.delete(listener) }
  }

  onExit(listener: (exit: Exit) => void): Disposable {
    if (this.exit) listener(this.exit)
    else this.exitListeners.add(listener)
    return { [Symbol.dispose]: () => void this.exitListeners.delete(listener) }
  }

  async detach(): Promise<void> {
    this.closing = true
    await this.hangUp()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing = true
    const child = this.connection
    if (child && child.exitCode === null) {
      // an exit that was told is forgotten, a shell that runs is hung up and then killed; either way its end is told by X
      child.stdout.resume()
      this.send('K', {})
      const told = this.exit ? Promise.resolve() : new Promise<void>((resolve) => this.onExit(() => resolve()))
      await Promise.race([told, once(child, 'close'), new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
    }
    await this.hangUp()
  }

  private receive(bytes: Buffer): void {
    this.seq += bytes.length
    if (this.dataListeners.size === 0) this.early.push(bytes)
    for (const listener of this.dataListeners) listener(bytes)
  }

  private ended(exit: Exit): void {
    if (this.exit) return
    this.exit = exit
    for (const listener of this.exitListeners) listener(exit)
    this.exitListeners.clear()
  }

  /** Breaks the connection when nothing is heard on it though the holder says something every `beat` ms. */
  private listenFor(child: ChildProcessWithoutNullStreams, beat: number): void {
    const silence = setInterval(() => {
      if (!this.flowing || performance.now() - this.heardAt <= missedBeats * beat) return
      child.kill('SIGKILL')
      // whatever `docker` started may hold these open
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
    }, beat)
    silence.unref()
    child.once('close', () => clearInterval(silence))
  }

  /** The connection ended without being asked to: back to the same shell, or the shell is gone with its container. */
  private async broken(): Promise<void> {
    this.connection = null
    for (let attempt = 1; attempt <= attempts && !this.closing && !this.exit; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, retryAfterMs * attempt))
      const begin = await this.connect().catch((error: Error) => error)
      if (begin instanceof Error) {
        if (/is not running|no such container/i.test(begin.message)) break
        continue
      }
      if (!begin.fresh) return
      // its container was started anew: nobody asked for the shell that began just now
      this.send('K', {})
      break
    }
    this.ended({ exitCode: 137 })
    await this.hangUp()
  }

  private async hangUp(): Promise<void> {
    const child = this.connection
    this.connection = null
    this.close()
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    child.stdout.resume()
    child.stdin.end()
    const impatient = setTimeout(() => child.kill('SIGKILL'), 1_500)
    await closed
    clearTimeout(impatient)
  }

  private close(): void {
    if (this.closed) return
    this.closed = true
    this.options.onClosed?.()
  }

  private send(kind: string, value: unknown): void {
    this.frame(kind, Buffer.from(JSON.stringify(value)))
  }

  private frame(kind: string, payload: Uint8Array): void {
    if (!this.connection?.stdin.writable) return
    const head = Buffer.alloc(5)
    head.write(kind, 'latin1')
    head.writeUInt32BE(payload.length, 1)
    this.connection.stdin.write(Buffer.concat([head, payload]))
  }
}

/** Cuts a stream of bytes into frames. Throws at one that is longer than any the holder sends. */
function frameReader(onFrame: (kind: string, payload: Buffer) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0)
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    let at = 0
    while (pending.length - at >= 5) {
      const length = pending.readUInt32BE(at + 1)
      if (length > frameLimit) throw new Error('The toolbox sends no frames')
      if (pending.length - at < 5 + length) break
      onFrame(pending.toString('latin1', at, at + 1), pending.subarray(at + 5, at + 5 + length))
      at += 5 + length
    }
    pending = pending.subarray(at)
  }
}
