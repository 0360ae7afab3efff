import { isDeepStrictEqual } from 'node:util'
import { copyOf } from '../machinery/copy.ts'
import { sortedJson } from '../machinery/sorted-json.ts'
import { resolve, type Schema, schemaOfField, schemaOfItems } from '../schema/index.ts'
import { doesNotFit, PatchError } from './patch-error.ts'

type Fields = Record<string, unknown>

const marker = '$patch'
const retainKeys = '$retainKeys'
const elementOrder = '$setElementOrder'
const deleteFromList = '$deleteFromPrimitiveList'

/**
 * Kubernetes' strategic merge patch: objects merge, lists merge by the schema's patchMergeKey or are replaced, and
 * directives delete, replace, order and retain. The rules are those of k8s.io/apimachinery's strategicpatch.
 */
export function applyStrategicMergePatch(object: unknown, patch: unknown, schema: Schema | undefined): unknown {
  if (!schema)
    throw new PatchError(
      415,
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    )
  if (!isObject(object)) throw new PatchError(400, 'invalid JSON document')
  if (!isObject(patch)) {
    const type = Array.isArray(patch) ? 'array' : typeof patch === 'boolean' ? 'bool' : typeof patch
    throw new PatchError(400, `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`)
  }
  return mergeFields(copyOf(object), copyOf(patch), schema)
}

function mergeFields(original: Fields, patch: Fields, schema: Schema | undefined): Fields {
  if (marker in patch) return directive(patch)
  retain(original, patch)
  order(original, patch, schema)
  for (const [key, value] of Object.entries(patch)) {
    const deletes = key.startsWith(deleteFromList)
    const name = deletes ? nameIn(key, deleteFromList, 'primitive list') : key
    if (value === null) {
      delete original[name]
      continue
    }
    const field = schemaOfField(schema, name)
    const before = original[name]
    if ((isObject(before) && isObject(value)) || (Array.isArray(before) && Array.isArray(value))) assertKnown(schema, name)
    if (isObject(before) && isObject(value)) {
      original[name] = strategies(field).includes('replace') ? value : mergeFields(before, value, field)
    } else if (Array.isArray(before) && Array.isArray(value)) {
      original[name] = deletes || strategies(field).includes('merge') ? mergeList(before, value, field, deletes) : value
    } else if (!deletes) {
      const plain = withoutDirectives(withoutNulls(value))
      if (plain === undefined) delete original[name]
      else original[name] = plain
    }
  }
  return original
}

/** What a Go type does not tell of (a ControllerRevision's data) is merged one level deep and no further. */
function assertKnown(schema: Schema | undefined, name: string): void {
  const { type, properties, additionalProperties } = schema ? resolve(schema) : {}
  if (type !== 'object' || properties || additionalProperties) return
  throw new PatchError(500, `unable to find api field in struct RawExtension for the json field ${JSON.stringify(name)}`)
}

/** The list that a directive's key names after its slash. */
function nameIn(key: string, prefix: string, what: string): string {
  if (!key.startsWith(`${prefix}/`)) throw new PatchError(400, `invalid patch format of ${what}`)
  return key.slice(prefix.length + 1)
}

function directive(patch: Fields): Fields {
  const { [marker]: kind, ...rest } = patch
  if (kind === 'replace') return rest
  if (kind === 'delete') return {}
  throw badDirective(kind, patch)
}

function retain(original: Fields, patch: Fields): void {
  const keys = patch[retainKeys]
  if (keys === undefined) return
  delete patch[retainKeys]
  const directives = [elementOrder, deleteFromList]
  const retained = (key: string) => Array.isArray(keys) && keys.includes(key)
  const fits = (key: string) => patch[key] === null || directives.some((prefix) => key.startsWith(prefix)) || retained(key)
  if (!Array.isArray(keys) || !Object.keys(patch).every(fits)) throw new PatchError(400, 'invalid patch format of retainKeys')
  for (const key of Object.keys(original)) if (!retained(key)) delete original[key]
}

