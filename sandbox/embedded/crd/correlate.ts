import { deepEqual } from '../machinery/freeze.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { isObject, itemsOf } from './schema.ts'

/** The items of an old list by those of the new one: items of a map by its keys; of other lists nobody knows which is which. */
export function correlated(schema: JSONSchemaProps, old: unknown): (item: unknown) => unknown {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old) || keys.length === 0) return () => undefined
  const items = itemsOf(schema)
  const identity = (item: unknown) =>
    isObject(item) ? JSON.stringify(keys.map((key) => item[key] ?? items?.properties?.[key]?.default ?? null)) : undefined
  const known = new Map(old.map((item) => [identity(item), item]))
  return (item) => known.get(identity(item))
}

/** The old value of a field; undefined when there was none, or nobody knows. */
export function oldField(old: unknown, key: string): unknown {
  return isObject(old) ? old[key] : undefined
}

/** Ratcheting (KEP 4008): what an update leaves as it was may stay, even where the schema has become stricter since. */
export function isUnchanged(value: unknown, old: unknown): boolean {
  return old !== undefined && deepEqual(value, old)
}
