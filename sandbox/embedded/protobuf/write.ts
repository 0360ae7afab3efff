import protobufjs, { type Writer } from 'protobufjs/minimal.js'
import { type WireField, wireFields } from '../schema/wire.ts'

type Fields = Record<string, unknown>

const zeros: Record<string, unknown> = { string: '', bool: false, int32: 0, int64: 0, double: 0 }

/** The bytes of one message of a Kubernetes type, fields by number and maps by key, as Go's generated code writes them. */
export function writeMessage(object: Fields, type: string): Uint8Array {
  const writer = protobufjs.Writer.create()
  writeFields(writer, object, type)
  return writer.finish()
}

function writeFields(writer: Writer, object: Fields, type: string): void {
  for (const field of fieldsByNumber(type)) writeField(writer, field, object)
}

const orders = new Map<string, readonly WireField[]>()

function fieldsByNumber(type: string): readonly WireField[] {
  let order = orders.get(type)
  if (!order) orders.set(type, (order = [...(wireFields(type) ?? [])].sort((a, b) => a.number - b.number)))
  return order
}

/** A message inside of another, in place. */
function message(writer: Writer, number: number, object: Fields, type: string): void {
  writer.uint32((number << 3) | 2).fork()
  writeFields(writer, object, type)
  writer.ldelim()
}

function writeField(writer: Writer, field: WireField, object: Fields): void {
  if (field.inline) {
    if (!field.pointer || hasAny(object, field.type)) message(writer, field.number, object, field.type)
    return
  }
  const value = object[field.name]
  if (value === undefined || value === null) {
    if (field.container === '' && !field.pointer) writeEmpty(writer, field)
    return
  }
  if (field.container === '') writeValue(writer, field.number, field.type, value)
  else if (field.container === 'list') {
    for (const item of value as unknown[]) writeValue(writer, field.number, field.type, item)
  } else {
    const map = value as Fields
    for (const key of Object.keys(map).sort()) {
      writer
        .uint32((field.number << 3) | 2)
        .fork()
        .uint32(10)
        .string(key)
      if (field.container === 'map') writeValue(writer, 2, field.type, map[key])
      else bytes(writer, 2, list(map[key] as unknown[], field.type))
      writer.ldelim()
    }
  }
}

/** Fields that are no pointers in Go are always on the wire. */
function writeEmpty(writer: Writer, field: WireField): void {
  if (field.type in zeros) writeValue(writer, field.number, field.type, zeros[field.type])
  else if (field.type === 'resource.Quantity') writeValue(writer, field.number, field.type, '0')
  else if (field.type === 'util.intstr.IntOrString') writeValue(writer, field.number, field.type, 0)
  else if (field.type !== 'bytes') bytes(writer, field.number, emptyMessage(field.type))
}

const empty = new Map<string, Uint8Array>()

function emptyMessage(type: string): Uint8Array {
  let made = empty.get(type)
  if (!made) empty.set(type, (made = specials[type] ? new Uint8Array() : writeMessage({}, type)))
  return made
}

function writeValue(writer: Writer, number: number, type: string, value: unknown): void {
  switch (type) {
    case 'string':
      writer.uint32((number << 3) | 2).string(String(value ?? ''))
      return
    case 'bool':
      writer.uint32(number << 3).bool(Boolean(value))
      return
    case 'int32':
      writer.uint32(number << 3).int32(Number(value))
      return
    case 'int64':
      writer.uint32(number << 3).int64(Number(value))
      return
    case 'double':
      writer.uint32((number << 3) | 1).double(Number(value))
      return
    case 'bytes':
      bytes(writer, number, Buffer.from(String(value), 'base64'))
      return
  }
  if (type.startsWith('named:')) bytes(writer, number, list(value as unknown[], type.slice(6)))
  else {
    const special = specials[type]
    if (special) bytes(writer, number, special(value))
    else message(writer, number, (value ?? {}) as Fields, type)
  }
}

const specials: Record<string, (value: unknown) => Uint8Array> = {
  'meta.v1.Time': (value) => time(value),
  'meta.v1.MicroTime': (value) => time(value),
  'meta.v1.Duration': (value) =>
    protobufjs.Writer.create()
      .uint32(8)
      .int64(parseDuration(String(value)))
      .finish(),
  'resource.Quantity': (value) => protobufjs.Writer.create().uint32(10).string(String(value)).finish(),
  'util.intstr.IntOrString': (value) => {
    const text = typeof value === 'string'
    return protobufjs.Writer.create()
      .uint32(8)
      .int64(text ? 1 : 0)
      .uint32(16)
      .int32(text ? 0 : Number(value))
      .uint32(26)
      .string(text ? value : '')
      .finish()
  },
  'runtime.RawExtension': json,
  'meta.v1.FieldsV1': json,
  'apiextensions.v1.JSON': json,
  'apiextensions.v1.JSONSchemaPropsOrArray': (value) =>
    Array.isArray(value) ? joined(2, value.map(schemaProps)) : joined(1, [schemaProps(value)]),
  'apiextensions.v1.JSONSchemaPropsOrBool': (value) => {
    const writer = protobufjs.Writer.create()
      .uint32(8)
      .bool(value !== false)
    if (typeof value === 'object') bytes(writer, 2, schemaProps(value))
    return writer.finish()
  },
  'apiextensions.v1.JSONSchemaPropsOrStringArray': (value) =>
    Array.isArray(value)
      ? joined(
          2,
          value.map((item) => Buffer.from(String(item))),
        )
      : joined(1, [schemaProps(value)]),
}

/** Nanoseconds of Go's notation (1h30m, 1.5s). */
export function parseDuration(text: string): number {
  const units: Record<string, number> = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, µs: 1e3, us: 1e3, ns: 1 }
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|µs|us|ns|h|m|s)/g)) total += Number(amount) * (units[unit ?? ''] ?? 0)
  return Math.round(text.startsWith('-') ? -total : total)
}

function time(value: unknown): Uint8Array {
  const writer = protobufjs.Writer.create()
  if (value === undefined || value === null) return writer.finish()
  const text = String(value)
  const nanos = Number((/\.(\d+)/.exec(text)?.[1] ?? '').padEnd(9, '0').slice(0, 9))
  return writer
    .uint32(8)
    .int64(Math.floor(Date.parse(text) / 1000))
    .uint32(16)
    .int32(nanos)
    .finish()
}

function json(value: unknown): Uint8Array {
  return protobufjs.Writer.create().uint32(10).string(JSON.stringify(value)).finish()
}

function schemaProps(value: unknown): Uint8Array {
  return writeMessage(value as Fields, 'apiextensions.v1.JSONSchemaProps')
}

function list(items: unknown[] | null, type: string): Uint8Array {
  const writer = protobufjs.Writer.create()
  for (const item of items ?? []) writeValue(writer, 1, type, item)
  return writer.finish()
}

function joined(number: number, parts: Uint8Array[]): Uint8Array {
  const writer = protobufjs.Writer.create()
  for (const part of parts) bytes(writer, number, part)
  return writer.finish()
}

function bytes(writer: Writer, number: number, value: Uint8Array): void {
  writer.uint32((number << 3) | 2).bytes(value)
}

function hasAny(object: Fields, type: string): boolean {
  return (wireFields(type) ?? []).some((field) => (field.inline ? hasAny(object, field.type) : object[field.name] !== undefined))
}
