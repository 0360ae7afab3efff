import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { exactField, type FieldRequirement, type LabelPredicate, parseFieldSelector, parseLabelSelector } from '../machinery/selectors.ts'
import type { ResourceInfo } from '../registry/index.ts'

/** Which objects a list, watch or deletion of a collection is about. */
export interface Selection {
  /** True when everything matches. */
  readonly empty: boolean
  /** The only name that can match. */
  readonly name?: string
  matches(object: KubeObject): boolean
}

/** Throws ApiError BadRequest for what cannot be read or isn't a field of the kind. */
export function selection(info: ResourceInfo, labelSelector: string, fieldSelector: string, name = ''): Selection {
  const byLabels: LabelPredicate | undefined = labelSelector ? parseLabelSelector(labelSelector) : undefined
  const fields = fieldSelector ? parseFieldSelector(fieldSelector) : []
  for (const { field } of fields) checkField(info, field)
  const selected = exactField(fields, 'metadata.name')
  if (name && fields.length > 0 && selected !== name) throw ApiError.badRequest("fieldSelector metadata.name doesn't match requested name")
  const only = selected ?? (name || undefined)
  return {
    empty: !byLabels && fields.length === 0 && !name,
    ...(only === undefined ? {} : { name: only }),
    matches: (object) =>
      (!name || object.metadata.name === name) &&
      (!byLabels || byLabels(object.metadata.labels)) &&
      fields.every((requirement) => fieldMatches(info, object, requirement)),
  }
}

function fieldMatches(info: ResourceInfo, object: KubeObject, { field, operator, value }: FieldRequirement): boolean {
  const actual =
    field === 'metadata.name'
      ? (object.metadata.name ?? '')
      : field === 'metadata.namespace'
        ? (object.metadata.namespace ?? '')
        : (info.strategy.fieldSelectors[field]?.(object) ?? '')
  return (actual === value) === (operator === '=')
}

function checkField(info: ResourceInfo, field: string): void {
  const own = Object.keys(info.strategy.fieldSelectors)
  if (field === 'metadata.name' || own.includes(field) || (field === 'metadata.namespace' && info.namespaced)) return
  if (own.length > 0) throw ApiError.badRequest(`field label not supported: ${field}`)
  if (field === 'metadata.namespace') return
  throw ApiError.badRequest(`${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`)
}
