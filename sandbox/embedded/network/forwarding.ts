import type { ClusterContext } from '../machinery/context.ts'
import { inCIDR } from './addresses.ts'
import type { Hop } from './capture.ts'
import type { Address } from './connection.ts'
import { answerTo, type End, type Fabric, type Step } from './fabric.ts'
import { type Host, type Hosts, internalIP, nodeCIDR, serviceCIDR } from './hosts.ts'
import type { FilterPacket, Refusal, Translated } from './iptables.ts'
import type { Protocol } from './network.ts'
import { admits, type Party } from './policy.ts'
import type { ServiceProxy } from './service-proxy.ts'

/** Where a flow ends: the stack, and both addresses as that stack sees them. */
export interface Arrival {
  target: Host
  from: Address
  to: Address
}

/** `no route` is what the sender's own kernel says at once; `unreachable` is learnt when nobody has answered ARP. */
export type Route = Arrival | Refusal | 'unreachable'

/** A packet passes few nodes' rules: its own, one that a NodePort names, one where the endpoint is. */
const mostNodes = 4

/**
 * The way of the first packet of a flow: kube-proxy's rules, hostPorts, masquerade, NetworkPolicies here, wires and tunnels
 * in the fabric; and that the answer finds back.
 */
export class Forwarding {
  private readonly ctx: ClusterContext
  private readonly hosts: Hosts
  private readonly proxy: ServiceProxy
  private readonly fabric: Fabric

  constructor(ctx: ClusterContext, hosts: Hosts, proxy: ServiceProxy, fabric: Fabric) {
    this.ctx = ctx
    this.hosts = hosts
    this.proxy = proxy
    this.fabric = fabric
  }

