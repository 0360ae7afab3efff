import { addressIn } from './addresses.ts'
import { nodeNetworkOf } from './hosts.ts'
import type { FilterPacket } from './iptables.ts'
import type { Link, Stack } from './stack.ts'
import type { Stacks } from './stacks.ts'

/** Where a packet ends that a node sends on: at a pod, at a node itself, or out of the cluster. */
export type End = { node: string; pod?: string; outside?: true; device: string } | 'unreachable' | 'dropped'

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
    const stack = this.stacks.node(node)
    const route = stack?.lookup(ip)
    return stack && route && { device: route.dev, source: route.source ?? stack.addressOf(route.dev) }
  }

  owns(node: string, ip: string): boolean {
    return this.stacks.node(node)?.owns(ip) ?? false
  }

  /** Whether a pod's own wire to its node carries anything. */
  wired(node: string, uid: string): boolean {
    const stack = this.stacks.node(node)
    const link = stack?.links.find(({ pod }) => pod?.uid === uid)
    return link !== undefined && carries(stack as Stack, link)
  }

  /** Follows a packet from a node's stack on; `from` is the device it came in by, absent for what the node itself sends. */
  carry(start: string, packet: FilterPacket, from?: string): End {
    let node = start
    let incoming = from
    for (let hop = 0; hop < mostHops; hop++) {
      const stack = this.stacks.node(node)
      if (!stack) return 'unreachable'
      const { destination } = packet
      if (stack.owns(destination)) {
        const verdict = incoming === undefined ? 'ACCEPT' : stack.iptables.verdict('INPUT', { ...packet, in: incoming })
        return verdict === 'ACCEPT' ? { node, device: incoming ?? 'lo' } : refusal(verdict)
      }
      const route = stack.lookup(destination)
      const device = route && stack.link(route.dev)
      if (!route || !device) return 'unreachable'
      if (incoming !== undefined && stack.sysctl('net.ipv4.ip_forward') === '0') return 'dropped'
      const hook = incoming === undefined ? 'OUTPUT' : 'FORWARD'
      const verdict = stack.iptables.verdict(hook, { ...packet, in: incoming, out: device.name })
      if (verdict !== 'ACCEPT') return refusal(verdict)
      const next = this.transmit(node, stack, device, route.via ?? destination)
      if (typeof next === 'string') return next
      if (next.pod !== undefined || next.outside) return next
      node = next.node
      incoming = next.device
    }
    return 'dropped'
  }

  /** From a device to whoever hears it: the next stack and the device there. */
  private transmit(node: string, stack: Stack, device: Link, nextHop: string): End {
    switch (device.kind) {
      case 'veth':
        return device.up && device.pod?.ip === nextHop ? { node, pod: device.pod.uid, device: device.name } : 'unreachable'
      case 'bridge': {
        const port = stack.links.find(({ master, pod }) => master === device.name && pod?.ip === nextHop)
        return port?.up ? { node, pod: port.pod?.uid, device: device.name } : 'unreachable'
      }
      case 'ethernet': {
        const other = this.stacks.owner(nextHop)
        if (other) return { node: other.name, device: 'eth0' }
        return nextHop === addressIn(nodeNetworkOf(nextHop), 1) ? { node, outside: true, device: device.name } : 'unreachable'
      }
      case 'vxlan':
        return this.encapsulate(stack, device, nextHop)
      default:
        return 'unreachable'
    }
  }

  /** Through a tunnel: the neighbour's MAC, the node behind it, and a UDP packet between the two nodes. */
  private encapsulate(stack: Stack, device: Link, nextHop: string): End {
    const { vxlan } = device
    const neighbour = stack.state.neighbours.find(({ ip, dev }) => ip === nextHop && dev === device.name)
    if (!vxlan || !neighbour) return 'unreachable'
    const entries = stack.state.fdb.filter(({ dev }) => dev === device.name)
    const known = entries.filter(({ mac }) => mac === neighbour.mac)
    const targets = known.length > 0 ? known : entries.filter(({ mac }) => mac === '00:00:00:00:00:00')
    for (const { destination } of targets) {
      if (destination === undefined) continue
      const outer: FilterPacket = { protocol: 'UDP', source: vxlan.local, destination, port: vxlan.port }
      const underlay = stack.lookup(destination)
      if (!underlay || stack.link(underlay.dev)?.kind !== 'ethernet') continue
      if (stack.iptables.verdict('OUTPUT', { ...outer, out: underlay.dev }) !== 'ACCEPT') continue
      const other = this.stacks.owner(destination)
      if (other?.stack.iptables.verdict('INPUT', { ...outer, in: 'eth0' }) !== 'ACCEPT') continue
      const end = other.stack.links.find(
        (link) => link.up && link.vxlan?.id === vxlan.id && link.vxlan.port === vxlan.port && link.mac === neighbour.mac,
      )
      if (end) return { node: other.name, device: end.name }
    }
    return 'dropped'
  }
}

function carries(stack: Stack, link: Link): boolean {
  return link.up && (link.master === undefined || stack.link(link.master)?.up === true)
}

function refusal(verdict: 'DROP' | 'REJECT'): 'dropped' | 'unreachable' {
  return verdict === 'REJECT' ? 'unreachable' : 'dropped'
}
