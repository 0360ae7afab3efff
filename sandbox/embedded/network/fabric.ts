import { addressIn } from './addresses.ts'
import type { Hop } from './capture.ts'
import { nodeNetworkOf } from './hosts.ts'
import type { FilterPacket, Iptables, Refusal } from './iptables.ts'
import { type Link, macOf, netnsOf, type Stack } from './stack.ts'
import type { Stacks } from './stacks.ts'

/** Where a packet ends that a node sends on: at a pod, at a node itself, or out of the cluster; nowhere if nobody answers for the address. */
export type End = { node: string; pod?: string; outside?: true; device: string } | Refusal | 'unreachable'

/** A point of the way, without the addresses that the packet has there. */
export type Step = Omit<Hop, 'source' | 'destination' | 'ttl'> & { forwarded: boolean }

/** Nodes that a packet may pass before it is taken for lost (its TTL would end a loop). */
const mostHops = 8

/** The wires and tunnels between pods and nodes, as the nodes' stacks describe them. */
export class Fabric {
  private readonly stacks: Stacks

  constructor(stacks: Stacks) {
    this.stacks = stacks
  }

  /** The device a node's packets to an address leave by, and the address they leave under. */
  wayOut(node: string, ip: string): { device: string; source: string | undefined } | undefined {
    const stack = this.stacks.at(node)
    const route = stack?.lookup(ip)
    return stack && route && { device: route.dev, source: route.source ?? stack.addressOf(route.dev) }
  }

  /** The node whose device on the nodes' network has this address and is up. */
  ownerOf(ip: string): string | undefined {
    return this.stacks.owner(ip)?.name
  }

  /** How a packet from a machine beside the nodes comes in. */
  arriveAt(node: string): Step {
    const device = this.stacks.node(node)?.link('eth0')
    const macs = { sourceMac: macOf('gateway'), destinationMac: device?.mac ?? '' }
    return { node, device: 'eth0', index: device?.index ?? 0, direction: 'In', ...macs, forwarded: false }
  }

  /** What a node makes of a packet from beside the nodes to itself; undefined where it takes it and its answer goes out. */
  refuses(node: string, packet: FilterPacket): Refusal | undefined {
    const refusal = this.meets(node, 'INPUT', packet, 'eth0')
    if (refusal) return refusal
    const back = this.carry(node, answerTo(packet))
    return typeof back === 'object' && back.outside ? undefined : 'dropped'
  }

  owns(node: string, ip: string): boolean {
    return this.stacks.at(node)?.owns(ip) ?? false
  }

  /** The packet filter of a node, or of a namespace that was made on one, where somebody has put anything into it. */
  rulesOf(node: string): Iptables | undefined {
    const iptables = this.stacks.at(node)?.iptables
    return iptables?.isEmpty ? undefined : iptables
  }

  /** What a node makes of a packet as it comes in, by `device`, and where it is for the node itself. Undefined where it goes on. */
  meets(node: string, hook: 'PREROUTING' | 'INPUT', packet: FilterPacket, device: string): Refusal | undefined {
    return this.rulesOf(node)?.refuses(hook, { ...packet, in: device })
  }

  /** What a node makes of a packet of its own for itself, which its loopback device carries. Undefined where it takes it. */
  loops(node: string, packet: FilterPacket): Refusal | undefined {
    const rules = this.rulesOf(node)
    return (
      rules?.refuses('OUTPUT', { ...packet, out: 'lo' }) ??
      this.meets(node, 'PREROUTING', packet, 'lo') ??
      this.meets(node, 'INPUT', packet, 'lo')
    )
  }

  /** The device of the node by which a pod's packets come in. */
  entryOf(node: string, uid: string): string {
    const wire = this.stacks.node(node)?.links.find(({ pod }) => pod?.uid === uid)
    return wire?.master ?? wire?.name ?? 'eth0'
  }

  /** Whether a pod's own wire to its node carries anything. */
  wired(node: string, uid: string): boolean {
    const stack = this.stacks.node(node)
    const link = stack?.links.find(({ pod }) => pod?.uid === uid)
    return link !== undefined && carries(stack as Stack, link)
  }

