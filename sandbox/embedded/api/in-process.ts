import type { ApiRequest, ApiResponse, ObjectSelector, WatchEvent } from '../../engine.ts'
import { anonymous } from '../auth/authenticate.ts'
import { administrator } from '../machinery/client.ts'
import { ApiError, ApiUnreachable } from '../machinery/errors.ts'
import type { UserInfo } from '../machinery/object.ts'
import type { HttpRequest, HttpResponse } from '../network/network.ts'
import type { ApiServer } from './api-server.ts'
import { plain } from './encode.ts'

export interface InProcessParts {
  api: Pick<ApiServer, 'handle'>
  /** Resolves when all that was written so far is kept. */
  durable(): Promise<void>
  /** What a connection fails with while the API server does not run. */
  refusal(): string | undefined
  /** Cluster ms. */
  now(): number
  /** Ends what goes on. */
  signal: AbortSignal
  report(where: string, error: unknown): void
}

/** The API as this process uses it: as the administrator, or whom it says, and by the same way as over HTTP. */
export class InProcessApi {
  private readonly parts: InProcessParts

  constructor(parts: InProcessParts) {
    this.parts = parts
  }

  /** Never rejects for an answer that is an error. */
  async request({ method, path, body, contentType, as }: ApiRequest): Promise<ApiResponse> {
    const { api, signal } = this.parts
    const user: UserInfo = as ? { ...as, groups: [...new Set([...as.groups, 'system:authenticated'])] } : administrator
    const type = contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json')
    const headers = { 'content-type': type, 'user-agent': 'labernetes' }
    const refusal = this.parts.refusal()
    if (refusal !== undefined) return { status: 503, body: new ApiUnreachable(refusal).body }
    try {
      const { outcome } = await api.handle({ method, url: path, headers, user, value: body, signal })
      if (method !== 'GET') await this.parts.durable()
      const status = 'status' in outcome && outcome.status ? outcome.status : 200
      return { status, body: outcome.type === 'forwarded' ? await wholeOf(outcome.chunks) : plain(outcome) }
    } catch (error) {
      if (!(error instanceof ApiError)) this.parts.report(`${method} ${path}`, error)
      const answer = error instanceof ApiError ? error : ApiError.internal(error)
      return { status: answer.code, body: answer.body }
    }
  }

  /** First every object that is selected (ADDED), then the changes, until the signal aborts. */
  async watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    const { api, now } = this.parts
    const { group, version, resource, namespace, name, labelSelector } = selector
    const query = new URLSearchParams({ watch: 'true' })
    if (labelSelector) query.set('labelSelector', labelSelector)
    if (name) query.set('fieldSelector', `metadata.name=${name}`)
    const root = group ? `/apis/${group}/${version}` : `/api/${version}`
    const url = `${root}${namespace ? `/namespaces/${namespace}` : ''}/${resource}?${query}`
    const both = AbortSignal.any([signal, this.parts.signal])
    while (!both.aborted) {
      const { outcome } = await api.handle({ method: 'GET', url, headers: {}, user: administrator, signal: both })
      if (outcome.type !== 'watch') throw new Error(`a watch was answered with ${outcome.type}`)
      for await (const batch of outcome.events) {
        for (const { type, object } of batch) {
          if (type === 'BOOKMARK' || type === 'ERROR') continue
          onEvent({ type, object: object as WatchEvent['object'], time: now() })
        }
      }
    }
  }

  /** What the API server says to a client that does not say who it is, where that is a text, as health is. */
  async answerAnyone({ method, path, headers }: HttpRequest): Promise<HttpResponse | undefined> {
    const { api, signal } = this.parts
    try {
      const { outcome } = await api.handle({ method, url: path, headers, user: anonymous, signal })
      if (outcome.type !== 'text') return undefined
      return { status: outcome.status, headers: { ...outcome.headers }, body: Buffer.from(outcome.text) }
    } catch (error) {
      if (error instanceof ApiError) return { status: error.code, headers: {}, body: Buffer.from(JSON.stringify(error.body)) }
      throw error
    }
  }
}

/** What an aggregated server has answered, as data where it is JSON. */
async function wholeOf(chunks: AsyncIterable<Uint8Array>): Promise<unknown> {
  const text = Buffer.concat(await Array.fromAsync(chunks)).toString()
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}
