import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { serviceNameLabel, sliceService } from '../machinery/slice-index.ts'
import type { Node, Pod, Service } from '../schema/types/core.v1.ts'
import type { Endpoint, EndpointPort, EndpointSlice } from '../schema/types/discovery.v1.ts'
import { semanticEqual } from './equality.ts'
import { isNamespaceTerminating, messageOf } from './failure.ts'
import { controllerReference, keyOf, splitKey } from './owner.ts'
import { isPodReady } from './pod.ts'
import { restAfter, WorkQueue } from './queue.ts'
import {
  findPort,
  headlessLabel,
  hostnameIn,
  isEndpoint,
  isHeadless,
  podsBehind,
  selectsPods,
  triggerTimeAnnotation,
  watchServicePods,
} from './service-pods.ts'
import { timestamp } from './time.ts'

export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
const component = 'endpoint-slice-controller'
const managedBy = 'endpointslice-controller.k8s.io'
const zoneLabel = 'topology.kubernetes.io/zone'
const maxEndpoints = 100

/** Endpoints of one Service that share their ports and address family, and so their slices. */
interface Group {
  addressType: string
  ports: EndpointPort[]
  endpoints: Endpoint[]
}

/** Keeps the EndpointSlices of every Service with a selector. */
export function startEndpointSlice(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncService(context, queue, key), { name: component }))
  stack.use(context.cache.watch<Service>(resources.services, ({ object }) => queue.add(keyOf(object))))
  stack.use(watchServicePods(context, (service) => queue.add(keyOf(service))))
  stack.use(
    context.cache.watch<EndpointSlice>(resources.endpointSlices, ({ object }) => {
      const service = object.metadata.labels?.[serviceNameLabel]
      if (service && object.metadata.labels?.[managedByLabel] === managedBy) queue.add(`${object.metadata.namespace}/${service}`)
    }),
  )
  stack.use(
    context.cache.watch<Node>(resources.nodes, ({ object, previous }) => {
      if (object.metadata.labels?.[zoneLabel] === previous?.metadata.labels?.[zoneLabel]) return
      for (const service of context.cache.list<Service>(resources.services)) queue.add(keyOf(service))
    }),
  )
  return stack
}

async function syncService(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const service = context.cache.get<Service>(resources.services, name, namespace)
  // The slices of a Service that is gone go with it, as it owns them.
  if (!selectsPods(service) || service.metadata.deletionTimestamp) return
  const existing = context.cache.indexed<EndpointSlice>(resources.endpointSlices, sliceService, key).filter(({ metadata }) => {
    return metadata.labels?.[managedByLabel] === managedBy && !metadata.deletionTimestamp
  })
  try {
    for (const addressType of addressTypes(service)) {
      const groups = groupsOf(context, service, addressType)
      // Every endpoint is written again with each change of one.
      queue.pause(key, restAfter(3 * groups.reduce((sum, { endpoints }) => sum + endpoints.length, 0)))
      await reconcile(
        context,
        service,
        addressType,
        groups,
        existing.filter((slice) => slice.addressType === addressType),
      )
    }
  } catch (error) {
    if (isNamespaceTerminating(error)) return
    if (!isNotFound(error)) {
      const message = `Error updating Endpoint Slices for Service ${namespace}/${name}: ${messageOf(error)}`
      context.events.event(service, 'Warning', 'FailedToUpdateEndpointSlices', message, { component })
    }
    throw error
  }
}

function addressTypes(service: Service): string[] {
  return service.spec?.ipFamilies?.length ? service.spec.ipFamilies : ['IPv4']
}

function groupsOf(context: ClusterContext, service: Service, addressType: string): Group[] {
  const groups = new Map<string, Group>()
  for (const pod of podsBehind(context, service)) {
    if (!isEndpoint(pod, true)) continue
    const addresses = addressesOf(pod, addressType)
    if (addresses.length === 0) continue
    const ports = portsOf(service, pod)
    const key = JSON.stringify(ports)
    const group = groups.get(key) ?? { addressType, ports, endpoints: [] }
    groups.set(key, group)
    group.endpoints.push(endpointOf(context, service, pod, addresses))
  }
  return groups.size > 0 ? [...groups.values()] : [{ addressType, ports: [], endpoints: [] }]
}

function addressesOf(pod: Pod, addressType: string): string[] {
  const ips = pod.status?.podIPs?.map(({ ip }) => ip) ?? [pod.status?.podIP ?? '']
  return ips.filter((ip) => ip && ip.includes(':') === (addressType === 'IPv6'))
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = []
  for (const port of service.spec?.ports ?? []) {
    const number = findPort(pod, port)
    if (number === undefined) continue
    const { name = '', protocol = 'TCP', appProtocol } = port
    ports.push({ name, port: number, protocol, ...(appProtocol && { appProtocol }) })
  }
  return ports
}

