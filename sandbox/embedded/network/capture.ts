import type { Clock } from '../clock.ts'
import type { Address } from './connection.ts'
import type { DnsReply } from './dns.ts'
import type { HttpRequest, HttpResponse, Protocol } from './network.ts'

/** A point that a packet passes: one device, in or out, with the addresses it has there. */
export interface Hop {
  node: string
  /** The pod whose own device it is; a node's unless given. */
  pod?: string
  device: string
  /** The device's number. */
  index: number
  direction: 'In' | 'Out'
  source: Address
  destination: Address
  ttl: number
  sourceMac: string
  destinationMac: string
  /** What the packet is wrapped in there. */
  tunnel?: Tunnel
  /** The node has to know the MAC of the pod behind it. */
  asks?: true
  /** The next hop, whose MAC nobody knows: the packet goes no further than the question for it. */
  unresolved?: { ip: string; by: string }
}

export interface Tunnel {
  source: string
  destination: string
  port: number
  vni: number
  sourceMac: string
  destinationMac: string
}

export type Content =
  | { type: 'TCP'; flags: string; seq: number; ack: number; payload: Uint8Array; text?: string }
  | { type: 'UDP'; length: number; text?: string }
  | { type: 'ICMP'; text: string; length: number }
  | { type: 'ARP'; text: string }

/** A packet as somebody at a device sees it. */
export interface SeenPacket {
  /** Cluster ms, with a fraction. */
  time: number
  hop: Hop
  content: Content
}

/** Where one looks: at the devices of a node, or of a pod. */
export type Place = { node: string } | { pod: string }

/** Who looks at packets. While nobody does, none are made. */
export class Captures {
  private readonly clock: Clock
  private readonly taps = new Set<{ place: Place; listener: (packet: SeenPacket) => void }>()
  private last = 0
  /** By device and address: when its MAC was asked for. */
  private readonly known = new Map<string, number>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  get active(): boolean {
    return this.taps.size > 0
  }

  tap(place: Place, listener: (packet: SeenPacket) => void): Disposable {
    const tap = { place, listener }
    this.taps.add(tap)
    return {
      [Symbol.dispose]: () => {
        this.taps.delete(tap)
        if (this.taps.size === 0) this.known.clear()
      },
    }
  }

  /** A packet passes these points, one after the other. */
  send(hops: readonly Hop[], content: Content): void {
    for (const hop of hops) {
      if (hop.unresolved) {
        const { ip, by } = hop.unresolved
        this.show({ ...hop, destinationMac: broadcast }, { type: 'ARP', text: `Request who-has ${ip} tell ${by}, length 28` })
        return
      }
      // Who has sent something has asked for the gateway before, and is known there since.
      if (hop.direction === 'In') this.known.set(`${hop.node}/${hop.device}/${hop.source.ip}`, this.clock.now())
      else this.resolve(hop)
      this.show(hop, content)
    }
  }

  /** What comes back the same way. */
  answer(hops: readonly Hop[], content: Content): void {
    this.send(backwards(hops), content)
  }

  /** A packet on a wire to a pod is asked for first, where nobody has lately. */
  private resolve(hop: Hop): void {
    const { node, device, destination, sourceMac, destinationMac } = hop
    if (!hop.asks) return
    const key = `${node}/${device}/${destination.ip}`
    const asked = this.known.get(key)
    const now = this.clock.now()
    this.known.set(key, now)
    if (asked !== undefined && now - asked < reachableTime) return
    // The node asks by its own address on that wire, the first of the pods' block.
    const own = `${destination.ip.split('.').slice(0, 3).join('.')}.1`
    this.show({ ...hop, destinationMac: broadcast }, { type: 'ARP', text: `Request who-has ${destination.ip} tell ${own}, length 28` })
    const reply = { ...hop, direction: 'In' as const, sourceMac: destinationMac, destinationMac: sourceMac }
    this.show(reply, { type: 'ARP', text: `Reply ${destination.ip} is-at ${destinationMac}, length 28` })
  }