/** Merges and orders every list that the patch gives an order for, and takes it off the patch. */
function order(original: Fields, patch: Fields, schema: Schema | undefined): void {
  for (const key of Object.keys(patch).filter((name) => name.startsWith(elementOrder))) {
    const wanted = listOf(patch[key])
    delete patch[key]
    const name = nameIn(key, elementOrder, 'setElementOrder list')
    const before = name in original ? listOf(original[name]) : undefined
    const change = name in patch ? listOf(patch[name]) : undefined
    const field = schemaOfField(schema, name)
    const mergeKey = field?.['x-kubernetes-patch-merge-key']
    checkOrder(change ?? [], wanted, mergeKey)
    let merged: unknown[]
    if (before && change) merged = strategies(field).includes('merge') ? mergeList(before, change, field, false) : change
    else if (before) merged = before
    else if (change) merged = withoutDirectives(change) as unknown[]
    else continue
    typeOfItems(before ?? [], change ?? [])
    original[name] = inOrder(merged, wanted, before ?? [], mergeKey)
    delete patch[name]
  }
}

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  throw new PatchError(500, `expected a []interface {}, but received a ${goTypeOf(value)}`)
}

/** Every item that the patch changes must stand in the given order, and in the same order. */
function checkOrder(change: unknown[], wanted: unknown[], mergeKey: string | undefined): void {
  if (change.length === 0 || wanted.length === 0) return
  let at = 0
  for (const item of change) {
    if (isObject(item) && marker in item) continue
    while (at < wanted.length && !same(wanted[at], item, mergeKey)) at += 1
    if (at >= wanted.length) {
      throw new PatchError(500, `The order in patch list:\n${goValue(change)}\n doesn't match $setElementOrder list:\n${goValue(wanted)}\n`)
    }
    at += 1
  }
}

function mergeList(original: unknown[], patch: unknown[], schema: Schema | undefined, deletes: boolean): unknown[] {
  if (original.length === 0 && patch.length === 0) return original
  if (typeOfItems(original, patch) !== 'object') {
    if (deletes) {
      const gone = new Set(patch)
      return original.filter((item) => !gone.has(item))
    }
    return inOrder([...new Set([...original, ...patch])], patch, original, undefined)
  }
  const mergeKey = schema && resolve(schema)['x-kubernetes-patch-merge-key']
  if (!mergeKey) throw new PatchError(500, 'cannot merge lists without merge key')
  const { kept, changes } = special(original as Fields[], patch as Fields[], mergeKey)
  const merged = [...kept]
  const places = ranksOf(merged, mergeKey)
  for (const change of changes) {
    if (!(mergeKey in change)) throw noMergeKey(change, mergeKey)
    const identity = identityOf(change, mergeKey)
    const index = places.get(identity)
    if (index !== undefined) merged[index] = mergeFields(merged[index] as Fields, change, schemaOfItems(schema))
    else places.set(identity, merged.push(change) - 1)
  }
  return inOrder(merged, changes, kept, mergeKey)
}

/** The one type that all items have: what lists are merged of. */
function typeOfItems(...lists: unknown[][]): string {
  const types = new Set(lists.flat(1).map(goTypeOf))
  const [type] = types
  if (type === undefined) throw new PatchError(500, 'no elements in any of the given slices')
  if (Array.isArray(lists.flat(1)[0])) throw doesNotFit('lists of lists are not supported')
  if (types.size > 1) throw new PatchError(500, `list element types are not identical: ${goValue(lists)}`)
  return type === goTypeOf({}) ? 'object' : type
}

