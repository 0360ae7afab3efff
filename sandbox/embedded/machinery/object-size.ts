import type { KubeObject } from './object.ts'

/** Of frozen objects; a fork holds those of its original. */
const sizes = new WeakMap<KubeObject, number>()

/** About what a stored (frozen) object takes in JSON: bytes. */
export function sizeOfStored(object: KubeObject): number {
  let size = sizes.get(object)
  if (size === undefined) sizes.set(object, (size = sizeOf(object)))
  return size
}

/** About what a value takes in JSON: bytes. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 5
  let size = 2
  if (Array.isArray(value)) for (const item of value) size += sizeOf(item) + 1
  else for (const key in value) size += key.length + 4 + sizeOf((value as Record<string, unknown>)[key])
  return size
}
