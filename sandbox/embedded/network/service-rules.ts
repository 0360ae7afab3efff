import { createHash } from 'node:crypto'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Service, ServicePort } from '../schema/types/core.v1.ts'
import { inCIDR } from './addresses.ts'
import { internalIP, podCIDR } from './hosts.ts'
import { endpointsFor } from './service-proxy.ts'

/** Rules of one table: `-A CHAIN ...` lines, and the chains they need beside the kernel's. */
export interface TableRules {
  chains: string[]
  rules: string[]
}

export interface ServiceRules {
  nat: TableRules
  filter: TableRules
}

/**
 * The chains kube-proxy (iptables mode) keeps on a node for the Services and EndpointSlices there are now, with its names: a
 * Service port's chain ends in the hash of its name and protocol, an endpoint's in that of both and its address.
 * @see pkg/proxy/iptables/proxier.go, syncProxyRules
 */
export function serviceRules(ctx: ClusterContext, node: string): ServiceRules {
  const nat = new Table(['PREROUTING', 'OUTPUT', 'POSTROUTING'])
  const filter = new Table(['INPUT', 'FORWARD', 'OUTPUT'])
  for (const table of [nat, filter]) for (const chain of ['KUBE-KUBELET-CANARY', 'KUBE-PROXY-CANARY']) table.chain(chain)
  for (const service of ctx.cache.list<Service>(resources.services).toSorted(byName)) {
    const { spec } = service
    if (!spec?.clusterIP || spec.clusterIP === 'None' || spec.type === 'ExternalName') continue
    for (const port of spec.ports ?? []) portRules(ctx, node, service, port, nat, filter)
  }
  nat.add('KUBE-MARK-MASQ', '-j MARK --set-xmark 0x4000/0x4000')
  nat.add('KUBE-POSTROUTING', '-m mark ! --mark 0x4000/0x4000 -j RETURN')
  nat.add('KUBE-POSTROUTING', '-j MARK --set-xmark 0x4000/0x0')
  nat.add('KUBE-POSTROUTING', `${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`)
  nat.chain('KUBE-NODEPORTS')
  nat.add(
    'KUBE-SERVICES',
    `${comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`,
  )
  nat.add('PREROUTING', `${comment('kubernetes service portals')} -j KUBE-SERVICES`)
  nat.add('OUTPUT', `${comment('kubernetes service portals')} -j KUBE-SERVICES`)
  nat.add('POSTROUTING', `${comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING`)
  hooks(filter)
  filter.add(
    'KUBE-FIREWALL',
    `! -s 127.0.0.0/8 -d 127.0.0.0/8 ${comment('block incoming localnet connections')} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`,
  )
  filter.add('KUBE-FORWARD', '-m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP')
  filter.add('KUBE-FORWARD', `${comment('kubernetes forwarding rules')} -m mark --mark 0x4000/0x4000 -j ACCEPT`)
  filter.add('KUBE-FORWARD', `${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`)
  return { nat: nat.done(), filter: filter.done() }
}

/** Where packets enter kube-proxy's chains of the filter table. */
function hooks(filter: Table): void {
  for (const chain of ['KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL', 'KUBE-SERVICES']) filter.chain(chain)
  const whenNew = '-m conntrack --ctstate NEW'
  const firewall = `${whenNew} ${comment('kubernetes load balancer firewall')} -j KUBE-PROXY-FIREWALL`
  const services = `${whenNew} ${comment('kubernetes service portals')} -j KUBE-SERVICES`
  const external = `${whenNew} ${comment('kubernetes externally-visible service portals')} -j KUBE-EXTERNAL-SERVICES`
  filter.add('INPUT', firewall)
  filter.add('INPUT', `${comment('kubernetes health check service ports')} -j KUBE-NODEPORTS`)
  filter.add('INPUT', external)
  filter.add('INPUT', '-j KUBE-FIREWALL')
  filter.add('FORWARD', firewall)
  filter.add('FORWARD', `${comment('kubernetes forwarding rules')} -j KUBE-FORWARD`)
  filter.add('FORWARD', services)
  filter.add('FORWARD', external)
  filter.add('OUTPUT', firewall)
  filter.add('OUTPUT', services)
  filter.add('OUTPUT', '-j KUBE-FIREWALL')
}

/** Names and figures of one port of a Service. */
interface Port {
  label: string
  protocol: string
  /** A chain's name by its kind. */
  chain(kind: 'SVC' | 'SVL' | 'EXT' | 'FW'): string
  endpointChain(address: string): string
  /** Matches packets to an address of the Service. */
  to(ip: string, what: string): string
}

function portOf({ metadata }: Service, { name, port, protocol: given = 'TCP' }: ServicePort): Port {
  const protocol = given.toLowerCase()
  const label = `${metadata.namespace}/${metadata.name}${name ? `:${name}` : ''}`
  const suffix = hash(label + protocol)
  return {
    label,
    protocol,
    chain: (kind) => `KUBE-${kind}-${suffix}`,
    endpointChain: (address) => `KUBE-SEP-${hash(label + protocol + address)}`,
    to: (ip, what) => `-d ${ip}/32 -p ${protocol} ${comment(`${label} ${what}`)} -m ${protocol} --dport ${port}`,
  }
}

