import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { IPAddress } from '../schema/types/networking.v1.ts'
import { WorkQueue } from './queue.ts'

/** Keeps an IPAddress for every address that a Service holds, as the API server's allocator does (KEP-1880). */
export function startServiceAddresses(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, (ip) => syncAddress(context, ip), { name: 'service-addresses' }))
  stack.use(
    context.cache.watch<Service>(resources.services, ({ object, previous }) => {
      for (const ip of new Set([...addressesOf(object), ...(previous ? addressesOf(previous) : [])])) queue.add(ip)
    }),
  )
  return stack
}

async function syncAddress({ cache, client }: ClusterContext, ip: string): Promise<void> {
  const owner = cache.list<Service>(resources.services).find((service) => addressesOf(service).includes(ip))
  const known = cache.get<IPAddress>(resources.ipAddresses, ip)
  try {
    if (owner && !known) await client.create<IPAddress>(resources.ipAddresses, addressOf(owner, ip))
    if (!owner && known) await client.delete(resources.ipAddresses, ip)
  } catch (error) {
    if (!isAlreadyExists(error) && !isNotFound(error)) throw error
  }
}

function addressesOf({ spec }: Service): string[] {
  return (spec?.clusterIPs ?? []).filter((ip) => ip !== 'None')
}

function addressOf({ metadata }: Service, ip: string): IPAddress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: {
      name: ip,
      labels: { 'ipaddress.kubernetes.io/ip-family': 'IPv4', 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' },
    },
    spec: { parentRef: { resource: 'services', namespace: metadata.namespace ?? '', name: metadata.name ?? '' } },
  }
}
