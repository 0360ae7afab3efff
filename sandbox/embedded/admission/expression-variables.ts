import type { Authorizer } from '../auth/rbac.ts'
import { fromJson } from '../cel/json-values.ts'
import { CelAuthorizer, resourceCheck } from '../cel/library/authorizer.ts'
import type { Value } from '../cel/values.ts'
import type { Cache } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { asJson } from '../schema/go-empty.ts'
import type { AdmissionRequest } from './admission.ts'
import type { Variables } from './policy-program.ts'
import { asReviewed } from './webhook-call.ts'

/** What expressions about a request may name: object, oldObject, request, namespaceObject, authorizer, and params where there are any. */
export function variablesOf(
  request: AdmissionRequest,
  original: AdmissionRequest,
  { cache, authorizer }: { cache: Cache; authorizer: Pick<Authorizer, 'authorize'> },
  params?: unknown,
): Variables {
  const { namespace, user, resource, subresource, name } = request
  const asker = new CelAuthorizer(authorizer, user)
  const namespaced = namespace !== '' && !(request.kind.group === '' && request.kind.kind === 'Namespace')
  const makers: Readonly<Record<string, () => Value>> = {
    object: () => fromJson(request.object ? asJson(request.object) : null),
    oldObject: () => fromJson(request.oldObject ?? null),
    request: () => fromJson(about(request, original)),
    namespaceObject: () => (namespaced ? fromJson(cache.get(resources.namespaces, namespace) ?? null) : null),
    params: () => fromJson(params ?? null),
    authorizer: () => asker,
    'authorizer.requestResource': () => resourceCheck(asker, { ...resource, version: '*', subresource, namespace, name }),
  }
  const known = new Map<string, Value>()
  return (variable) => {
    const value = known.get(variable)
    if (value !== undefined) return value
    const made = Object.hasOwn(makers, variable) ? makers[variable]?.() : undefined
    if (made !== undefined) known.set(variable, made)
    return made
  }
}

function about(request: AdmissionRequest, original: AdmissionRequest): Record<string, unknown> {
  const { object: _object, oldObject: _oldObject, ...rest } = asReviewed(request, original)
  return { ...rest, ...(request.name ? {} : { name: '' }), ...(request.namespace ? {} : { namespace: '' }) }
}
