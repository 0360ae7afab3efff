import { ApiError } from '../../machinery/errors.ts'
import type { LogOptions, NodeApi } from '../../machinery/node-api.ts'
import { type FieldError, forbidden, invalid, Path } from '../../registry/field.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { Outcome, ResourceCall } from '../call.ts'
import type { ResourceHandler } from '../resource-handler.ts'
import { containerName } from './container-name.ts'

/** GET pods/NAME/log. Rejects with ApiError. */
export function logHandler(generic: ResourceHandler, nodes: () => NodeApi) {
  return async (call: ResourceCall): Promise<Outcome> => {
    if (call.request.verb !== 'get') throw ApiError.methodNotSupported()
    const { namespace, name } = call.path
    const wanted = logOptions(call.request.query)
    const errors = validate(wanted, call.request.query.has('stream'))
    if (errors.length > 0) throw ApiError.invalid({ group: '', kind: 'PodLogOptions' }, name, errors)
    const pod = (await generic.rest.get(call.info, namespace, name)) as Pod
    const container = containerName(pod, call.request.query.get('container'))
    const options = { ...wanted, container }
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
    if (text === null) continue
    if (!/^-?\d+$/.test(text)) throw ApiError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
    options[amount] = Number(text)
  }
  const since = query.get('sinceTime')
  if (since) {
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(since) || Number.isNaN(Date.parse(since))) {
      const shown = JSON.stringify(since)
      throw ApiError.badRequest(`parsing time ${shown} as "2006-01-02T15:04:05Z07:00": cannot parse ${shown} as "2006"`)
    }
    options.sinceTime = since
  }
  return options
}

/** Source: ValidatePodLogOptions in pkg/apis/core/validation, for a server that does not tell the streams of a container apart. */
function validate({ tailLines, limitBytes, sinceSeconds, sinceTime }: LogOptions, choosesStream: boolean): FieldError[] {
  const errors: FieldError[] = []
  if (tailLines !== undefined && tailLines < 0) {
    errors.push(invalid(new Path('tailLines'), tailLines, 'must be greater than or equal to 0'))
  }
  if (limitBytes !== undefined && limitBytes < 1) errors.push(invalid(new Path('limitBytes'), limitBytes, 'must be greater than 0'))
  if (sinceSeconds !== undefined && sinceTime !== undefined) {
    errors.push(forbidden(new Path('[]'), 'at most one of `sinceTime` or `sinceSeconds` may be specified'))
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    errors.push(invalid(new Path('sinceSeconds'), sinceSeconds, 'must be greater than 0'))
  }
  if (choosesStream) errors.push(forbidden(new Path('stream'), 'may not be specified'))
  return errors
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
