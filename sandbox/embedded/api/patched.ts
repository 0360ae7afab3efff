import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { sortedJson } from '../machinery/sorted-json.ts'
import { applyPatch, PatchError } from '../patch/index.ts'
import { invalid, Path } from '../registry/field.ts'
import type { GroupVersionKind } from '../registry/index.ts'
import type { Schema } from '../schema/index.ts'
import { type Decoder, decodeAs, parseJson } from './body.ts'
import { goJsonType } from './go-json.ts'
import type { FieldValidation } from './options.ts'

export type PatchType = 'json' | 'merge' | 'strategic'

/** A patch's body, read. Where nobody asked for checks of its fields, it is read by those who apply it. Throws ApiError BadRequest. */
export function parsePatch(bytes: Uint8Array, type: PatchType, validation: FieldValidation): unknown {
  if (type === 'json' && validation === 'Ignore') return operations(parseJson(bytes, ''))
  const prefix = type === 'strategic' ? '' : 'error decoding patch: '
  const patch = parseJson(bytes, prefix)
  const wrong = (value: unknown, into: string) =>
    ApiError.badRequest(`${prefix}json: cannot unmarshal ${goJsonType(value)} into Go ${into}`)
  if (patch === null) {
    if (type === 'merge') throw ApiError.badRequest('Invalid JSON Patch')
    return type === 'json' ? [] : {}
  }
  if (type !== 'json') {
    if (typeof patch !== 'object' || Array.isArray(patch)) throw wrong(patch, 'value of type map[string]interface {}')
    return patch
  }
  if (!Array.isArray(patch)) throw wrong(patch, 'value of type []handlers.jsonPatchOp')
  for (const operation of patch) {
    if (operation === null) continue
    if (typeof operation !== 'object' || Array.isArray(operation)) throw wrong(operation, 'value of type handlers.jsonPatchOp')
    for (const name of ['op', 'path', 'from']) {
      const value = (operation as Record<string, unknown>)[name]
      if (value === undefined || value === null || typeof value === 'string') continue
      throw wrong(value, `struct field jsonPatchOp.${name} of type string`)
    }
  }
  return patch
}

function operations(patch: unknown): unknown {
  const wrong = (value: unknown, type: string) =>
    ApiError.badRequest(`json: cannot unmarshal ${goJsonType(value)} into Go value of type jsonpatch.${type}`)
  if (patch === null) return []
  if (!Array.isArray(patch)) throw wrong(patch, 'Patch')
  for (const operation of patch) if (typeof operation !== 'object' || Array.isArray(operation)) throw wrong(operation, 'Operation')
  return patch
}

export interface Patching {
  /** What the patched object is to be. */
  kind: GroupVersionKind
  /** For strategic patches. */
  schema: Schema | undefined
  decoder?: Decoder | undefined
  validation: FieldValidation
  /** Fields of the object that the patch may leave as they are. */
  decoded?: Readonly<Record<string, unknown>> | undefined
  warn(text: string): void
}

/** An object with a patch on it, not defaulted. Throws ApiError, Invalid where it would be no object of the kind any more. */
export function patchedObject(type: PatchType, existing: KubeObject, patch: unknown, how: Patching): KubeObject {
  const value = applied(type, existing, patch, how.schema)
  // a strategic patch is one of a Go struct: what it says of the type does not count
  const typed = type === 'strategic' ? { ...(value as object), kind: existing.kind, apiVersion: existing.apiVersion } : value
  try {
    return decodeAs(how.kind, { value: typed as Record<string, unknown>, decoded: how.decoded }, how.validation, how.warn, how.decoder)
  } catch (error) {
    const why = error instanceof ApiError ? /(?<=cannot be handled as an? \S+: ).*$/s.exec(error.message)?.[0] : undefined
    if (!why) throw error
    throw ApiError.invalid({ group: '', kind: '' }, '', [invalid(new Path('patch'), sortedJson(value), why)])
  }
}

function applied(type: PatchType, existing: KubeObject, patch: unknown, schema: Schema | undefined): unknown {
  try {
    return applyPatch(type, existing, patch, schema)
  } catch (error) {
    if (!(error instanceof PatchError)) throw error
    const { status, message } = error
    switch (status) {
      case 413:
        throw new ApiError(413, 'RequestEntityTooLarge', message, undefined, error)
      case 415:
        throw new ApiError(415, 'UnsupportedMediaType', message, undefined, error)
      case 422:
        throw new ApiError(422, 'Invalid', message, {}, error)
      case 500:
        throw new ApiError(500, undefined, message, undefined, error)
      default:
        throw new ApiError(400, 'BadRequest', message, undefined, error)
    }
  }
}
