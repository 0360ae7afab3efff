import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node } from '../schema/types/core.v1.ts'
import { addressIn, inCIDR } from './addresses.ts'
import { internalIP } from './hosts.ts'
import type { Rule } from './iptables.ts'
import { macOf, type Stack, vxlanOverhead } from './stack.ts'
import type { Stacks } from './stacks.ts'

/** net-conf.json. */
export interface FlannelConfig {
  network: string
  backend: { type: 'vxlan' | 'host-gw'; vni: number; port: number; directRouting: boolean }
}

/** What flanneld has to say of its start. */
export interface FlannelLease {
  subnet: string
  mtu: number
  publicIP: string
}

const prefix = 'flannel.alpha.coreos.com'

/** Throws Error in flanneld's words. */
export function parseFlannelConfig(text: string): FlannelConfig {
  let given: { Network?: unknown; Backend?: { Type?: unknown; VNI?: unknown; Port?: unknown; DirectRouting?: unknown } }
  try {
    given = JSON.parse(text)
  } catch (error) {
    throw new Error(`error parsing subnet config: ${(error as Error).message}`)
  }
  const { Network: network, Backend: backend = {} } = given
  if (typeof network !== 'string' || !/^\d+(?:\.\d+){3}\/\d+$/.test(network)) {
    throw new Error('error parsing subnet config: please define a correct Network parameter in the flannel config')
  }
  const type = backend.Type ?? 'udp'
  if (type !== 'vxlan' && type !== 'host-gw') throw new Error(`unknown backend type: ${String(type)}`)
  return {
    network,
    backend: { type, vni: Number(backend.VNI ?? 1), port: Number(backend.Port ?? 8472), directRouting: backend.DirectRouting === true },
  }
}

/**
 * What flanneld does on a node while it runs: its own end of the tunnel, its lease as annotations of the Node, and for every
 * other lease a route, a neighbour and a forwarding entry. It acts when a lease comes, changes or goes, and once for each
 * when it starts: what somebody takes away in between stays away.
 * @see https://github.com/flannel-io/flannel/blob/master/Documentation/backends.md
 */
export async function startFlannel(
  ctx: ClusterContext,
  stacks: Stacks,
  name: string,
  config: FlannelConfig,
  runsOn: boolean,
): Promise<Disposable & { lease: FlannelLease }> {
  const own = ctx.cache.get<Node>(resources.nodes, name)
  const stack = stacks.node(name)
  const publicIP = own && internalIP(own)
  const subnet = own?.spec?.podCIDR
  if (!stack || !publicIP) throw new Error(`Failed to find any valid interface to use: node ${name} has no address`)
  if (!subnet) throw new Error(`Error registering network: failed to acquire lease: node "${name}" pod cidr not assigned`)
  if (!inCIDR(addressIn(subnet, 0), config.network)) {
    const what = `subnet "${config.network}" specified in the flannel net config doesn't contain "${subnet}" PodCIDR of the "${name}" node`
    throw new Error(`Error registering network: failed to acquire lease: ${what}`)
  }
  const { type } = config.backend
  const outer = stack.link('eth0')?.mtu ?? 1500
  const mtu = type === 'vxlan' ? outer - vxlanOverhead : outer
  const device = stack.link(`flannel.${config.backend.vni}`)
  const mac = type !== 'vxlan' ? undefined : runsOn ? device?.mac : endOfTunnel(ctx, stack, config, subnet, publicIP, mtu)
  if (!runsOn) writeRules(stack, config.network, subnet)

  const annotations = {
    [`${prefix}/backend-data`]: mac ? JSON.stringify({ VNI: config.backend.vni, VtepMAC: mac }) : 'null',
    [`${prefix}/backend-type`]: type,
    [`${prefix}/kube-subnet-manager`]: 'true',
    [`${prefix}/public-ip`]: publicIP,
  }
  if (!runsOn) await ctx.client.patch(resources.nodes, name, { metadata: { annotations } }, 'merge', { fieldManager: 'flanneld' })

  const known = new Map<string, Lease>()
  let taking = runsOn
  const heard = ctx.cache.watch<Node>(resources.nodes, ({ type: change, object }) => {
    const other = object.metadata.name ?? ''
    if (other === name) return
    const lease = change === 'DELETED' ? undefined : leaseOf(object)
    const before = known.get(other)
    if (JSON.stringify(lease) === JSON.stringify(before)) return
    if (before && !taking) forget(stack, before)
    if (lease && !taking) learn(stack, config, lease)
    if (lease) known.set(other, lease)
    else known.delete(other)
  })
  taking = false
  return {
    lease: { subnet: `${addressIn(subnet, 1)}/${subnet.split('/')[1]}`, mtu, publicIP },
    [Symbol.dispose]: () => heard[Symbol.dispose](),
  }
}

interface Lease {
  subnet: string
  publicIP: string
  mac: string | undefined
}

