import type { Schema } from '../schema/index.ts'
import { applyJsonPatch } from './json-patch.ts'
import { applyMergePatch } from './merge-patch.ts'
import { applyStrategicMergePatch } from './strategic-merge-patch.ts'

export { PatchError } from './patch-error.ts'

/**
 * The object with a patch applied, as a new value. `schema` is the object's own and is needed for strategic patches.
 * Throws PatchError with the HTTP status and the words of the API server. Server-side apply is in ../apply.
 * RFC 6902 (json), RFC 7386 (merge), and Kubernetes' strategic merge patch.
 */
export function applyPatch(type: 'json' | 'merge' | 'strategic', object: unknown, patch: unknown, schema?: Schema): unknown {
  if (type === 'json') return applyJsonPatch(object, patch)
  if (type === 'merge') return applyMergePatch(object, patch)
  return applyStrategicMergePatch(object, patch, schema)
}

/** The API server's Content-Type of each kind of patch. */
export const patchContentTypes: Readonly<Record<string, 'json' | 'merge' | 'strategic' | 'apply'>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
}
