import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { parse } from 'yaml'

interface Answer {
  status: number
  body: unknown
}

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

  /** Rejects for an answer that is an error. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.send(method, path, body)
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  /** Tells each event of a watch; resolves once it is open. */
  async watch(path: string, onEvent: (event: unknown) => void): Promise<Disposable> {
    const response = await this.open('GET', path)
    let rest = ''
    response.setEncoding('utf8')
    response.on('error', () => undefined) // it is cut off when it is disposed
    response.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onEvent(JSON.parse(line))
    })
    return { [Symbol.dispose]: () => void response.destroy() }
  }

  [Symbol.dispose](): void {
    this.agent.destroy()
  }

  private async send(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await this.open(method, path, body)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) }
  }

  private open(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
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
          headers: { accept: 'application/json', ...(data ? { 'content-type': type, 'content-length': Buffer.byteLength(data) } : {}) },
          ...(this.socket ? { socketPath: this.socket } : {}),
        },
        resolve,
      )
      sent.on('error', reject)
      sent.end(data)
    })
  }
}
