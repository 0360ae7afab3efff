import { copyOf } from '../machinery/copy.ts'
import { PatchError } from './patch-error.ts'

/** RFC 7386. Throws PatchError when the patch of an object is no object. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw new PatchError(400, 'json: cannot unmarshal non-object into Go value of type map[string]interface {}')
  return merge(target, patch)
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return copyOf(patch)
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  }
  return result
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
