import type { GatewaySeat } from '../gateway/seat.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { parseIPv4 } from './addresses.ts'
import { type Captures, type Hop, SeenFlow, type SeenPacket } from './capture.ts'
import { type Address, connectionPair, type Transfer } from './connection.ts'
import type { ServerBlock } from './corefile.ts'
import type { DnsReply, RecordType } from './dns.ts'
import { answerDatagrams, answerStream, readQuestion, writeReply } from './dns-wire.ts'
import type { Arrival, Forwarding } from './forwarding.ts'
import { type Bound, type ConnectionOwner, ephemeralPort, type Host, type NameServer, socketKey } from './hosts.ts'
import { duplexOf, type HttpBridge, requestOver } from './http-bridge.ts'
import {
  type Connection,
  type DnsAnswer,
  type DnsConfig,
  type Echo,
  type EchoOutcome,
  type HttpRequest,
  type HttpResponse,
  type Listener,
  NetworkError,
  type NodeNetwork,
  type PodIdentity,
  type PodNetwork,
  type Protocol,
} from './network.ts'
import type { PacketSizes } from './packet-sizes.ts'
import { resolveName } from './resolver.ts'
import type { Stack } from './stack.ts'
import { unlessAborted } from './waiting.ts'

/** A TCP client gives up after six repeated SYNs; an address nobody answers ARP for is known after three seconds. */
const synTimeout = 127_000
const arpTimeout = 3000
/** IP's and ICMP's, bytes. */
const icmpHeaders = 28
/** Of a router's word that a packet is too long, with the packet's beginning: bytes without IP's header. */
const refusalSize = 556

/** What a namespace needs of the cluster's network. */
export interface Surroundings {
  readonly ctx: ClusterContext
  readonly bridge: HttpBridge
  readonly captures: Captures
  readonly forwarding: Forwarding
  readonly sizes: PacketSizes
  readonly gateway?: GatewaySeat
  /** The stack of a node, or by NODE/NAME of a namespace that was made on one. */
  stack(place: string): Stack | undefined
  /** A pod's own devices and routes. */
  stackOf(node: string, pod: { uid: string; ip: string }): Stack | undefined
  /** What answers at the end of a flow; undefined where nothing listens. */
  listening(arrival: Arrival, protocol: Protocol): Bound | undefined
  /** What CoreDNS in a stack answers. */
  answer(host: Host, blocks: readonly ServerBlock[], name: string, type: RecordType, asker: Address, log: (line: string) => void): DnsReply
  ask(source: Host, nameserver: string, name: string, type: RecordType): DnsReply | undefined
  /** Something listens or no longer listens in a stack. */
  listenersChanged(host: Host): void
}

/** A pod's or node's view of the network, which owns what was opened through it. */
export class Namespace implements PodNetwork, ConnectionOwner {
  readonly ip: string
  readonly node?: NodeNetwork
  readonly made?: { name: string; node: NodeNetwork }
  readonly dns: DnsConfig
  private readonly network: Surroundings
  private readonly host: Host
  private readonly hosts: NonNullable<PodIdentity['hosts']>
  private readonly onDispose: () => void
  private readonly connections = new Set<Connection>()
  private readonly end = new AbortController()

  constructor(
    network: Surroundings,
    host: Host,
    dns: DnsConfig,
    hosts: PodIdentity['hosts'],
    node: NodeNetwork | undefined,
    onDispose: () => void,
  ) {
    this.network = network
    this.host = host
    this.ip = host.ip
    this.dns = dns
    const [, name] = host.node.split('/')
    if (node && name !== undefined) this.made = { name, node }
    else if (node) this.node = node
    this.hosts = hosts ?? (() => [])
    this.onDispose = onDispose
  }

  get stack(): Stack | undefined {
    const { pod, node, made } = this.host
    if (made) return this.network.stack(node)
    return pod ? this.network.stackOf(node, pod) : undefined
  }

  get gateway(): GatewaySeat | undefined {
    return this.network.gateway
  }

  get ended(): AbortSignal {
    return this.end.signal
  }

  listen(port: number, listener: Listener, host = '', protocol: Protocol = 'TCP'): Disposable {
    const key = socketKey(protocol, port)
    if (this.ended.aborted) throw new NetworkError('ECONNRESET', 'the network namespace is gone')
    if (this.host.listeners.has(key)) throw new NetworkError('EADDRINUSE', `address already in use: ${host || '0.0.0.0'}:${port}`)
    const bound: Bound = { host: boundTo(host), port, protocol, listener, owner: this }
    this.host.listeners.set(key, bound)
    this.network.listenersChanged(this.host)
    return {
      [Symbol.dispose]: () => {
        if (this.host.listeners.get(key) !== bound) return
        this.host.listeners.delete(key)
        this.network.listenersChanged(this.host)
      },
    }
  }

