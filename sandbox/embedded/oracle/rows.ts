import { resolve, type Schema, schemaOf, schemaOfField } from '../schema/index.ts'
import { collectionOf } from './cases.ts'
import { mutationsOf } from './mutations.ts'
import type { Fields, Specimen } from './specimens/index.ts'

/** One request of a row. */
export interface Step {
  title: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Behind the collection's path. */
  path: string
  contentType?: string
  body?: unknown
  /** The body's resourceVersion: that of the object as it is then. */
  current?: boolean
}

/** What is done to one object of a kind, one thing after the other; its name is free before and after. */
export interface Row {
  title: string
  specimen: Specimen
  collection: string
  name: string
  steps: readonly Step[]
}

const types = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** How many of a specimen's single changes are tried on an object that is there. */
const changesEach = 24

/**
 * Three rows for a specimen: single changes by all methods, none of which is kept; what several managers make of an object; how it
 * ends. By chance, which is the same every time.
 */
export function rowsOf(specimen: Specimen): Row[] {
  if (!specimen.stored) return []
  const { title, body } = specimen
  const { name } = body['metadata'] as { name: string }
  const row = (what: string, steps: (chance: () => number) => Step[]): Row => ({
    title: `${what} ${title}`,
    specimen,
    collection: collectionOf(specimen),
    name,
    steps: steps(chanceOf(`${what} ${title}`)),
  })
  return [
    row('change', (chance) => changes(specimen, name, chance)),
    row('share', (chance) => managers(specimen, name, chance)),
    row('end', (chance) => ending(specimen, name, chance)),
  ]
}

function changes(specimen: Specimen, name: string, chance: () => number): Step[] {
  const picked = shuffled(mutationsOf(specimen), chance).slice(0, changesEach)
  const create: Step = { title: 'create', method: 'POST', path: '?fieldManager=ann', body: specimen.body }
  const dry = `/${name}?dryRun=All&fieldManager=bob`
  const single = picked.map(({ title, body }, index): Step => {
    const patch = (type: keyof typeof types, patched: unknown, query = ''): Step => {
      return { title: `${type}${query} ${title}`, method: 'PATCH', path: dry + query, contentType: types[type], body: patched }
    }
    const change = changeOf(specimen.body, body)
    switch (index % 6) {
      case 0:
      case 1:
        return { title: `update ${title}`, method: 'PUT', path: dry, body, current: index % 6 === 0 }
      case 2:
        return patch('merge', mergeOf(body, change))
      case 3:
        return patch('json', jsonPatchOf(specimen.body, change, chance))
      case 4:
        return patch('strategic', mergeOf(body, change))
      default:
        return patch('apply', body, chance() < 0.5 ? '&force=true' : '')
    }
  })
  return [create, ...single.map((step) => ({ ...step, title: step.title.replace(/x{20,}/, 'xxx...') })), ...directives(specimen, dry)]
}

function managers(specimen: Specimen, name: string, chance: () => number): Step[] {
  const { body } = specimen
  const others = shuffled(mutationsOf(specimen), chance)
  const other = (index: number) => others[index % Math.max(others.length, 1)]?.body ?? body
  const apply = (manager: string, applied: unknown, force = false): Step => ({
    title: `${manager} applies${force ? ' with force' : ''}`,
    method: 'PATCH',
    path: `/${name}?fieldManager=${manager}${force ? '&force=true' : ''}`,
    contentType: types.apply,
    body: applied,
  })
  const update = (updated: Fields, current: boolean): Step => {
    return { title: 'dave updates', method: 'PUT', path: `/${name}?fieldManager=dave`, body: updated, current }
  }
  return [
    apply('ann', body),
    apply('bob', other(0)),
    apply('bob', other(1), true),
    apply('carl', labelled(body, { tier: 'one' })),
    update(labelled(other(2), { tier: 'two' }), true),
    apply('carl', labelled(body, { tier: 'three' })),
    apply('ann', without(body, chance)),
    apply('ann', without(body, chance), true),
    { title: 'dave patches', method: 'PATCH', path: `/${name}?fieldManager=dave`, contentType: types.merge, body: labels({ tier: null }) },
    update({ ...body, metadata: { ...(body['metadata'] as Fields), resourceVersion: '1' } }, false),
    { title: 'get', method: 'GET', path: `/${name}` },
  ]
}

function ending(specimen: Specimen, name: string, chance: () => number): Step[] {
  const held = { ...specimen.body, metadata: { ...(specimen.body['metadata'] as Fields), finalizers: ['example.com/hold'] } }
  const remove = (title: string, options: Fields): Step => {
    return { title: `delete ${title}`, method: 'DELETE', path: `/${name}`, body: { apiVersion: 'v1', kind: 'DeleteOptions', ...options } }
  }
  const policies = shuffled(['Foreground', 'Background', 'Orphan'], chance)
  const policy = (index: number) => policies[index] as string
  const finalizers = (names: readonly string[] | null): Step => ({
    title: `finalizers ${JSON.stringify(names)}`,
    method: 'PATCH',
    path: `/${name}?fieldManager=ann`,
    contentType: types.merge,
    body: { metadata: { finalizers: names } },
  })
  return [
    { title: 'create', method: 'POST', path: '?fieldManager=ann', body: held },
    remove('another', { preconditions: { uid: 'another' } }),
    remove('an older one', { preconditions: { resourceVersion: '1' } }),
    remove('somehow', { propagationPolicy: 'Somehow' }),
    remove(`${policy(0)} for practice`, { propagationPolicy: policy(0), dryRun: ['All'] }),
    remove(policy(1), { propagationPolicy: policy(1), ...(chance() < 0.5 ? { gracePeriodSeconds: 0 } : {}) }),
    { title: 'update', method: 'PUT', path: `/${name}?fieldManager=bob`, body: labelled(held, { late: 'yes' }), current: true },
    finalizers(['example.com/hold', 'example.com/more']),
    remove(policy(2), { propagationPolicy: policy(2) }),
    finalizers(null),
    { title: 'get', method: 'GET', path: `/${name}` },
  ]
}

