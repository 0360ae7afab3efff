import type { ClusterContext } from '../machinery/context.ts'
import { ApiError } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Namespace } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, refuse } from './admission.ts'

/** Objects live only in namespaces that exist, none are made in one that is going, and the system's own stay. */
export function namespaceLifecycle({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return { name: 'NamespaceLifecycle', handles: ({ operation }) => operation !== 'CONNECT', mutate: check, validate: check }

  function check(request: AdmissionRequest): void {
    const { operation, resource, namespace, name } = request
    if (resource.group === '' && resource.resource === 'namespaces') {
      if (operation === 'DELETE' && immortal.includes(name)) throw ApiError.forbidden(resource, name, 'this namespace may not be deleted')
      return
    }
    if (namespace === '' || operation === 'DELETE' || isAccessReview(request)) return
    const found = cache.get<Namespace>(resources.namespaces, namespace)
    if (!found) throw ApiError.notFound(resources.namespaces, namespace)
    if (operation !== 'CREATE' || found.status?.phase !== 'Terminating') return
    const error = refuse(request, `unable to create new content in namespace ${namespace} because it is being terminated`)
    const cause = { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }
    throw new ApiError(403, 'Forbidden', error.message, { ...error.body.details, causes: [cause] })
  }
}

const immortal = ['default', 'kube-system', 'kube-public']

function isAccessReview({ resource }: AdmissionRequest): boolean {
  return resource.group === 'authorization.k8s.io' && resource.resource === 'localsubjectaccessreviews'
}