  private show(hop: Hop, content: Content): void {
    this.last = Math.max(this.clock.now(), this.last + 0.004)
    const packet: SeenPacket = { time: this.last, hop, content }
    for (const { place, listener } of [...this.taps]) {
      if ('pod' in place ? hop.pod === place.pod : hop.node === place.node && hop.pod === undefined) listener(packet)
    }
  }
}

/** One connection, or flow of datagrams, as its packets are seen; `way` is asked for when somebody looks. */
export class SeenFlow {
  private readonly captures: Captures
  private readonly protocol: Protocol
  private readonly way: () => readonly Hop[]
  private hops: readonly Hop[] | undefined
  private readonly numbers: { client: number; server: number }
  private sent = { client: 0, server: 0 }
  private ended = { client: false, server: false }

  constructor(captures: Captures, protocol: Protocol, client: Address, way: () => readonly Hop[]) {
    this.captures = captures
    this.protocol = protocol
    this.way = way
    const first = numberOf(`${client.ip}:${client.port}`)
    this.numbers = { client: first, server: numberOf(`${first}/server`) }
  }

  /** The three packets of a handshake. */
  open(): void {
    if (!this.captures.active || this.protocol !== 'TCP') return
    const { client, server } = this.numbers
    this.put(true, { flags: 'S', seq: client, ack: 0 })
    this.put(false, { flags: 'S.', seq: server, ack: client + 1 })
    this.put(true, { flags: '.', seq: 1, ack: 1 })
  }

  /** The first packet, which nobody answers. */
  attempt(): void {
    if (!this.captures.active) return
    if (this.protocol === 'TCP') this.put(true, { flags: 'S', seq: this.numbers.client, ack: 0 })
    else this.captures.send(this.points, { type: 'UDP', length: 0 })
  }

  /** The first packet, and the answer: that nobody listens, or what a rule says, of the port or of the whole `host`. */
  refused(by: 'port' | 'rule' | 'host', to: Address): void {
    if (!this.captures.active) return
    this.attempt()
    if (this.protocol === 'TCP' && by === 'port') this.put(false, { flags: 'R.', seq: 0, ack: this.numbers.client + 1 })
    else {
      const text = by === 'host' ? `host ${to.ip} unreachable` : `${to.ip} ${this.protocol.toLowerCase()} port ${to.port} unreachable`
      this.captures.answer(this.points, { type: 'ICMP', text, length: this.protocol === 'TCP' ? 68 : 36 })
    }
  }

  /** A node on the way gives up. */
  unreachable(ip: string, by: string): void {
    if (!this.captures.active) return
    const back = this.points.filter(({ unresolved }) => !unresolved)
    const from = back.map((hop) => ({ ...hop, destination: { ip: by, port: 0 } }))
    this.captures.answer(from, { type: 'ICMP', text: `host ${ip} unreachable`, length: 68 })
  }

  data(fromClient: boolean, bytes: Uint8Array, text?: string): void {
    if (!this.captures.active || bytes.length === 0) return
    if (this.protocol !== 'TCP') {
      const content: Content = { type: 'UDP', length: bytes.length, ...(text !== undefined && { text }) }
      if (fromClient) this.captures.send(this.points, content)
      else this.captures.answer(this.points, content)
      return
    }
    const side = fromClient ? 'client' : 'server'
    for (let at = 0; at < bytes.length; at += longest) {
      const payload = bytes.subarray(at, at + longest)
      const seq = this.sent[side] + 1
      this.sent[side] += payload.length
      this.put(fromClient, { flags: 'P.', seq, ack: this.sent[fromClient ? 'server' : 'client'] + 1, payload })
      this.put(!fromClient, { flags: '.', seq: this.sent[fromClient ? 'server' : 'client'] + 1, ack: this.sent[side] + 1 })
    }
  }

