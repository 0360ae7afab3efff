import { createHash } from 'node:crypto'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Service, ServicePort } from '../schema/types/core.v1.ts'
import { podCIDR } from './hosts.ts'
import { slicesOf } from './service-proxy.ts'

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
 * The chains kube-proxy (iptables mode) keeps on a node for the Services and EndpointSlices there are now, in its order and
 * with its names: a Service port's chain ends in the hash of its name and protocol, an endpoint's in that of both and its address.
 * @see pkg/proxy/iptables/proxier.go
 */
export function serviceRules(ctx: ClusterContext, node: string): ServiceRules {
  const nat = new Table()
  const filter = new Table()
  const nodePorts: string[] = []
  for (const service of ctx.cache.list<Service>(resources.services).toSorted(byName)) {
    const { spec } = service
    if (!spec?.clusterIP || spec.clusterIP === 'None' || spec.type === 'ExternalName') continue
    for (const port of spec.ports ?? []) portRules(ctx, node, service, port, nat, filter, nodePorts)
  }
  nat.add('KUBE-MARK-MASQ', '-j MARK --set-xmark 0x4000/0x4000')
  nat.add('KUBE-POSTROUTING', '-m mark ! --mark 0x4000/0x4000 -j RETURN')
  nat.add('KUBE-POSTROUTING', '-j MARK --set-xmark 0x4000/0x0')
  nat.add('KUBE-POSTROUTING', `${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`)
  for (const rule of nodePorts) nat.add('KUBE-NODEPORTS', rule)
  nat.add(
    'KUBE-SERVICES',
    `${comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`,
  )
  nat.add('PREROUTING', `${comment('kubernetes service portals')} -j KUBE-SERVICES`)
  nat.add('OUTPUT', `${comment('kubernetes service portals')} -j KUBE-SERVICES`)
  nat.add('POSTROUTING', `${comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING`)
  for (const chain of ['KUBE-FORWARD', 'KUBE-NODEPORTS', 'KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-FIREWALL']) filter.chain(chain)
  for (const hook of ['FORWARD', 'OUTPUT']) {
    if (hook === 'FORWARD') filter.add(hook, `${comment('kubernetes forwarding rules')} -j KUBE-FORWARD`)
    filter.add(hook, `-m conntrack --ctstate NEW ${comment('kubernetes service portals')} -j KUBE-SERVICES`)
  }
  filter.add('INPUT', '-j KUBE-FIREWALL')
  filter.add('OUTPUT', '-j KUBE-FIREWALL')
  filter.add(
    'KUBE-FIREWALL',
    `! -s 127.0.0.0/8 -d 127.0.0.0/8 ${comment('block incoming localnet connections')} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`,
  )
  filter.add('KUBE-FORWARD', '-m conntrack --ctstate INVALID -j DROP')
  filter.add('KUBE-FORWARD', `${comment('kubernetes forwarding rules')} -m mark --mark 0x4000/0x4000 -j ACCEPT`)
  filter.add('KUBE-FORWARD', `${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`)
  return { nat: nat.done(), filter: filter.done() }
}

function portRules(
  ctx: ClusterContext,
  node: string,
  service: Service,
  port: ServicePort,
  nat: Table,
  filter: Table,
  nodePorts: string[],
): void {
  const { metadata, spec } = service
  const label = `${metadata.namespace}/${metadata.name}${port.name ? `:${port.name}` : ''}`
  const protocol = (port.protocol ?? 'TCP').toLowerCase()
  const svc = `KUBE-SVC-${hash(label + protocol)}`
  const endpoints = slicesOf(ctx, service).flatMap((slice) =>
    (slice.ports ?? [])
      .filter((each) => (each.name ?? '') === (port.name ?? '') && (each.protocol ?? 'TCP') === (port.protocol ?? 'TCP'))
      .flatMap((each) =>
        (slice.endpoints ?? [])
          .filter(({ conditions }) => conditions?.ready !== false)
          .map((endpoint) => ({ address: `${endpoint.addresses[0]}:${each.port}`, node: endpoint.nodeName })),
      ),
  )
  const cluster = `-d ${spec?.clusterIP}/32 -p ${protocol} ${comment(`${label} cluster IP`)} -m ${protocol} --dport ${port.port}`
  if (endpoints.length === 0) {
    const none = `-d ${spec?.clusterIP}/32 -p ${protocol} ${comment(`${label} has no endpoints`)} -m ${protocol} --dport ${port.port}`
    filter.add('KUBE-SERVICES', `${none} -j REJECT --reject-with icmp-port-unreachable`)
    return
  }
  const chainOf = (address: string) => `KUBE-SEP-${hash(label + protocol + address)}`
  const spread = (chain: string, among: typeof endpoints) => {
    for (const [index, { address }] of among.entries()) {
      const left = among.length - index
      const chance = left > 1 ? ` -m statistic --mode random --probability ${(1 / left).toFixed(11)}` : ''
      nat.add(chain, `${comment(`${label} -> ${address}`)}${chance} -j ${chainOf(address)}`)
    }
  }
  const local = endpoints.filter((endpoint) => endpoint.node === node)
  const inner = spec?.internalTrafficPolicy === 'Local' ? `KUBE-SVL-${hash(label + protocol)}` : svc
  nat.add('KUBE-SERVICES', `${cluster} -j ${inner}`)
  nat.add(svc, `! -s ${podCIDR} ${cluster} -j KUBE-MARK-MASQ`)
  spread(svc, endpoints)
  if (inner !== svc) spread(inner, local)
  if (port.nodePort) {
    const ext = `KUBE-EXT-${hash(label + protocol)}`
    nodePorts.push(`-p ${protocol} ${comment(label)} -m ${protocol} --dport ${port.nodePort} -j ${ext}`)
    if (spec?.externalTrafficPolicy === 'Local') {
      const svl = `KUBE-SVL-${hash(label + protocol)}`
      nat.add(ext, `-s ${podCIDR} ${comment(`pod traffic for ${label} external destinations`)} -j ${svc}`)
      nat.add(ext, `${comment(`route LOCAL traffic for ${label} external destinations`)} -m addrtype --src-type LOCAL -j ${svc}`)
      nat.add(ext, `-j ${svl}`)
      if (inner !== svl) spread(svl, local)
    } else {
      nat.add(ext, `${comment(`masquerade traffic for ${label} external destinations`)} -j KUBE-MARK-MASQ`)
      nat.add(ext, `-j ${svc}`)
    }
  }
  for (const { address } of endpoints) {
    const chain = chainOf(address)
    nat.add(chain, `-s ${address.split(':')[0]}/32 ${comment(label)} -j KUBE-MARK-MASQ`)
    nat.add(chain, `-p ${protocol} ${comment(label)} -m ${protocol} -j DNAT --to-destination ${address}`)
  }
}

class Table {
  private readonly byChain = new Map<string, string[]>()

  chain(name: string): string[] {
    const rules = this.byChain.get(name) ?? []
    this.byChain.set(name, rules)
    return rules
  }

  add(chain: string, spec: string): void {
    this.chain(chain).push(`-A ${chain} ${spec}`)
  }

  done(): TableRules {
    const chains = [...this.byChain.keys()].filter((name) => name.startsWith('KUBE-')).sort()
    const hooks = [...this.byChain.keys()].filter((name) => !name.startsWith('KUBE-'))
    return { chains, rules: [...hooks, ...chains].flatMap((name) => this.byChain.get(name) ?? []) }
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