function portRules(ctx: ClusterContext, node: string, service: Service, servicePort: ServicePort, nat: Table, filter: Table): void {
  const spec = service.spec ?? {}
  const port = portOf(service, servicePort)
  const { label, protocol } = port
  const { nodePort } = servicePort
  const found = endpointsFor(ctx, node, service, servicePort)
  const [cluster, local] = [found.cluster, found.local].map((targets) => targets.map(({ ip, port: to }) => `${ip}:${to}`).sort())
  if (!cluster || !local) return
  const externalIPs = spec.externalIPs ?? []
  const balancerIPs = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ip && ipMode !== 'Proxy' ? [ip] : []))
  const ranges = spec.loadBalancerSourceRanges ?? []
  const fromOutside = nodePort !== undefined || externalIPs.length > 0 || balancerIPs.length > 0
  const internalLocal = spec.internalTrafficPolicy === 'Local'
  const externalLocal = spec.externalTrafficPolicy === 'Local'
  const inner = port.chain(internalLocal ? 'SVL' : 'SVC')
  const firewalled = found.any && balancerIPs.length > 0 && ranges.length > 0

  const nowhere = found.any
    ? ['DROP', `${label} has no local endpoints`]
    : ['REJECT --reject-with icmp-port-unreachable', `${label} has no endpoints`]
  const [target = '', why = ''] = nowhere
  const reject = (chain: string, ip: string) =>
    filter.add(chain, `-d ${ip}/32 -p ${protocol} ${comment(why)} -m ${protocol} --dport ${servicePort.port} -j ${target}`)
  const reachedInside = found.any && !(internalLocal && local.length === 0)
  const reachedOutside = found.any && !(externalLocal && local.length === 0)

  if (reachedInside) {
    nat.add('KUBE-SERVICES', `${port.to(spec.clusterIP ?? '', 'cluster IP')} -j ${inner}`)
    nat.add(inner, `! -s ${podCIDR} ${port.to(spec.clusterIP ?? '', 'cluster IP')} -j KUBE-MARK-MASQ`)
  } else reject('KUBE-SERVICES', spec.clusterIP ?? '')
  for (const ip of externalIPs) {
    if (found.any) nat.add('KUBE-SERVICES', `${port.to(ip, 'external IP')} -j ${port.chain('EXT')}`)
    if (!reachedOutside) reject('KUBE-EXTERNAL-SERVICES', ip)
  }
  for (const ip of balancerIPs) {
    if (found.any) nat.add('KUBE-SERVICES', `${port.to(ip, 'loadbalancer IP')} -j ${port.chain(firewalled ? 'FW' : 'EXT')}`)
    if (firewalled) filter.add('KUBE-PROXY-FIREWALL', `${port.to(ip, `traffic not accepted by ${port.chain('FW')}`)} -j DROP`)
    if (!reachedOutside) reject('KUBE-EXTERNAL-SERVICES', ip)
  }
  if (nodePort !== undefined) {
    const match = `-p ${protocol} ${comment(label)} -m ${protocol} --dport ${nodePort}`
    if (found.any) {
      nat.add('KUBE-NODEPORTS', `-d 127.0.0.0/8 ${match} -m nfacct --nfacct-name  localhost_nps_accepted_pkts -j ${port.chain('EXT')}`)
      nat.add('KUBE-NODEPORTS', `${match} -j ${port.chain('EXT')}`)
    }
    if (!reachedOutside) {
      filter.add(
        'KUBE-EXTERNAL-SERVICES',
        `-p ${protocol} ${comment(why)} -m addrtype --dst-type LOCAL -m ${protocol} --dport ${nodePort} -j ${target}`,
      )
    }
  }
  if (spec.healthCheckNodePort) {
    filter.add(
      'KUBE-NODEPORTS',
      `-p tcp ${comment(`${label} health check node port`)} -m tcp --dport ${spec.healthCheckNodePort} -j ACCEPT`,
    )
  }
  if (found.any && fromOutside) externalRules(nat, port, externalLocal, reachedOutside)
  if (firewalled) firewallRules(ctx, node, nat, port, ranges, balancerIPs)

  const sticky = spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) : undefined
  if (!internalLocal || fromOutside) spread(nat, port, port.chain('SVC'), cluster, sticky)
  const usesLocal = internalLocal || (externalLocal && fromOutside)
  if (usesLocal) spread(nat, port, port.chain('SVL'), local, sticky)
  const reachable = !internalLocal || fromOutside ? [...cluster, ...(usesLocal ? local : [])] : local
  for (const address of new Set(reachable)) {
    const chain = port.endpointChain(address)
    nat.add(chain, `-s ${address.split(':')[0]}/32 ${comment(label)} -j KUBE-MARK-MASQ`)
    const remember = sticky === undefined ? '' : ` -m recent --set --name ${chain} --mask 255.255.255.255 --rsource`
    nat.add(chain, `-p ${protocol} ${comment(label)}${remember} -m ${protocol} -j DNAT --to-destination ${address}`)
  }
}

