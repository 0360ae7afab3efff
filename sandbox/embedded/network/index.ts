import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Pod, Service } from '../schema/types/core.v1.ts'
import { addressIn, inCIDR, parseIPv4 } from './addresses.ts'
import { type Address, connectionPair } from './connection.ts'
import { clusterDns, type DnsReply, type RecordType, upstream } from './dns.ts'
import { duplexOf, HttpBridge, requestOver } from './http-bridge.ts'
import {
  type Connection,
  type DnsAnswer,
  type DnsConfig,
  type HttpRequest,
  type HttpResponse,
  type Listener,
  type Network,
  NetworkError,
  type PodIdentity,
  type PodNetwork,
  type Protocol,
} from './network.ts'
import { admits, type Party } from './policy.ts'
import { resolveName } from './resolver.ts'
import { createServiceProxy, slicesOf } from './service-proxy.ts'

export interface NetworkOptions {
  /** Serves connections to the `kubernetes` Service; without it they are refused. */
  apiServer?: Listener
}

/** Where the pods' and Services' addresses come from, as kind lays them out. */
export const podCIDR = '10.244.0.0/16'
export const serviceCIDR = '10.96.0.0/16'
export const nodeCIDR = '172.18.0.0/16'
export const apiServerPort = 6443

/** A TCP client gives up after six repeated SYNs; an address nobody answers ARP for is known after three seconds. */
const synTimeout = 127_000
const arpTimeout = 3000

/** The network of a whole cluster: nodes, pods, Services and DNS over one table of addresses. */
export function createNetwork(ctx: ClusterContext, options: NetworkOptions = {}): Network & Disposable {
  return new ClusterNetwork(ctx, options)
}

/** One IP stack: a pod's, or a node's, which its host-network pods share. */
interface Host {
  ip: string
  node: string
  pod?: PodIdentity
  listeners: Map<string, Bound>
  nextPort: number
}

interface Bound {
  host: string
  port: number
  protocol: Protocol
  listener: Listener
  /** Absent where the API server itself answers. */
  owner?: Namespace
}

type Route = { deliver: Bound; from: Address; to: Address } | 'refused' | 'unreachable' | 'dropped'

class ClusterNetwork implements Network, Disposable {
  readonly ctx: ClusterContext
  readonly bridge = new HttpBridge()
  private readonly options: NetworkOptions
  private readonly proxy
  private readonly hosts = new Map<string, Host>()
  private readonly namespaces = new Map<string, Namespace>()

  constructor(ctx: ClusterContext, options: NetworkOptions) {
    this.ctx = ctx
    this.options = options
    this.proxy = createServiceProxy(ctx, () => this.nodeIPs())
  }

  attach(pod: PodIdentity): PodNetwork {
    const known = this.namespaces.get(pod.uid)
    if (known) return known
    const onNode = this.nodeNamed(pod.node)
    const host = onNode && internalIP(onNode) === pod.ip ? this.hostOf(pod.ip, pod.node) : this.hostOf(pod.ip, pod.node, pod)
    const namespace = new Namespace(this, host, pod.dns, pod.hosts, () => {
      this.namespaces.delete(pod.uid)
      if (host.pod?.uid === pod.uid) this.hosts.delete(pod.ip)
    })
    this.namespaces.set(pod.uid, namespace)
    return namespace
  }

  node(name: string): PodNetwork {
    const key = `node/${name}`
    const known = this.namespaces.get(key)
    if (known) return known
    const node = this.nodeNamed(name)
    if (!node) throw new NetworkError('EHOSTUNREACH', `no node ${name}`)
    const ip = internalIP(node) ?? ''
    const dns = { nameservers: [addressIn(nodeCIDR, 1)], searches: [], ndots: 1 }
    const namespace = new Namespace(this, this.hostOf(ip, name), dns, undefined, () => this.namespaces.delete(key))
    this.namespaces.set(key, namespace)
    return namespace
  }

  [Symbol.dispose](): void {
    for (const namespace of [...this.namespaces.values()]) namespace[Symbol.dispose]()
    this.bridge[Symbol.dispose]()
  }

