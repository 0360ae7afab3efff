import { ApplyConflict, ApplyError, serverSideApply, TypedError, trackManagedFields } from '../apply/index.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Pieces } from '../machinery/pieces.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { asJson } from '../schema/go-empty.ts'
import { customResourceSchema, type Schema, schemaOf } from '../schema/index.ts'
import { apiVersionOf } from './resources.ts'

export interface Writer {
  manager: string
  /** '' for the resource itself. */
  subresource: string
  /** RFC 3339 */
  time: string
}

/** A kind whose objects have owners, field by field. */
export type Managed = Pick<ResourceInfo, 'group' | 'version' | 'kind'> & Partial<Pick<ResourceInfo, 'definition' | 'resetFields'>>

/**
 * Sets the managedFields of `object`, which `live` is about to become (undefined: is created). An object that does not fit its
 * schema (two items with one key) has none: only an apply fails for that.
 */
export function* trackFields(info: Managed, live: KubeObject | undefined, object: KubeObject, by: Writer): Pieces<void> {
  const managedFields = yield* tracked(info, live, object, by)
  if (managedFields?.length) object.metadata.managedFields = managedFields
  else delete object.metadata.managedFields
}

function* tracked(info: Managed, live: KubeObject | undefined, object: KubeObject, by: Writer) {
  try {
    return yield* trackManagedFields({
      ...common(info, by),
      before: live,
      after: info.definition ? object : asJson(object),
      apiVersion: apiVersionOf(info),
    })
  } catch (error) {
    if (error instanceof TypedError) return undefined
    throw error
  }
}

/** What `live` becomes when a manager applies a configuration, with only the fields that it has. Throws ApiError. */
export function* applyFields(
  info: Managed,
  live: KubeObject | undefined,
  applied: KubeObject,
  by: Writer,
  force: boolean,
): Pieces<KubeObject> {
  try {
    return yield* serverSideApply({ ...common(info, by), live, applied, force })
  } catch (error) {
    if (error instanceof ApplyConflict) throw ApiError.applyConflict(error.message, error.causes)
    if (error instanceof ApplyError) throw new ApiError(400, 'BadRequest', error.message, undefined, error)
    if (error instanceof TypedError) {
      const { namespace = '', name = '' } = applied.metadata ?? {}
      const which = `${namespace}/${name}; ${info.group}/${info.version}, Kind=${info.kind}`.replace(/^([^;]*); \//, '$1; /')
      throw new ApiError(500, undefined, `failed to create typed patch object (${which}): ${error.message}`, undefined, error)
    }
    throw error
  }
}

const customSchemas = new WeakMap<object, Schema>()

/** The schema by which objects of the kind are merged and shown. */
export function schemaFor({ group, version, kind, definition }: Managed): Schema | undefined {
  if (!definition) return schemaOf(group, version, kind)
  const known = customSchemas.get(definition)
  if (known) return known
  const made = customResourceSchema(group, version, kind, definition.schema?.openAPIV3Schema as Schema | undefined)
  customSchemas.set(definition, made)
  return made
}

function common(info: Managed, { manager, subresource, time }: Writer) {
  const reset = info.resetFields?.[subresource]
  return {
    schema: schemaFor(info),
    manager,
    ...(reset ? { reset } : {}),
    now: time,
    ...(subresource ? { subresource } : {}),
  }
}
