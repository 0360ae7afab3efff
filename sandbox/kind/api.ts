import type { IncomingMessage } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { ApiRequest, ApiResponse, ExecResult, ObjectSelector, WatchEvent, WatchedObject } from '../engine.ts'
import { listObjects, pathOf, sentence } from '../manifests.ts'

/** How a process of ours reaches a cluster's API server as system:masters. PEM texts. */
export interface Access {
  host: string
  port: number
  ca: string
  cert: string
  key: string
}

const requestTimeout = 60_000
/** The API server ends every watch by itself sooner or later; with a silence longer than this the connection is dead. */
const watchSeconds = 300
const execOutputLimit = 4 * 1024 * 1024

/** A client of one real API server, over the connection that the engine keeps to it. */
export class KubeApi implements Disposable {
  private readonly agent: Agent
  /** A watch keeps its connection for minutes: among the others it would leave requests none. */
  private readonly watchAgent: Agent
  private readonly ended = new AbortController()
  private access: Access

  constructor(access: Access) {
    this.access = access
    this.agent = new Agent({ keepAlive: true, maxSockets: 16 })
    this.watchAgent = new Agent()
  }

  /** After a restart the server may be at another port. */
  moveTo(port: number): void {
    this.access = { ...this.access, port }
  }

  /** Rejects only when no answer comes. */
  async request({ method, path, body, contentType, as }: ApiRequest): Promise<ApiResponse> {
    const text = body === undefined ? null : JSON.stringify(body)
    const headers: Record<string, string | string[]> = { accept: 'application/json' }
    if (text !== null) {
      headers['content-type'] = contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json')
      headers['content-length'] = String(Buffer.byteLength(text))
    }
    const message = await this.send(
      { method, path, headers: { ...headers, ...impersonation(as) } },
      text,
      AbortSignal.timeout(requestTimeout),
    )
    const answer = await textOf(message)
    return { status: message.statusCode ?? 0, body: message.headers['content-type']?.includes('json') ? JSON.parse(answer) : answer }
  }

  /** Whether the server says that it is ready; false also when nobody answers. */
  async ready(): Promise<boolean> {
    return this.request({ method: 'GET', path: '/readyz' }).then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  /** See Sandbox.watch. */
  async watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    const both = AbortSignal.any([signal, this.ended.signal])
    const known = new Map<string, WatchedObject>()
    const tell = (type: WatchEvent['type'], object: WatchedObject) => {
      if (both.aborted) return
      if (type === 'DELETED') known.delete(object.metadata.uid)
      else known.set(object.metadata.uid, object)
      onEvent({ type, object, time: Date.now() })
    }
    const revision = await this.relist(selector, known, tell)
    void this.follow(selector, revision, known, tell, both)
  }

  /** Runs a command in a container of a pod; stdout and stderr as they were written. */
  execInPod(
    namespace: string,
    pod: string,
    argv: readonly string[],
    options: { container?: string; timeout?: number } = {},
  ): Promise<ExecResult> {
    const query = new URLSearchParams([...argv.map((arg) => ['command', arg]), ['stdout', 'true'], ['stderr', 'true']])
    if (options.container) query.set('container', options.container)
    const { host, port, ...tls } = this.access
    const url = `wss://${host}:${port}${pathOf({ group: '', version: 'v1', resource: 'pods', namespace, name: pod })}/exec?${query}`
    return new Promise((resolve) => {
      const socket = new WebSocket(url, ['v5.channel.k8s.io', 'v4.channel.k8s.io'], tls)
      const out: [Buffer[], Buffer[]] = [[], []]
      let size = 0
      let exitCode = 137
      let problem = ''
      const end = (code: number) => {
        clearTimeout(timer)
        socket.terminate()
        resolve({
          exitCode: code,
          stdout: Buffer.concat(out[0]).toString('utf8'),
          stderr: Buffer.concat(out[1]).toString('utf8') + problem,
        })
      }
      const timer = setTimeout(() => end(124), options.timeout ?? 30_000)
      socket.on('message', (data: Buffer) => {
        const channel = data[0]
        const rest = data.subarray(1)
        if (channel === 3) exitCode = exitCodeOf(rest.toString('utf8'), (message) => (problem = message))
        if (channel !== 1 && channel !== 2) return
        size += rest.length
        if (size <= execOutputLimit) out[channel - 1]?.push(rest)
        else end(137)
      })
      socket.on('close', () => end(exitCode))
      socket.on('unexpected-response', (_request, message: IncomingMessage) => {
        void textOf(message).then((text) => {
          problem = statusMessage(text) ?? `the API server answered ${message.statusCode}`
          end(1)
        })
      })
      socket.on('error', (error) => {
        problem ||= error.message
        end(1)
      })
    })
  }

