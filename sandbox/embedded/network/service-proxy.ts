import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { sliceService } from '../machinery/slice-index.ts'
import type { Node, Service, ServicePort } from '../schema/types/core.v1.ts'
import type { Endpoint, EndpointSlice } from '../schema/types/discovery.v1.ts'
import { inCIDR } from './addresses.ts'
import type { Address } from './connection.ts'
import type { Protocol } from './network.ts'

/** A packet that begins a flow, as one node's kube-proxy sees it. */
export interface Flow {
  /** The node whose rules it meets. */
  node: string
  protocol: Protocol
  source: string
  destination: Address
  /** The destination is an address of the node itself. */
  toNode: boolean
  /** It comes from a pod of the cluster or from the node itself: external traffic policies don't bind it. */
  inside: boolean
  /** Where the flow went so far; it stays there while that is an endpoint. */
  kept?: Address
}

/** Where a packet to a Service's address goes. `reject` answers "connection refused", `drop` answers nothing. */
export type Translation = { to: Address; masquerade: boolean } | 'reject' | 'drop'

export interface ServiceProxy {
  /** Undefined when no Service claims this address and port. */
  translate(flow: Flow): Translation | undefined
  /** The Service that owns an address, whatever its ports. */
  owner(ip: string): Service | undefined
  /** The Ready nodes that answer for a load balancer's address, by name; none for any other address. */
  announcers(ip: string): string[]
}

/**
 * kube-proxy's decisions for virtual addresses, from Services and EndpointSlices as they are now.
 * @see https://kubernetes.io/docs/reference/networking/virtual-ips/
 */
export function createServiceProxy(ctx: ClusterContext): ServiceProxy {
  const affinity = new Map<string, Address & { used: number }>()

  function pick(service: Service, servicePort: ServicePort, flow: Flow, local: boolean): Address | 'reject' | 'drop' {
    const all = endpointsOf(ctx, service, servicePort)
    if (usableOf(all).length === 0) return 'reject'
    const near = local ? all.filter(({ endpoint }) => endpoint.nodeName === flow.node) : hinted(all, flow.node, zoneOf(ctx, flow.node))
    const candidates = usableOf(near)
    if (candidates.length === 0) return 'drop'
    const among = (address: Address) => candidates.some(({ ip, port }) => ip === address.ip && port === address.port)
    if (flow.kept && among(flow.kept)) return flow.kept
    const { spec, metadata } = service
    const lasts = spec?.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) * 1000 : undefined
    const key = `${flow.node}/${metadata.uid}/${servicePort.port}/${flow.protocol}/${flow.source}`
    const now = ctx.clock.now()
    const kept = affinity.get(key)
    if (lasts !== undefined && kept && now - kept.used < lasts && among(kept)) {
      kept.used = now
      return { ip: kept.ip, port: kept.port }
    }
    const { ip, port } = candidates[Math.floor(ctx.random() * candidates.length)] as Target
    if (lasts !== undefined) affinity.set(key, { ip, port, used: now })
    return { ip, port }
  }

  return {
    translate(flow) {
      const { ip, port } = flow.destination
      for (const service of ctx.cache.list<Service>(resources.services)) {
        const { spec } = service
        if (!spec || spec.type === 'ExternalName' || spec.clusterIP === 'None') continue
        const internal = spec.clusterIP === ip
        const balanced = isBalanced(service, ip)
        const external = balanced || (spec.externalIPs?.includes(ip) ?? false)
        if (!internal && !external && !flow.toNode) continue
        for (const servicePort of spec.ports ?? []) {
          if ((servicePort.protocol ?? 'TCP') !== flow.protocol) continue
          if ((internal || external ? servicePort.port : servicePort.nodePort) !== port) continue
          const ranges = spec.loadBalancerSourceRanges ?? []
          if (balanced && ranges.length > 0 && !ranges.some((range) => inCIDR(flow.source, range.trim()))) return 'drop'
          const policy = internal ? spec.internalTrafficPolicy : flow.inside ? 'Cluster' : spec.externalTrafficPolicy
          const to = pick(service, servicePort, flow, policy === 'Local')
          if (typeof to === 'string') return to
          // What may go on to another node has to come back by this one, and so does what a pod sends to itself.
          return { to, masquerade: (!internal && spec.externalTrafficPolicy !== 'Local') || to.ip === flow.source }
        }
      }
      return undefined
    },
    owner(ip) {
      return ctx.cache.list<Service>(resources.services).find(({ spec }) => spec?.clusterIP === ip)
    },
    announcers(ip) {
      const service = ctx.cache.list<Service>(resources.services).find((each) => isBalanced(each, ip))
      if (!service) return []
      const names = ctx.cache.list<Node>(resources.nodes).flatMap(({ metadata, status }) => {
        const isReady = status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True')
        return isReady ? [metadata.name ?? ''] : []
      })
      const local = service.spec?.externalTrafficPolicy === 'Local'
      const serves = (node: string) => service.spec?.ports?.some((port) => endpointsFor(ctx, node, service, port).local.length > 0)
      return names.filter((node) => !local || serves(node)).sort()
    },
  }
}