  /** Whether a pod's own devices and routes let it send to an address, and hear what comes back. */
  podSends(node: string, { uid, ip }: { uid: string; ip: string }, destination: string): boolean {
    const own = this.stacks.changedPod(node, uid)
    if (!own) return true
    const route = own.lookup(destination)
    const outside = this.stacks.node(node)
    const wire = outside?.links.find(({ pod }) => pod?.uid === uid)
    if (!outside || !wire || route?.dev !== 'eth0' || !own.owns(ip)) return false
    // The next hop has to answer for its address on this wire.
    if (route.via !== undefined) return outside.owns(route.via)
    return wire.master !== undefined || outside.owns(destination)
  }

  podKnowsWay(node: string, { uid }: { uid: string }, destination: string): boolean {
    const own = this.stacks.changedPod(node, uid)
    return !own || own.lookup(destination) !== undefined
  }

  /** Whether a pod takes what comes to it for an address: its own by its own wire, another by a device that was moved into it. */
  podHears(node: string, { uid, ip }: { uid: string; ip: string }, destination: string): boolean {
    const own = this.stacks.changedPod(node, uid)
    if (!own) return true
    return own.owns(destination) && (destination !== ip || own.link('eth0')?.up === true)
  }

  /** Where a pod's packets to an address go by a device that somebody has moved into it: its namespace as a place of its own. */
  asideOf(node: string, { uid }: { uid: string }, destination: string): string | undefined {
    const own = this.stacks.changedPod(node, uid)
    const route = own?.lookup(destination)
    return route && own?.link(route.dev)?.pair ? `${node}/${netnsOf(uid)}` : undefined
  }

  /** Whether an address is one that somebody has given to a pod beside its own. */
  podOwns(node: string, { uid }: { uid: string }, ip: string): boolean {
    return this.stacks.changedPod(node, uid)?.owns(ip) ?? false
  }

  /** How a pod's packet comes to its node: out of its own device, in by the wire's end and by the bridge that is on. */
  enter(node: string, uid: string): Step[] {
    const stack = this.stacks.node(node)
    const wire = stack?.links.find(({ pod }) => pod?.uid === uid)
    if (!stack || !wire) return []
    const bridge = wire.master === undefined ? undefined : stack.link(wire.master)
    const macs = { sourceMac: macOf(`${uid}/eth0`), destinationMac: (bridge ?? wire).mac, forwarded: false }
    return [
      { node, pod: uid, device: 'eth0', index: 2, direction: 'Out', ...macs },
      ...[wire, ...(bridge ? [bridge] : [])].map((link): Step => {
        return { node, device: link.name, index: link.index, direction: 'In', ...macs }
      }),
    ]
  }

  /** Whether a device is the wire of another pod on the same bridge. */
  share(node: string, uid: string, device: string): boolean {
    const stack = this.stacks.node(node)
    const bridge = stack?.links.find(({ pod }) => pod?.uid === uid)?.master
    return bridge !== undefined && stack?.link(device)?.master === bridge
  }

  /** Whether a pod's wire is a port of this device. */
  isPortOf(node: string, uid: string, device: string): boolean {
    return this.stacks.node(node)?.links.find(({ pod }) => pod?.uid === uid)?.master === device
  }

  /** Follows a packet as `follow` does to where it is taken: at a node by the rules for what is the node's own. */
  carry(start: string, packet: FilterPacket, from?: string, see?: (step: Step) => void): End {
    const end = this.follow(start, packet, from, see)
    if (typeof end === 'string' || end.pod !== undefined || end.outside) return end
    const own = from === undefined && end.device === 'lo'
    return (own ? this.loops(end.node, packet) : this.meets(end.node, 'INPUT', packet, end.device)) ?? end
  }

