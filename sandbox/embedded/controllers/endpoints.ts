import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { isNamespaceTerminating, messageOf } from './failure.ts'
import { keyOf, splitKey } from './owner.ts'
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

const component = 'endpoint-controller'
const endpointsManagedByLabel = 'endpoints.kubernetes.io/managed-by'

/** Keeps the older form of a Service's endpoints, one object of the Service's name. */
export function startEndpoints(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncService(context, queue, key), { name: component }))
  stack.use(context.cache.watch<Service>(resources.services, ({ object }) => queue.add(keyOf(object))))
  stack.use(watchServicePods(context, (service) => queue.add(keyOf(service))))
  stack.use(
    context.cache.watch<Endpoints>(resources.endpoints, ({ type, object }) => {
      if (type === 'DELETED') queue.add(keyOf(object))
    }),
  )
  return stack
}

async function syncService(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const service = context.cache.get<Service>(resources.services, name, namespace)
  const existing = context.cache.get<Endpoints>(resources.endpoints, name, namespace)
  if (!service) {
    if (existing) await context.client.delete(resources.endpoints, name, namespace)
    return
  }
  if (!selectsPods(service)) return
  const single = subsetsOf(context, service)
  // Every endpoint is written again with each change of one.
  queue.pause(key, restAfter(3 * single.length))
  const subsets = repack(single)
  const { [headlessLabel]: _headless, ...own } = service.metadata.labels ?? {}
  const labels = { ...own, [endpointsManagedByLabel]: component, ...(isHeadless(service) && { [headlessLabel]: '' }) }
  if (existing && semanticEqual(existing.subsets, subsets) && semanticEqual(existing.metadata.labels, labels)) return
  const annotations = { ...existing?.metadata.annotations, [triggerTimeAnnotation]: timestamp(context) }
  const endpoints: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...copyOf(existing?.metadata ?? { name, namespace }), labels, annotations },
    ...(subsets.length > 0 && { subsets }),
  }
  try {
    if (existing) await context.client.update<Endpoints>(resources.endpoints, endpoints)
    else await context.client.create<Endpoints>(resources.endpoints, endpoints, { namespace })
  } catch (error) {
    if (isNamespaceTerminating(error)) return
    if (!isNotFound(error)) {
      const [reason, message] = existing
        ? ['FailedToUpdateEndpoint', `Failed to update endpoint ${key}: ${messageOf(error)}`]
        : ['FailedToCreateEndpoint', `Failed to create endpoint for service ${key}: ${messageOf(error)}`]
      context.events.event(endpoints, 'Warning', reason, message, { component })
    }
    throw error
  }
}

/** One subset for each Pod and port. */
function subsetsOf(context: ClusterContext, service: Service): EndpointSubset[] {
  const subsets: EndpointSubset[] = []
  const publishNotReady = Boolean(service.spec?.publishNotReadyAddresses)
  for (const pod of podsBehind(context, service)) {
    if (!isEndpoint(pod, publishNotReady)) continue
    const list = publishNotReady || isPodReady(pod) ? 'addresses' : 'notReadyAddresses'
    const address = addressOf(service, pod)
    const ports = service.spec?.ports ?? []
    if (ports.length === 0 && service.spec?.clusterIP === 'None') subsets.push({ [list]: [address] })
    for (const port of ports) {
      const number = findPort(pod, port)
      if (number === undefined) continue
      const { name, protocol = 'TCP', appProtocol } = port
      const found: EndpointPort = { ...(name && { name }), port: number, protocol, ...(appProtocol && { appProtocol }) }
      subsets.push({ [list]: [address], ports: [found] })
    }
  }
  return subsets
}

function addressOf(service: Service, pod: Pod): EndpointAddress {
  const hostname = hostnameIn(service, pod)
  const { name, namespace, uid } = pod.metadata
  return {
    ip: pod.status?.podIP ?? '',
    ...(hostname && { hostname }),
    ...(pod.spec?.nodeName && { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  }
}

/** Joins subsets so that every address stands with all its ports, and addresses of the same ports stand together, sorted. */
function repack(subsets: readonly EndpointSubset[]): EndpointSubset[] {
  const byAddress = new Map<string, { address: EndpointAddress; ready: boolean; ports: Map<string, EndpointPort> }>()
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    for (const [list, ready] of [
      [addresses, true],
      [notReadyAddresses, false],
    ] as const) {
      for (const address of list) {
        const key = JSON.stringify([address.ip, address.targetRef?.uid, ready])
        const entry = byAddress.get(key) ?? { address, ready, ports: new Map<string, EndpointPort>() }
        byAddress.set(key, entry)
        for (const port of ports) entry.ports.set(JSON.stringify(port), port)
      }
    }
  }
  const byPorts = new Map<string, Required<EndpointSubset>>()
  for (const { address, ready, ports } of byAddress.values()) {
    const sorted = [...ports.entries()].sort(([a], [b]) => (a < b ? -1 : 1))
    const key = sorted.map(([text]) => text).join()
    const subset = byPorts.get(key) ?? { addresses: [], notReadyAddresses: [], ports: sorted.map(([, port]) => port) }
    byPorts.set(key, subset)
    subset[ready ? 'addresses' : 'notReadyAddresses'].push(address)
  }
  return [...byPorts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subset]) => withoutEmpty(subset))
}

function withoutEmpty({ addresses, notReadyAddresses, ports }: Required<EndpointSubset>): EndpointSubset {
  const sort = (list: EndpointAddress[]) => list.sort((a, b) => (a.ip < b.ip ? -1 : 1))
  return {
    ...(addresses.length > 0 && { addresses: sort(addresses) }),
    ...(notReadyAddresses.length > 0 && { notReadyAddresses: sort(notReadyAddresses) }),
    ...(ports.length > 0 && { ports }),
  }
}
