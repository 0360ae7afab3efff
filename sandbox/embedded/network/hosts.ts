import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { addressIn, inCIDR } from './addresses.ts'
import type { Address } from './connection.ts'
import type { DnsReply, RecordType } from './dns.ts'
import type { Connection, Listener, PodIdentity, Protocol } from './network.ts'
import type { PathSizes } from './packet-sizes.ts'

/** Where the pods' and Services' addresses come from, as kind lays them out. */
export const podCIDR = '10.244.0.0/16'
export const serviceCIDR = '10.96.0.0/16'
export const nodeCIDR = '172.18.0.0/16'

/** The nodes' network that an address is of: kind's, or in a snapshot of another cluster the /16 around it. */
export function nodeNetworkOf(ip: string): string {
  return inCIDR(ip, nodeCIDR) ? nodeCIDR : `${ip.split('.').slice(0, 2).join('.')}.0.0/16`
}

/** One IP stack: a pod's, or a node's, which its host-network pods share. */
export interface Host {
  ip: string
  node: string
  pod?: PodIdentity
  /** A machine on the nodes' network that is none of them. */
  outside?: true
  /** A network namespace that somebody has made on a node: its node is NODE/NAME. */
  made?: true
  /** By socketKey. */
  listeners: Map<string, Bound>
  nextPort: number
  /** Answers to who asks this stack for names. */
  names?: NameServer
  /** How much its packets to other addresses may hold, where it has learnt that. */
  paths?: PathSizes
}

/** A name server in a stack; `asker` is the address and port of who asks. */
export type NameServer = (name: string, type: RecordType, asker: Address) => DnsReply | undefined

export interface Bound {
  host: string
  port: number
  protocol: Protocol
  listener: Listener
  /** Whose connections end with it; absent where the API server itself answers. */
  owner?: ConnectionOwner
}

export interface ConnectionOwner {
  own(connection: Connection): void
  readonly ended: AbortSignal
}

/** The stacks of a cluster by address, and what the API says of the nodes under them. */
export class Hosts {
  private readonly ctx: ClusterContext
  private readonly byIP = new Map<string, Host>()

  constructor(ctx: ClusterContext) {
    this.ctx = ctx
  }

  at(ip: string): Host | undefined {
    return this.byIP.get(ip)
  }

  ofPod(uid: string): Host | undefined {
    return [...this.byIP.values()].find(({ pod }) => pod?.uid === uid)
  }

  /** The stack with this address; a new one when there was none, or when the address is another kind's now. */
  claim(ip: string, node: string, pod?: PodIdentity): Host {
    const known = this.byIP.get(ip)
    if (known && (known.pod === undefined) === (pod === undefined)) return known
    const nextPort = 32768 + Math.floor(this.ctx.random() * 20000)
    const host: Host = { ip, node, pod, listeners: new Map(), nextPort }
    this.byIP.set(ip, host)
    return host
  }

  /** The stack of a namespace that was made on a node, by NODE/NAME. */
  made(place: string): Host {
    const host = this.claim(place, place)
    host.made = true
    return host
  }

  forget(host: Host): void {
    if (this.byIP.get(host.ip) === host) this.byIP.delete(host.ip)
  }

  node(name: string): Node | undefined {
    return this.ctx.cache.get<Node>(resources.nodes, name)
  }

  nodeWith(ip: string): Node | undefined {
    return this.ctx.cache.list<Node>(resources.nodes).find((node) => internalIP(node) === ip)
  }

  /** The address that a node has towards its own pods. */
  gatewayOf(node: string): string {
    return addressIn(this.node(node)?.spec?.podCIDR ?? podCIDR, 1)
  }

  /** The pod whose hostPort a node's address and port mean, as the portmap plugin forwards them. */
  hostPort(node: string, { ip, port }: Address, protocol: Protocol): Address | undefined {
    for (const { spec, status } of this.ctx.cache.indexed<Pod>(resources.pods, podNode, node)) {
      if (!spec || spec.hostNetwork || !status?.podIP || !this.byIP.get(status.podIP)?.pod) continue
      for (const { ports = [] } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        const found = ports.find(
          ({ hostPort, hostIP, protocol: declared = 'TCP' }) =>
            hostPort === port && declared === protocol && (!hostIP || hostIP === '0.0.0.0' || hostIP === ip),
        )
        if (found) return { ip: status.podIP, port: found.containerPort }
      }
    }
    return undefined
  }
}

export function internalIP(node: Node): string | undefined {
  return node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
}

/** The next port a stack takes for what it sends out. */
export function ephemeralPort(host: Host): number {
  const port = host.nextPort
  host.nextPort = port >= 60999 ? 32768 : port + 1
  return port
}

export function socketKey(protocol: Protocol, port: number): string {
  return `${protocol}/${port}`
}
