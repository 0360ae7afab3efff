import { htmlSafe } from '../machinery/html-safe.ts'

/** The types of field errors that the API server's answers carry as a cause's `reason`. */
export type FieldErrorReason =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'InternalError'
  | 'FieldValueTypeInvalid'

/**
 * One thing wrong with an object. `message` is what a Status cause says ('Required value: ...'); the whole line that
 * people see is `${field}: ${message}`.
 */
export interface FieldError {
  readonly reason: FieldErrorReason
  readonly field: string
  readonly message: string
}

/**
 * A path into an object as errors name it: `spec.containers[0].ports`, `metadata.labels[app]`. It is put into words when somebody
 * asks: nearly all objects have nothing wrong.
 */
export class Path {
  readonly #above: Path | undefined
  readonly #name: string | number
  readonly #isKey: boolean
  /** Once it has been: there may be thousands of errors at one place. */
  #words: string | undefined

  constructor(text: string | number = '', above?: Path, isKey = false) {
    this.#above = above
    this.#name = text
    this.#isKey = isKey
  }

  child(...names: string[]): Path {
    let path: Path = this
    for (const name of names) if (name !== '') path = new Path(name, path)
    return path
  }

  index(position: number): Path {
    return new Path(position, this, true)
  }

  key(name: string): Path {
    return new Path(name, this, true)
  }

  toString(): string {
    return this.#text() || '<nil>'
  }

  #text(): string {
    this.#words ??= this.#put()
    return this.#words
  }

  #put(): string {
    const above = this.#above ? this.#above.#text() : ''
    if (this.#isKey) return `${above}[${this.#name}]`
    return above === '' ? String(this.#name) : `${above}.${this.#name}`
  }
}

export const specPath = new Path('spec')
export const metadataPath = new Path('metadata')

export function required(path: Path, detail = ''): FieldError {
  return error('FieldValueRequired', path, 'Required value', detail)
}

export function invalid(path: Path, value: unknown, detail: string): FieldError {
  return error('FieldValueInvalid', path, `Invalid value: ${show(value)}`, detail)
}

/** The same without the value, where it would say nothing. */
export function invalidUnshown(path: Path, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field: path.toString(), message: `Invalid value: ${detail}` }
}

export function forbidden(path: Path, detail: string): FieldError {
  return error('FieldValueForbidden', path, 'Forbidden', detail)
}

export function duplicate(path: Path, value: unknown): FieldError {
  return error('FieldValueDuplicate', path, `Duplicate value: ${show(value)}`, '')
}

export function notFound(path: Path, value: unknown): FieldError {
  return error('FieldValueNotFound', path, `Not found: ${show(value)}`, '')
}

/** The supported values are listed in the order given, which is the server's. */
export function notSupported(path: Path, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((text) => JSON.stringify(text))
  return error(
    'FieldValueNotSupported',
    path,
    `Unsupported value: ${show(value)}`,
    list.length ? `supported values: ${list.join(', ')}` : '',
  )
}

export function tooLong(path: Path, max: number): FieldError {
  return error('FieldValueTooLong', path, 'Too long', max >= 0 ? `may not be more than ${max} bytes` : 'value is too long')
}

export function tooMany(path: Path, actual: number, max: number): FieldError {
  return error('FieldValueTooMany', path, `Too many: ${actual}`, `must have at most ${max} ${max === 1 ? 'item' : 'items'}`)
}

function error(reason: FieldErrorReason, path: Path, start: string, detail: string): FieldError {
  return { reason, field: path.toString(), message: detail === '' ? start : `${start}: ${detail}` }
}

/** A value as Go's field errors print it: strings quoted, numbers bare, objects as JSON. */
function show(value: unknown): string {
  if (value === undefined || value === null) return 'null'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'string' ? goQuoted(value) : htmlSafe(JSON.stringify(value))
}

/** A text as Go's %q prints it, which differs from JSON in control characters. */
function goQuoted(text: string): string {
  const quoted = JSON.stringify(text)
  if (!quoted.includes('\\u00')) return quoted
  return quoted.replace(/\\u00([01][0-9a-f])/g, (_, code: string) => ({ '07': '\\a', '0b': '\\v' })[code] ?? `\\x${code}`)
}