  /** `kept` is where the flow's packets went so far; into `trace` goes what the first packet passes. */
  route(source: Host, clientPort: number, destination: Address, protocol: Protocol, kept?: Address, trace?: Hop[]): Route {
    const loopback = inCIDR(destination.ip, '127.0.0.0/8')
    if (source.made && loopback && !this.fabric.owns(source.node, '127.0.0.1')) return 'no route'
    const client = { ip: source.made ? this.sourceOf(source.node, destination.ip) : source.ip, port: clientPort }
    if (source.pod && (loopback || destination.ip === source.ip || this.fabric.podOwns(source.node, source.pod, destination.ip))) {
      trace?.push({
        ...loopStep,
        pod: source.pod.uid,
        node: source.node,
        ...ends(loopback ? { ...client, ip: destination.ip } : client, destination),
      })
      return { target: source, from: { ip: destination.ip, port: clientPort }, to: destination }
    }
    const aside = source.pod && this.fabric.asideOf(source.node, source.pod, destination.ip)
    if (aside !== undefined) return this.route(asPlace(source, aside), clientPort, destination, protocol, kept, trace)
    if (source.pod && !this.fabric.podKnowsWay(source.node, source.pod, destination.ip)) return 'no route'
    if (source.pod && !this.fabric.podSends(source.node, source.pod, destination.ip)) return 'unreachable'
    if (source.pod && !this.fabric.wired(source.node, source.pod.uid)) return 'dropped'
    if (source.pod && trace)
      for (const step of this.fabric.enter(source.node, source.pod.uid)) trace.push({ ...step, ...ends(client, destination) })
    const entrance = source.outside ? this.entrance(destination.ip) : source.node
    if (entrance === undefined) return 'unreachable'
    let node = entrance
    if (source.outside && trace) trace.push({ ...this.fabric.arriveAt(node), ...ends(client, destination) })
    let from = client.ip
    let to = destination
    /** As policies know the sender, until a node on the way has put its own address in place of it. */
    let sender = party(source)
    let device = source.pod ? this.fabric.entryOf(node, source.pod.uid) : 'eth0'
    for (let passed = 0; passed < mostNodes; passed++) {
      const inside = passed === 0 && !source.outside
      const own = (ip: string) => (inside && loopback && ip === destination.ip) || this.isAddressOf(node, ip)
      const [rules = node, made] = node.split('/')
      const toNode = made === undefined && own(to.ip)
      const local = inside && !source.pod
      const arriving = (): FilterPacket => {
        return { protocol, source: from, sourcePort: clientPort, destination: to.ip, port: to.port, local: own(to.ip) }
      }
      const stopped = local ? undefined : this.fabric.meets(node, 'PREROUTING', arriving(), device)
      if (stopped) return stopped
      const before = this.redirected(node, arriving(), local, device, true)
      const translated = before
        ? undefined
        : this.proxy.translate({ node: rules, protocol, source: from, destination: to, toNode, inside, kept })
      if (translated === 'reject') return 'refused'
      if (translated === 'drop') return 'dropped'
      const redirected = before ?? (translated ? undefined : this.redirected(node, arriving(), local, device, false))
      const mapped = translated || redirected ? undefined : toNode ? this.hosts.hostPort(node, to, protocol) : undefined
      if (!translated && !redirected && (this.proxy.owner(to.ip) || inCIDR(to.ip, serviceCIDR))) return 'refused'
      if (redirected && redirected !== 'ACCEPT') {
        to = { ip: redirected.ip ?? (local ? '127.0.0.1' : this.nodeIP(rules)), port: redirected.port ?? to.port }
      }
      const masquerade = translated?.masquerade ?? (mapped !== undefined && (loopback || mapped.ip === from))
      to = translated?.to ?? mapped ?? to
      if (own(to.ip)) {
        if (inside && !source.pod) trace?.push({ ...loopStep, node, ...ends({ ip: from, port: clientPort }, to) })
        const refusal = local
          ? this.fabric.loops(node, arriving())
          : source.outside && passed === 0
            ? this.fabric.refuses(node, arriving())
            : this.fabric.meets(node, 'INPUT', arriving(), device)
        if (refusal) return refusal
        const seen = loopback && inCIDR(to.ip, '127.0.0.0/8') ? '127.0.0.1' : masquerade ? this.hosts.gatewayOf(node) : from
        return { target: this.stackAt(node), from: { ip: seen, port: clientPort }, to }
      }

      const way = this.fabric.wayOut(node, to.ip)
      if (!way) return local ? 'no route' : 'unreachable'
      const leaves = local || masquerade || (this.hosts.nodeWith(to.ip) !== undefined && way.device === 'eth0')
      const hidden = this.hidden(node, { ...arriving(), out: way.device }, masquerade)
      // Who sends from the node itself has chosen its address before a rule sent it elsewhere.
      const moved = local && redirected !== undefined && redirected !== 'ACCEPT'
      if (moved && loopback) return 'dropped'
      const leaving = leaves && !moved && (local || !hidden)
      const chosen = hidden && hidden !== 'ACCEPT' ? (hidden.ip ?? way.source) : leaving ? way.source : undefined
      const seen = chosen ?? from
      const packet = { protocol, source: seen, sourcePort: clientPort, destination: to.ip, port: to.port }
      const bridged = inside && source.pod !== undefined && !translated && !redirected && mapped === undefined
      const see = trace && this.tracer(trace, source, bridged, { ip: seen, port: clientPort }, to)
      const end = this.fabric.follow(node, packet, local ? undefined : device, see)
      if (end === 'unreachable') return inCIDR(to.ip, nodeCIDR) || this.hosts.at(to.ip) ? 'unreachable' : 'dropped'
      if (typeof end === 'string') return end
      if (end.outside) return 'dropped'
      const target = end.pod === undefined ? this.stackAt(end.node) : (this.hosts.at(to.ip) ?? this.hosts.ofPod(end.pod))
      if (!target) return 'dropped'
      if (target.pod && !this.fabric.podHears(end.node, target.pod, to.ip)) return 'unreachable'
      const kubelet = local && target.node === node
      if (!kubelet && !admits(this.ctx, sender, party(target), to.port, protocol)) {
        if (trace) stopAt(trace, end.node)
        return 'dropped'
      }
      const home = source.outside ? source.ip : undefined
      // Where this node has hidden who sends, the answer is not for the node itself.
      const back = local || seen === from ? 'carry' : 'follow'
      if (!this.answers(target, end, answerTo(packet), back, home)) return 'dropped'
      if (target.pod || target.made) return { target, from: { ip: seen, port: clientPort }, to }
      // At another node its own rules come next.
      from = seen
      if (leaves) sender = { ip: from }
      node = end.node
      device = end.device
    }
    return 'dropped'
  }

