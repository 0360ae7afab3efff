import type { GatewaySeat } from '../gateway/seat.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Service } from '../schema/types/core.v1.ts'
import { addressIn } from './addresses.ts'
import { Captures, dnsAnswer, dnsQuestion, type Hop, numberOf } from './capture.ts'
import type { Address } from './connection.ts'
import type { ServerBlock } from './corefile.ts'
import { clusterDns, type DnsReply, type RecordType, upstream } from './dns.ts'
import { Fabric } from './fabric.ts'
import { startFlannel } from './flannel.ts'
import { type Arrival, Forwarding, type Route } from './forwarding.ts'
import { type Bound, ephemeralPort, type Host, Hosts, internalIP, nodeCIDR, serviceCIDR, socketKey } from './hosts.ts'
import { HttpBridge } from './http-bridge.ts'
import { startKindnet } from './kindnet.ts'
import { kubeProxyListener } from './kube-proxy.ts'
import { answerBy } from './name-server.ts'
import { Namespace, type Surroundings } from './namespace.ts'
import { type Listener, type Network, NetworkError, type NodeNetwork, type PodIdentity, type PodNetwork, type Protocol } from './network.ts'
import { Outside } from './outside.ts'
import { PacketSizes } from './packet-sizes.ts'
import { createServiceProxy, slicesOf } from './service-proxy.ts'
import { serviceRules } from './service-rules.ts'
import type { Stack } from './stack.ts'
import { type Joint, Stacks } from './stacks.ts'

export { nodeCIDR, serviceCIDR } from './hosts.ts'

export interface NetworkOptions {
  /** Serves connections to the `kubernetes` Service; while there is none they are refused. */
  apiServer?: () => Listener | undefined
  /** Whether kindnet is the cluster's network plugin; it is unless told otherwise. */
  kindnet?: boolean
  /** For the programs of the built-in gateway. */
  gateway?: GatewaySeat
}

export const apiServerPort = 6443

/** The network of a whole cluster: nodes, pods, Services and DNS over one table of addresses. */
export function createNetwork(ctx: ClusterContext, options: NetworkOptions = {}): Network & Disposable {
  return new ClusterNetwork(ctx, options)
}

class ClusterNetwork implements Network, Surroundings, Disposable {
  readonly ctx: ClusterContext
  readonly bridge = new HttpBridge()
  readonly captures: Captures
  readonly forwarding: Forwarding
  readonly sizes: PacketSizes
  readonly gateway?: GatewaySeat
  private readonly options: NetworkOptions
  private readonly hosts: Hosts
  private readonly stacks: Stacks
  private readonly parts = new DisposableStack()
  private readonly namespaces = new Map<string, Namespace>()
  private closing = false
  private asking = 0
  private beside: Outside | undefined

  constructor(ctx: ClusterContext, options: NetworkOptions) {
    this.ctx = ctx
    this.captures = new Captures(ctx.clock)
    this.options = options
    if (options.gateway) this.gateway = options.gateway
    this.hosts = new Hosts(ctx)
    this.stacks = this.parts.use(new Stacks(ctx))
    const fabric = new Fabric(this.stacks)
    this.forwarding = new Forwarding(ctx, this.hosts, createServiceProxy(ctx), fabric)
    this.sizes = new PacketSizes(ctx.clock, this.stacks, fabric)
    if (options.kindnet !== false) this.parts.use(startKindnet(ctx, this.stacks))
  }

  attach(pod: PodIdentity): PodNetwork {
    const known = this.namespaces.get(pod.uid)
    if (known) return known
    const onNode = this.hosts.node(pod.node)
    const host = this.hosts.claim(pod.ip, pod.node, onNode && internalIP(onNode) === pod.ip ? undefined : pod)
    const joint: Joint = pod.joint ?? { type: 'ptp', gateway: this.hosts.gatewayOf(pod.node), mtu: 1500 }
    if (host.pod && pod.ip) this.stacks.join(pod.node, pod, joint)
    const ofNode = host.pod ? undefined : this.nodeNetwork(pod.node)
    const namespace = new Namespace(this, host, pod.dns, pod.hosts, ofNode, () => {
      this.namespaces.delete(pod.uid)
      if (host.pod?.uid === pod.uid) this.hosts.forget(host)
      // What ends with the cluster's process is there again when the cluster is.
      if (!this.closing) this.stacks.part(pod.node, pod.uid)
    })
    this.namespaces.set(pod.uid, namespace)
    return namespace
  }

