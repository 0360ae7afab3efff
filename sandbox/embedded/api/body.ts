import { type Document, LineCounter, parseDocument, type ScalarTag, type YAMLError } from 'yaml'
import { copyOf } from '../machinery/copy.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { decodeProtobuf, ProtobufError, protobufContentType } from '../protobuf/index.ts'
import type { GroupVersionKind } from '../registry/index.ts'
import { decodeObject, TypeMismatch } from '../schema/decode.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { duplicatesInJson, duplicatesInYaml, fieldsOfJson } from './duplicate-fields.ts'
import { goJsonFault, goJsonType } from './go-json.ts'
import type { FieldValidation } from './options.ts'
import { apiVersionOf } from './resources.ts'

type Fields = Record<string, unknown>

/** Reads an object as its kind has it; unlike the wire form of built-in kinds this is known to custom resources themselves. */
export type Decoder = (value: Fields) => { object: Fields; unknown: string[] }

const jsonType = 'application/json'
const yamlType = 'application/yaml'
const accepted = [jsonType, yamlType, protobufContentType]

/** A body as plain data. */
export interface Parsed {
  value: Fields
  /** What stands in it twice, in the words of the strict decoder; looked for only when it is asked. */
  duplicates?(): string[]
  /** The paths of its fields as they come, to tell of faults in their order. */
  order?(): string[]
}

/** Throws ApiError 415 for a type of body that nobody here reads. */
export function assertBodyType(contentType: string | undefined): void {
  const type = contentType ? mediaType(contentType) : jsonType
  if (!accepted.includes(type) || !parametersOfType.test(contentType ?? '')) throw ApiError.unsupportedMediaType(accepted)
}

/** Throws ApiError 400 or 415, and Unreadable for what is no object at all. */
export function parseBody(bytes: Uint8Array, contentType: string | undefined): Parsed {
  assertBodyType(contentType)
  const type = contentType ? mediaType(contentType) : jsonType
  if (type === protobufContentType) return { value: fromProtobuf(bytes) }
  const text = textOf(bytes)
  return type === jsonType ? fromJson(text) : fromYaml(text)
}

/** What may stand behind a media type; Go's mime package takes no other, and a last semicolon. */
const parametersOfType = /^[^;]*(;\s*[\w!#$%&'*+.^`|~-]+\s*=\s*([\w!#$%&'*+.^`|~-]+|"([^"\\]|\\.)*")\s*)*;?\s*$/

/** A body in which no object was found. */
export class Unreadable extends Error {}

/** The answer to a body that should have been an object of a kind. */
export function unreadable(error: Unreadable, kind: string, bytes: Uint8Array): ApiError {
  const message = `the object provided is unrecognized (must be of type ${kind}): ${error.message} (${summary(bytes)})`
  return new ApiError(400, 'BadRequest', message, undefined, error)
}

/** The beginning of a body: as it is when it could be an object, else in hexadecimal. */
function summary(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes)
  if (buffer.length === 0) return '<empty>'
  const start = buffer.subarray(0, 30)
  return `${start[0] === 0x7b ? start.toString() : start.toString('hex')}${buffer.length > 30 ? ' ...' : ''}`
}

/** Deeper than any object is; what is deeper would overflow the stack of whoever walks it. */
const deepest = 500
/** YAML takes hundreds of times as long to read as JSON. */
const yamlLimit = 2 ** 20

/** Refuses what no object holds and what would do harm in this process. Throws ApiError BadRequest. */
function assertHarmless(value: unknown): void {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepest) throw ApiError.badRequest('error decoding body: exceeded max depth')
    const next: unknown[] = []
    for (const part of level) {
      if (typeof part !== 'object' || part === null) continue
      if (Object.hasOwn(part, '__proto__')) throw ApiError.badRequest('error decoding body: the field name "__proto__" is not served here')
      for (const inner of Array.isArray(part) ? part : Object.values(part)) if (typeof inner === 'object') next.push(inner)
    }
    level = next
  }
}

/** Any JSON, as patches are. Throws ApiError BadRequest, whose message begins with `prefix`. */
export function parseJson(bytes: Uint8Array, prefix = 'error decoding patch: '): unknown {
  try {
    const value = JSON.parse(textOf(bytes)) as unknown
    assertHarmless(value)
    return value
  } catch (error) {
    if (error instanceof ApiError) throw error
    const why = goJsonFault(textOf(bytes)) ?? (error as Error).message
    throw new ApiError(400, 'BadRequest', `${prefix}${why}`, undefined, error)
  }
}

function textOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString()
}

export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

/**
 * A body as an object of the expected kind: the shape of its Go type. Fields that the kind doesn't have are dropped,
 * warned about or refused as `validation` says. Throws ApiError BadRequest.
 */
export function decodeAs(
  expected: GroupVersionKind,
  parsed: Parsed,
  validation: FieldValidation,
  warn: (text: string) => void,
  decoder?: Decoder,
): KubeObject {
  const apiVersion = apiVersionOf(expected)
  const given = { apiVersion, kind: expected.kind, ...withoutEmptyType(parsed.value) } as Fields & { apiVersion: string; kind: string }
  const cannot = (why: string) =>
    ApiError.badRequest(
      `${given.kind} in version ${JSON.stringify(versionOf(given.apiVersion))} cannot be handled as a ${expected.kind}: ${why}`,
    )
  if (!decoder && (given.apiVersion !== apiVersion || given.kind !== expected.kind)) {
    const { kind, apiVersion: version } = given
    if (!wireTypeOf(version, kind)) throw cannot(notRegistered(kind, version))
    if (kind !== expected.kind) {
      const internal = `${expected.group === '' ? 'core' : expected.group.split('.')[0]}.${expected.kind}`
      throw cannot(`converting (${versionOf(version)}.${kind}) to (${internal}): unknown conversion`)
    }
  }
  if (given.apiVersion !== apiVersion) {
    throw ApiError.badRequest(`the API version in the data (${given.apiVersion}) does not match the expected API version (${apiVersion})`)
  }
  if (given.kind !== expected.kind) throw cannot(`converting (${expected.version}.${given.kind}) to (${expected.kind}): unknown conversion`)
  const { object, unknown } = decodeFields(given, apiVersion, expected.kind, decoder, cannot)
  if (validation === 'Ignore') return object as unknown as KubeObject
  const problems = inOrder(parsed, unknown)
  if (problems.length > 0 && validation === 'Strict') throw cannot(`strict decoding error: ${problems.join(', ')}`)
  if (validation === 'Warn') for (const problem of problems) warn(problem)
  return object as unknown as KubeObject
}

/** What Go's scheme says of a kind that it does not know. */
export function notRegistered(kind: string, apiVersion: string): string {
  return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1)
}

/** Fields that are not known and fields that stand twice, in the order in which a reader of the text meets them. */
function inOrder({ duplicates, order }: Parsed, unknown: readonly string[]): string[] {
  const repeated = duplicates?.() ?? []
  if (unknown.length === 0 || repeated.length === 0) return [...repeated, ...unknown]
  const places = order?.()
  const pathOf = (problem: string) => /"(.*)"$/.exec(problem)?.[1] ?? ''
  const placeOf = (problem: string) =>
    problem.startsWith('duplicate') ? (places?.lastIndexOf(pathOf(problem)) ?? 0) : (places?.indexOf(pathOf(problem)) ?? 0)
  return places ? [...repeated, ...unknown].sort((a, b) => placeOf(a) - placeOf(b)) : [...repeated, ...unknown]
}

function decodeFields(
  value: Fields,
  apiVersion: string,
  kind: string,
  decoder: Decoder | undefined,
  cannot: (why: string) => ApiError,
): { object: Fields; unknown: string[] } {
  const type = wireTypeOf(apiVersion, kind)
  try {
    if (decoder) return decoder(value)
    return type ? decodeObject(value, type) : { object: copyOf(value), unknown: [] }
  } catch (error) {
    if (error instanceof TypeMismatch) throw cannot(error.message)
    throw error
  }
}

function withoutEmptyType(value: Fields): Fields {
  return Object.fromEntries(Object.entries(value).filter(([key, field]) => field || (key !== 'apiVersion' && key !== 'kind')))
}

function fromProtobuf(bytes: Uint8Array): Fields {
  try {
    const value = decodeProtobuf(bytes)
    assertHarmless(value)
    return value
  } catch (error) {
    if (error instanceof ProtobufError) throw new Unreadable(error.message, { cause: error })
    throw error
  }
}