function special(original: Fields[], patch: Fields[], mergeKey: string): { kept: Fields[]; changes: Fields[] } {
  const gone = new Set<string>()
  let replace = false
  const changes: Fields[] = []
  for (const item of patch) {
    const kind = item[marker]
    if (kind === undefined) changes.push(item)
    else if (kind === 'replace') replace = true
    else if (kind === 'delete') {
      if (!(mergeKey in item)) throw noMergeKey(item, mergeKey)
      gone.add(identityOf(item, mergeKey))
    } else if (kind === 'merge') throw new PatchError(500, 'merging lists cannot yet be specified in the patch')
    else throw badDirective(kind, item)
  }
  const kept = gone.size === 0 ? original : original.filter((item) => !gone.has(identityOf(item, mergeKey)))
  return replace ? { kept: changes, changes: [] } : { kept, changes }
}

/** Items named by `wanted` in its order; the others keep their places relative to the original list. */
function inOrder(items: unknown[], wanted: unknown[], original: unknown[], mergeKey: string | undefined): unknown[] {
  const inWanted = ranksOf(wanted, mergeKey)
  const inOriginal = ranksOf(original, mergeKey)
  const ranked = items.map((item) => {
    const identity = identityOf(item, mergeKey)
    return { item, wanted: inWanted.get(identity) ?? -1, original: inOriginal.get(identity) ?? -1 }
  })
  const named = ranked.filter(({ wanted }) => wanted >= 0).sort((a, b) => a.wanted - b.wanted)
  const others = ranked.filter(({ wanted }) => wanted < 0).sort((a, b) => a.original - b.original)
  const result: unknown[] = []
  let [i, j] = [0, 0]
  for (let next = named[i], other = others[j]; next && other; next = named[i], other = others[j]) {
    const otherFirst = other.original >= 0 && next.original >= 0 && other.original < next.original
    result.push((otherFirst ? others[j++] : named[i++])?.item)
  }
  return [...result, ...named.slice(i).map(({ item }) => item), ...others.slice(j).map(({ item }) => item)]
}

/** Where each item of a list first stands, by its identity. */
function ranksOf(list: readonly unknown[], mergeKey: string | undefined): Map<string, number> {
  const ranks = new Map<string, number>()
  for (const [index, item] of list.entries()) {
    const identity = identityOf(item, mergeKey)
    if (!ranks.has(identity)) ranks.set(identity, index)
  }
  return ranks
}

/** Equal texts for what is the same item: by the merge key where it has one to be told by. */
function identityOf(item: unknown, mergeKey: string | undefined): string {
  const keyed = mergeKey !== undefined && isObject(item)
  const value = keyed ? item[mergeKey] : item
  return `${keyed ? 'k' : 'v'}${value === undefined ? '' : typeof value === 'object' ? sortedJson(value) : JSON.stringify(value)}`
}

function same(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  if (mergeKey === undefined || !isObject(a) || !isObject(b)) return isDeepStrictEqual(a, b)
  return isDeepStrictEqual(a[mergeKey], b[mergeKey])
}

function strategies(schema: Schema | undefined): string[] {
  return (schema?.['x-kubernetes-patch-strategy'] ?? '').split(',')
}

/** The value without what a directive stands in; undefined when that is the whole. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined)
  if (!isObject(value)) return value
  if (marker in value) return undefined
  const entries = Object.entries(value).map(([key, item]) => [key, withoutDirectives(item)])
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined))
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  )
}

function noMergeKey(item: Fields, mergeKey: string): PatchError {
  return new PatchError(500, `map: ${goValue(item)} does not contain declared merge key: ${mergeKey}`)
}

function badDirective(kind: unknown, patch: Fields): PatchError {
  return new PatchError(500, `unknown patch type: ${String(kind)} in map: ${goValue(patch)}`)
}

/** As Go's %v prints it. */
function goValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`
  if (!isObject(value)) return value === null ? '<nil>' : String(value)
  return `map[${Object.keys(value)
    .sort()
    .map((key) => `${key}:${goValue(value[key])}`)
    .join(' ')}]`
}

/** The Go type that JSON is read into. */
function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return '%!s(<nil>)'
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'object' ? 'map[string]interface {}' : typeof value === 'boolean' ? 'bool' : 'string'
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
