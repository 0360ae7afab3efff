import { isDeepStrictEqual } from 'node:util'
import { copyOf } from '../machinery/copy.ts'
import { resolve, type Schema, schemaOfField, schemaOfItems } from '../schema/index.ts'
import { PatchError } from './patch-error.ts'

type Fields = Record<string, unknown>

const marker = '$patch'
const retainKeys = '$retainKeys'
const elementOrder = '$setElementOrder/'
const deleteFromList = '$deleteFromPrimitiveList/'

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
    if (key === retainKeys) continue
    if (key.startsWith(deleteFromList)) {
      const name = key.slice(deleteFromList.length)
      const list = original[name]
      if (Array.isArray(list) && Array.isArray(value)) original[name] = withoutItems(list, value)
      continue
    }
    if (value === null) {
      delete original[key]
      continue
    }
    const field = schemaOfField(schema, key)
    const before = original[key]
    if (isObject(before) && isObject(value)) {
      original[key] = strategies(field).includes('replace') ? value : mergeFields(before, value, field)
    } else if (Array.isArray(before) && Array.isArray(value)) {
      original[key] = strategies(field).includes('merge') ? mergeList(before, value, field) : value
    } else {
      const plain = withoutDirectives(withoutNulls(value))
      if (plain === undefined) delete original[key]
      else original[key] = plain
    }
  }
  return original
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
  if (!Array.isArray(keys)) throw new PatchError(500, 'invalid patch format of retainKeys')
  const extra = Object.keys(patch).find((key) => !key.startsWith('$') && patch[key] !== null && !keys.includes(key))
  if (extra !== undefined) throw new PatchError(500, 'patch contains fields not present in the retainKeys list')
  for (const key of Object.keys(original)) if (!keys.includes(key)) delete original[key]
}

/** Merges and orders every list that the patch gives an order for, and takes it off the patch. */
function order(original: Fields, patch: Fields, schema: Schema | undefined): void {
  for (const key of Object.keys(patch).filter((name) => name.startsWith(elementOrder))) {
    const wanted = patch[key]
    delete patch[key]
    if (!Array.isArray(wanted)) throw new PatchError(500, 'invalid patch format of setElementOrder list')
    const name = key.slice(elementOrder.length)
    const before = original[name]
    const change = patch[name]
    const field = schemaOfField(schema, name)
    const mergeKey = field?.['x-kubernetes-patch-merge-key']
    const isList = (value: unknown): value is unknown[] => Array.isArray(value)
    checkOrder(isList(change) ? change : [], wanted, mergeKey)
    const removed = patch[deleteFromList + name]
    delete patch[deleteFromList + name]
    let merged: unknown[]
    if (isList(before) && isList(change)) merged = strategies(field).includes('merge') ? mergeList(before, change, field) : change
    else if (isList(before)) merged = before
    else if (isList(change)) merged = withoutDirectives(change) as unknown[]
    else continue
    if (isList(removed)) merged = withoutItems(merged, removed)
    original[name] = inOrder(merged, wanted, isList(before) ? before : [], mergeKey)
    delete patch[name]
  }
}

/** Every item that the patch changes must stand in the given order, and in the same order. */
function checkOrder(change: unknown[], wanted: unknown[], mergeKey: string | undefined): void {
  let at = 0
  for (const item of change) {
    if (isObject(item) && marker in item) continue
    while (at < wanted.length && !same(wanted[at], item, mergeKey)) at += 1
    if (at >= wanted.length) {
      throw new PatchError(
        400,
        `The order in patch list:\n${JSON.stringify(change)}\n doesn't match $setElementOrder list:\n${JSON.stringify(wanted)}\n`,
      )
    }
    at += 1
  }
}

