import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import type { SandboxEvent } from '../platform/model.ts'
import type { AttemptView } from '../platform/services.ts'

const root = join(import.meta.dirname, '..')

/** The whole product as a learner meets it: its own process, reached over HTTP. */
export interface Product extends AsyncDisposable {
  url: string
  pid: number
  guest(): Promise<Guest>
}

/** Starts the built site on a free port with a data folder of its own. Rejects with what it said when it cannot start. */
export async function startProduct(folder: string, environment: Record<string, string> = {}): Promise<Product> {
  const data = join(folder, 'data')
  await mkdir(data, { recursive: true })
  const child = spawn(process.execPath, ['--max-semi-space-size=4', join(root, 'server/main.ts')], {
    cwd: root,
    env: {
      ...process.env,
      PORT: '0',
      DATA_DIR: data,
      LOG_LEVEL: 'error',
      SANDBOX_LIMIT: '500',
      SANDBOXES_PER_PERSON: '100',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const said: string[] = []
  child.stderr?.on('data', (chunk) => said.push(String(chunk)))
  const exited = once(child, 'exit')
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      said.push(`${line}\n`)
      const found = /^Labernetes ready: (.*)$/.exec(line)
      if (found) resolve(found[1] as string)
    })
    exited.then(() => reject(new Error(`The server ended: ${said.join('')}`)))
  })
  return {
    url,
    pid: child.pid as number,
    guest: () => Guest.signIn(url),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGTERM')
      const impatient = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await exited
      clearTimeout(impatient)
    },
  }
}

/** A learner without an account, as a browser on this machine would be one. */
export class Guest {
  readonly url: string
  private readonly headers: Record<string, string>

  private constructor(url: string, cookie: string) {
    this.url = url
    this.headers = { origin: url, cookie, 'content-type': 'application/json' }
  }