/** Whether an address is one that a load balancer has given to a Service, for kube-proxy to answer. */
export function isBalanced({ status }: Service, ip: string): boolean {
  return status?.loadBalancer?.ingress?.some((ingress) => ingress.ip === ip && ingress.ipMode !== 'Proxy') ?? false
}

/** A port's endpoints as a node's kube-proxy sorts them: by policy Cluster and Local, and whether there is any at all. */
export function endpointsFor(
  ctx: Pick<ClusterContext, 'cache'>,
  node: string,
  service: Service,
  servicePort: ServicePort,
): { cluster: Address[]; local: Address[]; any: boolean } {
  const all = endpointsOf(ctx, service, servicePort)
  const local = usableOf(all.filter(({ endpoint }) => endpoint.nodeName === node))
  return { cluster: usableOf(hinted(all, node, zoneOf(ctx, node))), local, any: usableOf(all).length > 0 }
}

/** The endpoints that a Service's port means now: the ready ones, or those that still serve where there is none. */
export function serviceTargets(ctx: Pick<ClusterContext, 'cache'>, service: Service, servicePort: ServicePort): Address[] {
  return usableOf(endpointsOf(ctx, service, servicePort))
}

function zoneOf({ cache }: Pick<ClusterContext, 'cache'>, node: string): string | undefined {
  return cache.get<Node>(resources.nodes, node)?.metadata.labels?.['topology.kubernetes.io/zone']
}

interface Target {
  ip: string
  port: number
  endpoint: Endpoint
}

function endpointsOf(ctx: Pick<ClusterContext, 'cache'>, service: Service, servicePort: ServicePort): Target[] {
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

/**
 * The endpoints that topology hints give to a node or its zone; all of them where a ready one has no hint or none is near.
 * @see https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/
 */
function hinted(targets: Target[], node: string, zone: string | undefined): Target[] {
  const ready = targets.filter(({ endpoint }) => endpoint.conditions?.ready !== false)
  if (ready.length === 0) return targets
  const byNode = (endpoint: Endpoint) => endpoint.hints?.forNodes ?? []
  const byZone = (endpoint: Endpoint) => endpoint.hints?.forZones ?? []
  for (const [hints, name] of [[byNode, node] as const, [byZone, zone] as const]) {
    if (ready.some(({ endpoint }) => hints(endpoint).length === 0)) continue
    const near = ready.filter(({ endpoint }) => hints(endpoint).some((hint) => hint.name === name))
    if (near.length > 0) return near
  }
  return targets
}

/** A Service's IPv4 EndpointSlices. */
export function slicesOf(ctx: Pick<ClusterContext, 'cache'>, service: Service): EndpointSlice[] {
  const { namespace, name } = service.metadata
  return ctx.cache
    .indexed<EndpointSlice>(resources.endpointSlices, sliceService, `${namespace}/${name}`)
    .filter(({ addressType }) => addressType === 'IPv4')
}
