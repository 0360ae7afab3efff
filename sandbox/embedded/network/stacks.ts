import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node } from '../schema/types/core.v1.ts'
import { addressIn } from './addresses.ts'
import { internalIP, nodeNetworkOf } from './hosts.ts'
import { blockOf, emptyStack, type Link, macOf, type RouteEntry, Stack, type StackState } from './stack.ts'

/** How a network plugin joins a pod to its node. */
export type Joint =
  /** A veth with a route of its own for the pod (kindnet). */
  | { type: 'ptp'; gateway: string; mtu: number }
  /** A port of a bridge, which is made when it is missing (flannel). */
  | { type: 'bridge'; bridge: string; gateway: string; prefix: number; mtu: number }

interface Stored {
  state: StackState
  /** The pods that were joined; their devices may be gone since. */
  joined: string[]
}

/** Cluster ms between a change and its record. */
const debounce = 1000

/** The stacks of the nodes, kept in the cluster's records. */
export class Stacks implements Disposable {
  private readonly ctx: ClusterContext
  private readonly stacks = new Map<string, { stack: Stack; joined: Set<string> }>()
  private readonly dirty = new Set<string>()
  private timer: Disposable | undefined
  private readonly listeners = new Set<(node: string) => void>()

  constructor(ctx: ClusterContext) {
    this.ctx = ctx
  }

  /** A node's stack; undefined for a node that is not known. */
  node(name: string): Stack | undefined {
    const known = this.stacks.get(name)
    if (known) return known.stack
    const node = this.ctx.cache.get<Node>(resources.nodes, name)
    const ip = node && internalIP(node)
    if (!ip) return undefined
    const stored = this.ctx.records.get<Stored>(recordOf(name))
    const stack = new Stack(stored?.state ?? nodeStack(ip), () => this.changed(name))
    this.stacks.set(name, { stack, joined: new Set(stored?.joined) })
    return stack
  }

  /** The node whose device on the nodes' network has this address and is up. */
  owner(ip: string): { name: string; stack: Stack } | undefined {
    for (const node of this.ctx.cache.list<Node>(resources.nodes)) {
      const name = node.metadata.name ?? ''
      const stack = this.node(name)
      if (stack?.links.some((link) => link.kind === 'ethernet' && link.up && link.addresses.some((address) => address.ip === ip))) {
        return { name, stack }
      }
    }
    return undefined
  }

  /** Joins a pod to its node as a network plugin does; nothing for one that was joined before. */
  join(node: string, pod: { uid: string; ip: string }, joint: Joint): void {
    const stack = this.node(node)
    const joined = this.stacks.get(node)?.joined
    if (!stack || !joined || joined.has(pod.uid)) return
    joined.add(pod.uid)
    if (joint.type === 'bridge' && !stack.link(joint.bridge)) {
      const mac = macOf(`${node}/${joint.bridge}`)
      const addresses = [{ ip: joint.gateway, prefix: joint.prefix, scope: 'global' as const }]
      stack.addLink({ name: joint.bridge, kind: 'bridge', mac, mtu: joint.mtu, up: true, addresses })
    }
    const name = `veth${macOf(pod.uid).replaceAll(':', '').slice(2, 10)}`
    if (stack.link(name)) stack.deleteLink(name)
    const veth: Omit<Link, 'index' | 'addresses'> = {
      name,
      kind: 'veth',
      mac: macOf(`${node}/${pod.uid}`),
      mtu: joint.mtu,
      up: true,
      pod: { uid: pod.uid, ip: pod.ip },
    }
    if (joint.type === 'bridge') stack.addLink({ ...veth, master: joint.bridge })
    else {
      stack.addLink({ ...veth, addresses: [{ ip: joint.gateway, prefix: 32, scope: 'global' }] })
      stack.addRoute({ to: `${pod.ip}/32`, dev: name, scope: 'host' }, true)
    }
  }

  part(node: string, uid: string): void {
    const known = this.stacks.get(node)
    if (!known?.joined.delete(uid)) return
    const link = known.stack.links.find(({ pod }) => pod?.uid === uid)
    if (link) known.stack.deleteLink(link.name)
    this.changed(node)
  }

  /** Hears of every change of a node's stack. */
  onChange(listener: (node: string) => void): Disposable {
    this.listeners.add(listener)
    return { [Symbol.dispose]: () => this.listeners.delete(listener) }
  }

  /** Writes what has changed into the records. */
  checkpoint(): void {
    this.timer?.[Symbol.dispose]()
    this.timer = undefined
    for (const name of this.dirty) {
      const known = this.stacks.get(name)
      if (known) this.ctx.records.put(recordOf(name), { state: known.stack.state, joined: [...known.joined] })
    }
    this.dirty.clear()
  }

  [Symbol.dispose](): void {
    this.checkpoint()
    this.listeners.clear()
  }

  private changed(name: string): void {
    this.dirty.add(name)
    if (!this.timer) {
      const timer = this.ctx.clock.setTimeout(() => this.checkpoint(), debounce)
      this.timer = { [Symbol.dispose]: () => timer.cancel() }
    }
    for (const listener of [...this.listeners]) listener(name)
  }
}

/** What a network plugin has set up in a pod's own namespace; undefined where its wire is gone. */
export function podStack(node: Stack, { uid, ip }: { uid: string; ip: string }): Stack | undefined {
  const wire = node.links.find(({ pod }) => pod?.uid === uid)
  if (!wire) return undefined
  const stack = new Stack(emptyStack())
  const gateway = node.addressOf(wire.master ?? wire.name) ?? addressIn(blockOf(ip, 24), 1)
  const prefix = 24
  const address = { ip, prefix, scope: 'global' as const }
  stack.addLink({
    name: 'eth0',
    kind: 'ethernet',
    mac: macOf(`${uid}/eth0`),
    mtu: wire.mtu,
    up: true,
    addresses: [address],
    peer: wire.index,
  })
  stack.addRoute({ to: 'default', via: gateway, dev: 'eth0', onlink: true })
  const routes = stack.state.routes.filter(({ to }) => to !== 'default')
  const ways: RouteEntry[] = [{ to: 'default', via: gateway, dev: 'eth0' }]
  // Behind a wire of one's own even the neighbours are behind the gateway.
  if (wire.master) ways.push(...routes)
  else {
    ways.push({ to: blockOf(ip, prefix), via: gateway, dev: 'eth0', source: ip })
    ways.push({ to: `${gateway}/32`, dev: 'eth0', scope: 'link', source: ip })
  }
  stack.state.routes = ways
  const mac = wire.master ? node.link(wire.master)?.mac : wire.mac
  if (mac) stack.state.neighbours = [{ ip: gateway, dev: 'eth0', mac, state: 'REACHABLE' }]
  return stack
}

function recordOf(node: string): string {
  return `network/stack/${node}`
}

/** A node as the platform hands it out: one device on the nodes' network, and a way out by its first address. */
function nodeStack(ip: string): StackState {
  const stack = new Stack(emptyStack())
  const mac = ['02', '42', ...ip.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')
  const network = nodeNetworkOf(ip)
  const prefix = Number(network.split('/')[1])
  stack.addLink({ name: 'eth0', kind: 'ethernet', mac, mtu: 1500, up: true, addresses: [{ ip, prefix, scope: 'global' }] })
  stack.addRoute({ to: 'default', via: addressIn(network, 1), dev: 'eth0' })
  stack.setSysctl('net.ipv4.ip_forward', '1')
  stack.setSysctl('net.bridge.bridge-nf-call-iptables', '1')
  return stack.state
}
