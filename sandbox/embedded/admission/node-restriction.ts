import { nodeNameOf } from '../auth/node-authorizer.ts'
import { semanticEqual } from '../controllers/equality.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { TokenRequest } from '../schema/types/authentication.v1.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, refuse } from './admission.ts'

/** Keeps a kubelet to its own Node, Lease and pods. */
export function nodeRestriction({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    handles: ({ operation, user }) => operation !== 'CONNECT' && user.groups.includes('system:nodes'),
    validate(request) {
      const { user, resource, subresource } = request
      const node = nodeNameOf(user)
      if (!node) throw refuse(request, `could not determine node from user "${user.username}"`)
      const about = resource.group ? `${resource.resource}.${resource.group}` : resource.resource
      if (about === 'pods') return checkPod(request, node)
      if (about === 'nodes') return checkNode(request, node)
      if (about === 'serviceaccounts' && subresource === 'token') return checkToken(request, node)
      const named = request.operation === 'CREATE' ? request.object?.metadata.name : request.name
      if (about === 'leases.coordination.k8s.io') {
        if (request.namespace !== 'kube-node-lease')
          throw refuse(request, 'can only access leases in the "kube-node-lease" system namespace')
        if (named !== node) throw refuse(request, 'can only access node lease with the same name as the requesting node')
      }
      if (about === 'csinodes.storage.k8s.io' && named !== node) {
        throw refuse(request, 'can only access CSINode with the same name as the requesting node')
      }
    },
  }

  function checkPod(request: AdmissionRequest, node: string): void {
    const { operation, subresource, namespace, name } = request
    if (subresource === 'eviction') {
      const pod = cache.get<Pod>(resources.pods, name, namespace)
      if (pod && pod.spec?.nodeName !== node) throw refuse(request, `node ${node} can only evict pods with spec.nodeName set to itself`)
    } else if (subresource === 'status') {
      if ((request.oldObject as Pod | undefined)?.spec?.nodeName !== node) {
        throw refuse(request, `node "${node}" can only update pod status for pods with spec.nodeName set to itself`)
      }
      if (!semanticEqual(request.object?.metadata.labels, request.oldObject?.metadata.labels)) {
        throw refuse(request, `node "${node}" cannot update labels through pod status`)
      }
    } else if (subresource !== '') {
      throw refuse(request, `unexpected pod subresource "${subresource}", only 'status' and 'eviction' are allowed`)
    } else if (operation === 'CREATE') {
      checkMirrorPod(request, node)
    } else if (operation === 'DELETE') {
      const pod = cache.get<Pod>(resources.pods, name, namespace)
      if (pod && pod.spec?.nodeName !== node) throw refuse(request, `node "${node}" can only delete pods with spec.nodeName set to itself`)
    } else {
      throw refuse(request, `unexpected operation "${operation}", node "${node}" can only create and delete mirror pods`)
    }
  }

  function checkToken(request: AdmissionRequest, node: string): void {
    const reference = (request.object as TokenRequest | undefined)?.spec?.boundObjectRef
    if (reference?.kind !== 'Pod' || reference.apiVersion !== 'v1' || !reference.name) {
      throw refuse(request, 'node requested token not bound to a pod')
    }
    if (!reference.uid) throw refuse(request, 'node requested token with a pod binding without a uid')
    const pod = cache.get<Pod>(resources.pods, reference.name, request.namespace)
    if (pod && pod.spec?.nodeName !== node) throw refuse(request, 'node requested token bound to a pod scheduled on a different node')
  }
}

function checkMirrorPod(request: AdmissionRequest, node: string): void {
  const pod = request.object as Pod
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined) {
    throw refuse(request, `pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`)
  }
  if (pod.spec?.nodeName !== node) throw refuse(request, `node "${node}" can only create pods with spec.nodeName set to itself`)
  const owners = pod.metadata.ownerReferences ?? []
  const [owner] = owners
  if (owners.length !== 1 || !owner)
    throw refuse(request, `node "${node}" can only create pods with a single owner reference set to itself`)
  if (owner.kind !== 'Node' || owner.name !== node) {
    throw refuse(request, `node "${node}" can only create pods with an owner reference set to itself`)
  }
}

function checkNode(request: AdmissionRequest, node: string): void {
  const name = request.name || request.object?.metadata.name
  if (name !== node) throw refuse(request, `node "${node}" is not allowed to modify node "${name}"`)
  const object = request.object as Node | undefined
  if (!object || request.subresource !== '') return
  const old = request.oldObject as Node | undefined
  const changed = Object.keys({ ...object.metadata.labels, ...old?.metadata.labels })
    .filter((label) => object.metadata.labels?.[label] !== old?.metadata.labels?.[label] && isForbiddenLabel(label))
    .sort()
  if (request.operation === 'CREATE' && changed.length > 0) {
    throw refuse(request, `node "${node}" is not allowed to set the following labels: ${changed.join(', ')}`)
  }
  if (request.operation !== 'UPDATE') return
  if (!semanticEqual(object.spec?.taints, old?.spec?.taints)) throw refuse(request, `node "${node}" is not allowed to modify taints`)
  if (changed.length > 0) throw refuse(request, `is not allowed to modify labels: ${changed.join(', ')}`)
}

const mirrorAnnotation = 'kubernetes.io/config.mirror'
const kubeletLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
])

/** Kubelets may set well-known labels and those under their own prefixes, nothing else of kubernetes.io or k8s.io. */
function isForbiddenLabel(label: string): boolean {
  const prefix = label.includes('/') ? (label.split('/')[0] as string) : ''
  if (/(^|\.)node-restriction\.kubernetes\.io$/.test(prefix)) return true
  if (!/(^|\.)(kubernetes|k8s)\.io$/.test(prefix)) return false
  return !kubeletLabels.has(label) && !/(^|\.)(kubelet|node)\.kubernetes\.io$/.test(prefix)
}