  /** Where a connection from a namespace to an address ends. */
  route(source: Host, ip: string, port: number, protocol: Protocol = 'TCP'): Route {
    const clientPort = source.nextPort
    source.nextPort = clientPort >= 60999 ? 32768 : clientPort + 1
    if (inCIDR(ip, '127.0.0.0/8')) {
      const bound = source.listeners.get(socketKey(protocol, port))
      const from = { ip: '127.0.0.1', port: clientPort }
      return bound ? { deliver: bound, from, to: { ip, port } } : 'refused'
    }
    const translated = this.proxy.translate(source.ip, source.node, ip, port, protocol)
    if (translated === 'reject') return 'refused'
    if (translated === 'drop') return 'dropped'
    const to = translated?.to ?? this.hostPort(ip, port, protocol) ?? { ip, port }
    if (!translated && (this.proxy.owner(ip) || inCIDR(ip, serviceCIDR))) return 'refused'

    const target = this.hosts.get(to.ip)
    if (!target) {
      if (this.nodeIPs().has(to.ip)) return protocol === 'TCP' ? this.apiServer(to, source, clientPort) : 'refused'
      if (inCIDR(to.ip, nodeCIDR)) return 'unreachable'
      return 'dropped'
    }
    const from = { ip: this.seenAs(source, target, translated !== undefined), port: clientPort }
    if (source !== target && !this.sameNode(source, target) && !admits(this.ctx, party(source), party(target), to.port, protocol))
      return 'dropped'
    const bound = target.listeners.get(socketKey(protocol, to.port))
    if (!bound || bound.host === '127.0.0.1') {
      return protocol === 'TCP' && this.nodeIPs().has(to.ip) ? this.apiServer(to, source, clientPort) : 'refused'
    }
    return { deliver: bound, from, to }
  }

  /** Only real addresses answer an echo: a Service's is nobody's, and kube-proxy forwards ports. */
  echo(source: Host, ip: string): number | undefined {
    if (inCIDR(ip, '127.0.0.0/8') || ip === source.ip) return 64
    if (ip === this.gatewayOf(source.node)) return 64
    const target = this.hosts.get(ip)
    const node = target?.node ?? this.ctx.cache.list<Node>(resources.nodes).find((each) => internalIP(each) === ip)?.metadata.name
    if (node === undefined) return undefined
    if (target && !this.sameNode(source, target) && !admits(this.ctx, party(source), party(target), 0, 'ICMP')) return undefined
    // Each node on the way takes one off, but for the one that the packet begins or ends at.
    const routers =
      source.node === node ? Number(Boolean(source.pod && target?.pod)) : Number(Boolean(source.pod)) + Number(Boolean(target?.pod))
    return 64 - routers
  }

  ask(source: Host, nameserver: string, name: string, type: RecordType): DnsReply | undefined {
    if (nameserver === addressIn(nodeCIDR, 1)) return upstream(this.ctx, name, type)
    const kubeDns = this.ctx.cache.get<Service>(resources.services, 'kube-dns', 'kube-system')
    if (!kubeDns) return nameserver === addressIn(serviceCIDR, 10) ? clusterDns(this.ctx, name, type) : undefined
    const translated = this.proxy.translate(source.ip, source.node, nameserver, 53, 'UDP')
    if (translated === 'reject' || translated === 'drop') return undefined
    const ip = translated?.to.ip ?? nameserver
    const serves = slicesOf(this.ctx, kubeDns).some((slice) => slice.endpoints?.some((endpoint) => endpoint.addresses.includes(ip)))
    if (!serves) return undefined
    const server = this.hosts.get(ip)
    if (server && !admits(this.ctx, party(source), party(server), translated?.to.port ?? 53, 'UDP')) return undefined
    return clusterDns(this.ctx, name, type)
  }

  /** The pod whose hostPort a node's address and port mean, as the portmap plugin forwards them. */
  private hostPort(ip: string, port: number, protocol: Protocol): Address | undefined {
    if (!this.nodeIPs().has(ip)) return undefined
    for (const { spec, status } of this.ctx.cache.list<Pod>(resources.pods)) {
      if (spec?.hostNetwork || status?.hostIP !== ip || !status.podIP || !this.hosts.has(status.podIP)) continue
      const found = spec?.containers
        .flatMap(({ ports = [] }) => ports)
        .find((entry) => entry.hostPort === port && (entry.protocol ?? 'TCP') === protocol)
      if (found) return { ip: status.podIP, port: found.containerPort }
    }
    return undefined
  }

