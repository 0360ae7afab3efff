import type { ClusterContext } from '../machinery/context.ts'
import { inCIDR } from './addresses.ts'
import type { Address } from './connection.ts'
import { type Host, type Hosts, internalIP, nodeCIDR, serviceCIDR } from './hosts.ts'
import type { Protocol } from './network.ts'
import { admits, type Party } from './policy.ts'
import type { ServiceProxy } from './service-proxy.ts'

/** Where a flow ends: the stack, and both addresses as that stack sees them. */
export interface Arrival {
  target: Host
  from: Address
  to: Address
}

export type Route = Arrival | 'refused' | 'unreachable' | 'dropped'

/** A packet passes few nodes: its own, one that a NodePort names, one where the endpoint is. */
const mostNodes = 4

/** The way of the first packet of a flow, node by node: kube-proxy's rules, hostPorts, routes, masquerade, NetworkPolicies. */
export class Forwarding {
  private readonly ctx: ClusterContext
  private readonly hosts: Hosts
  private readonly proxy: ServiceProxy

  constructor(ctx: ClusterContext, hosts: Hosts, proxy: ServiceProxy) {
    this.ctx = ctx
    this.hosts = hosts
    this.proxy = proxy
  }

  /** `kept` is where the flow's packets went so far. */
  route(source: Host, clientPort: number, destination: Address, protocol: Protocol, kept?: Address): Route {
    const loopback = inCIDR(destination.ip, '127.0.0.0/8')
    if (source.pod && (loopback || destination.ip === source.ip)) {
      return { target: source, from: { ip: destination.ip, port: clientPort }, to: destination }
    }
    let { node } = source
    let from = source.ip
    let to = destination
    let masquerade = false
    /** As policies know the sender, until a node on the way has put its own address in place of it. */
    let sender = party(source)
    for (let passed = 0; passed < mostNodes; passed++) {
      const own = (ip: string) => (passed === 0 && loopback && ip === destination.ip) || this.isAddressOf(node, ip)
      const inside = passed === 0
      const translated = this.proxy.translate({ node, protocol, source: from, destination: to, toNode: own(to.ip), inside, kept })
      if (translated === 'reject') return 'refused'
      if (translated === 'drop') return 'dropped'
      const mapped = translated ? undefined : own(to.ip) ? this.hosts.hostPort(node, to, protocol) : undefined
      if (!translated && (this.proxy.owner(to.ip) || inCIDR(to.ip, serviceCIDR))) return 'refused'
      masquerade ||= translated?.masquerade ?? (mapped !== undefined && (loopback || mapped.ip === from))
      to = translated?.to ?? mapped ?? to

      if (own(to.ip)) {
        const seen = loopback && inCIDR(to.ip, '127.0.0.0/8') ? '127.0.0.1' : masquerade ? this.hosts.gatewayOf(node) : from
        return { target: this.hosts.claim(this.nodeIP(node), node), from: { ip: seen, port: clientPort }, to }
      }
      const target = this.hosts.at(to.ip)
      if (target?.pod) {
        const fromNode = passed > 0 || !source.pod
        const here = target.node === node
        if (!(here && !sender.pod && passed === 0) && !admits(this.ctx, sender, party(target), to.port, protocol)) return 'dropped'
        const seen = here && (masquerade || (fromNode && passed === 0)) ? this.hosts.gatewayOf(node) : masquerade ? this.nodeIP(node) : from
        return { target, from: { ip: seen, port: clientPort }, to }
      }
      const next = this.hosts.nodeWith(to.ip)
      if (!next) return inCIDR(to.ip, nodeCIDR) ? 'unreachable' : 'dropped'
      const host = this.hosts.claim(to.ip, next.metadata.name ?? '')
      if (!admits(this.ctx, sender, party(host), to.port, protocol)) return 'dropped'
      // What leaves the pods' addresses goes out under the node's own.
      from = this.nodeIP(node)
      sender = { ip: from }
      masquerade = false
      node = next.metadata.name ?? ''
    }
    return 'dropped'
  }

  /** Only real addresses answer an echo: a Service's is nobody's, and kube-proxy forwards ports. */
  echo(source: Host, ip: string): number | undefined {
    if (inCIDR(ip, '127.0.0.0/8') || ip === source.ip) return 64
    if (ip === this.hosts.gatewayOf(source.node)) return 64
    const target = this.hosts.at(ip)
    const node = target?.node ?? this.hosts.nodeWith(ip)?.metadata.name
    if (node === undefined) return undefined
    const own = !source.pod && source.node === node
    if (target && !own && !admits(this.ctx, party(source), party(target), 0, 'ICMP')) return undefined
    // Each node on the way takes one off, but for the one that the packet begins or ends at.
    const routers =
      source.node === node ? Number(Boolean(source.pod && target?.pod)) : Number(Boolean(source.pod)) + Number(Boolean(target?.pod))
    return 64 - routers
  }

  private isAddressOf(node: string, ip: string): boolean {
    return ip === this.nodeIP(node) || ip === this.hosts.gatewayOf(node)
  }

  private nodeIP(name: string): string {
    const node = this.hosts.node(name)
    return (node && internalIP(node)) ?? ''
  }
}

function party(host: Host): Party {
  if (!host.pod) return { ip: host.ip }
  return { ip: host.ip, pod: { namespace: host.pod.namespace, name: host.pod.name, labels: host.pod.labels() } }
}