  static async signIn(url: string): Promise<Guest> {
    const answer = await fetch(`${url}/api/auth/sign-in/anonymous`, {
      method: 'POST',
      headers: { origin: url, 'content-type': 'application/json' },
      body: '{}',
    })
    if (!answer.ok) throw new Error(`A guest was refused: ${answer.status} ${await answer.text()}`)
    return new Guest(
      url,
      answer.headers
        .getSetCookie()
        .map((cookie) => cookie.split(';')[0])
        .join('; '),
    )
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(this.url + path, {
      method,
      headers: this.headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`)
    return (text ? JSON.parse(text) : undefined) as T
  }

  start(what: { lab: string } | { lesson: string }): Promise<AttemptView> {
    return this.ask('POST', '/api/attempts', what)
  }

  end(attempt: string): Promise<void> {
    return this.ask('DELETE', `/api/attempts/${attempt}`)
  }

  /** Tells an attempt's events, as the page gets them, until the signal aborts; rejects when the stream ends before. */
  async follow(attempt: string, onEvent: (event: SandboxEvent, at: number) => void, signal: AbortSignal): Promise<void> {
    const answer = await fetch(`${this.url}/api/attempts/${attempt}/events`, { headers: this.headers, signal })
    if (!answer.ok || !answer.body) throw new Error(`events: ${answer.status} ${await answer.text()}`)
    const decoder = new TextDecoder()
    let rest = ''
    try {
      for await (const chunk of answer.body) {
        const at = performance.now()
        const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
        rest = parts.pop() ?? ''
        for (const part of parts) if (part.startsWith('data: ')) onEvent(JSON.parse(part.slice(6)) as SandboxEvent, at)
      }
    } catch (error) {
      if (signal.aborted) return
      throw new Error('The events were cut off', { cause: error })
    }
    throw new Error('The events ended')
  }

  /** Resolves when an event of the attempt satisfies `wanted`, with it and its moment (performance.now). */
  async until<T extends SandboxEvent>(attempt: string, wanted: (event: SandboxEvent) => event is T): Promise<{ event: T; at: number }>
  async until(attempt: string, wanted: (event: SandboxEvent) => boolean): Promise<{ event: SandboxEvent; at: number }>
  async until(attempt: string, wanted: (event: SandboxEvent) => boolean): Promise<{ event: SandboxEvent; at: number }> {
    const stop = new AbortController()
    try {
      return await new Promise((resolve, reject) => {
        const see = (event: SandboxEvent, at: number) => {
          if (event.type === 'lease' && event.lease.state === 'ended') reject(new Error(`The attempt ended: ${event.lease.reason}`))
          if (wanted(event)) resolve({ event, at })
        }
        this.follow(attempt, see, stop.signal).catch(reject)
      })
    } finally {
      stop.abort()
    }
  }

  /** Starts a lab and resolves when its lease is ready: with the attempt and the ms from the request on. */
  async startReady(what: { lab: string } | { lesson: string }): Promise<{ attempt: string; ms: number }> {
    const began = performance.now()
    const { id } = await this.start(what)
    const { at } = await this.until(id, isReady)
    return { attempt: id, ms: at - began }
  }

  async openTerminal(attempt: string): Promise<string> {
    return (await this.ask<{ id: string }>('POST', `/api/attempts/${attempt}/terminals`, { node: null })).id
  }

  /** Opens the terminal's WebSocket with a fresh ticket. */
  async attach(attempt: string, terminal: string, size = { cols: 80, rows: 24 }): Promise<TerminalClient> {
    const { ticket } = await this.ask<{ ticket: string }>('POST', `/api/attempts/${attempt}/terminals/${terminal}/ticket`, {})
    return TerminalClient.open(`${this.url.replace('http', 'ws')}/ws/terminal`, this.url, ticket, size)
  }
}

function isReady(event: SandboxEvent): boolean {
  return event.type === 'lease' && event.lease.state === 'ready'
}

/** The browser's side of a terminal (sandbox/terminal/protocol.ts) without a screen. */
export class TerminalClient implements Disposable {
  private readonly socket: WebSocket
  private readonly listeners = new Set<() => void>()
  /** All output since the socket opened, the first screen included. */
  text = ''
  /** ms from opening the socket to the first screen. */
  screenAfter = Number.NaN
  screenBytes = 0

  private constructor(socket: WebSocket) {
    this.socket = socket
  }

  static async open(url: string, origin: string, ticket: string, size: { cols: number; rows: number }): Promise<TerminalClient> {
    const began = performance.now()
    const socket = new WebSocket(url, { headers: { origin }, perMessageDeflate: false })
    const client = new TerminalClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('open', () => socket.send(JSON.stringify({ type: 'open', ticket, ...size })))
      socket.once('close', (_code, reason) => reject(new Error(`The terminal was closed: ${reason}`)))
      socket.on('message', (data: Buffer, isBinary) => {
        if (!isBinary) {
          const message = JSON.parse(String(data)) as { type: string; message?: string }
          if (message.type === 'error') reject(new Error(message.message))
          return
        }
        const isScreen = Number.isNaN(client.screenAfter)
        if (isScreen) {
          client.screenAfter = performance.now() - began
          client.screenBytes = data.length - 8
          resolve()
        }
        client.text += data.toString('utf8', 8)
        // a screen stands for what was before its number
        socket.send(JSON.stringify({ type: 'ack', seq: Number(data.readBigUInt64BE(0)) + (isScreen ? 0 : data.length - 8) }))
        for (const listener of client.listeners) listener()
      })
    })
    return client
  }

  type(data: string): void {
    this.socket.send(JSON.stringify({ type: 'input', data }))
  }

  /** Resolves once the output so far satisfies `wanted`; rejects after `patience` ms with what was seen. */
  until(wanted: (text: string) => boolean, patience = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.listeners.delete(look)
        reject(new Error(`The terminal did not show it: ${JSON.stringify(this.text.slice(-300))}`))
      }, patience)
      const look = () => {
        if (!wanted(this.text)) return
        clearTimeout(timer)
        this.listeners.delete(look)
        resolve()
      }
      this.listeners.add(look)
      look()
    })
  }

  [Symbol.dispose](): void {
    this.socket.terminate()
  }
}
