import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node } from '../schema/types/core.v1.ts'
import { addressIn } from './addresses.ts'
import { internalIP, nodeNetworkOf } from './hosts.ts'
import {
  blockOf,
  emptyStack,
  type FarEnd,
  type Link,
  macOf,
  netnsOf,
  newNamespace,
  type RouteEntry,
  Stack,
  StackError,
  type StackState,
} from './stack.ts'

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
  /** Of pods that somebody has changed something in, by their uids. */
  pods?: Record<string, StackState>
  /** That somebody has made, by their names. */
  namespaces?: Record<string, StackState>
}

interface Known {
  stack: Stack
  joined: Set<string>
  pods: Map<string, Stack>
  namespaces: Map<string, Stack>
}

export interface PairEnd {
  namespace: string
  name: string
  mac: string
  mtu: number
}

/** Cluster ms between a change and its record. */
const debounce = 1000

/** The stacks of the nodes, kept in the cluster's records. */
export class Stacks implements Disposable {
  private readonly ctx: ClusterContext
  private readonly stacks = new Map<string, Known>()
  /** Where each address was found last: every packet asks. */
  private readonly owners = new Map<string, string>()
  private readonly dirty = new Set<string>()
  private timer: Disposable | undefined
  private readonly listeners = new Set<(node: string) => void>()
  private isUneven = false

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
    const stack = new Stack(stored?.state ?? nodeStack(ip), () => this.changed(name), this.farEndOf(name))
    const [pods, namespaces] = [new Map<string, Stack>(), new Map<string, Stack>()]
    this.stacks.set(name, { stack, joined: new Set(stored?.joined), pods, namespaces })
    for (const [uid, state] of Object.entries(stored?.pods ?? {})) pods.set(uid, this.stackOfPod(name, uid, state))
    for (const [each, state] of Object.entries(stored?.namespaces ?? {})) {
      namespaces.set(each, new Stack(state, () => this.changed(name), this.farEndOf(name)))
    }
    this.compare(name)
    return stack
  }

  /** The stack of a node, or by NODE/NAME of a namespace that somebody has made on it, or of a pod's (netnsOf). */
  at(place: string): Stack | undefined {
    const slash = place.indexOf('/')
    if (slash < 0) return this.node(place)
    const node = place.slice(0, slash)
    const name = place.slice(slash + 1)
    const pod = this.podNamed(node, name)
    return pod ? this.pod(node, pod) : this.node(node) && this.stacks.get(node)?.namespaces.get(name)
  }

  /** The pod whose network namespace has this name on its node. */
  podNamed(node: string, name: string): { uid: string; ip: string } | undefined {
    if (!name.startsWith('cni-')) return undefined
    return this.node(node)?.links.find(({ pod }) => pod && netnsOf(pod.uid) === name)?.pod
  }

  /** The names of the namespaces that were made on a node, those last that are oldest. */
  namespaces(node: string): string[] {
    this.node(node)
    return [...(this.stacks.get(node)?.namespaces.keys() ?? [])].reverse()
  }

  addNamespace(node: string, name: string): void {
    this.node(node)
    const known = this.stacks.get(node)
    if (!known) return
    if (known.namespaces.has(name)) throw new StackError('EEXIST', `Cannot create namespace file "/run/netns/${name}": File exists`, 1)
    known.namespaces.set(name, new Stack(newNamespace(), () => this.changed(node), this.farEndOf(node)))
    this.changed(node)
  }

  /** With its devices, and the other ends of those that are pairs. */
  deleteNamespace(node: string, name: string): void {
    const namespaces = this.stacks.get(node)?.namespaces
    const stack = namespaces?.get(name)
    if (!stack) throw new StackError('ENOENT', `Cannot remove namespace file "/run/netns/${name}": No such file or directory`, 1)
    for (const link of [...stack.links]) if (link.kind !== 'loopback') stack.deleteLink(link.name)
    namespaces?.delete(name)
    this.changed(node)
  }

  /** A pair of veths, each in a namespace of the node ('' its own). */
  addPair(node: string, ends: readonly PairEnd[]): void {
    const places = ends.map((end) => ({ ...end, stack: this.at(end.namespace ? `${node}/${end.namespace}` : node) }))
    for (const { stack, name } of places) if (stack?.link(name)) throw new StackError('EEXIST', 'RTNETLINK answers: File exists')
    // The second end is made first, as the kernel numbers them.
    const made = places
      .toReversed()
      .map(({ stack, name, mac, mtu }) => stack?.addLink({ name, kind: 'veth', mac, mtu, up: false, queue: 1000 }))
    const [second, first] = made
    const [one, other] = places
    if (!first || !second || !one || !other) return
    first.pair = { namespace: other.namespace, index: second.index }
    second.pair = { namespace: one.namespace, index: first.index }
    this.changed(node)
  }

  /** Moves a device to another namespace of its node, where it is down and has no addresses. */
  move(node: string, from: string, name: string, to: string): void {
    const target = this.at(to ? `${node}/${to}` : node)
    const source = this.at(from ? `${node}/${from}` : node)
    const link = source?.device(name)
    if (!target || !source || !link || target === source) return
    if (link.pod) throw new StackError('EOPNOTSUPP', 'RTNETLINK answers: Operation not supported')
    if (target.link(name)) throw new StackError('EEXIST', 'RTNETLINK answers: File exists')
    const other = source.peerOf(link)
    const { index, addresses: _gone, master: _free, ...device } = source.release(name)
    const moved = target.addLink({ ...device, up: false }, index)
    if (other?.link.pair) other.link.pair = { namespace: to, index: moved.index }
    this.changed(node)
  }

  /** A pod's own stack: as its network plugin has set it up, until somebody changes it. Undefined where its wire is gone. */
  pod(node: string, pod: { uid: string; ip: string }): Stack | undefined {
    const stack = this.node(node)
    const known = this.stacks.get(node)
    if (!stack || !known || !wireOf(stack, pod.uid)) return undefined
    return known.pods.get(pod.uid) ?? this.stackOfPod(node, pod.uid, podState(stack, pod))
  }

  /** A pod's own stack where somebody has changed it. */
  changedPod(node: string, uid: string): Stack | undefined {
    return this.stacks.get(node)?.pods.get(uid)
  }

  /** A device in a pod's namespace, as far as its kind and size go. */
  deviceOfPod(node: string, uid: string, name: string): Pick<Link, 'kind' | 'mtu' | 'master'> | undefined {
    const own = this.changedPod(node, uid)
    if (own) return own.link(name)
    if (name === 'lo') return { kind: 'loopback', mtu: 65_536 }
    const stack = this.node(node)
    const wire = stack && wireOf(stack, uid)
    return wire && { kind: 'ethernet', mtu: wire.pod?.mtu ?? wire.mtu }
  }

  /** Whether somebody has set the MTU of a device, or a port of a bridge has another than it. */
  get uneven(): boolean {
    return this.isUneven
  }

  /** The node whose device on the nodes' network has this address and is up. */
  owner(ip: string): { name: string; stack: Stack } | undefined {
    const before = this.owners.get(ip)
    const known = before === undefined ? undefined : this.node(before)
    if (before !== undefined && known && hears(known, ip)) return { name: before, stack: known }
    for (const node of this.ctx.cache.list<Node>(resources.nodes)) {
      const name = node.metadata.name ?? ''
      const stack = this.node(name)
      if (!stack || !hears(stack, ip)) continue
      this.owners.set(ip, name)
      return { name, stack }
    }
    this.owners.delete(ip)
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
    const own = known.pods.get(uid)
    // What somebody has moved into the pod ends with it, at both ends.
    for (const { name, pair } of [...(own?.links ?? [])]) if (pair) own?.deleteLink(name)
    known.pods.delete(uid)
    const link = wireOf(known.stack, uid)
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
      if (known) this.ctx.records.put(recordOf(name), storedOf(known))
    }
    this.dirty.clear()
  }

  [Symbol.dispose](): void {
    this.checkpoint()
    this.listeners.clear()
  }

  private stackOfPod(node: string, uid: string, state: StackState): Stack {
    const stack: Stack = new Stack(
      state,
      () => {
        const known = this.stacks.get(node)
        if (!known) return
        known.pods.set(uid, stack)
        const wire = wireOf(known.stack, uid)
        // One end of a pair does not stay without the other.
        if (wire && !stack.link('eth0')) known.stack.deleteLink(wire.name)
        this.changed(node)
      },
      (link) => {
        if (link.pair) return this.farEndOf(node)(link)
        const { name } = link
        const known = this.stacks.get(node)
        const wire = known && name === 'eth0' ? wireOf(known.stack, uid) : undefined
        return known && wire && { stack: known.stack, link: wire }
      },
    )
    return stack
  }

  private farEndOf(node: string): FarEnd {
    return ({ pair, pod }) => {
      if (!pair && !pod) return undefined
      const stack = pod ? this.changedPod(node, pod.uid) : this.at(pair?.namespace ? `${node}/${pair.namespace}` : node)
      const link = stack?.links.find((each) => (pod ? each.name === 'eth0' : each.index === pair?.index))
      return stack && link && { stack, link }
    }
  }

  private compare(name: string): void {
    const known = this.stacks.get(name)
    if (this.isUneven || !known) return
    const stacks = [known.stack, ...known.pods.values(), ...known.namespaces.values()]
    const differs = (stack: Stack, { sized, master, mtu }: Link) => sized || (master !== undefined && mtu !== stack.link(master)?.mtu)
    this.isUneven = stacks.some((stack) => stack.links.some((link) => differs(stack, link)))
  }

  private changed(name: string): void {
    this.dirty.add(name)
    this.compare(name)
    if (!this.timer) {
      const timer = this.ctx.clock.setTimeout(() => this.checkpoint(), debounce)
      this.timer = { [Symbol.dispose]: () => timer.cancel() }
    }
    for (const listener of [...this.listeners]) listener(name)
  }
}