  private apiServer(to: Address, source: Host, clientPort: number): Route {
    const { apiServer } = this.options
    if (!apiServer || to.port !== apiServerPort) return 'refused'
    return { deliver: { host: '', port: to.port, protocol: 'TCP', listener: apiServer }, from: { ip: source.ip, port: clientPort }, to }
  }

  /** A node reaches its own pods from the gateway address of their block; a pod that reaches itself by a Service is masqueraded. */
  private seenAs(source: Host, target: Host, translated: boolean): string {
    if (!source.pod && target.pod && source.node === target.node) return this.gatewayOf(target.node)
    if (source === target && source.pod && translated) return this.gatewayOf(target.node)
    return source.ip
  }

  private gatewayOf(node: string): string {
    return addressIn(this.nodeNamed(node)?.spec?.podCIDR ?? podCIDR, 1)
  }

  /** NetworkPolicies never stop a node from reaching its own pods: the kubelet's probes come from there. */
  private sameNode(source: Host, target: Host): boolean {
    return !source.pod && source.node === target.node
  }

  private hostOf(ip: string, node: string, pod?: PodIdentity): Host {
    const known = this.hosts.get(ip)
    if (known && (known.pod === undefined) === (pod === undefined)) return known
    const host: Host = { ip, node, pod, listeners: new Map(), nextPort: 32768 + Math.floor(this.ctx.random() * 20000) }
    this.hosts.set(ip, host)
    return host
  }

  private nodeNamed(name: string): Node | undefined {
    return this.ctx.cache.get<Node>(resources.nodes, name)
  }

  private nodeIPs(): Set<string> {
    return new Set(this.ctx.cache.list<Node>(resources.nodes).flatMap((node) => internalIP(node) ?? []))
  }
}

/** A pod's or node's view of the network, which owns what was opened through it. */
class Namespace implements PodNetwork {
  readonly ip: string
  readonly dns: DnsConfig
  private readonly network: ClusterNetwork
  private readonly host: Host
  private readonly hosts: NonNullable<PodIdentity['hosts']>
  private readonly onDispose: () => void
  private readonly connections = new Set<Connection>()
  private readonly ended = new AbortController()

  constructor(network: ClusterNetwork, host: Host, dns: DnsConfig, hosts: PodIdentity['hosts'], onDispose: () => void) {
    this.network = network
    this.host = host
    this.ip = host.ip
    this.dns = dns
    this.hosts = hosts ?? (() => [])
    this.onDispose = onDispose
  }

  listen(port: number, listener: Listener, host = '', protocol: Protocol = 'TCP'): Disposable {
    const key = socketKey(protocol, port)
    if (this.ended.signal.aborted) throw new NetworkError('ECONNRESET', 'the network namespace is gone')
    if (this.host.listeners.has(key)) throw new NetworkError('EADDRINUSE', `address already in use: ${host || '0.0.0.0'}:${port}`)
    const loopback = host === 'localhost' || host.startsWith('127.')
    const bound: Bound = { host: loopback ? '127.0.0.1' : host === '::' ? '::' : '0.0.0.0', port, protocol, listener, owner: this }
    this.host.listeners.set(key, bound)
    return {
      [Symbol.dispose]: () => {
        if (this.host.listeners.get(key) === bound) this.host.listeners.delete(key)
      },
    }
  }

  async connect(host: string, port: number, signal?: AbortSignal, protocol: Protocol = 'TCP'): Promise<Connection> {
    const route = await this.reach(host, port, signal, protocol)
    const [near, far] = connectionPair(this.network.ctx.clock, route.from, route.to)
    this.own(near)
    route.deliver.owner?.own(far)
    const { listener } = route.deliver
    if ('http' in listener) this.network.bridge.serve(far, listener)
    else listener.accept(far)
    return near
  }

  async http(host: string, port: number, request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
    const route = await this.reach(host, port, signal)
    const { listener, owner } = route.deliver
    if ('http' in listener && listener.tls) return listener.tls.plain
    if ('http' in listener) {
      return await unlessAborted(answerOf(listener.http(request, route.from)), [signal, this.ended.signal, owner?.ended.signal])
    }
    const [near, far] = connectionPair(this.network.ctx.clock, route.from, route.to)
    this.own(near)
    owner?.own(far)
    listener.accept(far)
    return await requestOver(duplexOf(near), request, signal)
  }

