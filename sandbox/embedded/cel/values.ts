import { type CelType, types } from './types.ts'

/**
 * What expressions come to: null, bool, int (bigint), uint, double (number), string, bytes, times, lists, maps, optionals, types,
 * Kubernetes' own kinds of values, and what went wrong, which is a value too since || and && may do without it.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | CelMap
  | Optional
  | TypeValue
  | Failure
  | OpaqueValue
  | readonly Value[]

/** What int and uint can hold. */
export const minInt = -(2n ** 63n)
export const maxInt = 2n ** 63n - 1n
export const maxUint = 2n ** 64n - 1n

export class Uint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

abstract class Nanoseconds {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** Nanoseconds since 1970. */
export class Timestamp extends Nanoseconds {}

export class Duration extends Nanoseconds {}

export class Optional {
  static readonly none = new Optional(undefined)
  readonly value: Value | undefined
  constructor(value: Value | undefined) {
    this.value = value
  }
}

export class TypeValue {
  readonly type: CelType
  constructor(type: CelType) {
    this.type = type
  }
}

/** Why there is no value. */
export class Failure {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** A value of a kind that Kubernetes adds: a URL, a quantity, an authorizer. */
export abstract class OpaqueValue {
  abstract readonly type: CelType
  abstract equals(other: OpaqueValue): boolean
  /** What size() would be, where the cost of a call hangs on it. */
  get size(): number | undefined {
    return undefined
  }
}

/** Entries by key. Integers of all types are the same key. */
export abstract class CelMap {
  abstract readonly size: number
  abstract get(key: Value): Value | undefined
  abstract keys(): Iterable<Value>

  *entries(): Iterable<[Value, Value]> {
    for (const key of this.keys()) yield [key, this.get(key) as Value]
  }
}

/** A map that an expression makes. */
export class EntryMap extends CelMap {
  private readonly held = new Map<string | bigint | boolean, [Value, Value]>()

  get size(): number {
    return this.held.size
  }

  get(key: Value): Value | undefined {
    const known = keyOf(key)
    return known === undefined ? undefined : this.held.get(known)?.[1]
  }

  /** False for what can be no key. */
  set(key: Value, value: Value): boolean {
    const known = keyOf(key)
    if (known !== undefined) this.held.set(known, [key, value])
    return known !== undefined
  }

  *keys(): Iterable<Value> {
    for (const [key] of this.held.values()) yield key
  }
}

function keyOf(key: Value): string | bigint | boolean | undefined {
  if (typeof key === 'string' || typeof key === 'bigint' || typeof key === 'boolean') return key
  if (key instanceof Uint) return key.value
  return typeof key === 'number' && Number.isInteger(key) ? BigInt(key) : undefined
}

/** The type that a value has when an expression runs. */
export function runtimeType(value: Value): CelType {
  switch (typeof value) {
    case 'boolean':
      return types.bool
    case 'bigint':
      return types.int
    case 'number':
      return types.double
    case 'string':
      return types.string
  }
  if (value === null) return types.null
  if (value instanceof Uint8Array) return types.bytes
  if (Array.isArray(value)) return listType
  if (value instanceof Uint) return types.uint
  if (value instanceof Timestamp) return types.timestamp
  if (value instanceof Duration) return types.duration
  if (value instanceof CelMap) return mapType
  if (value instanceof Optional) return optionalType
  if (value instanceof TypeValue) return types.type
  if (value instanceof OpaqueValue) return value.type
  return types.error
}

const listType: CelType = { kind: 'list', name: 'list', params: [] }
const mapType: CelType = { kind: 'map', name: 'map', params: [] }
const optionalType: CelType = { kind: 'opaque', name: 'optional_type', params: [] }

/** Characters, bytes, items or entries; 1 of all that has no size. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return lengthOf(value)
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length
  if (value instanceof CelMap) return value.size
  return value instanceof OpaqueValue ? (value.size ?? 1) : 1
}

const surrogate = /[\ud800-\udbff]/

/** In code points. */
export function lengthOf(text: string): number {
  if (!surrogate.test(text)) return text.length
  let count = 0
  for (const _ of text) count++
  return count
}