  async connect(
    host: string,
    port: number,
    signal?: AbortSignal,
    protocol: Protocol = 'TCP',
    patience: number = synTimeout,
  ): Promise<Connection> {
    const { bound, from, to, seen, transfer } = await this.reach(host, port, signal, protocol, patience)
    const [near, far] = connectionPair(this.network.ctx.clock, from, to, seen, transfer)
    seen.open()
    this.own(near)
    bound.owner?.own(far)
    const { listener } = bound
    if ('http' in listener) this.network.bridge.serve(far, listener)
    else listener.accept(far)
    return near
  }

  async http(host: string, port: number, request: HttpRequest, signal?: AbortSignal, patience: number = synTimeout): Promise<HttpResponse> {
    const { bound, from, to, seen, transfer } = await this.reach(host, port, signal, 'TCP', patience)
    seen.open()
    if (request.progress) request.progress.connected = true
    const { listener, owner } = bound
    if ('http' in listener && listener.tls) return listener.tls.plain
    if ('http' in listener) {
      seen.request(request)
      const arrives = (fromClient: boolean, { length }: Uint8Array) => !transfer || length === 0 || transfer(fromClient, length) === length
      try {
        if (!arrives(true, request.body)) return await unlessAborted(nothing(), [signal, this.ended, owner?.ended])
        const response = await unlessAborted(answerOf(listener.http(request, from)), [signal, this.ended, owner?.ended])
        if (request.method !== 'HEAD' && !arrives(false, response.body))
          return await unlessAborted(nothing(), [signal, this.ended, owner?.ended])
        seen.response(response)
        return response
      } finally {
        seen.end(true)
        seen.end(false)
      }
    }
    const [near, far] = connectionPair(this.network.ctx.clock, from, to, seen, transfer)
    this.own(near)
    owner?.own(far)
    listener.accept(far)
    return await requestOver(duplexOf(near), request, signal)
  }

