import { resolve, type Schema, schemaOfField } from '../schema/index.ts'
import { collectionOf } from './cases.ts'
import { mutationsOf, schemaFor } from './mutations.ts'
import { chanceOf, isFields, type Row, type Step, shortened, shuffled, singleSteps, types } from './row-steps.ts'
import type { Fields, Specimen } from './specimens/index.ts'
import { subresourceRows } from './subresource-rows.ts'

/** How many of a specimen's single changes are tried on an object that is there. */
const changesEach = 24

/**
 * Rows for a specimen: single changes by all methods, none of which is kept; what several managers make of an object; how it ends;
 * and the same of its status and scale, where it has them. By chance, which is the same every time.
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
    ...subresourceRows(specimen).map(({ what, steps }) => row(what, steps)),
  ]
}

function changes(specimen: Specimen, name: string, chance: () => number): Step[] {
  const picked = shuffled(mutationsOf(specimen), chance).slice(0, changesEach)
  const create: Step = { title: 'create', method: 'POST', path: '?fieldManager=ann', body: specimen.body }
  const dry = `/${name}?dryRun=All&fieldManager=bob`
  const single = singleSteps(specimen.body, picked, dry, chance)
  return [create, ...single.map(shortened), ...directives(specimen, dry)]
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
function directives(specimen: Specimen, path: string): Step[] {
  const found = keyedList(specimen.body, schemaFor(specimen), [])
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
