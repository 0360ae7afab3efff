import protobufjs, { type Reader } from 'protobufjs/minimal.js'
import { type WireField, wireFields } from '../schema/wire.ts'

type Fields = Record<string, unknown>

/** How many fields and items may still be read. */
export interface Room {
  parts: number
}

/** A message of more fields and items than there is room for. */
export class TooManyParts extends Error {}

const endless: Room = { parts: Number.POSITIVE_INFINITY }
const byNumber = new Map<string, Map<number, WireField>>()

/** Reads one message of a Kubernetes type up to `end` as JSON. Fields that the type does not know are skipped. */
export function readMessage(reader: Reader, end: number, type: string, room: Room = endless): Fields {
  const result: Fields = {}
  while (reader.pos < end) {
    if (room.parts-- <= 0) throw new TooManyParts()
    const tag = reader.uint32()
    const field = fieldsOf(type).get(tag >>> 3)
    if (field) readField(reader, field, result, room)
    else reader.skipType(tag & 7)
  }
  return result
}

function readField(reader: Reader, field: WireField, into: Fields, room: Room): void {
  if (field.inline) {
    Object.assign(into, readMessage(reader, reader.uint32() + reader.pos, field.type, room))
    return
  }
  if (field.container === '') {
    const value = readValue(reader, field.type, room)
    if (value !== undefined) into[field.name] = value
    return
  }
  if (field.container === 'list') {
    const list = (into[field.name] ??= []) as unknown[]
    list.push(readValue(reader, field.type, room))
    return
  }
  const map = (into[field.name] ??= {}) as Fields
  const end = reader.uint32() + reader.pos
  let key = ''
  let value: unknown
  while (reader.pos < end) {
    if (room.parts-- <= 0) throw new TooManyParts()
    const tag = reader.uint32()
    if (tag >>> 3 === 1) key = reader.string()
    else if (tag >>> 3 === 2) value = field.container === 'map' ? readValue(reader, field.type, room) : readList(reader, field.type, room)
    else reader.skipType(tag & 7)
  }
  // Plain assignment would lose the one key that means an object's prototype.
  const entry = value ?? (field.type === 'string' ? '' : field.type === 'resource.Quantity' ? '0' : null)
  Object.defineProperty(map, key, { value: entry, writable: true, enumerable: true, configurable: true })
}

function readValue(reader: Reader, type: string, room: Room): unknown {
  switch (type) {
    case 'string':
      return reader.string()
    case 'bool':
      return reader.bool()
    case 'int32':
      return reader.int32()
    case 'int64':
      return Number(reader.int64())
    case 'double':
      return reader.double()
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64')
  }
  if (type.startsWith('named:')) return readList(reader, type.slice(6), room)
  const end = reader.uint32() + reader.pos
  const special = specials[type]
  return special ? special(numbered(reader, end)) : readMessage(reader, end, type, room)
}

/** A message such as ExtraValue, whose only field is a list. */
function readList(reader: Reader, type: string, room: Room): unknown[] {
  const end = reader.uint32() + reader.pos
  const list: unknown[] = []
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (room.parts-- <= 0) throw new TooManyParts()
    if (tag >>> 3 === 1) list.push(readValue(reader, type, room))
    else reader.skipType(tag & 7)
  }
  return list
}

interface Raw {
  number(field: number): number
  text(field: number): string
  bytes(field: number): Uint8Array[]
}

const specials: Record<string, (raw: Raw) => unknown> = {
  'meta.v1.Time': (raw) => time(raw, 0),
  'meta.v1.MicroTime': (raw) => time(raw, 6),
  'meta.v1.Duration': (raw) => formatDuration(BigInt(raw.number(1))),
  'resource.Quantity': (raw) => raw.text(1) || '0',
  'util.intstr.IntOrString': (raw) => (raw.number(1) === 1 ? raw.text(3) : raw.number(2)),
  'runtime.RawExtension': json,
  'meta.v1.FieldsV1': json,
  'apiextensions.v1.JSON': json,
  'apiextensions.v1.JSONSchemaPropsOrArray': (raw) => {
    const list = raw.bytes(2)
    return list.length ? list.map(schemaProps) : one(raw, 1)
  },
  'apiextensions.v1.JSONSchemaPropsOrBool': (raw) => (raw.bytes(2).length ? one(raw, 2) : raw.number(1) !== 0),
  'apiextensions.v1.JSONSchemaPropsOrStringArray': (raw) =>
    raw.bytes(1).length ? one(raw, 1) : raw.bytes(2).map((item) => Buffer.from(item).toString()),
}

/** Go's notation: 1h0m0s, 1m30s, 500ms. */
export function formatDuration(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? '-' : ''
  const total = nanoseconds < 0n ? -nanoseconds : nanoseconds
  if (total === 0n) return '0s'
  const fraction = (value: bigint, unit: bigint) =>
    `${value / unit}${
      value % unit
        ? `.${String(value % unit)
            .padStart(String(unit).length - 1, '0')
            .replace(/0+$/, '')}`
        : ''
    }`
  if (total < 1_000n) return `${sign}${total}ns`
  if (total < 1_000_000n) return `${sign}${fraction(total, 1_000n)}µs`
  if (total < 1_000_000_000n) return `${sign}${fraction(total, 1_000_000n)}ms`
  const minutes = total / 60_000_000_000n
  const seconds = fraction(total % 60_000_000_000n, 1_000_000_000n)
  if (minutes === 0n) return `${sign}${seconds}s`
  return minutes < 60n ? `${sign}${minutes}m${seconds}s` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}s`
}

function schemaProps(bytes: Uint8Array): Fields {
  const reader = protobufjs.Reader.create(bytes)
  return readMessage(reader, bytes.length, 'apiextensions.v1.JSONSchemaProps')
}

function one(raw: Raw, field: number): unknown {
  const first = raw.bytes(field)[0]
  return first && schemaProps(first)
}

function time(raw: Raw, digits: number): string | undefined {
  const seconds = raw.number(1)
  const nanos = raw.number(2)
  if ((seconds === 0 && nanos === 0) || seconds <= -62135596800) return undefined
  const fraction = digits ? `.${String(nanos).padStart(9, '0').slice(0, digits)}` : ''
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction}Z`
}

function json(raw: Raw): unknown {
  const text = raw.text(1)
  return text === '' ? undefined : (JSON.parse(text) as unknown)
}

function numbered(reader: Reader, end: number): Raw {
  const numbers = new Map<number, number>()
  const chunks = new Map<number, Uint8Array[]>()
  while (reader.pos < end) {
    const tag = reader.uint32()
    const field = tag >>> 3
    if ((tag & 7) === 0) numbers.set(field, Number(reader.int64()))
    else if ((tag & 7) === 2) chunks.set(field, [...(chunks.get(field) ?? []), reader.bytes()])
    else reader.skipType(tag & 7)
  }
  return {
    number: (field) => numbers.get(field) ?? 0,
    bytes: (field) => chunks.get(field) ?? [],
    text: (field) => Buffer.from(chunks.get(field)?.at(-1) ?? []).toString(),
  }
}

function fieldsOf(type: string): Map<number, WireField> {
  const known = byNumber.get(type)
  if (known) return known
  const made = new Map((wireFields(type) ?? []).map((field) => [field.number, field]))
  byNumber.set(type, made)
  return made
}
