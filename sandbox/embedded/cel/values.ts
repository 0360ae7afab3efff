import { Duration } from '@marcbachmann/cel-js/evaluator'
import { itemsOf, propertyOf } from '../crd/schema.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'

/** JSON as CEL has it: integers are ints where the schema says so (without one: wherever they are whole), times and bytes what their format says. */
export function toCel(value: unknown, schema?: JSONSchemaProps): unknown {
  if (Array.isArray(value)) {
    const items = schema && itemsOf(schema)
    return value.map((item) => toCel(item, items))
  }
  if (typeof value === 'object' && value !== null) {
    const isMap = schema?.additionalProperties !== undefined
    return Object.fromEntries(
      Object.entries(value).map(([key, field]) => [isMap ? key : escapeField(key), toCel(field, schema && propertyOf(schema, key))]),
    )
  }
  if (typeof value === 'string' && schema?.format) return formatted(value, schema.format)
  if (typeof value !== 'number' || schema?.type === 'number') return value
  return Number.isInteger(value) ? BigInt(value) : value
}

function formatted(value: string, format: string): unknown {
  if (format === 'byte') return new Uint8Array(Buffer.from(value, 'base64'))
  if (format === 'duration') return durationOf(value) ?? value
  if (format !== 'date' && format !== 'date-time') return value
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? value : date
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)

/** Names that CEL cannot say are written otherwise (`x-kubernetes-validations`' documentation). */
export function escapeField(name: string): string {
  if (reserved.has(name)) return `__${name}__`
  return name.replace(
    /__|\.|-|\//g,
    (text) => ({ __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' })[text] as string,
  )
}

const units: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1000n,
  ns: 1n,
}
const second = 1_000_000_000n

/** Of a text such as 1h30m; undefined where it is none. */
function durationOf(text: string): Duration | undefined {
  if (!/^[+-]?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  let total = 0n
  for (const [, whole = '0', fraction = '', unit = 's'] of text.matchAll(/(\d+)(?:\.(\d+))?(ns|us|µs|ms|s|m|h)/g)) {
    const one = units[unit.replace('µ', 'u')] ?? second
    total += BigInt(whole) * one + (BigInt(fraction.slice(0, 13).padEnd(13, '0')) * one) / 10_000_000_000_000n
  }
  const signed = text.startsWith('-') ? -total : total
  return new Duration(signed / second, Number(signed % second))
}
