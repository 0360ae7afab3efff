import { languageOf } from '../i18n/spoken.ts'
import { type FromClient, type FromServer, readFrame } from './protocol.ts'

export type LinkState =
  | { kind: 'connecting' }
  | { kind: 'open'; writer: boolean }
  | { kind: 'lost'; retryIn: number }
  | { kind: 'ended'; code: number | null; message: string | null }

export interface Screen {
  size(): { cols: number; rows: number }
  reset(cols: number, rows: number): void
  /** Resolves when drawn. */
  write(bytes: Uint8Array): Promise<void>
}

/**
 * One terminal's connection. Reattaches with back-off after a loss: the server sends the screen anew and nothing that was typed
 * is ever sent twice (what is typed while the line is down is dropped, and `state` says that it is down).
 */
export class TerminalLink implements Disposable {
  readonly #ticket: () => Promise<string>
  readonly #screen: Screen
  readonly #onState: (state: LinkState) => void
  #socket: WebSocket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #attempt = 0
  #screenNext = false
  #state: LinkState = { kind: 'connecting' }
  #disposed = false

  constructor(options: { ticket: () => Promise<string>; screen: Screen; onState: (state: LinkState) => void }) {
    this.#ticket = options.ticket
    this.#screen = options.screen
    this.#onState = options.onState
    void this.#connect()
  }

  /** Whether it was sent: only a writer on an open line can type. */
  input(data: string): boolean {
    if (this.#state.kind !== 'open' || !this.#state.writer) return false
    return this.#send({ type: 'input', data })
  }

  resize(cols: number, rows: number): void {
    if (this.#state.kind === 'open') this.#send({ type: 'resize', cols, rows })
  }

  /** Tries at once instead of waiting out the back-off. */
  retry(): void {
    if (this.#state.kind !== 'lost') return
    clearTimeout(this.#timer)
    void this.#connect()
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    clearTimeout(this.#timer)
    this.#socket?.close()
  }

  async #connect(): Promise<void> {
    this.#change({ kind: 'connecting' })
    let ticket: string
    try {
      ticket = await this.#ticket()
    } catch (error) {
      if (this.#disposed) return
      // A refusal is final, a failure of the line is not.
      if (isRefusal(error)) this.#change({ kind: 'ended', code: null, message: error.message })
      else this.#lose()
      return
    }
    if (this.#disposed) return
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/terminal`)
    socket.binaryType = 'arraybuffer'
    this.#socket = socket
    this.#screenNext = false
    const language = languageOf(document.documentElement.lang)
    socket.onopen = () => this.#send({ type: 'open', ticket, ...this.#screen.size(), language })
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (typeof event.data === 'string') this.#control(JSON.parse(event.data) as FromServer)
      else void this.#output(socket, event.data)
    }
    socket.onclose = () => {
      if (!this.#disposed && this.#socket === socket && this.#state.kind !== 'ended') this.#lose()
    }
  }

  #control(message: FromServer): void {
    switch (message.type) {
      case 'ready':
        this.#attempt = 0
        this.#change({ kind: 'open', writer: message.writer })
        break
      case 'writer':
        this.#change({ kind: 'open', writer: message.writer })
        break
      case 'screen':
        this.#screenNext = true
        this.#screen.reset(message.cols, message.rows)
        break
      case 'exit':
        this.#change({ kind: 'ended', code: message.code, message: null })
        break
      case 'error':
        this.#change({ kind: 'ended', code: null, message: message.message })
        break
    }
  }

  async #output(socket: WebSocket, frame: ArrayBuffer): Promise<void> {
    const { seq, bytes } = readFrame(frame)
    // A drawn screen stands for all output before it, however long its own text is.
    const drawn = this.#screenNext ? seq : seq + bytes.length
    this.#screenNext = false
    await this.#screen.write(bytes)
    if (socket === this.#socket) this.#send({ type: 'ack', seq: drawn })
  }

  #lose(): void {
    const retryIn = Math.min(10_000, 500 * 2 ** this.#attempt++)
    this.#change({ kind: 'lost', retryIn })
    this.#timer = setTimeout(() => void this.#connect(), retryIn)
  }

  #send(message: FromClient): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(message))
    return true
  }

  #change(state: LinkState): void {
    this.#state = state
    this.#onState(state)
  }
}

function isRefusal(error: unknown): error is Error & { status: number } {
  return error instanceof Error && 'status' in error && typeof error.status === 'number' && error.status < 500
}