function mergeList(original: unknown[], patch: unknown[], schema: Schema | undefined): unknown[] {
  if (original.length === 0 && patch.length === 0) return original
  const ofObjects = isObject(original[0] ?? patch[0])
  const mergeKey = ofObjects ? schema && resolve(schema)['x-kubernetes-patch-merge-key'] : undefined
  if (!ofObjects) return inOrder([...new Set([...original, ...patch])], patch, original, undefined)
  if (!mergeKey) throw new PatchError(500, 'cannot merge lists without merge key')
  const { kept, changes } = special(original as Fields[], patch as Fields[], mergeKey)
  const merged = [...kept]
  for (const change of changes) {
    if (!isObject(change)) throw new PatchError(500, 'cannot merge lists of different types')
    if (!(mergeKey in change)) throw noMergeKey(change, mergeKey)
    const index = merged.findIndex((item) => same(item, change, mergeKey))
    const before = merged[index]
    if (before) merged[index] = mergeFields(before, change, schemaOfItems(schema))
    else merged.push(withoutDirectives(withoutNulls(change)) as Fields)
  }
  return inOrder(merged, changes, kept, mergeKey)
}

function special(original: Fields[], patch: Fields[], mergeKey: string): { kept: Fields[]; changes: Fields[] } {
  let kept = original
  let replace = false
  const changes: Fields[] = []
  for (const item of patch) {
    const kind = isObject(item) ? item[marker] : undefined
    if (kind === undefined) changes.push(item)
    else if (kind === 'replace') replace = true
    else if (kind === 'delete') {
      if (!(mergeKey in item)) throw noMergeKey(item, mergeKey)
      kept = kept.filter((other) => !same(other, item, mergeKey))
    } else if (kind === 'merge') throw new PatchError(500, 'merging lists cannot yet be specified in the patch')
    else throw badDirective(kind, item)
  }
  return replace ? { kept: changes, changes: [] } : { kept, changes }
}

/** Items named by `wanted` in its order; the others keep their places relative to the original list. */
function inOrder(items: unknown[], wanted: unknown[], original: unknown[], mergeKey: string | undefined): unknown[] {
  const rank = (list: unknown[], item: unknown) => list.findIndex((other) => same(other, item, mergeKey))
  const byRank = (list: unknown[]) => (a: unknown, b: unknown) => rank(list, a) - rank(list, b)
  const named = items.filter((item) => rank(wanted, item) >= 0).sort(byRank(wanted))
  const others = items.filter((item) => rank(wanted, item) < 0).sort(byRank(original))
  const result: unknown[] = []
  while (named.length > 0 && others.length > 0) {
    const left = rank(original, others[0])
    const right = rank(original, named[0])
    result.push(left >= 0 && right >= 0 && left < right ? others.shift() : named.shift())
  }
  return [...result, ...named, ...others]
}

function withoutItems(list: unknown[], removed: unknown[]): unknown[] {
  return list.filter((item) => !removed.some((other) => isDeepStrictEqual(item, other)))
}

function same(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  if (mergeKey === undefined || !isObject(a) || !isObject(b)) return isDeepStrictEqual(a, b)
  return isDeepStrictEqual(a[mergeKey], b[mergeKey])
}

function strategies(schema: Schema | undefined): string[] {
  return (schema?.['x-kubernetes-patch-strategy'] ?? '').split(',')
}

/** The value without directives; undefined when it is itself an order to delete. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined)
  if (!isObject(value)) return value
  if (value[marker] === 'delete') return undefined
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== marker && key !== retainKeys && !key.startsWith(elementOrder) && !key.startsWith(deleteFromList))
      .map(([key, item]) => [key, withoutDirectives(item)])
      .filter(([, item]) => item !== undefined),
  )
}

function withoutNulls(value: unknown): unknown {
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  )
}

function noMergeKey(item: Fields, mergeKey: string): PatchError {
  return new PatchError(500, `map: ${goMap(item)} does not contain declared merge key: ${mergeKey}`)
}

function badDirective(kind: unknown, patch: Fields): PatchError {
  return new PatchError(500, `unknown patch type: ${String(kind)} in map: ${goMap(patch)}`)
}

/** A map as Go's %v prints it. */
function goMap(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goMap).join(' ')}]`
  if (!isObject(value)) return value === null ? '<nil>' : String(value)
  return `map[${Object.keys(value)
    .sort()
    .map((key) => `${key}:${goMap(value[key])}`)
    .join(' ')}]`
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
