/** Kinds of CEL's types, as the server's compiler has them. */
export type Kind =
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'dyn'
  | 'error'
  | 'int'
  | 'list'
  | 'map'
  | 'null'
  | 'opaque'
  | 'param'
  | 'string'
  | 'struct'
  | 'timestamp'
  | 'type'
  | 'uint'

export interface CelType {
  readonly kind: Kind
  /** As expressions name it; of a type variable its own. */
  readonly name: string
  readonly params: readonly CelType[]
  /** Of what a wrapper message (google.protobuf.Int64Value) makes: null would do as well. */
  readonly nullable?: true
}

const none: readonly CelType[] = []
const simple = (kind: Kind, name: string = kind): CelType => ({ kind, name, params: none })

export const types = {
  bool: simple('bool'),
  bytes: simple('bytes'),
  double: simple('double'),
  duration: simple('duration', 'google.protobuf.Duration'),
  dyn: simple('dyn'),
  error: simple('error', '*error*'),
  int: simple('int'),
  null: simple('null', 'null_type'),
  string: simple('string'),
  timestamp: simple('timestamp', 'google.protobuf.Timestamp'),
  type: simple('type'),
  uint: simple('uint'),
} as const satisfies Record<string, CelType>

export function listOf(element: CelType): CelType {
  return { kind: 'list', name: 'list', params: [element] }
}

export function mapOf(key: CelType, value: CelType): CelType {
  return { kind: 'map', name: 'map', params: [key, value] }
}

export function optionalOf(held: CelType): CelType {
  return { kind: 'opaque', name: 'optional_type', params: [held] }
}

export function typeOfType(type: CelType): CelType {
  return { kind: 'type', name: 'type', params: [type] }
}

export function opaque(name: string): CelType {
  return simple('opaque', name)
}

export function wrapperOf(type: CelType): CelType {
  return { ...type, nullable: true }
}

export function struct(name: string): CelType {
  return simple('struct', name)
}

export function param(name: string): CelType {
  return simple('param', name)
}

export function isDyn({ kind }: CelType): boolean {
  return kind === 'dyn'
}

export function isDynOrError({ kind }: CelType): boolean {
  return kind === 'dyn' || kind === 'error'
}

/** What an optional may hold; undefined of all other types. */
export function heldBy({ kind, name, params }: CelType): CelType | undefined {
  return kind === 'opaque' && name === 'optional_type' ? params[0] : undefined
}

export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true
  if (a.kind !== b.kind || a.name !== b.name || a.params.length !== b.params.length) return false
  return a.params.every((one, index) => sameType(one, b.params[index] as CelType))
}

/** As the compiler's messages write a type: FormatCELType of cel-go. */
export function shownType(type: CelType): string {
  if (type.nullable) return `wrapper(${type.name})`
  switch (type.kind) {
    case 'duration':
    case 'timestamp':
    case 'null':
      return type.kind
    case 'error':
      return '!error!'
    default:
      return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(shownType).join(', ')})`
  }
}

/** As a type is written everywhere else. */
export function typeName(type: CelType): string {
  if (type.nullable) return shownType(type)
  return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(typeName).join(', ')})`
}
