import type { ServerHttp2Stream } from 'node:http2'
import type { GatewaySeat } from '../gateway/seat.ts'
import type { SeenPacket } from './capture.ts'
import type { ServerBlock } from './corefile.ts'
import type { FlannelConfig, FlannelLease } from './flannel.ts'
import type { Outside } from './outside.ts'
import type { Sized } from './packet-sizes.ts'
import type { ServiceRules } from './service-rules.ts'
import type { Stack } from './stack.ts'
import type { Joint, PairEnd } from './stacks.ts'

/**
 * The pod network as a model at connection level: who listens where, what a Service address leads to, what a name
 * resolves to. HTTP is carried as requests where both ends speak it in this process, as bytes otherwise.
 */
export interface Network {
  /**
   * A network namespace with this address; the same again for a pod that is
   * attached already. Disposing it closes every listener and connection in it.
   */
  attach(pod: PodIdentity): PodNetwork
  /** The node's own namespace (kubelet probes, NodePorts, host network). */
  node(name: string): PodNetwork
  /** A machine on the nodes' network that is none of them. */
  outside(): Outside
  /** A node's stack; undefined for a node that is not known. */
  stack(node: string): Stack | undefined
  /** What becomes of a TCP connection from a node to an address; undefined where it is taken. */
  obstacle(node: string, ip: string, port: number): 'refused' | 'unreachable' | 'dropped' | undefined
  /** Writes what the records lack of the nodes' devices, routes and rules. */
  checkpoint(): void
}

export interface PodIdentity {
  uid: string
  namespace: string
  name: string
  node: string
  ip: string
  dns: DnsConfig
  labels(): Record<string, string>
  /** How the network plugin joined it to its node; a kindnet pod unless given. */
  joint?: Joint
  /** What /etc/hosts adds to DNS: the pod's own name, hostAliases. */
  hosts?(): { ip: string; names: string[] }[]
}

export interface DnsConfig {
  nameservers: string[]
  searches: string[]
  ndots: number
}

/** A node's namespace, for what runs in it. */
export interface NodeNetwork {
  readonly name: string
  readonly stack: Stack
  /** The nat and filter rules that kube-proxy keeps, as iptables-save prints them: by table, chains and rules. */
  serviceRules(): ServiceRules
  /** The network namespaces that somebody has made on the node beside those of its pods. */
  readonly namespaces: NodeNamespaces
  /** Does what flanneld does until it is disposed. One that runs on after a restart of the platform touches nothing at first. */
  flannel(config: FlannelConfig, runsOn: boolean): Promise<Disposable & { lease: FlannelLease }>
}

/** `ip netns` of a node. Where a namespace is named, '' is the node's own. All throw StackError. */
export interface NodeNamespaces {
  names(): string[]
  add(name: string): void
  delete(name: string): void
  /** What runs in one; undefined where there is none of this name. */
  open(name: string): PodNetwork | undefined
  addPair(ends: readonly PairEnd[]): void
  move(from: string, device: string, to: string): void
}

