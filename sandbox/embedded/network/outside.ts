import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import type { Node, Pod, Service, ServicePort } from '../schema/types/core.v1.ts'
import { addressIn, inCIDR } from './addresses.ts'
import type { Address } from './connection.ts'
import type { Arrival, Forwarding } from './forwarding.ts'
import { type Host, type Hosts, internalIP, nodeCIDR, nodeNetworkOf } from './hosts.ts'
import type { Connection, PodNetwork } from './network.ts'
import { endpointsFor, isBalanced } from './service-proxy.ts'
import type { Stacks } from './stacks.ts'

/** An address on the nodes' network, and what becomes of a TCP connection to its ports: all others are refused. */
export interface OutsideAddress {
  ip: string
  /** Taken. */
  open: number[]
  /** Nothing comes back. */
  silent: number[]
}

export interface OutsideView {
  /** The nodes' network, such as 172.18.0.0/16: its other addresses are nobody's. */
  network: string
  addresses: OutsideAddress[]
}

export interface OutsideParts {
  forwarding: Forwarding
  stacks: Stacks
  hosts: Hosts
  listening(arrival: Arrival): boolean
  namespace(host: Host): PodNetwork
}

/** Ports that a machine outside is told of, at most. */
const mostPorts = 256
/** What a node answers without a program of its own: the API server, and kube-proxy's health. */
const standingPorts = [6443, 10256]

/**
 * The cluster as a machine sees it that is on the nodes' network and none of them, as the machine is that kind runs on: nodes'
 * addresses with what listens there, NodePorts and hostPorts, and load balancers' addresses. Pods and ClusterIPs are not
 * to be reached, since nobody has told such a machine the way.
 */
export class Outside implements Disposable {
  private readonly ctx: ClusterContext
  private readonly parts: OutsideParts
  private readonly listeners = new Set<() => void>()
  private readonly owned = new DisposableStack()
  private watches: DisposableStack | undefined
  private readonly host: Host
  private readonly namespace: PodNetwork

  constructor(ctx: ClusterContext, parts: OutsideParts) {
    this.ctx = ctx
    this.parts = parts
    const ip = addressIn(this.network(), 1)
    this.host = { ip, node: '', outside: true, listeners: new Map(), nextPort: 32768 }
    this.namespace = this.owned.use(parts.namespace(this.host))
  }

  /** Rejects with NetworkError as PodNetwork.connect does. */
  connect(ip: string, port: number, signal?: AbortSignal): Promise<Connection> {
    return this.namespace.connect(ip, port, signal)
  }

  /** What answers now. At most 256 ports, load balancers' first. */
  view(): OutsideView {
    const network = this.network()
    const found = new Map<string, OutsideAddress>()
    let left = mostPorts
    const add = (ip: string, ports: Iterable<number>) => {
      const address = found.get(ip) ?? { ip, open: [], silent: [] }
      found.set(ip, address)
      for (const port of new Set(ports)) {
        if (left === 0 || address.open.includes(port) || address.silent.includes(port)) continue
        const outcome = this.outcome({ ip, port })
        if (outcome === 'refused') continue
        address[outcome].push(port)
        left--
      }
    }
    for (const service of this.ctx.cache.list<Service>(resources.services)) {
      for (const { ip } of service.status?.loadBalancer?.ingress ?? []) {
        if (ip && inCIDR(ip, network) && isBalanced(service, ip) && this.parts.forwarding.entrance(ip) !== undefined) {
          add(
            ip,
            tcpPorts(service).map(({ port }) => port),
          )
        }
      }
    }
    for (const { metadata } of this.ctx.cache.list<Node>(resources.nodes)) {
      const name = metadata.name ?? ''
      const links = this.parts.stacks.node(name)?.links ?? []
      const own = links.filter(({ kind, up }) => kind === 'ethernet' && up).flatMap(({ addresses }) => addresses)
      for (const { ip } of own) if (inCIDR(ip, network)) add(ip, this.portsOf(name, ip))
    }
    return { network, addresses: [...found.values()] }
  }

  /** Hears that the view may be another now. */
  onChange(listener: () => void): Disposable {
    this.listeners.add(listener)
    this.watches ??= this.watch()
    return {
      [Symbol.dispose]: () => {
        this.listeners.delete(listener)
        if (this.listeners.size > 0) return
        this.watches?.dispose()
        this.watches = undefined
      },
    }
  }

  changed(): void {
    for (const listener of [...this.listeners]) listener()
  }

  [Symbol.dispose](): void {
    this.listeners.clear()
    this.watches?.dispose()
    this.owned.dispose()
  }

  private watch(): DisposableStack {
    const watches = new DisposableStack()
    const { services, endpointSlices, nodes, pods, networkPolicies, namespaces } = resources
    for (const resource of [services, endpointSlices, nodes, pods, networkPolicies, namespaces])
      watches.use(this.ctx.cache.watch(resource, () => this.changed()))
    watches.use(this.parts.stacks.onChange(() => this.changed()))
    return watches
  }

  private network(): string {
    const [first] = this.ctx.cache.list<Node>(resources.nodes)
    const ip = first && internalIP(first)
    return ip ? nodeNetworkOf(ip) : nodeCIDR
  }

  /** Ports of a node's address where something may answer. */
  private *portsOf(node: string, ip: string): Generator<number> {
    for (const service of this.ctx.cache.list<Service>(resources.services)) {
      for (const { nodePort, port } of tcpPorts(service)) {
        if (nodePort !== undefined) yield nodePort
        if (service.spec?.externalIPs?.includes(ip)) yield port
      }
      if (service.spec?.healthCheckNodePort) yield service.spec.healthCheckNodePort
    }
    const known = this.parts.hosts.node(node)
    const listeners = this.parts.hosts.at((known && internalIP(known)) ?? '')?.listeners.values() ?? []
    for (const { port, protocol, host } of listeners) if (protocol === 'TCP' && host !== '127.0.0.1') yield port
    for (const { spec } of this.ctx.cache.indexed<Pod>(resources.pods, podNode, node)) {
      for (const { ports = [] } of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])])
        for (const { hostPort, protocol = 'TCP' } of ports) if (hostPort && protocol === 'TCP') yield hostPort
    }
    yield* standingPorts
  }

  /** What becomes of a connection, whichever endpoint it may be given. */
  private outcome(to: Address): 'open' | 'silent' | 'refused' {
    const routes = this.targetsOf(to).map((kept) => this.parts.forwarding.route(this.host, 0, to, 'TCP', kept))
    if (routes.some((route) => typeof route !== 'string' && this.parts.listening(route))) return 'open'
    return routes.some((route) => route === 'dropped' || route === 'unreachable') ? 'silent' : 'refused'
  }

  /** The endpoints that kube-proxy may choose for a connection; one undefined where it has none to choose. */
  private targetsOf({ ip, port }: Address): (Address | undefined)[] {
    const node = this.parts.forwarding.entrance(ip)
    for (const service of this.ctx.cache.list<Service>(resources.services)) {
      const external = isBalanced(service, ip) || service.spec?.externalIPs?.includes(ip)
      const found = tcpPorts(service).find((each) => (external ? each.port : each.nodePort) === port)
      if (!found || node === undefined) continue
      const { cluster, local } = endpointsFor(this.ctx, node, service, found)
      const targets = service.spec?.externalTrafficPolicy === 'Local' ? local : cluster
      return targets.length > 0 ? targets : [undefined]
    }
    return [undefined]
  }
}

function tcpPorts({ spec }: Service): ServicePort[] {
  return (spec?.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP')
}