function fromJson(text: string): Parsed {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const why = goJsonFault(text) ?? (error as Error).message
    throw new Unreadable(`couldn't get version/kind; json parse error: ${why}`, { cause: error })
  }
  try {
    assertHarmless(value)
  } catch (error) {
    const fault = goJsonFault(text)
    if (fault) throw new Unreadable(`couldn't get version/kind; json parse error: ${fault}`, { cause: error })
    throw error
  }
  return { value: asObject(value), duplicates: () => duplicatesInJson(text), order: () => fieldsOfJson(text) }
}

function fromYaml(text: string): Parsed {
  // Most clients write JSON, which is YAML too.
  if (text.startsWith('{')) {
    try {
      const value = JSON.parse(text) as unknown
      assertHarmless(value)
      return { value: asObject(value), duplicates: () => duplicatesInJson(text), order: () => fieldsOfJson(text) }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  if (text.length > yamlLimit) throw ApiError.entityTooLarge(`limit is ${yamlLimit}`)
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { uniqueKeys: false, schema: 'core', lineCounter, prettyErrors: false, customTags: [binary] })
  // of several documents the first counts
  const problem = document.errors.find(({ code }) => code !== 'MULTIPLE_DOCS')
  if (problem) throw new Unreadable(yamlFault(problem, lineCounter, text))
  if (document.directives?.yaml.explicit && !/^%YAML\s+1\.1\s/m.test(text)) {
    throw new Unreadable('yaml: found incompatible YAML document')
  }
  const value = yamlValue(document)
  assertHarmless(value)
  return { value: asObject(value), duplicates: () => duplicatesInYaml(document, lineCounter) }
}

/** Text in base64, which go-yaml reads. */
const binary: ScalarTag = {
  tag: 'tag:yaml.org,2002:binary',
  resolve(text, onError) {
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.replace(/\s/g, ''))) {
      onError('!!binary value contains invalid base64 data')
    }
    return Buffer.from(text, 'base64').toString()
  },
}

/** Throws ApiError BadRequest for aliases that would grow beyond measure. */
function yamlValue(document: Document): unknown {
  try {
    return document.toJS()
  } catch (error) {
    if (error instanceof ReferenceError) {
      const unknown = /^Unresolved alias .*: (.*)$/.exec(error.message)?.[1]
      throw new Unreadable(unknown === undefined ? `yaml: ${error.message}` : `yaml: unknown anchor '${unknown}' referenced`)
    }
    throw error
  }
}

const typeOfKind = String.raw`struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`

/** Nothing at all is an object without fields. */
function asObject(value: unknown): Fields {
  const failed = (why: string) => new Unreadable(`couldn't get version/kind; json parse error: json: cannot unmarshal ${why}`)
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw failed(`${goJsonType(value)} into Go value of type ${typeOfKind}`)
  const fields = value as Fields
  for (const name of ['apiVersion', 'kind']) {
    const field = fields[name]
    if (field !== undefined && field !== null && typeof field !== 'string') {
      throw failed(`${goJsonType(field)} into Go struct field .${name} of type string`)
    }
  }
  if (typeof fields['apiVersion'] === 'string' && fields['apiVersion'].split('/').length > 2) {
    throw new Unreadable(`unexpected GroupVersion string: ${fields['apiVersion']}`)
  }
  return fields
}

/** What libyaml would say, where it can be told from what this parser says. */
function yamlFault({ code, message, pos }: YAMLError, lines: LineCounter, text: string): string {
  const { line } = lines.linePos(pos[0])
  const at = line > 1 ? `line ${line}: ` : ''
  switch (code) {
    case 'TAB_AS_INDENT':
      return `yaml: ${at}found character that cannot start any token`
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return `yaml: ${at}mapping values are not allowed in this context`
    case 'MISSING_CHAR':
    case 'BAD_INDENT': {
      if (message.includes('quote')) return `yaml: ${at}found unexpected end of stream`
      const closing = /([}\]])$/.exec(message)?.[1]
      const inside = /[{[,:]\s*$/.test(text) ? 'node content' : `',' or '${closing}'`
      return closing ? `yaml: ${at || 'line 1: '}did not find expected ${inside}` : `yaml: ${at}${message}`
    }
    default:
      return `yaml: ${message}`
  }
}
