import { unaccounted } from './compare.ts'
import type { Answer, Server } from './server.ts'

/** One request, the same for both servers. */
export interface Exchange {
  title: string
  method: string
  path: string
  headers?: Record<string, string>
  body?: unknown
}

/** What a client is told in answer, without what may differ. */
export async function exchange(server: Server, { method, path, headers = {}, body }: Exchange): Promise<Answer> {
  const { 'content-type': contentType, ...others }: Record<string, string> = { ...somebody, ...headers }
  return unaccounted(await server.send(method, path, body, contentType, others))
}

/** Of what is answered well only that it is: lists and documents hold what each server has. */
export async function refusal(server: Server, request: Exchange): Promise<Answer> {
  const { status, body } = await exchange(server, request)
  if (status >= 400) return { status, body }
  return { status, body: typeof body === 'object' && body !== null && 'kind' in body ? body.kind : '' }
}

/** Both servers' administrators have names of their own; this one may do as much. */
const somebody = { 'impersonate-user': 'ann', 'impersonate-group': 'system:masters' }