function endpointOf(context: ClusterContext, service: Service, pod: Pod, addresses: string[]): Endpoint {
  const serving = isPodReady(pod)
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const nodeName = pod.spec?.nodeName
  const zone = nodeName && context.cache.get<Node>(resources.nodes, nodeName)?.metadata.labels?.[zoneLabel]
  const hostname = hostnameIn(service, pod)
  const { name, namespace, uid } = pod.metadata
  return {
    addresses,
    conditions: { ready: Boolean(service.spec?.publishNotReadyAddresses) || (serving && !terminating), serving, terminating },
    ...(hostname && { hostname }),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
  }
}

/**
 * Brings the slices of one address family to hold exactly the groups. Endpoints stay in the slice they are in, new ones
 * fill free places, and slices left over are used again before any is deleted, so that as little as possible is written.
 */
async function reconcile(
  context: ClusterContext,
  service: Service,
  addressType: string,
  groups: readonly Group[],
  existing: readonly EndpointSlice[],
): Promise<void> {
  const spare: EndpointSlice[] = existing.filter((slice) => !groups.some((group) => semanticEqual(group.ports, slice.ports)))
  const creations: { ports: EndpointPort[]; endpoints: Endpoint[] }[] = []
  for (const group of groups) {
    const wanted = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]))
    const contents = new Map<EndpointSlice, Endpoint[]>()
    for (const slice of existing) {
      if (!semanticEqual(group.ports, slice.ports) || spare.includes(slice)) continue
      const kept: Endpoint[] = []
      for (const endpoint of slice.endpoints ?? []) {
        const next = wanted.get(identity(endpoint))
        if (next) kept.push(next)
        wanted.delete(identity(endpoint))
      }
      contents.set(slice, kept)
    }
    const added = [...wanted.values()]
    for (const endpoints of contents.values()) endpoints.push(...added.splice(0, Math.max(0, maxEndpoints - endpoints.length)))
    for (const [slice, endpoints] of contents) {
      if (endpoints.length === 0 && group.endpoints.length > 0) spare.push(slice)
      else await updateSlice(context, service, slice, group.ports, endpoints)
    }
    while (added.length > 0) creations.push({ ports: group.ports, endpoints: added.splice(0, maxEndpoints) })
    if (group.endpoints.length === 0 && contents.size === 0) creations.push({ ports: [], endpoints: [] })
  }
  for (const { ports, endpoints } of creations) {
    const reused = spare.shift()
    if (reused) await updateSlice(context, service, reused, ports, endpoints)
    else await createSlice(context, service, addressType, ports, endpoints)
  }
  for (const slice of spare) await context.client.delete(resources.endpointSlices, slice.metadata.name ?? '', slice.metadata.namespace)
}

function identity(endpoint: Endpoint): string {
  return endpoint.targetRef?.uid ?? endpoint.addresses.join(',')
}

async function updateSlice(
  context: ClusterContext,
  service: Service,
  slice: EndpointSlice,
  ports: EndpointPort[],
  endpoints: Endpoint[],
): Promise<void> {
  const labels = labelsOf(service)
  const same =
    semanticEqual(slice.ports, ports) && semanticEqual(slice.endpoints, endpoints) && semanticEqual(slice.metadata.labels, labels)
  if (same) return
  const copy = copyOf(slice)
  copy.ports = ports
  copy.endpoints = endpoints
  copy.metadata.labels = labels
  copy.metadata.annotations = { ...copy.metadata.annotations, [triggerTimeAnnotation]: timestamp(context) }
  await context.client.update<EndpointSlice>(resources.endpointSlices, copy)
}

async function createSlice(
  context: ClusterContext,
  service: Service,
  addressType: string,
  ports: EndpointPort[],
  endpoints: Endpoint[],
): Promise<void> {
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace,
      labels: labelsOf(service),
      annotations: { [triggerTimeAnnotation]: timestamp(context) },
      ownerReferences: [controllerReference(service)],
    },
    addressType,
    endpoints,
    ports,
  }
  await context.client.create<EndpointSlice>(resources.endpointSlices, slice, { namespace: service.metadata.namespace })
}

function labelsOf(service: Service): Record<string, string> {
  const { [headlessLabel]: _headless, ...labels } = service.metadata.labels ?? {}
  return {
    ...labels,
    ...(isHeadless(service) && { [headlessLabel]: '' }),
    [serviceNameLabel]: service.metadata.name ?? '',
    [managedByLabel]: managedBy,
  }
}