  /**
   * Follows a packet from a node's stack on; `from` is the device it came in by, absent for what the node itself sends. `see`
   * hears of each device that it passes. A node that it ends at may yet send it elsewhere.
   */
  follow(start: string, packet: FilterPacket, from?: string, see?: (step: Step) => void): End {
    let node = start
    let incoming = from
    for (let hop = 0; hop < mostHops; hop++) {
      const stack = this.stacks.at(node)
      if (!stack) return 'unreachable'
      const { destination } = packet
      // What it comes in by at first the caller has seen to, who knows what the address was before it was translated.
      const stopped = hop > 0 && incoming !== undefined ? this.meets(node, 'PREROUTING', packet, incoming) : undefined
      if (stopped) return stopped
      if (stack.owns(destination)) return { node, device: incoming ?? 'lo' }
      const route = stack.lookup(destination)
      const device = route && stack.link(route.dev)
      if (!route || !device) return 'unreachable'
      if (incoming !== undefined && stack.sysctl('net.ipv4.ip_forward') === '0') return 'dropped'
      const hook = incoming === undefined ? 'OUTPUT' : 'FORWARD'
      const refusal = stack.iptables.refuses(hook, { ...packet, in: incoming, out: device.name })
      if (refusal) return refusal
      const next = this.transmit(
        node,
        stack,
        device,
        route.via ?? destination,
        see && ((step) => see({ ...step, forwarded: incoming !== undefined })),
      )
      if (typeof next === 'string') return next
      if (next.pod !== undefined || next.outside) return next
      node = next.node
      incoming = next.device
    }
    return 'dropped'
  }

  /** From a device to whoever hears it: the next stack and the device there. */
  private transmit(node: string, stack: Stack, device: Link, nextHop: string, see?: See): End {
    const unresolved = () => {
      const by = stack.addressOf(device.name) ?? stack.addressOf('eth0') ?? ''
      see?.({ ...stepAt(node, device, 'Out', device.mac, ''), unresolved: { ip: nextHop, by } })
      return 'unreachable' as const
    }
    const toPod = (uid: string) => {
      const mac = macOf(`${uid}/eth0`)
      const wire = stack.links.find(({ pod }) => pod?.uid === uid)
      see?.({ ...stepAt(node, device, 'Out', device.mac, mac), asks: true })
      if (wire && wire !== device) see?.(stepAt(node, wire, 'Out', device.mac, mac))
      see?.({ ...stepAt(node, device, 'In', device.mac, mac), pod: uid, device: 'eth0', index: 2 })
    }
    switch (device.kind) {
      case 'veth': {
        if (!device.up) return unresolved()
        if (device.pod?.ip !== nextHop) return this.arrive(node, stack, device, nextHop, see) ?? unresolved()
        toPod(device.pod.uid)
        return { node, pod: device.pod.uid, device: device.name }
      }
      case 'bridge': {
        const port = stack.links.find(({ master, pod }) => master === device.name && pod?.ip === nextHop)
        if (!port?.pod) return this.arrive(node, stack, device, nextHop, see) ?? unresolved()
        if (!port.up) return unresolved()
        toPod(port.pod.uid)
        return { node, pod: port.pod.uid, device: device.name }
      }
      case 'ethernet': {
        const other = this.stacks.owner(nextHop)
        if (other) {
          const there = other.stack.device('eth0')
          see?.(stepAt(node, device, 'Out', device.mac, there.mac))
          see?.(stepAt(other.name, there, 'In', device.mac, there.mac))
          return { node: other.name, device: 'eth0' }
        }
        if (nextHop !== addressIn(nodeNetworkOf(nextHop), 1)) return unresolved()
        see?.(stepAt(node, device, 'Out', device.mac, macOf('gateway')))
        return { node, outside: true, device: device.name }
      }
      case 'vxlan':
        return this.encapsulate(node, stack, device, nextHop, see)
      default:
        return 'unreachable'
    }
  }

  /**
   * To who has an address on the wires that a device is on: veths of
   * namespaces that were made, and the bridges that these are ports of.
   */
  private arrive(node: string, stack: Stack, device: Link, ip: string, see?: See): Exclude<End, string> | undefined {
    const found = this.onWire(node, stack, device, ip, new Set())
    if (!found) return undefined
    const there = this.stacks.at(found.node)?.link(found.device)
    const mac = found.pod === undefined ? (there?.mac ?? '') : macOf(`${found.pod}/eth0`)
    see?.({ ...stepAt(node, device, 'Out', device.mac, mac), asks: true })
    if (there && found.pod === undefined) see?.(stepAt(found.node, there, 'In', device.mac, mac))
    return found
  }