/** Directives of strategic patches on the first list that has a merge key. */
function directives({ apiVersion, kind, body }: Specimen, path: string): Step[] {
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  const found = keyedList(body, schemaOf(group, version, kind), [])
  if (!found) return []
  const { at, key, items } = found
  const first = items[0]?.[key]
  const field = at.at(-1) as string
  const patches: Fields[] = [
    { [field]: [{ [key]: first, $patch: 'delete' }] },
    { [field]: [{ [key]: first }, { $patch: 'replace' }] },
    { [field]: [{ [key]: first, bogus: null }, items[0] as Fields], [`$setElementOrder/${field}`]: [{ [key]: first }] },
    { [field]: [{ $patch: 'delete' }] },
    { [`$deleteFromPrimitiveList/${field}`]: [first] },
    { $retainKeys: [field], [field]: items },
    { $patch: 'delete' },
  ]
  return patches.map((patch): Step => {
    const whole = at.slice(0, -1).reduceRight<Fields>((inner, name) => ({ [name]: inner }), patch)
    return { title: `strategic ${JSON.stringify(whole).slice(0, 120)}`, method: 'PATCH', path, contentType: types.strategic, body: whole }
  })
}

function keyedList(value: Fields, given: Schema | undefined, at: string[]): { at: string[]; key: string; items: Fields[] } | undefined {
  const schema = given && resolve(given)
  for (const [name, inner] of Object.entries(value)) {
    const field = schemaOfField(schema, name)
    const key = field?.['x-kubernetes-patch-merge-key']
    if (key && Array.isArray(inner) && isFields(inner[0])) return { at: [...at, name], key, items: inner as Fields[] }
    const deeper = isFields(inner) ? keyedList(inner, field, [...at, name]) : undefined
    if (deeper) return deeper
  }
  return undefined
}

interface Change {
  at: (string | number)[]
  /** Undefined: it is gone. */
  value: unknown
}

/** The one place at which two bodies differ. */
function changeOf(before: unknown, after: unknown, at: Change['at'] = []): Change {
  if (isFields(before) && isFields(after)) {
    const differing = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !alike(before[key], after[key]))
    const [key] = differing
    if (key !== undefined && differing.length === 1) return changeOf(before[key], after[key], [...at, key])
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    const differing = before.flatMap((item, index) => (alike(item, after[index]) ? [] : [index]))
    const [index] = differing
    if (index !== undefined && differing.length === 1) return changeOf(before[index], after[index], [...at, index])
  }
  return { at, value: after }
}

/** A merge patch to that; lists are sent whole. */
function mergeOf(after: Fields, { at, value }: Change): unknown {
  const list = at.findIndex((step) => typeof step === 'number')
  const names = list < 0 ? at : at.slice(0, list)
  const last = list < 0 ? (value ?? null) : names.reduce<unknown>((inner, name) => (inner as Fields)[name], after)
  return names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), last)
}

function jsonPatchOf(before: Fields, { at, value }: Change, chance: () => number): unknown[] {
  const path = at.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  const old = at.reduce<unknown>((inner, step) => (inner as Fields | undefined)?.[step], before)
  const tested = chance() < 0.3 ? [{ op: 'test', path, value: old ?? null }] : []
  if (value === undefined) return [...tested, { op: 'remove', path }]
  return [...tested, { op: old === undefined || chance() < 0.3 ? 'add' : 'replace', path, value }]
}

function labels(given: Fields): Fields {
  return { metadata: { labels: given } }
}

function labelled(body: Fields, given: Fields): Fields {
  const metadata = body['metadata']
  if (!isFields(metadata)) return body
  return { ...body, metadata: { ...metadata, labels: { ...(isFields(metadata['labels']) ? metadata['labels'] : {}), ...given } } }
}

/** A body without one of its fields, two deep where there is something. */
function without(body: Fields, chance: () => number): Fields {
  const names = Object.keys(body).filter((name) => !['apiVersion', 'kind', 'metadata'].includes(name))
  const [name] = shuffled(names, chance)
  if (name === undefined) return body
  const { [name]: field, ...rest } = body
  if (!isFields(field)) return rest
  const [inner] = shuffled(Object.keys(field), chance)
  const { [inner ?? '']: _, ...kept } = field
  return { ...rest, [name]: kept }
}

function alike(a: unknown, b: unknown): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shuffled<T>(items: readonly T[], chance: () => number): T[] {
  const mixed = [...items]
  for (let index = mixed.length - 1; index > 0; index--) {
    const other = Math.floor(chance() * (index + 1))
    const [item] = mixed.splice(other, 1)
    mixed.push(item as T)
  }
  return mixed
}

/** Chance that is the same for the same text. Source: mulberry32. */
function chanceOf(text: string): () => number {
  let state = 7
  for (const character of text) state = (state * 31 + (character.codePointAt(0) ?? 0)) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
