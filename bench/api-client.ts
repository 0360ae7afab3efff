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
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          agent: this.agent,
          method,
          path,
          host: this.server.hostname,
          port: this.server.port,
          headers: { accept, ...(data ? { 'content-type': type, 'content-length': Buffer.byteLength(data) } : {}) },
          ...(this.socket ? { socketPath: this.socket } : {}),
        },
        resolve,
      )
      sent.on('error', reject)
      sent.end(data)
    })
  }
}