function wireOf(node: Stack, uid: string): Link | undefined {
  return node.links.find(({ pod }) => pod?.uid === uid)
}

function storedOf({ stack, joined, pods, namespaces }: Known): Stored {
  const states = (stacks: ReadonlyMap<string, Stack>) => Object.fromEntries([...stacks].map(([name, { state }]) => [name, state]))
  return {
    state: stack.state,
    joined: [...joined],
    ...(pods.size > 0 && { pods: states(pods) }),
    ...(namespaces.size > 0 && { namespaces: states(namespaces) }),
  }
}

/** What a network plugin has set up in a pod's own namespace. */
function podState(node: Stack, { uid, ip }: { uid: string; ip: string }): StackState {
  const wire = wireOf(node, uid) as Link
  const stack = new Stack(emptyStack())
  const gateway = node.addressOf(wire.master ?? wire.name) ?? addressIn(blockOf(ip, 24), 1)
  const prefix = 24
  const address = { ip, prefix, scope: 'global' as const }
  stack.addLink({
    name: 'eth0',
    kind: 'ethernet',
    mac: macOf(`${uid}/eth0`),
    mtu: wire.pod?.mtu ?? wire.mtu,
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
  return stack.state
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

function hears(node: Stack, ip: string): boolean {
  return node.links.some((link) => link.kind === 'ethernet' && link.up && link.addresses.some((address) => address.ip === ip))
}
