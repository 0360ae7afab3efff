import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import { serviceNameLabel } from '../machinery/slice-index.ts'
import type { EndpointAddress, EndpointSubset, Endpoints, Service } from '../schema/types/core.v1.ts'
import type { Endpoint, EndpointPort, EndpointSlice } from '../schema/types/discovery.v1.ts'
import { managedByLabel } from './endpointslice.ts'
import { semanticEqual } from './equality.ts'
import { controllerReference, keyOf, splitKey } from './owner.ts'
import { WorkQueue } from './queue.ts'

const component = 'endpoint-slice-mirroring-controller'
const managedBy = 'endpointslicemirroring-controller.k8s.io'
const skipMirror = 'endpointslice.kubernetes.io/skip-mirror'

type Content = Pick<EndpointSlice, 'addressType' | 'endpoints' | 'ports'>

/** Copies Endpoints that somebody made by hand, for a Service without a selector, into EndpointSlices. */
export function startEndpointSliceMirroring(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncEndpoints(context, key), { name: component }))
  stack.use(context.cache.watch<Endpoints>(resources.endpoints, ({ object }) => queue.add(keyOf(object))))
  stack.use(context.cache.watch<Service>(resources.services, ({ object }) => queue.add(keyOf(object))))
  return stack
}

async function syncEndpoints(context: ClusterContext, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const endpoints = context.cache.get<Endpoints>(resources.endpoints, name, namespace)
  const service = context.cache.get<Service>(resources.services, name, namespace)
  const existing = context.cache.list<EndpointSlice>(resources.endpointSlices, namespace).filter(({ metadata }) => {
    return metadata.labels?.[serviceNameLabel] === name && metadata.labels[managedByLabel] === managedBy
  })
  const mirrored = endpoints && service && isMirrored(endpoints, service)
  const wanted = mirrored ? (endpoints.subsets ?? []).flatMap(contentsOf) : []
  const left = [...existing]
  const missing = wanted.filter((content) => {
    const index = left.findIndex((slice) => semanticEqual(contentOf(slice), content))
    if (index >= 0) left.splice(index, 1)
    return index < 0
  })
  for (const content of missing) {
    const index = left.findIndex(({ addressType }) => addressType === content.addressType)
    const [reused] = index < 0 ? [] : left.splice(index, 1)
    if (reused) await context.client.update<EndpointSlice>(resources.endpointSlices, { ...copyOf(reused), ...content })
    else if (endpoints) await context.client.create<EndpointSlice>(resources.endpointSlices, sliceOf(endpoints, content), { namespace })
  }
  for (const slice of left) await context.client.delete(resources.endpointSlices, slice.metadata.name ?? '', namespace)
}

function isMirrored({ metadata }: Endpoints, service: Service): boolean {
  const leaderElection = metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] !== undefined
  return metadata.labels?.[skipMirror] !== 'true' && !leaderElection && service.spec?.selector === undefined
}

/** A subset has a slice for each address family. */
function contentsOf({ addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset): Content[] {
  const slicePorts: EndpointPort[] = ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
    name,
    port,
    protocol,
    ...(appProtocol && { appProtocol }),
  }))
  return ['IPv4', 'IPv6'].flatMap((addressType) => {
    const ofFamily = ({ ip }: EndpointAddress) => ip.includes(':') === (addressType === 'IPv6')
    const endpoints = [
      ...addresses.filter(ofFamily).map((address) => endpointOf(address, true)),
      ...notReadyAddresses.filter(ofFamily).map((address) => endpointOf(address, false)),
    ]
    return endpoints.length > 0 ? [{ addressType, endpoints, ports: slicePorts }] : []
  })
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  }
}

function contentOf({ addressType, endpoints, ports }: EndpointSlice): Content {
  return { addressType, endpoints, ports }
}

function sliceOf(endpoints: Endpoints, content: Content): EndpointSlice {
  const { name = '', namespace, labels } = endpoints.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: managedBy },
      ownerReferences: [controllerReference(endpoints)],
    },
    ...content,
  }
}
