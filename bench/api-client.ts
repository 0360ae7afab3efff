import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { parse } from 'yaml'

/** A plain HTTPS client of a Kubernetes API server, on connections that it keeps. */
export class HttpApi implements Disposable {
  private readonly agent: Agent
  private readonly server: URL
  private readonly socket: string | null

  private constructor(agent: Agent, server: URL, socket: string | null) {
    this.agent = agent
    this.server = server
    this.socket = socket
  }

  /** With the kubeconfig's (YAML) current client certificate; through a Unix socket when one is given. */
  static open(kubeconfig: string, socket: string | null = null): HttpApi {
    const { clusters, users } = parse(kubeconfig) as {
      clusters: { cluster: Record<string, string> }[]
      users: { user: Record<string, string> }[]
    }
    const cluster = clusters[0]?.cluster ?? {}
    const user = users[0]?.user ?? {}
    const decoded = (text = '') => Buffer.from(text, 'base64')
    const agent = new Agent({
      keepAlive: true,
      ca: decoded(cluster['certificate-authority-data']),
      cert: decoded(user['client-certificate-data']),
      key: decoded(user['client-key-data']),
    })
    return new HttpApi(agent, new URL(cluster['server'] ?? ''), socket)
  }

  /** The answer's text, unread: what a client makes of it is not the server's time. Rejects for an answer that is an error. */
  async ask(method: string, path: string, body?: unknown, accept = 'application/json'): Promise<string> {
    const response = await this.open(method, path, accept, body)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('latin1')
    if ((response.statusCode ?? 0) >= 400) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`)
    return text
  }

  /** Any request as it is given, and the answer whatever its status. Rejects where there is none. */
  async send({ method, path, body, headers = {} }: Asked): Promise<{ status: number; text: string }> {
    const raw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
    const response = await this.request(method, path, raw ? body : JSON.stringify(body), { 'content-type': 'application/json', ...headers })
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('latin1') }
  }

  /** Tells what a watch brings, piece by piece; resolves once it is open. */
  async watch(path: string, onText: (text: string) => void): Promise<Disposable> {
    const response = await this.open('GET', path, 'application/json')
    if (response.statusCode !== 200) throw new Error(`watch ${path}: ${response.statusCode}`)
    response.setEncoding('latin1')
    response.on('error', () => undefined) // it is cut off when it is disposed
    response.on('data', onText)
    return { [Symbol.dispose]: () => void response.destroy() }
  }

  [Symbol.dispose](): void {
    this.agent.destroy()
  }

  private open(method: string, path: string, accept: string, body?: unknown): Promise<IncomingMessage> {
    const data = body === undefined ? undefined : JSON.stringify(body)
    const patch = path.includes('fieldManager=') ? 'application/apply-patch+yaml' : 'application/strategic-merge-patch+json'
    const type = method === 'PATCH' ? patch : 'application/json'
    return this.request(method, path, data, { accept, ...(data ? { 'content-type': type } : {}) })
  }

  private request(
    method: string,
    path: string,
    data: string | Buffer | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          agent: this.agent,
          method,
          path,
          host: this.server.hostname,
          port: this.server.port,
          headers: { ...headers, ...(data ? { 'content-length': Buffer.byteLength(data) } : {}) },
          ...(this.socket ? { socketPath: this.socket } : {}),
        },
        resolve,
      )
      sent.on('error', reject)
      sent.end(data)
    })
  }
}

export interface Asked {
  method: string
  path: string
  /** Text and bytes as they are, all else as JSON. */
  body?: unknown
  headers?: Readonly<Record<string, string>> | undefined
}
