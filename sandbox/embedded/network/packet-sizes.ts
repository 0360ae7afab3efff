import type { Clock } from '../clock.ts'
import { backwards, type Hop } from './capture.ts'
import type { Fabric } from './fabric.ts'
import type { Host } from './hosts.ts'
import { largestSize, vxlanOverhead } from './stack.ts'
import type { Stacks } from './stacks.ts'

/**
 * What becomes of packets that are larger than a device on their way takes, as Linux does it. Who sends a packet that may not be taken
 * apart is told the size by its own device or by a router (`told`); the other end of a wire and the port of a bridge drop it without a
 * word (`lost`), and so does a router whose answer does not arrive (`unheard`). A pair of veths tells the sender at once (`full`).
 */
export type Passage =
  | { what: 'through' | 'lost' | 'unheard' | 'full'; passed: number }
  | { what: 'told'; mtu: number; from?: string; passed: number }

/** A packet with its IP header, bytes. */
export interface Sized {
  size: number
  /** `do`: never in pieces. `want`: in pieces only where the sender knows that it has to be, as unless told otherwise. `dont`: by any router. */
  fragments: 'do' | 'want' | 'dont'
}

/** How much a sender's packets to an address may hold, learnt from routers and tunnels, and until when. */
export type PathSizes = Map<string, { mtu: number; until: number }>

type Paths = Pick<Host, 'paths'>

export class PacketSizes {
  private readonly clock: Clock
  private readonly stacks: Stacks
  private readonly fabric: Fabric

  constructor(clock: Clock, stacks: Stacks, fabric: Fabric) {
    this.clock = clock
    this.stacks = stacks
    this.fabric = fabric
  }

  /** Whether devices differ in what they take so that the ends of a connection may not know what passes everywhere. */
  get uneven(): boolean {
    return this.stacks.uneven
  }

  /** What becomes of a packet that passes these points. Who sends it learns from it. */
  pass(source: Paths, destination: string, hops: readonly Hop[], { size, fragments }: Sized): Passage {
    if (size > largestSize) return { what: 'told', mtu: largestSize, passed: 0 }
    const limit = Math.min(
      this.at(hops[0])?.mtu ?? Number.POSITIVE_INFINITY,
      this.learnt(source, destination)?.mtu ?? Number.POSITIVE_INFINITY,
    )
    const fits = size <= limit
    if (!fits && fragments === 'do') return { what: 'told', mtu: limit, passed: 0 }
    const whole = fits && fragments !== 'dont'
    let piece = fits ? size : limit
    let outer = 0
    let bridged = false
    for (const [passed, hop] of hops.entries()) {
      const link = this.at(hop)
      const before = hops[passed - 1]
      if (!link || !before || link.kind === 'loopback') continue
      const lost = { what: 'lost' as const, passed }
      if (hop.tunnel) {
        if (hop.direction === 'In' && outer > link.mtu + slack) return lost
        if (hop.direction === 'In') continue
        // What wraps it may be taken apart; the node itself sends less from now on.
        outer = Math.min(piece + vxlanOverhead, link.mtu)
        if (passed === 1 && piece + vxlanOverhead > link.mtu) this.learn(source, destination, link.mtu - vxlanOverhead)
      } else if (hop.direction === 'In') {
        const isEnd = link.kind === 'veth' || link.kind === 'ethernet'
        if (isEnd && piece > link.mtu + slack) {
          const pair = passed === 1 && (link.kind === 'veth' || hop.pod !== undefined)
          return pair ? { what: 'full', passed } : lost
        }
      } else if (link.kind === 'bridge' && before.direction === 'In' && this.at(before)?.master === hop.device) {
        bridged = true
      } else if (link.master !== undefined) {
        const bridge = this.stacks.at(hop.node)?.link(link.master)
        const sent = before.direction === 'Out' && before.device === link.master && !bridged
        // A bridge has the packet filter put pieces together, and takes them apart again for its own size.
        if (piece > link.mtu + (sent ? slack : 0) || (!sent && piece < size && piece > (bridge?.mtu ?? piece))) return lost
      } else if (piece > link.mtu) {
        if (whole) return this.tell(source, destination, hops, passed, link.mtu)
        piece = link.mtu
      }
    }
    return { what: 'through', passed: hops.length }
  }

  /** What becomes of the answer to an echo that has passed these points: routers may take it apart. */
  answers(target: string, hops: readonly Hop[], size: number): boolean {
    return this.pass({}, target, backwards(hops), { size, fragments: 'dont' }).what === 'through'
  }

  /** How much of the bytes that one end of a connection sends at once gets through to the other, told by who sends; `hops` is the client's way. */
  transfer(client: Paths, server: Paths, hops: readonly Hop[]): (fromClient: boolean, bytes: number) => number {
    const ways = { client: hops, server: backwards(hops) }
    const largest = Math.min(this.at(ways.client[0])?.mtu ?? loopbackSize, this.at(ways.server[0])?.mtu ?? loopbackSize)
    return (fromClient, bytes) => {
      const way = fromClient ? ways.client : ways.server
      const [source, destination] = [fromClient ? client : server, way[0]?.destination.ip ?? '']
      let size = Math.min(bytes + tcpHeaders, largest)
      for (;;) {
        const passage = this.pass(source, destination, way, { size, fragments: 'do' })
        if (passage.what === 'through' || passage.what === 'full') return bytes
        if (passage.what === 'told') {
          size = Math.min(passage.mtu, size - 1)
          continue
        }
        const segment = size - tcpHeaders
        if (bytes <= segment || passage.what === 'unheard') return 0
        // Segments that are handed over together pass a wire; one that is sent alone stays behind, and all after it.
        return bytes < segment * (togetherSegments + 1) ? bytes : segment * firstSegments
      }
    }
  }

  /** What a sender has learnt of the way to an address, if that still holds. */
  learnt({ paths }: Paths, destination: string): { mtu: number; until: number } | undefined {
    const known = paths?.get(destination)
    if (known && known.until > this.clock.now()) return known
    paths?.delete(destination)
    return undefined
  }

  private learn(source: Paths, destination: string, mtu: number): void {
    source.paths ??= new Map()
    source.paths.set(destination, { mtu, until: this.clock.now() + pathExpires })
  }

  private tell(source: Paths, destination: string, hops: readonly Hop[], passed: number, mtu: number): Passage {
    const node = hops[passed]?.node ?? ''
    const sender = hops[0]?.source.ip ?? ''
    const from = this.fabric.wayOut(node, sender)?.source ?? ''
    const back = this.fabric.carry(node, { protocol: 'ICMP', icmp: '3/4', source: from, destination: sender, port: 0 })
    if (typeof back === 'string' || back.outside) return { what: 'unheard', passed }
    this.learn(source, destination, mtu)
    return { what: 'told', mtu, from, passed }
  }

  private at(hop: Hop | undefined) {
    if (!hop) return undefined
    return hop.pod === undefined ? this.stacks.at(hop.node)?.link(hop.device) : this.stacks.deviceOfPod(hop.node, hop.pod, hop.device)
  }
}

/** An end of a wire leaves room for the tag of a VLAN. */
const slack = 4
/** IP's and TCP's headers with timestamps, bytes. */
const tcpHeaders = 52
const loopbackSize = 65_536
/** A sender's first window, and what it has sent before one segment goes alone, in segments. */
const firstSegments = 10
const togetherSegments = 30
/** net.ipv4.route.mtu_expires, ms. */
const pathExpires = 600_000
