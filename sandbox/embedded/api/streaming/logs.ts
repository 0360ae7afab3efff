import { ApiError } from '../../machinery/errors.ts'
import type { LogOptions, NodeApi } from '../../machinery/node-api.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { Outcome, ResourceCall } from '../call.ts'
import type { ResourceHandler } from '../resource-handler.ts'
import { containerName } from './container-name.ts'

/** GET pods/NAME/log. Rejects with ApiError. */
export function logHandler(generic: ResourceHandler, nodes: () => NodeApi) {
  return async (call: ResourceCall): Promise<Outcome> => {
    if (call.request.verb !== 'get') throw ApiError.methodNotSupported()
    const { namespace, name } = call.path
    const pod = (await generic.rest.get(call.info, namespace, name)) as Pod
    const container = containerName(pod, call.request.query.get('container'))
    const options = { ...logOptions(call.request.query), container }
    // A pod that no node has yet has written nothing.
    if (!pod.spec?.nodeName) return { type: 'stream', contentType: 'text/plain', chunks: nothing() }
    const chunks = await nodes().logs(namespace, name, options, call.signal)
    return { type: 'stream', contentType: 'text/plain', chunks }
  }
}

function logOptions(query: URLSearchParams): LogOptions {
  const options: LogOptions = {}
  for (const flag of ['follow', 'previous', 'timestamps'] as const) {
    const text = query.get(flag)
    if (text !== null && !['false', '0'].includes(text.toLowerCase())) options[flag] = true
  }
  for (const amount of ['tailLines', 'sinceSeconds', 'limitBytes'] as const) {
    const text = query.get(amount)
    if (text === null || text === '') continue
    if (!/^-?\d+$/.test(text)) throw ApiError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
    options[amount] = Number(text)
  }
  const since = query.get('sinceTime')
  if (since) options.sinceTime = since
  return options
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
