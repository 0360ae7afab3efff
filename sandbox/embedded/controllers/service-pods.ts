import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { labelIn, podLabel } from '../machinery/pod-indexes.ts'
import type { Pod, Service, ServicePort } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { isPodFinished, isPodReady } from './pod.ts'
import { matchesLabels } from './selector.ts'

/** What the controllers of Endpoints and EndpointSlices have in common: which Pods stand behind a Service, and on which ports. */

export const headlessLabel = 'service.kubernetes.io/headless'
export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

/** Whether the cluster finds this Service's endpoints itself: it has a selector and is no mere name. */
export function selectsPods(service: Service | undefined): service is Service {
  return service?.spec?.selector !== undefined && service.spec.type !== 'ExternalName'
}

export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === 'None' || !service.spec?.clusterIP
}

export function podsBehind(context: ClusterContext, service: Service): Pod[] {
  const selector = service.spec?.selector ?? {}
  const { namespace } = service.metadata
  const [first] = Object.entries(selector)
  const pods = first
    ? context.cache.indexed<Pod>(resources.pods, podLabel, labelIn(namespace, ...first))
    : context.cache.list<Pod>(resources.pods, namespace)
  return pods.filter((pod) => matchesLabels(selector, pod.metadata.labels))
}

/** A Pod is an endpoint from the moment it has an address until it has finished or, unless wanted, is being deleted. */
export function isEndpoint(pod: Pod, includeTerminating: boolean): boolean {
  if (isPodFinished(pod) || !pod.status?.podIP) return false
  return includeTerminating || !pod.metadata.deletionTimestamp
}

/** The Pod's port that the Service's port leads to; nothing when no container has a port of that name. */
export function findPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port
  if (typeof target === 'number') return target
  const sidecars = pod.spec?.initContainers?.filter((container) => container.restartPolicy === 'Always') ?? []
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const found = container.ports?.find(({ name, protocol }) => name === target && (protocol ?? 'TCP') === (port.protocol ?? 'TCP'))
    if (found) return found.containerPort
  }
  return undefined
}

/** A Pod's name within a headless Service of its subdomain. */
export function hostnameIn(service: Service, pod: Pod): string | undefined {
  return pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined
}

/** Calls enqueue with each Service whose endpoints a change of a Pod touches. */
export function watchServicePods(context: ClusterContext, enqueue: (service: Service) => void): Disposable {
  return context.cache.watch<Pod>(resources.pods, ({ type, object, previous }) => {
    if (type === 'MODIFIED' && previous && !endpointChanged(previous, object)) return
    for (const service of context.cache.list<Service>(resources.services, object.metadata.namespace)) {
      const selector = service.spec?.selector
      if (!selector) continue
      const touches = matchesLabels(selector, object.metadata.labels) || (previous && matchesLabels(selector, previous.metadata.labels))
      if (touches) enqueue(service)
    }
  })
}

function endpointChanged(before: Pod, after: Pod): boolean {
  return (
    isPodReady(before) !== isPodReady(after) ||
    isPodFinished(before) !== isPodFinished(after) ||
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    before.spec?.nodeName !== after.spec?.nodeName ||
    !semanticEqual(before.status?.podIPs ?? before.status?.podIP, after.status?.podIPs ?? after.status?.podIP) ||
    !semanticEqual(before.metadata.labels, after.metadata.labels)
  )
}
