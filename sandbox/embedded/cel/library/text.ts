import type { Environment } from '@marcbachmann/cel-js'
import { goRegExp } from '../../machinery/go-regexp.ts'
import { canonical } from '../go-text.ts'

/** ext.Strings (version 2) of cel-go, and Kubernetes' find and findAll. What cel-js has itself is left alone. */
export function registerText(environment: Environment): void {
  const characters = (text: string) => [...text]
  environment
    .registerFunction('string.charAt(int): string', (text: string, at: bigint) => {
      const all = characters(text)
      if (at < 0n || at > BigInt(all.length)) throw new Error(`index out of range: ${at}`)
      return all[Number(at)] ?? ''
    })
    .registerFunction('string.replace(string, string): string', (text: string, old: string, next: string) =>
      text.replaceAll(old, () => next),
    )
    .registerFunction('string.replace(string, string, int): string', replaceSome)
    .registerFunction('string.reverse(): string', (text: string) => characters(text).reverse().join(''))
    .registerFunction('string.format(list): string', format)
    .registerFunction('string.find(string): string', (text: string, pattern: string) => goRegExp(pattern).findAll(text, 1)[0] ?? '')
    .registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) => goRegExp(pattern).findAll(text))
    .registerFunction('string.findAll(string, int): list<string>', (text: string, pattern: string, limit: bigint) =>
      goRegExp(pattern).findAll(text, limit < 0n ? undefined : Number(limit)),
    )
}

function replaceSome(text: string, old: string, next: string, limit: bigint): string {
  if (limit < 0n) return text.replaceAll(old, () => next)
  let left = Number(limit)
  return text.replaceAll(old, (found) => (left-- > 0 ? next : found))
}

/** %s %d %f %e %b %x %X %o with an optional precision, as cel-go's string formatting. */
function format(template: string, args: readonly unknown[]): string {
  let next = 0
  return template.replace(/%(?:%|(?:\.(\d+))?([a-zA-Z]))/g, (found, precision: string | undefined, verb: string | undefined) => {
    if (found === '%%') return '%'
    if (next >= args.length) throw new Error(`index ${next} out of range`)
    return formatted(verb ?? '', args[next++], precision)
  })
}

function formatted(verb: string, value: unknown, precision: string | undefined): string {
  const whole = () => {
    if (typeof value === 'bigint') return value
    throw new Error(`error during formatting: integer clause can only be used on integers, was given ${typeof value}`)
  }
  switch (verb) {
    case 's':
      return canonical(value)
    case 'd':
      return typeof value === 'bigint' ? String(value) : canonical(value)
    case 'f':
      return Number(value).toFixed(precision === undefined ? 6 : Number(precision))
    case 'e':
      return Number(value)
        .toExponential(precision === undefined ? 6 : Number(precision))
        .replace(/e([+-])(\d)$/, 'e$10$2')
    case 'b':
      return typeof value === 'boolean' ? (value ? '1' : '0') : whole().toString(2)
    case 'o':
      return whole().toString(8)
    case 'x':
    case 'X': {
      const text = typeof value === 'bigint' ? value.toString(16) : Buffer.from(value as string).toString('hex')
      return verb === 'x' ? text : text.toUpperCase()
    }
    default:
      throw new Error(`error during formatting: unrecognized formatting clause: "${verb}"`)
  }
}
