import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'

export interface Answer {
  status: number
  body: unknown
}

export interface Fetched {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** A Kubernetes API server by its kubeconfig, on connections that are kept. */
export class Server implements Disposable {
  private readonly agent: Agent
  private readonly url: URL

  constructor(kubeconfig: string) {
    const { clusters, users } = parse(kubeconfig) as {
      clusters: { cluster: Record<string, string> }[]
      users: { user: Record<string, string> }[]
    }
    const { cluster = {} } = clusters[0] ?? {}
    const { user = {} } = users[0] ?? {}
    const decoded = (text = '') => Buffer.from(text, 'base64')
    this.agent = new Agent({
      keepAlive: true,
      maxSockets: 4,
      ca: decoded(cluster['certificate-authority-data']),
      cert: decoded(user['client-certificate-data']),
      key: decoded(user['client-key-data']),
    })
    this.url = new URL(cluster['server'] ?? '')
  }

  send(method: string, path: string, body?: unknown, contentType = 'application/json', more: Record<string, string> = {}): Promise<Answer> {
    const data = body === undefined ? undefined : typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
    return new Promise((done, reject) => {
      const headers = {
        accept: 'application/json',
        'user-agent': 'compare',
        ...(data === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(data) }),
        ...more,
      }
      const sent = request({ agent: this.agent, host: this.url.hostname, port: this.url.port, method, path, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          done({ status: response.statusCode ?? 0, body: parsed(text) })
        })
      })
      sent.on('error', reject)
      sent.end(data)
    })
  }

  /** What is answered, as it comes. */
  fetch(path: string, headers: Record<string, string> = {}, method = 'GET', body?: unknown): Promise<Fetched> {
    const data = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    return new Promise((done, reject) => {
      const options = { agent: this.agent, host: this.url.hostname, port: this.url.port, method, path, headers }
      const sent = request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }))
      })
      sent.on('error', reject)
      sent.end(data)
    })
  }

  [Symbol.dispose](): void {
    this.agent.destroy()
  }
}

/** Why there is no real API server to compare with, or null: one that ORACLE_KUBECONFIG names, or the kind kit beside the project. */
export function oracleMissing(): string | null {
  if (process.env['ORACLE_KUBECONFIG']) return null
  if (!existsSync(script)) return 'ORACLE_KUBECONFIG names no API server, and there is no kind kit beside the project'
  const built = join(process.env['KIND_KIT_CACHE'] ?? join(process.env['HOME'] ?? '', '.cache/kind-kit'), 'bin/kube-all')
  return existsSync(built) ? null : 'the kind kit beside the project has not been built yet'
}

/**
 * The kubeconfig of that server. One of the kit is started for this alone
 * (10 s), without its controllers if so asked, and stopped when it is disposed.
 */
export async function startOracle({ controllers = true } = {}): Promise<{ kubeconfig: string } & AsyncDisposable> {
  const named = process.env['ORACLE_KUBECONFIG']
  if (named) return { kubeconfig: await readFile(named, 'utf8'), [Symbol.asyncDispose]: async () => {} }
  const folder = await mkdtemp(join(tmpdir(), 'oracle-'))
  const kit = (...args: string[]) =>
    promisify(execFile)(script, args, { timeout: 180_000, env: { ...process.env, KIND_KIT_ORACLE: join(folder, 'oracle') } })
  const stop = async () => {
    await kit('stop')
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const { stdout } = await kit()
    const others = controllers ? [] : ['kube-controller-manager', 'kube-scheduler']
    for (const name of others) process.kill(Number(await readFile(join(folder, 'oracle', `${name}.pid`), 'utf8')))
    return { kubeconfig: await readFile(stdout.trim(), 'utf8'), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const script = resolve(import.meta.dirname, '../../../../shared/kind-kit/oracle')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