  node(name: string): PodNetwork {
    const key = `node/${name}`
    const known = this.namespaces.get(key)
    if (known) return known
    const node = this.hosts.node(name)
    if (!node) throw new NetworkError('EHOSTUNREACH', `no node ${name}`)
    const dns = { nameservers: [addressIn(nodeCIDR, 1)], searches: [], ndots: 1 }
    const host = this.hosts.claim(internalIP(node) ?? '', name)
    const namespace = new Namespace(this, host, dns, undefined, this.nodeNetwork(name), () => this.namespaces.delete(key))
    this.namespaces.set(key, namespace)
    return namespace
  }

  outside(): Outside {
    this.beside ??= this.parts.use(
      new Outside(this.ctx, {
        forwarding: this.forwarding,
        stacks: this.stacks,
        hosts: this.hosts,
        listening: (arrival) => this.listening(arrival, 'TCP') !== undefined,
        namespace: (host) => new Namespace(this, host, { nameservers: [], searches: [], ndots: 1 }, undefined, undefined, () => undefined),
      }),
    )
    return this.beside
  }

  listenersChanged(host: Host): void {
    if (!host.pod) this.beside?.changed()
  }

  stack(node: string): Stack | undefined {
    return this.stacks.at(node)
  }

  stackOf(node: string, pod: { uid: string; ip: string }): Stack | undefined {
    return this.stacks.pod(node, pod)
  }

  obstacle(node: string, ip: string, port: number): 'refused' | 'unreachable' | 'dropped' | undefined {
    const known = this.hosts.node(node)
    const route = this.forwarding.route(this.hosts.claim((known && internalIP(known)) ?? '', node), 0, { ip, port }, 'TCP')
    if (typeof route === 'string') return route === 'no route' || route === 'prohibited' ? 'unreachable' : route
    return this.listening(route, 'TCP') ? undefined : 'refused'
  }

  private nodeNetwork(name: string): NodeNetwork | undefined {
    const stack = this.stacks.node(name)
    if (!stack) return undefined
    return {
      name,
      stack,
      serviceRules: () => serviceRules(this.ctx, name),
      namespaces: {
        names: () => this.stacks.namespaces(name),
        add: (each) => this.stacks.addNamespace(name, each),
        delete: (each) => {
          this.stacks.deleteNamespace(name, each)
          this.namespaces.get(`node/${name}/${each}`)?.[Symbol.dispose]()
        },
        open: (each) => this.made(name, each),
        addPair: (ends) => this.stacks.addPair(name, ends),
        move: (from, device, to) => this.stacks.move(name, from, device, to),
      },
      flannel: (config, runsOn) => startFlannel(this.ctx, this.stacks, name, config, runsOn),
    }
  }

  private made(node: string, name: string): PodNetwork | undefined {
    const place = `${node}/${name}`
    if (!this.stacks.namespaces(node).includes(name)) return undefined
    const known = this.namespaces.get(`node/${place}`)
    if (known) return known
    const dns = { nameservers: [addressIn(nodeCIDR, 1)], searches: [], ndots: 1 }
    const host = this.hosts.made(place)
    const namespace = new Namespace(this, host, dns, undefined, this.nodeNetwork(node), () => {
      this.namespaces.delete(`node/${place}`)
      this.hosts.forget(host)
    })
    this.namespaces.set(`node/${place}`, namespace)
    return namespace
  }

  checkpoint(): void {
    this.stacks.checkpoint()
  }