  [Symbol.dispose](): void {
    this.ended.abort()
    this.agent.destroy()
    this.watchAgent.destroy()
  }

  /** Tells what is new, changed and gone since `known`; resolves with the list's revision, null where the kind is not served. */
  private async relist(
    selector: ObjectSelector,
    known: ReadonlyMap<string, WatchedObject>,
    tell: (type: WatchEvent['type'], object: WatchedObject) => void,
  ): Promise<string | null> {
    let revision: string | null = null
    const items = await listObjects(async (one) => {
      const answer = await this.request({ ...one, path: collectionPath(selector) })
      if (answer.status === 200) revision = (answer.body as { metadata: { resourceVersion: string } }).metadata.resourceVersion
      return answer
    }, selector)
    const present = new Set(items.map((object) => object.metadata.uid))
    for (const object of [...known.values()]) if (!present.has(object.metadata.uid)) tell('DELETED', object)
    for (const object of items) {
      const before = known.get(object.metadata.uid)
      if (before?.metadata.resourceVersion !== object.metadata.resourceVersion) tell(before ? 'MODIFIED' : 'ADDED', object)
    }
    return revision
  }

  /** Goes on from a revision until the signal aborts, whatever happens to the connection or the server. */
  private async follow(
    selector: ObjectSelector,
    from: string | null,
    known: ReadonlyMap<string, WatchedObject>,
    tell: (type: WatchEvent['type'], object: WatchedObject) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let revision = from
    for (let wait = 250; !signal.aborted; wait = Math.min(5_000, wait * 2)) {
      try {
        revision ??= await this.relist(selector, known, tell)
        if (revision !== null) {
          await this.stream(
            selector,
            revision,
            (event) => {
              if (event.type === 'ERROR') revision = null
              else {
                revision = event.object.metadata.resourceVersion
                wait = 250
                if (event.type !== 'BOOKMARK') tell(event.type, event.object)
              }
            },
            signal,
          )
          if (revision !== null) continue
        }
      } catch {
        // the server restarts or is paused: what happened meanwhile is found by the next list
        revision = null
      }
      await sleep(wait, undefined, { signal }).catch(() => undefined)
    }
  }

  private async stream(
    selector: ObjectSelector,
    resourceVersion: string,
    onEvent: (event: { type: WatchEvent['type'] | 'BOOKMARK' | 'ERROR'; object: WatchedObject }) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const path = `${collectionPath(selector)}${collectionPath(selector).includes('?') ? '&' : '?'}${new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(watchSeconds),
    })}`
    const both = AbortSignal.any([signal, AbortSignal.timeout((watchSeconds + 30) * 1000)])
    const message = await this.send({ method: 'GET', path, headers: { accept: 'application/json' }, agent: this.watchAgent }, null, both)
    if (message.statusCode !== 200) throw new Error(`the watch was answered with ${message.statusCode}`)
    let rest = ''
    message.setEncoding('utf8')
    for await (const chunk of message) {
      const lines = (rest + (chunk as string)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line) onEvent(JSON.parse(line))
    }
  }

  private send(options: RequestOptions, body: string | null, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = request({ ...this.access, agent: this.agent, ...options, signal: AbortSignal.any([signal, this.ended.signal]) }, resolve)
      call.on('error', reject)
      call.end(body ?? undefined)
    })
  }
}

/** A selector's collection: an object by name is watched as the one of its collection with that name. */
function collectionPath({ name, labelSelector, ...rest }: ObjectSelector): string {
  const query = new URLSearchParams()
  if (labelSelector) query.set('labelSelector', labelSelector)
  if (name) query.set('fieldSelector', `metadata.name=${name}`)
  return query.size > 0 ? `${pathOf(rest)}?${query}` : pathOf(rest)
}

function impersonation(as: ApiRequest['as']): Record<string, string | string[]> {
  return as ? { 'impersonate-user': as.username, 'impersonate-group': as.groups } : {}
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** The exit code in the status that ends an exec; what went wrong when the command could not be run at all. */
function exitCodeOf(text: string, onProblem: (message: string) => void): number {
  const status = JSON.parse(text) as {
    status: string
    reason?: string
    message?: string
    details?: { causes?: { reason: string; message: string }[] }
  }
  if (status.status === 'Success') return 0
  const code = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
  if (code === undefined) onProblem(status.message ?? text)
  return code === undefined ? 1 : Number(code)
}

function statusMessage(text: string): string | null {
  try {
    return sentence({ status: 0, body: JSON.parse(text) })
  } catch {
    return text.trim() || null
  }
}