  /** Only real addresses answer an echo: a Service's is nobody's, and kube-proxy forwards ports. */
  echo(source: Host, ip: string, trace?: Hop[]): number | undefined {
    const from = { ip: source.made ? this.sourceOf(source.node, ip) : source.ip, port: 0 }
    const to = { ip, port: 0 }
    if (source.made && inCIDR(ip, '127.0.0.0/8') && !this.fabric.owns(source.node, '127.0.0.1')) return undefined
    const request: FilterPacket = { protocol: 'ICMP', source: from.ip, destination: ip, port: 0 }
    if (inCIDR(ip, '127.0.0.0/8') || ip === source.ip) {
      const where = source.pod ? { pod: source.pod.uid } : {}
      trace?.push({ ...loopStep, ...where, node: source.node, ...ends(ip === source.ip ? from : to, to) })
      return !source.pod && this.fabric.loops(source.node, request) ? undefined : 64
    }
    const aside = source.pod && this.fabric.asideOf(source.node, source.pod, ip)
    if (aside !== undefined) return this.echo(asPlace(source, aside), ip, trace)
    if (source.pod && !this.fabric.podSends(source.node, source.pod, ip)) return undefined
    if (source.pod && !this.fabric.wired(source.node, source.pod.uid)) return undefined
    if (source.pod && trace) for (const step of this.fabric.enter(source.node, source.pod.uid)) trace.push({ ...step, ...ends(from, to) })
    const entry = source.pod && this.fabric.entryOf(source.node, source.pod.uid)
    if (entry !== undefined && this.fabric.meets(source.node, 'PREROUTING', request, entry)) return undefined
    if (this.isAddressOf(source.node, ip)) {
      if (entry === undefined) trace?.push({ ...loopStep, node: source.node, ...ends({ ip, port: 0 }, to) })
      const refusal =
        entry === undefined ? this.fabric.loops(source.node, request) : this.fabric.meets(source.node, 'INPUT', request, entry)
      return refusal ? undefined : 64
    }
    const way = this.fabric.wayOut(source.node, ip)
    if (!way) return undefined
    const leaves = !source.pod || (this.hosts.nodeWith(ip) !== undefined && way.device === 'eth0')
    const seen = (leaves ? way.source : undefined) ?? source.ip
    const packet = { ...request, source: seen }
    const see = trace && this.tracer(trace, source, source.pod !== undefined, { ip: seen, port: 0 }, to)
    const end = this.fabric.carry(source.node, packet, entry, see)
    if (typeof end === 'string' || end.outside) return undefined
    const target = end.pod === undefined ? undefined : (this.hosts.at(ip) ?? this.hosts.ofPod(end.pod))
    if (target?.pod && !this.fabric.podHears(end.node, target.pod, ip)) return undefined
    const kubelet = !source.pod && source.node === end.node
    if (target && !kubelet && !admits(this.ctx, party(source), party(target), 0, 'ICMP')) {
      if (trace) stopAt(trace, end.node)
      return undefined
    }
    if (!this.answers(target, end, answerTo(packet), 'carry')) return undefined
    // Each node on the way takes one off, but for the one that the packet begins or ends at.
    const routers =
      source.node === end.node ? Number(Boolean(source.pod && target?.pod)) : Number(Boolean(source.pod)) + Number(Boolean(target?.pod))
    return 64 - routers
  }

  /** Puts what a packet passes behind what it has passed, each router taking one off its TTL. */
  private tracer(trace: Hop[], source: Host, bridged: boolean, from: Address, to: Address): (step: Step) => void {
    let ttl = trace.at(-1)?.ttl ?? 64
    let router = ''
    return ({ forwarded, ...step }) => {
      // Between two ports of one bridge nothing is routed.
      const port =
        bridged && source.pod !== undefined && step.node === source.node && this.fabric.isPortOf(source.node, source.pod.uid, step.device)
      if (port && step.direction === 'Out') return
      if (forwarded && step.direction === 'Out' && router !== step.node && !this.isBridged(source, bridged, step)) {
        ttl--
        router = step.node
      }
      if (step.direction === 'Out' && this.isBridged(source, bridged, step)) {
        // The frame is the pod's own all the way.
        for (const hop of trace) hop.destinationMac = step.destinationMac
        trace.push({ ...step, sourceMac: trace[0]?.sourceMac ?? step.sourceMac, source: from, destination: to, ttl })
      } else trace.push({ ...step, source: from, destination: to, ttl })
    }
  }