export interface PodNetwork extends Disposable {
  readonly ip: string
  /** Where this is the namespace of a node (host network). */
  readonly node?: NodeNetwork
  /** Where this is a namespace that somebody has made: its name, and what its node has. */
  readonly made?: { name: string; node: NodeNetwork }
  /** A pod's own devices and routes, or those of a namespace that somebody has made. */
  readonly stack?: Stack | undefined
  /** For the programs of the built-in gateway. */
  readonly gateway?: GatewaySeat
  readonly dns: DnsConfig
  /** host '0.0.0.0', '::' or '' is every address, '127.0.0.1' the loopback only. Throws NetworkError EADDRINUSE. */
  listen(port: number, listener: Listener, host?: string, protocol?: Protocol): Disposable
  /**
   * Any address or name. Rejects with NetworkError (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENOTFOUND). Over UDP it is the
   * flow of one client socket: each write is a datagram, heard as one piece; a port where nobody listens refuses at once.
   * `patience` (ms) is how long an answer to the first packet is waited for; the kernel's two minutes unless given.
   */
  connect(host: string, port: number, signal?: AbortSignal, protocol?: Protocol, patience?: number): Promise<Connection>
  /** One HTTP request; the body is whole. Rejects as connect does. */
  http(host: string, port: number, request: HttpRequest, signal?: AbortSignal, patience?: number): Promise<HttpResponse>
  /**
   * As http of an HTTPS server whose certificate nobody looks at, without the encryption; undefined where it takes bytes to know what it
   * answers. Rejects as connect does.
   */
  unverified?(host: string, port: number, request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse | undefined>
  /**
   * Answers here for names on port 53 as CoreDNS with these server blocks does,
   * until it is disposed; `log` hears the questions of a block with `log`.
   */
  serveNames?(blocks: () => readonly ServerBlock[], log: (line: string) => void): Disposable
  /** By the pod's resolv.conf, or from the server given. Rejects with NetworkError ENOTFOUND (NXDOMAIN) or ETIMEDOUT. */
  resolve(name: string, type?: 'A' | 'AAAA' | 'SRV' | 'PTR' | 'CNAME', server?: string): Promise<DnsAnswer[]>
  /** The address of a name or address as programs find it: /etc/hosts, then DNS. Rejects as resolve does. */
  lookup(host: string): Promise<string>
  /** What becomes of an ICMP echo; undefined where nothing comes back. */
  echo(ip: string, echo?: Echo): EchoOutcome | undefined
  /** How large the packets to an address may be where that has been learnt (until when in cluster ms), and forgetting all of that. */
  readonly paths?: { to(ip: string): { mtu: number; until: number } | undefined; forget(): void }
  /** Hears of the packets that pass this namespace's devices. */
  capture?(listener: (packet: SeenPacket) => void): Disposable
  /** Open listeners, as `ss -ltun` shows them. */
  listeners(): { host: string; port: number; protocol: 'tcp' | 'udp' | 'sctp' }[]
}

/** One echo request of a ping; `size` is that of its data. */
export interface Echo {
  id: number
  sequence: number
  size: number
  /** Whether routers may take it apart; `want` unless given. */
  fragments?: Sized['fragments']
}

/** The TTL of its answer; or the largest packet that passes, said by the router `from` or by the sender's own kernel; or no room in a device. */
export type EchoOutcome = { ttl: number } | { mtu: number; from?: string } | 'full'

export type { ServiceRules } from './service-rules.ts'

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export type Listener =
  | {
      http: (request: HttpRequest, peer: { ip: string; port: number }) => Promise<HttpResponse>
      tls?: ServerTls
      /** Speaks HTTP/2 too (by its preface, or as TLS agrees on it): gRPC calls come here, other requests to `http`. */
      grpc?: (call: GrpcCall, peer: { ip: string; port: number }) => Promise<void>
    }
  | {
      accept: (connection: Connection) => void
      /** What it answers over TLS to a client without a certificate; undefined where it takes the bytes to know. */
      https?: (request: HttpRequest) => Promise<HttpResponse | undefined>
    }

/** A gRPC call as HTTP/2 carries it; who takes it answers it. */
export interface GrpcCall {
  path: string
  /** Lower-case names, without HTTP/2's own; `host` is the authority. */
  headers: Record<string, string>
  stream: ServerHttp2Stream
}

/** What an HTTPS server needs: PEM, one pair or one for each server name that is asked for, and its answer to who speaks plain HTTP. */
export type ServerTls = { plain: HttpResponse } & (
  | { certificate: string; key: string }
  | { select(serverName: string | undefined): { certificate: string; key: string } | undefined }
)

export interface HttpRequest {
  method: string
  path: string
  headers: Record<string, string>
  body: Uint8Array
  /** Told how far it has come, for who gives up before the end. */
  progress?: HttpProgress
}

export interface HttpProgress {
  connected?: boolean
  head?: Omit<HttpResponse, 'body'>
  /** What there is of the body. */
  body: Uint8Array[]
}

export interface HttpResponse {
  status: number
  /** The words after the code, where they are not the usual ones. */
  reason?: string
  headers: Record<string, string>
  body: Uint8Array
}

/** One end of a byte stream. */
export interface Connection extends Disposable {
  readonly remote: { ip: string; port: number }
  readonly local: { ip: string; port: number }
  write(data: Uint8Array): void
  end(): void
  onData(listener: (data: Uint8Array) => void): Disposable
  onEnd(listener: () => void): Disposable
}

export interface DnsAnswer {
  name: string
  type: 'A' | 'AAAA' | 'SRV' | 'PTR' | 'CNAME'
  ttl: number
  data: string
  /** SRV only. */
  port?: number
  weight?: number
}

export class NetworkError extends Error {
  readonly code: 'ECONNREFUSED' | 'ETIMEDOUT' | 'EHOSTUNREACH' | 'ENETUNREACH' | 'ENOTFOUND' | 'ECONNRESET' | 'EADDRINUSE'
  constructor(code: NetworkError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