  private onWire(node: string, stack: Stack, out: Link, ip: string, seen: Set<Link>): Exclude<End, string> | undefined {
    if (!out.up || seen.has(out)) return undefined
    seen.add(out)
    if (out.kind === 'bridge') {
      for (const port of stack.links) {
        const found = port.master === out.name ? this.onWire(node, stack, port, ip, seen) : undefined
        if (found) return found
      }
      return undefined
    }
    if (out.pod) return out.pod.ip === ip ? { node, pod: out.pod.uid, device: out.master ?? out.name } : undefined
    const far = stack.peerOf(out)
    if (!far?.link.up || !out.pair || seen.has(far.link)) return undefined
    seen.add(far.link)
    const [base = ''] = node.split('/')
    const there = out.pair.namespace ? `${base}/${out.pair.namespace}` : base
    const pod = this.stacks.podNamed(base, out.pair.namespace)
    if (pod) return far.stack.owns(ip) ? { node: base, pod: pod.uid, device: out.name } : undefined
    const bridge = far.link.master === undefined ? undefined : far.stack.link(far.link.master)
    if (far.stack.owns(ip)) return bridge?.up === false ? undefined : { node: there, device: (bridge ?? far.link).name }
    return bridge && this.onWire(there, far.stack, bridge, ip, seen)
  }

  /** Through a tunnel: the neighbour's MAC, the node behind it, and a UDP packet between the two nodes. */
  private encapsulate(node: string, stack: Stack, device: Link, nextHop: string, see?: See): End {
    const { vxlan } = device
    const neighbour = stack.state.neighbours.find(({ ip, dev }) => ip === nextHop && dev === device.name)
    if (!vxlan || !neighbour) {
      see?.({ ...stepAt(node, device, 'Out', device.mac, ''), unresolved: { ip: nextHop, by: stack.addressOf(device.name) ?? '' } })
      return 'unreachable'
    }
    see?.(stepAt(node, device, 'Out', device.mac, neighbour.mac))
    const entries = stack.state.fdb.filter(({ dev }) => dev === device.name)
    const known = entries.filter(({ mac }) => mac === neighbour.mac)
    const targets = known.length > 0 ? known : entries.filter(({ mac }) => mac === '00:00:00:00:00:00')
    for (const { destination } of targets) {
      if (destination === undefined) continue
      const outer: FilterPacket = { protocol: 'UDP', source: vxlan.local, destination, port: vxlan.port }
      const underlay = stack.lookup(destination)
      if (!underlay || stack.link(underlay.dev)?.kind !== 'ethernet') continue
      if (stack.iptables.refuses('OUTPUT', { ...outer, out: underlay.dev })) continue
      const other = this.stacks.owner(destination)
      const outside = stack.device(underlay.dev)
      const there = other?.stack.link('eth0')
      const inner = { sourceMac: device.mac, destinationMac: neighbour.mac }
      const tunnel = { source: vxlan.local, destination, port: vxlan.port, vni: vxlan.id, ...inner }
      see?.({ ...stepAt(node, outside, 'Out', outside.mac, there?.mac ?? ''), tunnel })
      if (other && there) see?.({ ...stepAt(other.name, there, 'In', outside.mac, there.mac), tunnel })
      if (!other || this.meets(other.name, 'PREROUTING', outer, 'eth0') || this.meets(other.name, 'INPUT', outer, 'eth0')) continue
      const end = other.stack.links.find(
        (link) => link.up && link.vxlan?.id === vxlan.id && link.vxlan.port === vxlan.port && link.mac === neighbour.mac,
      )
      if (!end) continue
      see?.(stepAt(other.name, end, 'In', device.mac, neighbour.mac))
      return { node: other.name, device: end.name }
    }
    return 'dropped'
  }
}

type See = (step: Omit<Step, 'forwarded'>) => void

function stepAt(
  node: string,
  { name, index }: Link,
  direction: 'In' | 'Out',
  sourceMac: string,
  destinationMac: string,
): Omit<Step, 'forwarded'> {
  return { node, device: name, index, direction, sourceMac, destinationMac }
}

function carries(stack: Stack, link: Link): boolean {
  return link.up && (link.master === undefined || stack.link(link.master)?.up === true)
}

/** The first packet that comes back. */
export function answerTo({ protocol, source, destination, port, sourcePort = 0 }: FilterPacket): FilterPacket {
  const ends = { protocol, source: destination, destination: source, port: sourcePort, sourcePort: port, answers: true as const }
  return protocol === 'ICMP' ? { ...ends, icmp: '0' } : ends
}
