import type { Authorizer } from '../auth/rbac.ts'
import { CelAuthorizer, resourceCheck, toCel } from '../cel/index.ts'
import type { Cache } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { asJson } from '../schema/go-empty.ts'
import type { AdmissionRequest } from './admission.ts'
import { asReviewed } from './webhook-call.ts'

/** What expressions about a request may name: object, oldObject, request, namespaceObject, authorizer, and params where there are any. */
export function variablesOf(
  request: AdmissionRequest,
  original: AdmissionRequest,
  { cache, authorizer }: { cache: Cache; authorizer: Pick<Authorizer, 'authorize'> },
  params?: unknown,
): Record<string, unknown> {
  const { namespace } = request
  const { object: _object, oldObject: _oldObject, ...about } = asReviewed(request, original)
  return {
    object: toCel(request.object ? asJson(request.object) : null),
    oldObject: toCel(request.oldObject ?? null),
    request: toCel({ ...about, ...(request.name ? {} : { name: '' }), ...(namespace ? {} : { namespace: '' }) }),
    namespaceObject: namespace ? toCel(cache.get(resources.namespaces, namespace) ?? null) : null,
    params: params === undefined ? null : toCel(params),
    authorizer: authorizerOf(request, authorizer),
  }
}

/** `authorizer`, with the check for the request's own resource as authorizer.requestResource. */
function authorizerOf(request: AdmissionRequest, authorizer: Pick<Authorizer, 'authorize'>): CelAuthorizer {
  const { user, resource, subresource, namespace, name } = request
  const asker = new CelAuthorizer(authorizer, user)
  return Object.assign(asker, { requestResource: resourceCheck(asker, { ...resource, subresource, namespace, name }) })
}