  async unverified(host: string, port: number, request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse | undefined> {
    // Who looks on sees the bytes of a handshake.
    if (this.network.captures.active) return undefined
    const { bound, from } = await this.reach(host, port, signal, 'TCP', synTimeout)
    const { listener, owner } = bound
    const answer = 'http' in listener ? listener.tls && listener.http(request, from) : listener.https?.(request)
    return answer && (await unlessAborted(answerOf(answer), [signal, this.ended, owner?.ended]))
  }

  serveNames(blocks: () => readonly ServerBlock[], log: (line: string) => void): Disposable {
    const { host, network } = this
    const names: NameServer = (name, type, asker) => network.answer(host, blocks(), name, type, asker, log)
    host.names = names
    const reply = (message: Uint8Array, asker: Connection['remote']) => {
      const question = readQuestion(message)
      if (!question) return undefined
      const found = question.type ? names(question.name, question.type, asker) : { rcode: 'NOERROR' as const, answers: [] }
      return found && writeReply(question, found)
    }
    const sockets = [
      this.listen(53, { accept: (connection) => answerDatagrams(connection, reply) }, '', 'UDP'),
      this.listen(53, { accept: (connection) => answerStream(connection, reply) }),
    ]
    return {
      [Symbol.dispose]: () => {
        for (const socket of sockets) socket[Symbol.dispose]()
        if (host.names === names) delete host.names
      },
    }
  }

  async resolve(name: string, type: RecordType = 'A', server?: string): Promise<DnsAnswer[]> {
    const ask = (nameserver: string, asked: string, kind: RecordType) => this.network.ask(this.host, nameserver, asked, kind)
    const dns = server === undefined ? this.dns : { ...this.dns, nameservers: [server] }
    return await resolveName(this.network.ctx.clock, dns, ask, name, type, this.ended)
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

  echo(ip: string, { id, sequence, size, fragments = 'want' }: Echo = { id: 1, sequence: 1, size: 56 }): EchoOutcome | undefined {
    const { captures, forwarding, sizes } = this.network
    const hops: Hop[] = []
    const ttl = forwarding.echo(this.host, ip, hops)
    const end = sizes.pass(this.host, ip, hops, { size: size + icmpHeaders, fragments })
    const answered = ttl !== undefined && end.what === 'through' && sizes.answers(this.ip, hops, size + icmpHeaders)
    const outcome = end.what === 'told' ? end : end.what === 'full' ? end.what : answered ? { ttl } : undefined
    if (!captures.active) return outcome
    const content = (what: string) => ({
      type: 'ICMP' as const,
      text: `echo ${what}, id ${id}, seq ${sequence}, length ${size + 8}`,
      length: size + 8,
    })
    captures.send(hops.slice(0, end.passed), content('request'))
    if (answered) captures.answer(hops, content('reply'))
    if (end.what === 'told' && end.from !== undefined) {
      const back = hops.slice(0, end.passed).map((hop) => ({ ...hop, destination: { ip: end.from ?? '', port: 0 } }))
      captures.answer(back, { type: 'ICMP', text: `${ip} unreachable - need to frag (mtu ${end.mtu})`, length: refusalSize })
    }
    return outcome
  }

  get paths(): NonNullable<PodNetwork['paths']> {
    return { to: (ip) => this.network.sizes.learnt(this.host, ip), forget: () => this.host.paths?.clear() }
  }

  capture(listener: (packet: SeenPacket) => void): Disposable {
    const { pod, node } = this.host
    return this.network.captures.tap(pod ? { pod: pod.uid } : { node }, listener)
  }

  listeners(): { host: string; port: number; protocol: 'tcp' | 'udp' | 'sctp' }[] {
    return [...this.host.listeners.values()].map(({ host, port, protocol }) => ({
      host,
      port,
      protocol: protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp',
    }))
  }

  [Symbol.dispose](): void {
    if (this.ended.aborted) return
    this.end.abort(new NetworkError('ECONNRESET', 'the network namespace is gone'))
    for (const [key, bound] of this.host.listeners) if (bound.owner === this) this.host.listeners.delete(key)
    this.network.listenersChanged(this.host)
    for (const connection of [...this.connections]) connection[Symbol.dispose]()
    this.onDispose()
  }

  own(connection: Connection): void {
    this.connections.add(connection)
    connection.onEnd(() => this.connections.delete(connection))
  }

  private async reach(
    host: string,
    port: number,
    signal: AbortSignal | undefined,
    protocol: Protocol,
    patience: number,
  ): Promise<Arrival & { bound: Bound; seen: SeenFlow; transfer: Transfer | undefined }> {
    signal?.throwIfAborted()
    const ip = await this.lookup(host)
    const { forwarding, captures, sizes } = this.network
    const clientPort = ephemeralPort(this.host)
    const trace: Hop[] | undefined = captures.active ? [] : undefined
    const route = forwarding.route(this.host, clientPort, { ip, port }, protocol, undefined, trace)
    const way = () => {
      const hops: Hop[] = trace ?? []
      if (!trace) forwarding.route(this.host, clientPort, { ip, port }, protocol, typeof route === 'string' ? undefined : route.to, hops)
      return hops
    }
    const seen = new SeenFlow(captures, protocol, { ip: this.ip, port: clientPort }, way)
    // Joining signals costs more than all else here, and most flows wait for nothing.
    const waiting = () => (signal ? AbortSignal.any([signal, this.ended]) : this.ended)
    const bound = typeof route === 'string' ? undefined : this.network.listening(route, protocol)
    switch (route) {
      case 'no route':
        throw new NetworkError('ENETUNREACH', `connect to ${ip}:${port}: network is unreachable`)
      case 'prohibited':
        if (trace) seen.refused('host', { ip, port })
        throw new NetworkError('EHOSTUNREACH', `connect to ${ip}:${port}: no route to host`)
      case 'unreachable':
        await this.inVain(Math.min(arpTimeout, patience), seen, trace !== undefined, waiting(), 1)
        if (trace) seen.unreachable(ip, this.host.pod ? `${this.ip.split('.').slice(0, 3).join('.')}.1` : this.ip)
        if (patience < arpTimeout) throw new NetworkError('ETIMEDOUT', `connect to ${ip}:${port}: connection timed out`)
        throw new NetworkError('EHOSTUNREACH', `connect to ${ip}:${port}: no route to host`)
      case 'dropped':
        await this.inVain(Math.min(synTimeout, patience), seen, trace !== undefined, waiting(), 2)
        throw new NetworkError('ETIMEDOUT', `connect to ${ip}:${port}: connection timed out`)
      default: {
        if (trace && (route === 'refused' || !bound)) seen.refused(route === 'refused' ? 'rule' : 'port', { ip, port })
        if (route === 'refused' || !bound) throw new NetworkError('ECONNREFUSED', `connect to ${ip}:${port}: connection refused`)
        const transfer = protocol === 'TCP' && sizes.uneven ? sizes.transfer(this.host, route.target, way()) : undefined
        return { ...route, bound, seen, transfer }
      }
    }
  }

  /** Nobody answers: who looks on sees the first packet again and again, after a second and each time longer by a factor. */
  private async inVain(ms: number, seen: SeenFlow, isSeen: boolean, signal: AbortSignal, factor: number): Promise<void> {
    const { clock } = this.network.ctx
    const until = clock.now() + ms
    if (isSeen) seen.attempt()
    for (let pause = 1000; isSeen && clock.now() + pause < until; pause *= factor) {
      await clock.sleep(pause, signal)
      seen.attempt()
    }
    await clock.sleep(Math.max(0, until - clock.now()), signal)
  }
}

function boundTo(host: string): string {
  const loopback = host === 'localhost' || host.startsWith('127.')
  return loopback ? '127.0.0.1' : host === '::' ? '::' : '0.0.0.0'
}

/** For who waits for bytes that do not come. */
const nothing = () => new Promise<never>(() => {})

/** A program that fails while it answers looks like a connection that went away. */
async function answerOf<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw new NetworkError('ECONNRESET', error instanceof Error ? error.message : String(error))
  }
}