  request({ method, path, headers, body }: HttpRequest): void {
    if (!this.captures.active) return
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    this.data(true, Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`), body]))
  }

  response({ status, reason, headers, body }: HttpResponse): void {
    if (!this.captures.active) return
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const words = reason ?? { 200: 'OK', 404: 'Not Found', 503: 'Service Unavailable', 500: 'Internal Server Error' }[status] ?? ''
    this.data(false, Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${words}\r\n${head.join('')}\r\n`), body]))
  }

  /** One side has no more to say. */
  end(fromClient: boolean): void {
    const side = fromClient ? 'client' : 'server'
    if (this.ended[side]) return
    this.ended[side] = true
    if (!this.captures.active || this.protocol !== 'TCP') return
    const other = fromClient ? 'server' : 'client'
    this.put(fromClient, { flags: 'F.', seq: this.sent[side] + 1, ack: this.sent[other] + 1 + Number(this.ended[other]) })
    this.sent[side]++
    if (this.ended[other]) this.put(!fromClient, { flags: '.', seq: this.sent[other] + 1, ack: this.sent[side] + 1 })
  }

  private get points(): readonly Hop[] {
    this.hops ??= this.way()
    return this.hops
  }

  private put(
    fromClient: boolean,
    { payload = nothing, ...rest }: { flags: string; seq: number; ack: number; payload?: Uint8Array },
  ): void {
    const content: Content = { type: 'TCP', payload, ...rest }
    if (fromClient) this.captures.send(this.points, content)
    else this.captures.answer(this.points, content)
  }
}

/** A question for a name as tcpdump tells it, with the length of its message. */
export function dnsQuestion(id: number, name: string, type: string): { text: string; length: number } {
  const full = `${name.replace(/\.$/, '')}.`
  const length = full.length + 17
  return { text: `${id}+ ${type}? ${full} (${length})`, length }
}

export function dnsAnswer(id: number, name: string, { rcode, answers }: DnsReply): { text: string; length: number } {
  const asked = `${name.replace(/\.$/, '')}.`.length + 17
  const length = asked + answers.reduce((sum, answer) => sum + answer.name.length + 16, 0) + (rcode === 'NOERROR' ? 0 : 75)
  const said = rcode === 'NXDOMAIN' ? ' NXDomain' : rcode === 'NOERROR' ? '' : ` ${rcode === 'SERVFAIL' ? 'ServFail' : rcode}`
  const records = answers.map(({ type, data }) => ` ${type} ${type === 'A' || type === 'AAAA' ? data : `${data.replace(/\.$/, '')}.`}`)
  return { text: `${id}${said}*- ${answers.length}/${rcode === 'NXDOMAIN' ? 1 : 0}/0${records.join(',')} (${length})`, length }
}

/** A number that belongs to a text. */
export function numberOf(text: string): number {
  let hash = 2166136261
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0
  return hash
}

/** The same points from the other end. */
export function backwards(hops: readonly Hop[]): Hop[] {
  const most = Math.max(...hops.map(({ ttl }) => ttl))
  const least = Math.min(...hops.map(({ ttl }) => ttl))
  return hops.toReversed().map(({ tunnel, ...hop }) => ({
    ...hop,
    direction: hop.direction === 'Out' || hop.device === 'lo' ? 'In' : 'Out',
    source: hop.destination,
    destination: hop.source,
    sourceMac: hop.destinationMac,
    destinationMac: hop.sourceMac,
    ttl: most + least - hop.ttl,
    ...(tunnel && {
      tunnel: {
        ...tunnel,
        source: tunnel.destination,
        destination: tunnel.source,
        sourceMac: tunnel.destinationMac,
        destinationMac: tunnel.sourceMac,
      },
    }),
  }))
}

const nothing = new Uint8Array(0)
const broadcast = 'ff:ff:ff:ff:ff:ff'
/** ms for which a neighbour counts as reachable. */
const reachableTime = 30_000
/** Bytes in one packet: what a wire without segmentation takes at once. */
const longest = 65_160