function leaseOf(node: Node): Lease | undefined {
  const annotations = node.metadata.annotations ?? {}
  const subnet = node.spec?.podCIDR
  const publicIP = annotations[`${prefix}/public-ip`]
  if (annotations[`${prefix}/kube-subnet-manager`] !== 'true' || !subnet || !publicIP) return undefined
  let mac: string | undefined
  try {
    mac = (JSON.parse(annotations[`${prefix}/backend-data`] ?? 'null') as { VtepMAC?: string } | null)?.VtepMAC
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return { subnet, publicIP, mac }
}

/** flannel.1: made anew with a MAC of its own unless there is one that fits. */
function endOfTunnel(ctx: ClusterContext, stack: Stack, config: FlannelConfig, subnet: string, local: string, mtu: number): string {
  const { vni, port } = config.backend
  const device = `flannel.${vni}`
  const known = stack.link(device)
  if (known && (known.vxlan?.id !== vni || known.vxlan.port !== port || known.vxlan.local !== local)) stack.deleteLink(device)
  const address = addressIn(subnet, 0)
  const link =
    stack.link(device) ??
    stack.addLink({
      name: device,
      kind: 'vxlan',
      mac: macOf(`${local}/${device}/${ctx.random()}`),
      mtu,
      up: true,
      vxlan: { id: vni, local, dev: 'eth0', port, learning: false },
    })
  for (const other of link.addresses.filter(({ ip }) => ip !== address)) stack.deleteAddress(device, other.ip)
  if (!stack.owns(address)) stack.addAddress(device, { ip: address, prefix: 32, scope: 'global' })
  if (!link.up) stack.setLink(device, { up: true })
  return link.mac
}

function learn(stack: Stack, { backend }: FlannelConfig, { subnet, publicIP, mac }: Lease): void {
  if (backend.type === 'host-gw' || backend.directRouting) {
    stack.addRoute({ to: subnet, via: publicIP, dev: 'eth0' }, true)
    return
  }
  const dev = `flannel.${backend.vni}`
  const via = addressIn(subnet, 0)
  if (!mac || !stack.link(dev)?.up) return
  stack.setNeighbour({ ip: via, dev, mac, state: 'PERMANENT' })
  stack.setFdb({ mac, dev, destination: publicIP, permanent: true })
  stack.addRoute({ to: subnet, via, dev, onlink: true }, true)
}

function forget(stack: Stack, { subnet, mac }: Lease): void {
  const { routes, neighbours, fdb } = stack.state
  for (const { to, dev, via } of routes.filter((route) => route.to === subnet && route.via)) stack.deleteRoute({ to, dev, via })
  if (!mac) return
  for (const { ip, dev } of neighbours.filter((each) => each.mac === mac)) stack.deleteNeighbour(ip, dev)
  for (const { dev } of fdb.filter((each) => each.mac === mac)) stack.deleteFdb(mac, dev)
}

/** --ip-masq, and that a node whose policy drops forwarded packets lets those of pods through. */
function writeRules(stack: Stack, network: string, subnet: string): void {
  const { iptables } = stack
  const add = (table: Rule['table'], chain: string, ...spec: string[]) => {
    const rule: Rule = { table, chain, spec }
    if (!iptables.find(rule)) iptables.add(rule)
  }
  const masq = ['-m', 'comment', '--comment', '"flanneld masq"']
  const forward = ['-m', 'comment', '--comment', '"flanneld forward"']
  if (!iptables.has('nat', 'FLANNEL-POSTRTG')) iptables.newChain('nat', 'FLANNEL-POSTRTG')
  if (!iptables.has('filter', 'FLANNEL-FWD')) iptables.newChain('filter', 'FLANNEL-FWD')
  add('nat', 'POSTROUTING', ...masq, '-j', 'FLANNEL-POSTRTG')
  add('nat', 'FLANNEL-POSTRTG', '-m', 'mark', '--mark', '0x4000/0x4000', ...masq, '-j', 'RETURN')
  add('nat', 'FLANNEL-POSTRTG', '-s', subnet, '-d', network, ...masq, '-j', 'RETURN')
  add('nat', 'FLANNEL-POSTRTG', '-s', network, '-d', subnet, ...masq, '-j', 'RETURN')
  add('nat', 'FLANNEL-POSTRTG', '!', '-s', network, '-d', subnet, ...masq, '-j', 'RETURN')
  add('nat', 'FLANNEL-POSTRTG', '-s', network, '!', '-d', '224.0.0.0/4', ...masq, '-j', 'MASQUERADE', '--random-fully')
  add('nat', 'FLANNEL-POSTRTG', '!', '-s', network, '-d', network, ...masq, '-j', 'MASQUERADE', '--random-fully')
  add('filter', 'FORWARD', ...forward, '-j', 'FLANNEL-FWD')
  add('filter', 'FLANNEL-FWD', '-s', network, ...forward, '-j', 'ACCEPT')
  add('filter', 'FLANNEL-FWD', '-d', network, ...forward, '-j', 'ACCEPT')
}