/** What all traffic to node ports and to external and load balancer addresses goes through. */
function externalRules(nat: Table, { label, chain }: Port, local: boolean, reached: boolean): void {
  const ext = chain('EXT')
  if (!local) nat.add(ext, `${comment(`masquerade traffic for ${label} external destinations`)} -j KUBE-MARK-MASQ`)
  else {
    nat.add(ext, `-s ${podCIDR} ${comment(`pod traffic for ${label} external destinations`)} -j ${chain('SVC')}`)
    const own = '-m addrtype --src-type LOCAL'
    nat.add(ext, `${comment(`masquerade LOCAL traffic for ${label} external destinations`)} ${own} -j KUBE-MARK-MASQ`)
    nat.add(ext, `${comment(`route LOCAL traffic for ${label} external destinations`)} ${own} -j ${chain('SVC')}`)
  }
  if (reached) nat.add(ext, `-j ${chain(local ? 'SVL' : 'SVC')}`)
}

/** Lets the ranges of a load balanced Service pass; the rest is dropped in the filter table. */
function firewallRules(
  { cache }: ClusterContext,
  nodeName: string,
  nat: Table,
  { label, chain }: Port,
  ranges: readonly string[],
  balancerIPs: readonly string[],
): void {
  const allowed = comment(`${label} loadbalancer IP`)
  const node = cache.get<Node>(resources.nodes, nodeName)
  const nodeIP = (node && internalIP(node)) ?? ''
  for (const range of ranges) nat.add(chain('FW'), `-s ${range.trim()} ${allowed} -j ${chain('EXT')}`)
  if (ranges.some((range) => inCIDR(nodeIP, range.trim()))) {
    for (const ip of balancerIPs) nat.add(chain('FW'), `-s ${ip}/32 ${allowed} -j ${chain('EXT')}`)
  }
  nat.add(chain('FW'), comment(`other traffic to ${label} will be dropped by KUBE-PROXY-FIREWALL`))
}

/** Sends a chain's traffic to endpoints: each client to its own first where sessions are sticky, then by chance. */
function spread(nat: Table, port: Port, chain: string, addresses: readonly string[], sticky: number | undefined): void {
  const to = (address: string) => comment(`${port.label} -> ${address}`)
  if (sticky !== undefined) {
    for (const address of addresses) {
      const endpoint = port.endpointChain(address)
      const recent = `-m recent --rcheck --seconds ${sticky} --reap --name ${endpoint} --mask 255.255.255.255 --rsource`
      nat.add(chain, `${to(address)} ${recent} -j ${endpoint}`)
    }
  }
  for (const [index, address] of addresses.entries()) {
    const left = addresses.length - index
    const chance = left > 1 ? ` -m statistic --mode random --probability ${probability(left)}` : ''
    nat.add(chain, `${to(address)}${chance} -j ${port.endpointChain(address)}`)
  }
}

/** One in so many, as the kernel keeps what kube-proxy gives it with ten digits: in parts of 2^31. */
function probability(left: number): string {
  const whole = 2 ** 31
  return (Math.round(Number((1 / left).toFixed(10)) * whole) / whole).toFixed(11)
}

class Table {
  private readonly byChain = new Map<string, string[]>()
  private readonly builtIn: readonly string[]

  constructor(builtIn: readonly string[]) {
    this.builtIn = builtIn
  }

  chain(name: string): string[] {
    const rules = this.byChain.get(name) ?? []
    this.byChain.set(name, rules)
    return rules
  }

  add(chain: string, spec: string): void {
    this.chain(chain).push(`-A ${chain} ${spec}`)
  }

  done(): TableRules {
    const chains = [...this.byChain.keys()].filter((name) => !this.builtIn.includes(name)).sort()
    return { chains, rules: [...this.builtIn, ...chains].flatMap((name) => this.byChain.get(name) ?? []) }
  }
}

function comment(text: string): string {
  return `-m comment --comment "${text}"`
}

/** The first 16 letters of the base32 of a SHA-256, as kube-proxy names its chains. */
function hash(text: string): string {
  const digest = createHash('sha256').update(text).digest()
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  let out = ''
  for (let bit = 0; out.length < 16; bit += 5) {
    const window = ((digest[bit >> 3] as number) << 8) | (digest[(bit >> 3) + 1] as number)
    out += letters[(window >> (11 - (bit & 7))) & 31]
  }
  return out
}

function byName(a: Service, b: Service): number {
  const key = ({ metadata }: Service) => `${metadata.namespace}/${metadata.name}`
  return key(a) < key(b) ? -1 : 1
}
