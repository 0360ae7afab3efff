import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Service, ServicePort } from '../schema/types/core.v1.ts'
import type { Endpoint, EndpointSlice } from '../schema/types/discovery.v1.ts'

/** Where a packet to a Service's address goes. `reject` answers "connection refused", `drop` answers nothing. */
export type Translation = { to: { ip: string; port: number } } | 'reject' | 'drop'

export interface ServiceProxy {
  /** Undefined when no Service claims this address and port. `node` is where the client's packet enters. */
  translate(clientIP: string, node: string | undefined, ip: string, port: number, protocol?: string): Translation | undefined
  /** The Service that owns an address, whatever its ports. */
  owner(ip: string): Service | undefined
}

/**
 * kube-proxy's decisions for virtual addresses, from Services and EndpointSlices as they are now.
 * @see https://kubernetes.io/docs/reference/networking/virtual-ips/
 */
export function createServiceProxy(ctx: ClusterContext, nodeIPs: () => ReadonlySet<string>): ServiceProxy {
  const affinity = new Map<string, { ip: string; port: number; used: number }>()

  function pick(service: Service, servicePort: ServicePort, clientIP: string, local: string | undefined): Translation {
    const all = endpointsOf(ctx, service, servicePort)
    const usable = usableOf(all)
    if (usable.length === 0) return 'reject'
    const candidates = local === undefined ? usable : usableOf(all.filter(({ endpoint }) => endpoint.nodeName === local))
    if (candidates.length === 0) return 'drop'
    const key = `${service.metadata.uid}/${servicePort.port}/${clientIP}`
    const sticky = service.spec?.sessionAffinity === 'ClientIP'
    if (sticky) {
      const kept = affinity.get(key)
      const lasts = (service.spec?.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) * 1000
      if (kept && ctx.clock.now() - kept.used < lasts && candidates.some(({ ip, port }) => ip === kept.ip && port === kept.port)) {
        kept.used = ctx.clock.now()
        return { to: { ip: kept.ip, port: kept.port } }
      }
    }
    const chosen = candidates[Math.floor(ctx.random() * candidates.length)] as Target
    if (sticky) affinity.set(key, { ip: chosen.ip, port: chosen.port, used: ctx.clock.now() })
    return { to: { ip: chosen.ip, port: chosen.port } }
  }

  return {
    translate(clientIP, node, ip, port, protocol = 'TCP') {
      const isNode = nodeIPs().has(ip)
      for (const service of ctx.cache.list<Service>(resources.services)) {
        const { spec } = service
        if (!spec || spec.type === 'ExternalName') continue
        const internal = spec.clusterIP !== 'None' && spec.clusterIP === ip
        const external = spec.externalIPs?.includes(ip) || service.status?.loadBalancer?.ingress?.some((ingress) => ingress.ip === ip)
        if (!internal && !external && !isNode) continue
        for (const servicePort of spec.ports ?? []) {
          if ((servicePort.protocol ?? 'TCP') !== protocol) continue
          if (isNode && !external ? servicePort.nodePort !== port : servicePort.port !== port) continue
          const localOnly = internal ? spec.internalTrafficPolicy === 'Local' : spec.externalTrafficPolicy === 'Local'
          return pick(service, servicePort, clientIP, localOnly ? (isNode ? nodeNamed(ctx, ip) : (node ?? '')) : undefined)
        }
      }
      return undefined
    },
    owner(ip) {
      return ctx.cache.list<Service>(resources.services).find(({ spec }) => spec?.clusterIP === ip)
    },
  }
}

interface Target {
  ip: string
  port: number
  endpoint: Endpoint
}

function endpointsOf(ctx: ClusterContext, service: Service, servicePort: ServicePort): Target[] {
  const targets: Target[] = []
  for (const slice of slicesOf(ctx, service)) {
    for (const port of slice.ports ?? []) {
      if ((port.name ?? '') !== (servicePort.name ?? '') || (port.protocol ?? 'TCP') !== (servicePort.protocol ?? 'TCP')) continue
      if (port.port === undefined) continue
      for (const endpoint of slice.endpoints ?? []) {
        const ip = endpoint.addresses[0]
        if (ip !== undefined) targets.push({ ip, port: port.port, endpoint })
      }
    }
  }
  return targets
}

/** Ready ones; when there is none, those that still serve while they terminate (KEP-1669). */
function usableOf(targets: Target[]): Target[] {
  const ready = targets.filter(({ endpoint }) => endpoint.conditions?.ready !== false)
  if (ready.length > 0) return ready
  return targets.filter(({ endpoint: { conditions } }) => conditions?.serving && conditions.terminating)
}

/** A Service's IPv4 EndpointSlices. */
export function slicesOf(ctx: ClusterContext, service: Service): EndpointSlice[] {
  return ctx.cache
    .list<EndpointSlice>(resources.endpointSlices, service.metadata.namespace)
    .filter((slice) => slice.addressType === 'IPv4' && slice.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name)
}

function nodeNamed(ctx: ClusterContext, ip: string): string {
  const node = ctx.cache.list<Node>(resources.nodes).find(({ status }) => status?.addresses?.some((address) => address.address === ip))
  return node?.metadata.name ?? ''
}