  async resolve(name: string, type: RecordType = 'A', server?: string): Promise<DnsAnswer[]> {
    const ask = (nameserver: string, asked: string, kind: RecordType) => this.network.ask(this.host, nameserver, asked, kind)
    const dns = server === undefined ? this.dns : { ...this.dns, nameservers: [server] }
    return await resolveName(this.network.ctx.clock, dns, ask, name, type, this.ended.signal)
  }

  async lookup(host: string): Promise<string> {
    if (host === 'localhost' || host === '' || host === '::1' || host === '0.0.0.0') return '127.0.0.1'
    if (parseIPv4(host) !== undefined) return host
    const known = this.hosts().find(({ names }) => names.includes(host))
    if (known) return known.ip
    const answers = await this.resolve(host)
    const address = answers.find(({ type }) => type === 'A')
    if (!address) throw new NetworkError('ENOTFOUND', `no such host: ${host}`)
    return address.data
  }

  echo(ip: string): number | undefined {
    return this.network.echo(this.host, ip)
  }

  listeners(): { host: string; port: number; protocol: 'tcp' | 'udp' | 'sctp' }[] {
    return [...this.host.listeners.values()].map(({ host, port, protocol }) => ({
      host,
      port,
      protocol: protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp',
    }))
  }

  [Symbol.dispose](): void {
    if (this.ended.signal.aborted) return
    this.ended.abort(new NetworkError('ECONNRESET', 'the network namespace is gone'))
    for (const [key, bound] of this.host.listeners) if (bound.owner === this) this.host.listeners.delete(key)
    for (const connection of [...this.connections]) connection[Symbol.dispose]()
    this.onDispose()
  }

  own(connection: Connection): void {
    this.connections.add(connection)
    connection.onEnd(() => this.connections.delete(connection))
  }

  private async reach(host: string, port: number, signal?: AbortSignal, protocol: Protocol = 'TCP'): Promise<Exclude<Route, string>> {
    signal?.throwIfAborted()
    const ip = await this.lookup(host)
    const route = this.network.route(this.host, ip, port, protocol)
    const { clock } = this.network.ctx
    const waiting = signal ? AbortSignal.any([signal, this.ended.signal]) : this.ended.signal
    switch (route) {
      case 'refused':
        throw new NetworkError('ECONNREFUSED', `connect to ${ip}:${port}: connection refused`)
      case 'unreachable':
        await clock.sleep(arpTimeout, waiting)
        throw new NetworkError('EHOSTUNREACH', `connect to ${ip}:${port}: no route to host`)
      case 'dropped':
        await clock.sleep(synTimeout, waiting)
        throw new NetworkError('ETIMEDOUT', `connect to ${ip}:${port}: connection timed out`)
      default:
        return route
    }
  }
}

function socketKey(protocol: Protocol, port: number): string {
  return `${protocol}/${port}`
}

/** A program that fails while it answers looks like a connection that went away. */
async function answerOf(answer: Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await answer
  } catch (error) {
    throw new NetworkError('ECONNRESET', error instanceof Error ? error.message : String(error))
  }
}

function internalIP(node: Node): string | undefined {
  return node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
}

function party(host: Host): Party {
  if (!host.pod) return { ip: host.ip }
  return { ip: host.ip, pod: { namespace: host.pod.namespace, name: host.pod.name, labels: host.pod.labels() } }
}

function unlessAborted<T>(work: Promise<T>, signals: (AbortSignal | undefined)[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const listening = signals.filter((signal) => signal !== undefined)
    const abort = () => {
      finish()
      reject(listening.find(({ aborted }) => aborted)?.reason)
    }
    const finish = () => {
      for (const signal of listening) signal.removeEventListener('abort', abort)
    }
    if (listening.some(({ aborted }) => aborted)) {
      work.catch(() => {})
      return abort()
    }
    for (const signal of listening) signal.addEventListener('abort', abort, { once: true })
    work.then(
      (value) => {
        finish()
        resolve(value)
      },
      (error) => {
        finish()
        reject(error)
      },
    )
  })
}
