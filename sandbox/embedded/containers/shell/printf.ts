/** printf(1)'s formatting. The format is used again while arguments are left. */
export function formatPrintf(format: string, args: readonly string[]): { text: string; errors: string[] } {
  const rest = [...args]
  const errors: string[] = []
  let text = ''
  do {
    const before = rest.length
    const result = once(format, rest, errors)
    text += result.text
    if (result.stop || rest.length === before) break
  } while (rest.length > 0)
  return { text, errors }
}

function once(format: string, args: string[], errors: string[]): { text: string; stop: boolean } {
  let text = ''
  for (let index = 0; index < format.length; index++) {
    const char = format[index] as string
    if (char === '\\') {
      const special = readEscape(format, index)
      if (special.stop) return { text, stop: true }
      text += special.text
      index = special.end
      continue
    }
    if (char !== '%') {
      text += char
      continue
    }
    const directive = /^%([-+ #0']*)(\*|\d+)?(?:\.(\*|\d+)?)?([%a-zA-Z])/.exec(format.slice(index))
    const dotted = directive?.[0].includes('.') ?? false
    if (!directive) {
      errors.push(`${format.slice(index)}: invalid format`)
      return { text, stop: true }
    }
    index += directive[0].length - 1
    const conversion = directive[4] as string
    if (conversion === '%') {
      text += '%'
      continue
    }
    const flags = directive[1] as string
    const width = directive[2] === '*' ? Number(args.shift() ?? 0) : directive[2] ? Number(directive[2]) : 0
    const precision = dotted ? (directive[3] === '*' ? Number(args.shift() ?? 0) : Number(directive[3] ?? 0)) : undefined
    const argument = args.shift()
    const converted = convert(conversion, argument, precision, flags, errors)
    if (converted === undefined) return { text, stop: true }
    text += pad(converted.text, width, flags, conversion)
    if (converted.stop) return { text, stop: true }
  }
  return { text, stop: false }
}

function convert(
  conversion: string,
  argument: string | undefined,
  precision: number | undefined,
  flags: string,
  errors: string[],
): { text: string; stop?: boolean } | undefined {
  switch (conversion) {
    case 's':
      return { text: (argument ?? '').slice(0, precision) }
    case 'b': {
      let text = ''
      const source = argument ?? ''
      for (let index = 0; index < source.length; index++) {
        if (source[index] !== '\\') {
          text += source[index]
          continue
        }
        const special = readEscape(source, index)
        if (special.stop) return { text, stop: true }
        text += special.text
        index = special.end
      }
      return { text: text.slice(0, precision) }
    }
    case 'c':
      return { text: (argument ?? '').slice(0, 1) }
    case 'q':
      return { text: argument === '' || argument === undefined ? "''" : argument.replace(/[^\w@%+=:,./-]/g, '\\$&') }
    case 'd':
    case 'i':
    case 'u': {
      const value = integer(argument, errors)
      let digits = (value < 0n ? -value : value).toString()
      if (precision !== undefined) digits = digits.padStart(precision, '0')
      return { text: sign(value < 0n, flags) + digits }
    }
    case 'x':
    case 'X':
    case 'o': {
      const value = BigInt.asUintN(64, integer(argument, errors))
      let digits = value.toString(conversion === 'o' ? 8 : 16)
      if (precision !== undefined) digits = digits.padStart(precision, '0')
      if (flags.includes('#') && value !== 0n) digits = (conversion === 'o' ? '0' : '0x') + digits
      return { text: conversion === 'X' ? digits.toUpperCase() : digits }
    }
    case 'e':
    case 'f':
    case 'g':
    case 'E':
    case 'F':
    case 'G': {
      const value = Number(argument ?? 0)
      if (Number.isNaN(value)) errors.push(`${argument}: invalid number`)
      const number = Number.isNaN(value) ? 0 : value
      const lower = conversion.toLowerCase()
      const digits = precision ?? 6
      const magnitude = Math.abs(number)
      const body =
        lower === 'f' ? magnitude.toFixed(digits) : lower === 'e' ? exponent(magnitude.toExponential(digits)) : general(magnitude, digits)
      return { text: sign(number < 0, flags) + (conversion === lower ? body : body.toUpperCase()) }
    }
    default:
      errors.push(`%${conversion}: invalid directive`)
      return undefined
  }
}

function sign(negative: boolean, flags: string): string {
  return negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
}

function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

/** %g of C. */
export function general(value: number, precision: number): string {
  if (value === 0) return '0'
  const digits = precision === 0 ? 1 : precision
  const power = Math.floor(Math.log10(Math.abs(value)))
  if (power < -4 || power >= digits) return exponent(value.toExponential(digits - 1).replace(/\.?0+e/, 'e'))
  const fixed = value.toFixed(Math.max(0, digits - 1 - power))
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed
}

function pad(text: string, width: number, flags: string, conversion: string): string {
  const goal = Math.abs(width)
  if (text.length >= goal) return text
  if (flags.includes('-') || width < 0) return text.padEnd(goal)
  if (flags.includes('0') && /[dixXoufgeu]/.test(conversion)) {
    const signed = /^[-+ ]/.exec(text)?.[0] ?? ''
    return signed + text.slice(signed.length).padStart(goal - signed.length, '0')
  }
  return text.padStart(goal)
}

function integer(argument: string | undefined, errors: string[]): bigint {
  const text = (argument ?? '').trim()
  if (text === '') return 0n
  if (/^['"]/.test(text)) return BigInt(text.codePointAt(1) ?? 0)
  if (/^[-+]?0[xX][0-9a-fA-F]+$/.test(text)) return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace('+', ''))
  if (/^[-+]?0[0-7]+$/.test(text)) return text.startsWith('-') ? -BigInt(`0o${text.slice(2)}`) : BigInt(`0o${text.replace(/^\+?0/, '')}`)
  const match = /^[-+]?\d+/.exec(text)
  if (!match || match[0] !== text) errors.push(`${argument}: invalid number`)
  return match ? BigInt(match[0].replace('+', '')) : 0n
}

const simple: Record<string, string> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
}

/** The special at `at`; `end` is the index of its last character, `stop` is \c. */
export function readEscape(text: string, at: number): { text: string; end: number; stop?: boolean } {
  const next = text[at + 1]
  if (next === undefined) return { text: '\\', end: at }
  if (next === 'c') return { text: '', end: at + 1, stop: true }
  const hex = /^x([0-9a-fA-F]{1,2})/.exec(text.slice(at + 1))
  if (hex) return { text: String.fromCharCode(Number.parseInt(hex[1] as string, 16)), end: at + hex[0].length }
  const unicode = /^(?:u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8}))/.exec(text.slice(at + 1))
  if (unicode) return { text: String.fromCodePoint(Number.parseInt((unicode[1] ?? unicode[2]) as string, 16)), end: at + unicode[0].length }
  const octal = /^(0[0-7]{1,3}|[0-7]{1,3})/.exec(text.slice(at + 1))
  if (octal) return { text: String.fromCharCode(Number.parseInt(octal[0], 8) & 255), end: at + octal[0].length }
  const plain = simple[next]
  return plain === undefined ? { text: `\\${next}`, end: at + 1 } : { text: plain, end: at + 1 }
}
