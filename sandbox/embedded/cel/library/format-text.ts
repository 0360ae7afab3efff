import { goNumber } from '../../machinery/go-number.ts'
import { durationText, timestampText } from '../shown-values.ts'
import { CelMap, Duration, Failure, runtimeType, Timestamp, TypeValue, Uint, type Value } from '../values.ts'

/** What a template's clauses become; a FormatError says what is wrong. */
export interface Clauses {
  /** Of the argument at this place, for a clause such as `s`, `d` or `f` with its precision. */
  clause(verb: string, precision: number | undefined, index: number): string
  readonly count: number
}

export class FormatError extends Error {}

/** Source: parseFormatString of cel-go's ext/formatting.go. Throws FormatError. */
export function filledIn(template: string, { clause, count }: Clauses): string {
  let [built, index, at] = ['', 0, 0]
  while (at < template.length) {
    const character = template[at] as string
    if (character !== '%' || template[at + 1] === '%') {
      built += character
      at += character === '%' ? 2 : 1
      continue
    }
    if (index >= count) throw new FormatError(`index ${index} out of range`)
    const [, , digits, verb] = /^%(\.(\d*))?(.)?/su.exec(template.slice(at)) ?? []
    const length = /^%(?:\.\d*)?/.exec(template.slice(at))?.[0].length ?? 1
    if (at + 1 >= template.length) throw new FormatError('unexpected end of string')
    if (verb === undefined) {
      throw new FormatError('could not parse formatting clause: error while parsing precision: could not find end of precision specifier')
    }
    if (digits === '') {
      throw new FormatError(
        'could not parse formatting clause: error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax',
      )
    }
    if (!'sdfebxXo'.includes(verb)) throw new FormatError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`)
    try {
      built += clause(verb, digits === undefined ? undefined : Number(digits), index)
    } catch (error) {
      if (error instanceof FormatError) throw new FormatError(`error during formatting: ${error.message}`, { cause: error })
      throw error
    }
    index++
    at += length + verb.length
  }
  return built
}

/** string.format(): %s %d %f %e %b %x %X %o, with an optional precision. */
export function formatted(template: string, args: readonly Value[]): Value {
  try {
    const clause = (verb: string, precision: number | undefined, index: number) => shown(verb, args[index] as Value, precision)
    return filledIn(template, { count: args.length, clause })
  } catch (error) {
    if (error instanceof FormatError) return new Failure(error.message)
    throw error
  }
}

const usual = 6

/** Why a clause does not take what it was given. */
export function refusal(verb: string, given: string): FormatError {
  const why: Readonly<Record<string, string>> = {
    s: 'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
    d: 'decimal clause can only be used on integers',
    f: 'fixed-point clause can only be used on doubles',
    e: 'scientific clause can only be used on doubles',
    b: 'only integers and bools can be formatted as binary',
    x: 'only integers, byte buffers, and strings can be formatted as hex',
    o: 'octal clause can only be used on integers',
  }
  return new FormatError(`${why[verb.toLowerCase()]}, was given ${given}`)
}

function shown(verb: string, value: Value, precision: number | undefined): string {
  const refused = () => refusal(verb, runtimeType(value).name)
  const whole = typeof value === 'bigint' ? value : value instanceof Uint ? value.value : undefined
  switch (verb) {
    case 's':
      return asText(value)
    case 'd':
      if (whole === undefined) throw refused()
      return String(whole)
    case 'f':
    case 'e': {
      const isName = typeof value === 'string' && ['NaN', 'Infinity', '-Infinity'].includes(value)
      if (typeof value !== 'number' && !isName) throw refused()
      return verb === 'f' ? fixed(Number(value), precision ?? usual) : scientific(Number(value), precision ?? usual)
    }
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0'
      if (whole === undefined) throw refused()
      return whole.toString(2)
    case 'o':
      if (whole === undefined) throw refused()
      return whole.toString(8)
    default: {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value instanceof Uint8Array ? Buffer.from(value) : undefined
      if (whole === undefined && !bytes) throw refused()
      const text = bytes ? bytes.toString('hex') : (whole as bigint).toString(16)
      return verb === 'x' ? text : text.toUpperCase()
    }
  }
}

/** As English writes numbers. */
function fixed(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value)
  const [whole = '', fraction] = value.toFixed(Math.min(precision, 100)).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

const raised = '⁰¹²³⁴⁵⁶⁷⁸⁹'

function scientific(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value)
  const [digits = '', power = '0'] = value.toExponential(Math.min(precision, 100)).split('e')
  const exponent = Number(power)
  const shown = String(Math.abs(exponent)).padStart(2, '0')
  const above = [...shown].map((digit) => [...raised][Number(digit)]).join('')
  return `${digits}×10${exponent < 0 ? '⁻' : ''}${above}`
}

function special(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '-∞'
}

function asText(value: Value): string {
  if (value === null) return 'null'
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return goNumber(value, 6)
  if (value instanceof Uint) return String(value.value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  if (value instanceof Timestamp) return timestampText(value)
  if (value instanceof Duration) return durationText(value)
  if (value instanceof TypeValue) return value.type.name
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(nested).join(', ')}]`
  if (value instanceof CelMap) return mapText(value)
  throw refusal('s', runtimeType(value).name)
}

function mapText(map: CelMap): string {
  const entries = [...map.entries()].map(([key, value]) => {
    const isName = typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint' || key instanceof Uint
    if (!isName) throw new FormatError(`no formatting function for map key of type ${runtimeType(key).name}`)
    return [nested(key), nested(value)] as const
  })
  entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return `{${entries.map(([key, value]) => `${key}:${value}`).join(', ')}}`
}

/** Within lists and maps, where values are written so that they can be read again. */
function nested(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Uint8Array) return `b${JSON.stringify(Buffer.from(value).toString())}`
  if (typeof value === 'number') return Number.isFinite(value) ? value.toFixed(usual) : JSON.stringify(goNumber(value))
  if (value instanceof Timestamp) return `timestamp(${JSON.stringify(timestampText(value))})`
  if (value instanceof Duration) return `duration(${JSON.stringify(durationText(value))})`
  return asText(value)
}
