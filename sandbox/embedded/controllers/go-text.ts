import shape from '../schema/pod-template.json' with { type: 'json' }
import { formatQuantity, parseQuantity } from '../schema/quantity.ts'

type Fields = readonly (readonly string[])[]

const structs: Readonly<Record<string, Fields>> = shape.structs
const named: Readonly<Record<string, string>> = shape.named
const quantityFormats = { binary: 'BinarySI', decimal: 'DecimalSI', exponent: 'DecimalExponent' } as const

/**
 * A pod template as Go's debug printer writes it with types (spew's %#v, methods and addresses off): what
 * kube-controller-manager takes the pod-template-hash of. Values have their JSON form; absent ones are Go's zero values.
 */
export function podTemplateText(template: unknown): string {
  return typed('v1.PodTemplateSpec', template)
}

/** The value after its type, as fields of a struct are written. */
function typed(type: string, value: unknown): string {
  if (!type.startsWith('*')) return `(${type})${bare(type, value)}`
  return `(${type})${value === undefined || value === null ? '<nil>' : bare(type.slice(1), value)}`
}

function bare(type: string, value: unknown): string {
  if (type.startsWith('[]')) {
    if (!Array.isArray(value) || value.length === 0) return '<nil>'
    return `[${value.map((item) => bare(type.slice(2), item)).join(' ')}]`
  }
  const map = type === 'v1.ResourceList' ? 'resource.Quantity' : /^map\[[\w.]+\](.+)$/.exec(type)?.[1]
  if (map) return printMap(map, value)
  if (type === 'resource.Quantity') return printQuantity(value as string | number | undefined)
  if (type === 'intstr.IntOrString') return printIntOrString(value as string | number | undefined)
  const fields = structs[type]
  if (fields) return `{${fields.map((field) => printField(field, value)).join(' ')}}`
  const kind = named[type] ?? type
  if (kind === 'string') return String(value ?? '')
  return kind === 'bool' ? String(value ?? false) : String(value ?? 0)
}

function printField([name = '', key = '', type = '']: readonly string[], owner: unknown): string {
  // A field without a name of its own in JSON lies in its parent; time.Time has no fields there at all.
  const value = key ? (owner as Record<string, unknown> | null | undefined)?.[key] : structs[type] ? owner : undefined
  return `${name}:${typed(type, value)}`
}

function printMap(valueType: string, value: unknown): string {
  const entries = Object.entries((value as Record<string, unknown> | null | undefined) ?? {})
  if (entries.length === 0) return '<nil>'
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${sorted.map(([key, item]) => `${key}:${bare(valueType, item)}`).join(' ')}]`
}

/** The number is kept as it is written: digits and a power of ten, or whole where the suffix is binary. */
function printQuantity(value: string | number | undefined): string {
  const quantity = parseQuantity(value ?? 0)
  const text = formatQuantity(quantity)
  const [, digits = '0', suffix = ''] = /^(-?\d+)(.*)$/.exec(text) ?? []
  const powers: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
  const whole = quantity.format === 'binary' && suffix.endsWith('i')
  const number = whole ? quantity.nano / 1_000_000_000n : digits
  const scale = whole ? 0 : (powers[suffix] ?? Number(suffix.slice(1)))
  const amount = `{value:(int64)${number} scale:(resource.Scale)${scale}}`
  return `{i:(resource.int64Amount)${amount} d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)${text} Format:(resource.Format)${quantityFormats[quantity.format]}}`
}

function printIntOrString(value: string | number | undefined): string {
  const isText = typeof value === 'string'
  return `{Type:(intstr.Type)${isText ? 1 : 0} IntVal:(int32)${isText ? 0 : (value ?? 0)} StrVal:(string)${isText ? value : ''}}`
}
