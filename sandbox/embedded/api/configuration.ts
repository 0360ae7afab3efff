import { ApiError } from '../machinery/errors.ts'
import { groupVersionOf, type KubeObject } from '../machinery/object.ts'
import type { Pieces } from '../machinery/pieces.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { decodeAs, type Parsed, parseBody, Unreadable } from './body.ts'
import type { ResourceCall } from './call.ts'
import { applyFields, type Managed, type Writer } from './field-manager.ts'
import type { WriteOptions } from './options.ts'
import { apiVersionOf } from './resources.ts'
import type { YamlReading } from './yaml-reading.ts'

/** What a client applies. */
export interface Configuration {
  /** What it makes of an object as it is (undefined: there is none), not defaulted; in pieces. Throws ApiError. */
  appliedTo(existing: KubeObject | undefined, by: Writer): Pieces<KubeObject>
}

/** The configuration in the body of a call, which is to be of that kind. Throws ApiError. */
export function readConfiguration(
  { value, body, yaml, warn }: ResourceCall,
  kind: Managed & Pick<ResourceInfo, 'decode'>,
  { fieldValidation, force = false }: WriteOptions,
): Configuration {
  const parsed: Parsed = value === undefined ? parseApplied(body ?? new Uint8Array(), yaml) : { value: value as Record<string, unknown> }
  const applied = parsed.value as unknown as KubeObject
  if (applied.kind !== kind.kind || applied.apiVersion !== apiVersionOf(kind)) {
    const { group, version } = groupVersionOf(applied.apiVersion ?? '')
    const type = `${group}/${version}, Kind=${applied.kind ?? ''}`
    if (!kind.definition || !applied.kind || !applied.apiVersion) throw ApiError.badRequest(`invalid object type: ${type}`)
  }
  const repeated = fieldValidation === 'Ignore' ? [] : (parsed.duplicates?.() ?? [])
  return {
    *appliedTo(existing, by) {
      const merged = yield* applyFields(kind, existing, applied, by, force)
      const twice = repeated.join(', ')
      if (twice && fieldValidation === 'Strict') throw ApiError.badRequest(`error strict decoding YAML: ${yamlFault(twice)}`)
      if (twice) warn(yamlFault(twice))
      yield
      const fields = merged as unknown as Record<string, unknown>
      return converted(() => decodeAs(kind, { value: fields }, 'Ignore', () => {}, kind.decode), kind, applied)
    },
  }
}

/** What fits the schema and yet is no value of its type (a quantity "1x") fails late in an apply, and as an internal error. */
function converted(decode: () => KubeObject, info: Managed, { metadata }: KubeObject): KubeObject {
  try {
    return decode()
  } catch (error) {
    const why = error instanceof ApiError ? /cannot be handled as a \S+: (.*)$/s.exec(error.message)?.[1] : undefined
    if (!why) throw error
    const type = `${info.group}/${info.version}, Kind=${info.kind}`
    const which = `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}; ${type}`
    const reason = why.replace(/^json: cannot unmarshal number \S*\.\S* into .* of type (u?int\d+)$/s, 'cannot convert float64 to $1')
    const message = `failed to convert new object (${which}) to proper version: unable to convert unstructured object to ${type}: ${reason.replace(/^illegal base64/, 'error decoding from json: $&')}`
    throw new ApiError(500, undefined, message, undefined, error)
  }
}

/** What is applied, which is YAML whatever it says. Throws ApiError BadRequest. */
function parseApplied(bytes: Uint8Array, yaml: YamlReading | undefined): Parsed {
  try {
    return parseBody(bytes, 'application/yaml', yaml)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const mismatch = /json: cannot unmarshal (\w+) into Go value/.exec(error.message)
    const why = mismatch
      ? `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${mismatch[1]} into Go value of type map[string]interface {}`
      : `error converting YAML to JSON: ${error.message}`
    throw new ApiError(400, 'BadRequest', `error decoding YAML: ${why}`, undefined, error)
  }
}

function yamlFault(text: string): string {
  return text.startsWith('yaml:') ? `error converting YAML to JSON: ${text}` : text
}
