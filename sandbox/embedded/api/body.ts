import { copyOf } from '../machinery/copy.ts'
import { ApiError } from '../machinery/errors.ts'
import { groupVersionOf, type KubeObject } from '../machinery/object.ts'
import { decodeProtobuf, ProtobufError, protobufContentType, TooManyParts } from '../protobuf/index.ts'
import type { GroupVersionKind } from '../registry/index.ts'
import { decodeObject, TypeMismatch } from '../schema/decode.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { duplicatesInJson, fieldsOfJson } from './duplicate-fields.ts'
import { goJsonFault, goJsonType } from './go-json.ts'
import { countKeys, type JsonScan, scanJson } from './json-scan.ts'
import type { FieldValidation } from './options.ts'
import { apiVersionOf } from './resources.ts'
import { readYaml, type YamlReading } from './yaml-reading.ts'

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
  /** Fields that need no decoding where the very same stand in the value. */
  decoded?: Readonly<Fields> | undefined
}

/** Throws ApiError 415 for a type of body that nobody here reads. */
export function assertBodyType(contentType: string | undefined): void {
  const type = contentType ? mediaType(contentType) : jsonType
  if (!accepted.includes(type) || !parametersOfType.test(contentType ?? '')) throw ApiError.unsupportedMediaType(accepted)
}

/** Throws ApiError 400, 413 or 415, and Unreadable for what is no object at all. `yaml`: what YAML was read as already. */
export function parseBody(bytes: Uint8Array, contentType: string | undefined, yaml?: YamlReading): Parsed {
  assertBodyType(contentType)
  const type = contentType ? mediaType(contentType) : jsonType
  if (type === protobufContentType) return { value: fromProtobuf(bytes) }
  const text = textOf(bytes)
  return type === jsonType ? fromJson(text) : fromYaml(text, yaml)
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
/** From here on Go refuses the text itself. */
const deepestInGo = 10_000
/** Fields, items, objects and lists in one body: more than in anything that etcd takes, and few enough that nobody waits for them. */
const mostParts = 60_000

/** Throws ApiError 413 for more than a cluster may put into one object, which shares its process with others. */
function assertFew({ parts }: JsonScan): void {
  if (parts > mostParts) throw tooMany(`${parts}`)
}

function tooMany(parts: string): ApiError {
  return ApiError.entityTooLarge(`it has ${parts} fields and items, and at most ${mostParts} are allowed in one request to this cluster`)
}

/** The value of a JSON text. Throws SyntaxError, and ApiError for what is too much or harmful. */
function jsonValue(text: string): { value: unknown; scan: JsonScan } {
  const scan = scanJson(text)
  if (scan.deepest > deepestInGo) throw new SyntaxError('exceeded max depth')
  assertFew(scan)
  const value = JSON.parse(text) as unknown
  if (scan.deepest > deepest || text.includes('__proto__') || text.includes('\\u')) assertHarmless(value)
  return { value, scan }
}

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
    return jsonValue(textOf(bytes)).value
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
  const given = { apiVersion, kind: expected.kind, ...parsed.value } as Fields & { apiVersion: string; kind: string }
  if (!given.apiVersion) given.apiVersion = apiVersion
  if (!given.kind) given.kind = expected.kind
  const cannot = (why: string) =>
    ApiError.badRequest(
      `${given.kind} in version ${JSON.stringify(groupVersionOf(given.apiVersion).version)} cannot be handled as a ${expected.kind}: ${why}`,
    )
  if (!decoder && (given.apiVersion !== apiVersion || given.kind !== expected.kind)) {
    const { kind, apiVersion: version } = given
    if (!wireTypeOf(version, kind)) throw cannot(notRegistered(kind, version))
    if (kind !== expected.kind) {
      const internal = `${expected.group === '' ? 'core' : expected.group.split('.')[0]}.${expected.kind}`
      throw cannot(`converting (${groupVersionOf(version).version}.${kind}) to (${internal}): unknown conversion`)
    }
  }
  if (given.apiVersion !== apiVersion) {
    throw ApiError.badRequest(`the API version in the data (${given.apiVersion}) does not match the expected API version (${apiVersion})`)
  }
  if (given.kind !== expected.kind) throw cannot(`converting (${expected.version}.${given.kind}) to (${expected.kind}): unknown conversion`)
  const { object, unknown } = decodeFields(given, expected, parsed.decoded, decoder, cannot)
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
  expected: GroupVersionKind,
  decoded: Readonly<Fields> | undefined,
  decoder: Decoder | undefined,
  cannot: (why: string) => ApiError,
): { object: Fields; unknown: string[] } {
  const type = wireTypeOf(apiVersionOf(expected), expected.kind)
  try {
    if (decoder) return decoder(value)
    return type ? decodeObject(value, type, decoded) : { object: copyOf(value), unknown: [] }
  } catch (error) {
    if (error instanceof TypeMismatch) throw cannot(error.message)
    throw error
  }
}

function fromProtobuf(bytes: Uint8Array): Fields {
  try {
    const value = decodeProtobuf(bytes, mostParts)
    assertHarmless(value)
    return value
  } catch (error) {
    if (error instanceof TooManyParts) throw tooMany('more')
    if (error instanceof ProtobufError) throw new Unreadable(error.message, { cause: error })
    throw error
  }
}

function fromJson(text: string): Parsed {
  try {
    return ofJson(text)
  } catch (error) {
    if (error instanceof Unreadable || (error instanceof ApiError && error.code === 413)) throw error
    const why = goJsonFault(text) ?? (error instanceof SyntaxError ? error.message : undefined)
    if (why === undefined) throw error
    throw new Unreadable(`couldn't get version/kind; json parse error: ${why}`, { cause: error })
  }
}

function ofJson(text: string): Parsed {
  const { value, scan } = jsonValue(text)
  const object = asObject(value)
  // what stands twice in the text stands once in the value
  const duplicates = () => (countKeys(value) === scan.keys ? [] : duplicatesInJson(text))
  return { value: object, duplicates, order: () => fieldsOfJson(text) }
}

function fromYaml(text: string, yaml: YamlReading | undefined): Parsed {
  // Most clients write JSON, which is YAML too.
  if (text.startsWith('{')) {
    try {
      return ofJson(text)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  const reading = yaml ?? readYaml(text)
  if ('fault' in reading) throw new Unreadable(reading.fault)
  const { value } = jsonValue(reading.json)
  return { value: asObject(value), duplicates: () => reading.duplicates }
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