  private isBridged(source: Host, bridged: boolean, { node, device }: Pick<Step, 'node' | 'device'>): boolean {
    return bridged && node === source.node && source.pod !== undefined && this.fabric.share(node, source.pod.uid, device)
  }

  /**
   * The node that takes what a machine beside the nodes sends to an address: its own, or one that announces a load balancer's
   * address (the first by name, with an endpoint of its own where the traffic policy wants one).
   */
  entrance(ip: string): string | undefined {
    const owner = this.fabric.ownerOf(ip)
    if (owner !== undefined) return owner
    return this.proxy.announcers(ip).find((node) => this.fabric.ownerOf(this.nodeIP(node)) === node)
  }

  /** Whether what a target sends back arrives at the address it saw; `outside` is that of a machine beside the nodes. */
  private answers(
    target: Host | undefined,
    end: Exclude<End, string>,
    packet: FilterPacket,
    how: 'carry' | 'follow',
    outside?: string,
  ): boolean {
    const aside = target?.pod && this.fabric.asideOf(end.node, target.pod, packet.destination)
    if (aside !== undefined) {
      const back = this.fabric[how](aside, packet)
      return typeof back !== 'string' && !back.outside
    }
    if (target?.pod && !this.fabric.wired(end.node, target.pod.uid)) return false
    if (target?.pod && !this.fabric.podSends(end.node, target.pod, packet.destination)) return false
    if (target?.pod && this.fabric.meets(end.node, 'PREROUTING', packet, end.device)) return false
    const back = this.fabric[how](end.node, packet, target?.pod ? end.device : undefined)
    return typeof back !== 'string' && (!back.outside || packet.destination === outside)
  }

  /** What the rules of somebody's own make of where a flow goes; kube-proxy's lie between the early ones and the others. */
  private redirected(node: string, packet: FilterPacket, local: boolean, device: string, early: boolean): Translated | undefined {
    const rules = this.fabric.rulesOf(node)
    if (!rules) return undefined
    return local ? rules.destination('OUTPUT', packet, early) : rules.destination('PREROUTING', { ...packet, in: device }, early)
  }

  /** What they make of where it comes from, as it leaves; what kube-proxy masquerades does not come to those behind its own. */
  private hidden(node: string, packet: FilterPacket, masquerade: boolean): Translated | undefined {
    const rules = this.fabric.rulesOf(node)
    return rules?.source(packet, true) ?? (masquerade ? undefined : rules?.source(packet, false))
  }

  /** Under which address a namespace's packets leave it. */
  private sourceOf(place: string, destination: string): string {
    return this.fabric.owns(place, destination) ? destination : (this.fabric.wayOut(place, destination)?.source ?? '')
  }

  /** The stack of a node or of a namespace that was made on it. */
  private stackAt(place: string): Host {
    if (!place.includes('/')) return this.hosts.claim(this.nodeIP(place), place)
    return this.hosts.made(place)
  }

  private isAddressOf(node: string, ip: string): boolean {
    return ip === this.nodeIP(node) || this.fabric.owns(node, ip)
  }

  private nodeIP(name: string): string {
    const node = this.hosts.node(name)
    return (node && internalIP(node)) ?? ''
  }
}

const loopStep = {
  device: 'lo',
  index: 1,
  direction: 'In' as const,
  sourceMac: '00:00:00:00:00:00',
  destinationMac: '00:00:00:00:00:00',
}

/** A pod that sends by a device of its namespace which is not the one that its network plugin has given it. */
function asPlace(source: Host, place: string): Host {
  return { ...source, pod: undefined, made: true, node: place }
}

function ends(source: Address, destination: Address): { source: Address; destination: Address; ttl: number } {
  return { source, destination, ttl: 64 }
}

/** A policy stops a packet where it would go out to its pod. */
function stopAt(trace: Hop[], node: string): void {
  while (trace.length > 0) {
    const last = trace.at(-1) as Hop
    if (last.node !== node || (last.direction === 'In' && last.pod === undefined)) return
    trace.pop()
  }
}

function party(host: Host): Party {
  if (!host.pod) return { ip: host.ip }
  return { ip: host.ip, pod: { namespace: host.pod.namespace, name: host.pod.name, labels: host.pod.labels() } }
}