  [Symbol.dispose](): void {
    this.closing = true
    for (const namespace of [...this.namespaces.values()]) namespace[Symbol.dispose]()
    this.parts.dispose()
    this.bridge[Symbol.dispose]()
  }

  listening({ target, to }: Arrival, protocol: Protocol): Bound | undefined {
    const bound = target.listeners.get(socketKey(protocol, to.port))
    if (bound && (bound.host !== '127.0.0.1' || to.ip.startsWith('127.'))) return bound
    if (target.pod || protocol !== 'TCP') return undefined
    const apiServer = to.port === apiServerPort ? this.options.apiServer?.() : undefined
    const listener = apiServer ?? kubeProxyListener(this.ctx, target.node, to.port, to.ip.startsWith('127.'))
    return listener && { host: '', port: to.port, protocol, listener }
  }

  ask(source: Host, nameserver: string, name: string, type: RecordType): DnsReply | undefined {
    if (nameserver === addressIn(nodeCIDR, 1)) return upstream(this.ctx, name, type)
    const kubeDns = this.ctx.cache.get<Service>(resources.services, 'kube-dns', 'kube-system')
    if (!kubeDns && nameserver === addressIn(serviceCIDR, 10)) return clusterDns(this.ctx, name, type)
    const clientPort = ephemeralPort(source)
    const trace: Hop[] | undefined = this.captures.active ? [] : undefined
    const route = this.forwarding.route(source, clientPort, { ip: nameserver, port: 53 }, 'UDP', undefined, trace)
    const id = trace ? numberOf(`${source.ip}:${clientPort}/${name}/${type}`) % 65_536 : 0
    if (trace) this.captures.send(trace, { type: 'UDP', ...dnsQuestion(id, name, type) })
    const reply = this.replyOf(route, kubeDns, name, type)
    if (trace && reply) this.captures.answer(trace, { type: 'UDP', ...dnsAnswer(id, name, reply) })
    return reply
  }

  private replyOf(route: Route, kubeDns: Service | undefined, name: string, type: RecordType): DnsReply | undefined {
    if (typeof route === 'string') return undefined
    if (route.target.names) return route.target.names(name, type, route.from)
    if (!kubeDns) return undefined
    const serves = slicesOf(this.ctx, kubeDns).some((slice) => slice.endpoints?.some(({ addresses }) => addresses.includes(route.to.ip)))
    return serves ? clusterDns(this.ctx, name, type) : undefined
  }

  answer(
    host: Host,
    blocks: readonly ServerBlock[],
    name: string,
    type: RecordType,
    asker: Address,
    log: (line: string) => void,
  ): DnsReply {
    if (this.asking >= longestChain) return { rcode: 'SERVFAIL', answers: [] }
    this.asking++
    try {
      const sources = {
        cluster: (asked: string, kind: RecordType) => clusterDns(this.ctx, asked, kind),
        upstream: (asked: string, kind: RecordType) => upstream(this.ctx, asked, kind),
        ask: (server: string, asked: string, kind: RecordType) => this.ask(host, server, asked, kind),
      }
      const { reply, logs } = answerBy(blocks, sources, name, type)
      if (logs) {
        const full = `${name.replace(/\.$/, '')}.`
        const id = Math.floor(this.ctx.random() * 65536)
        const size = full.length + 17
        const flags = reply.rcode === 'SERVFAIL' ? 'qr,rd' : 'qr,aa,rd'
        const answered = size + reply.answers.reduce((sum, answer) => sum + answer.name.length + 16, 0)
        log(
          `[INFO] ${asker.ip}:${asker.port} - ${id} "${type} IN ${full} udp ${size} false 512" ${reply.rcode} ${flags} ${answered} 0.000${Math.floor(100_000 + this.ctx.random() * 400_000)}s\n`,
        )
      }
      return reply
    } finally {
      this.asking--
    }
  }
}

/** Servers that forward to each other stop here. */
const longestChain = 8
