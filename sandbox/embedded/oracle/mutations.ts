import { groupVersionOf } from '../machinery/object.ts'
import { resolve, type Schema, schemaOf } from '../schema/index.ts'
import type { Fields, Specimen } from './specimens/index.ts'

/** The specimen with one place changed. */
export interface Mutation {
  /** Where and into what: `spec.replicas = -1`. */
  title: string
  body: Fields
}

type Step = string | number

/**
 * Every single change of the specimen that its schema suggests: each value into what is wrong for it, each field taken away, each
 * field that isn't there added with the least that it can be. None changes type, name or what the server itself fills in.
 */
export function mutationsOf(specimen: Specimen): Mutation[] {
  const { body } = specimen
  const schema = schemaFor(specimen)
  const changes = schema ? changesOf(body, schema, []) : []
  const seen = new Set<string>()
  return changes.flatMap(({ at, value }) => {
    const title = `${pathText(at)} ${value === gone ? 'gone' : `= ${JSON.stringify(value)}`}`
    if (seen.has(title)) return []
    seen.add(title)
    return [{ title, body: changed(body, at, value) as Fields }]
  })
}

/** The schema of the specimen's kind. */
export function schemaFor({ apiVersion, kind, schema }: Specimen): Schema | undefined {
  const { group, version } = groupVersionOf(apiVersion)
  return schema ?? schemaOf(group, version, kind)
}

interface Change {
  at: Step[]
  value: unknown
}

const gone = Symbol('gone')
const longest = 'x'.repeat(300)
const serverOwned = [
  'managedFields',
  'creationTimestamp',
  'resourceVersion',
  'uid',
  'selfLink',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
]

function changesOf(value: unknown, schema: Schema, at: Step[]): Change[] {
  const place = resolve(schema)
  const here = wrongValues(value, at).map((wrong): Change => ({ at, value: wrong }))
  if (Array.isArray(value)) {
    const items = place.items ?? {}
    const repeated = value.length > 0 ? [{ at, value: [...value, value[0]] }] : []
    const inner = value.flatMap((item, index) => changesOf(item, items, [...at, index]))
    return [...here, { at, value: [] }, { at, value: null }, ...repeated, ...inner]
  }
  if (!isFields(value)) return here
  const inner = Object.entries(value).flatMap(([name, field]): Change[] => {
    if (at.length === 0 && (name === 'apiVersion' || name === 'kind')) return []
    const next = [...at, name]
    const known = place.properties?.[name] ?? (typeof place.additionalProperties === 'object' ? place.additionalProperties : {})
    return [{ at: next, value: gone }, ...changesOf(field, known, next)]
  })
  const added = Object.entries(place.properties ?? {}).flatMap(([name, field]): Change[] => {
    if (name in value || (at.length === 0 && ['apiVersion', 'kind', 'status'].includes(name))) return []
    if (at.at(-1) === 'metadata' && serverOwned.includes(name)) return []
    return leastOf(field, 0).map((least) => ({ at: [...at, name], value: least }))
  })
  const strangers: Change[] = place.additionalProperties ? [{ at: [...at, 'Not A Key!'], value: Object.values(value)[0] ?? 'x' }] : []
  const unknown: Change[] = place.properties && at.length < 3 ? [{ at: [...at, 'bogus'], value: 1 }] : []
  return [...here, ...(at.length > 0 ? [{ at, value: {} }] : []), ...inner, ...added, ...strangers, ...unknown]
}

/** What is wrong for a value, by what it is; a value of another type is tried where the path's length says so, to have fewer. */
function wrongValues(value: unknown, at: Step[]): unknown[] {
  const sometimes = at.join('.').length % 3 === 0
  switch (typeof value) {
    case 'string':
      return ['', 'Not Valid!', ...(sometimes ? [7, longest] : ['other'])]
    case 'number':
      return [-1, 0, 99_999, ...(sometimes ? ['5', 2 ** 31, 1.5] : [])]
    case 'boolean':
      return [!value, ...(sometimes ? ['yes'] : [])]
    default:
      return sometimes ? ['text'] : []
  }
}

/** The least values of a schema: with nothing in it, and with all that it requires. */
function leastOf(schema: Schema, depth: number): unknown[] {
  const { type, items, properties, required = [], additionalProperties, enum: choices, ...rest } = resolve(schema)
  if (rest['x-kubernetes-int-or-string'] || rest.format === 'int-or-string') return [1]
  switch (type) {
    case 'string':
      return choices ? [choices[0]] : rest.format === 'date-time' ? ['2026-01-01T00:00:00Z'] : rest.format === 'byte' ? ['aGk='] : ['x']
    case 'integer':
    case 'number':
      return [1]
    case 'boolean':
      return [true]
    case 'array':
      return items ? leastOf(items, depth + 1).map((item) => [item]) : [[]]
    case 'object': {
      if (properties) {
        const filled = Object.fromEntries(
          Object.entries(properties).flatMap(([name, field]) =>
            depth < 4 && required.includes(name)
              ? leastOf(field, depth + 1)
                  .slice(-1)
                  .map((least) => [name, least])
              : [],
          ),
        )
        return Object.keys(filled).length > 0 ? [{}, filled] : [{}]
      }
      return typeof additionalProperties === 'object' ? leastOf(additionalProperties, depth + 1).map((least) => ({ a: least })) : [{}]
    }
    default:
      return ['1']
  }
}

function changed(value: unknown, at: Step[], to: unknown): unknown {
  const [step, ...rest] = at
  if (step === undefined) return to
  if (Array.isArray(value)) return value.map((item, index) => (index === step ? changed(item, rest, to) : item))
  const { [step]: before, ...others } = (value ?? {}) as Fields
  if (rest.length === 0 && to === gone) return others
  return { ...(value as Fields), [step]: changed(before, rest, to) }
}

function pathText(at: Step[]): string {
  return at.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index ? '.' : ''}${step}`)).join('')
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
