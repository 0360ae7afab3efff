import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Namespace, Node, Service, ServicePort } from '../schema/types/core.v1.ts'
import type { Endpoint } from '../schema/types/discovery.v1.ts'
import { parseIPv4 } from './addresses.ts'
import type { DnsAnswer } from './network.ts'
import { slicesOf } from './service-proxy.ts'

export type RecordType = DnsAnswer['type']

/** A DNS server's answer. NOERROR without answers is a name that exists without records of the type asked for. */
export interface DnsReply {
  rcode: 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED'
  answers: DnsAnswer[]
}

const domain = 'cluster.local'
const ttl = 30
const nxdomain: DnsReply = { rcode: 'NXDOMAIN', answers: [] }
const nodata: DnsReply = { rcode: 'NOERROR', answers: [] }

/**
 * What CoreDNS' kubernetes plugin (pods insecure, ttl 30) answers about a full name, from the Services, EndpointSlices and
 * Namespaces as they are now; other names go to `upstream`.
 * @see https://github.com/kubernetes/dns/blob/master/docs/specification.md
 */
export function clusterDns(ctx: ClusterContext, name: string, type: RecordType): DnsReply {
  const asked = name.replace(/\.$/, '').toLowerCase()
  if (asked.endsWith('.in-addr.arpa') || type === 'PTR') return reverse(ctx, asked)
  if (asked !== domain && !asked.endsWith(`.${domain}`)) return upstream(ctx, asked, type)
  const labels = asked === domain ? [] : asked.slice(0, -domain.length - 1).split('.')
  const kind = labels.pop()
  if (kind === undefined) return nodata
  if (kind === 'pod') return podRecord(ctx, labels, asked, type)
  if (kind === 'svc') return serviceRecords(ctx, labels, asked, type)
  return nxdomain
}

/** The resolver of the nodes' own network: it knows the nodes and, like a laptop without a connection, nothing else. */
export function upstream(ctx: ClusterContext, asked: string, type: RecordType): DnsReply {
  const node = ctx.cache.get<Node>(resources.nodes, asked.replace(/\.$/, ''))
  const address = node?.status?.addresses?.find((entry) => entry.type === 'InternalIP')?.address
  if (address === undefined) return nxdomain
  return type === 'A' ? found([{ name: asked, type, ttl: 600, data: address }]) : nodata
}

function serviceRecords(ctx: ClusterContext, labels: string[], asked: string, type: RecordType): DnsReply {
  const namespace = labels.pop()
  if (namespace === undefined) return nodata
  const exists = ctx.cache.get<Namespace>(resources.namespaces, namespace) !== undefined
  const serviceName = labels.pop()
  if (serviceName === undefined) return exists ? nodata : nxdomain
  const service = ctx.cache.get<Service>(resources.services, serviceName, namespace)
  if (!service?.spec) return nxdomain
  const base = `${serviceName}.${namespace}.svc.${domain}`
  if (service.spec.type === 'ExternalName')
    return labels.length > 0 ? nxdomain : canonical(ctx, asked, service.spec.externalName ?? '', type)

  const [first, second] = labels
  if (labels.length === 2 && first?.startsWith('_') && second?.startsWith('_')) {
    const ports = (service.spec.ports ?? []).filter(
      (port) => `_${port.name ?? ''}` === first && `_${(port.protocol ?? 'TCP').toLowerCase()}` === second,
    )
    if (ports.length === 0) return nxdomain
    return type === 'SRV' ? serviceLocations(ctx, service, ports, asked, base) : nodata
  }
  if (labels.length > 1) return nxdomain

  const headless = service.spec.clusterIP === 'None'
  if (first === undefined && !headless) {
    if (type === 'SRV') return serviceLocations(ctx, service, service.spec.ports ?? [], asked, base)
    return addresses(ctx, asked, service.spec.clusterIP ? [service.spec.clusterIP] : [], type)
  }
  const members = readyEndpoints(ctx, service).filter(({ label }) => first === undefined || label === first)
  if (members.length === 0) return nxdomain
  if (type === 'SRV') return serviceLocations(ctx, service, service.spec.ports ?? [], asked, base, first)
  return addresses(
    ctx,
    asked,
    members.map(({ ip }) => ip),
    type,
  )
}

function serviceLocations(
  ctx: ClusterContext,
  service: Service,
  ports: ServicePort[],
  asked: string,
  base: string,
  only?: string,
): DnsReply {
  if (service.spec?.clusterIP !== 'None' && only === undefined) {
    return found(weighed(ports.map((port) => ({ name: asked, type: 'SRV', ttl, data: base, port: port.port }))))
  }
  const answers: DnsAnswer[] = []
  for (const { label, port, portName } of readyEndpoints(ctx, service)) {
    if (only !== undefined && label !== only) continue
    if (!ports.some((wanted) => (wanted.name ?? '') === portName)) continue
    answers.push({ name: asked, type: 'SRV', ttl, data: `${label}.${base}`, port })
  }
  return answers.length > 0 ? found(weighed(answers)) : nxdomain
}

/** CoreDNS shares a hundred out among locations of one priority. */
function weighed(locations: DnsAnswer[]): DnsAnswer[] {
  return locations.map((location) => ({ ...location, weight: Math.floor(100 / locations.length) }))
}

/** CoreDNS leaves unready addresses out; publishNotReadyAddresses has marked them ready in the slice already. */
function readyEndpoints(ctx: ClusterContext, service: Service): { ip: string; label: string; port: number; portName: string }[] {
  return slicesOf(ctx, service).flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready !== false)
      .flatMap((endpoint) =>
        endpoint.addresses.flatMap((ip) => {
          const ports = slice.ports?.length ? slice.ports : [{ name: '', port: 0 }]
          return ports.map((port) => ({ ip, label: labelOf(endpoint, ip), port: port.port ?? 0, portName: port.name ?? '' }))
        }),
      ),
  )
}

function labelOf(endpoint: Endpoint, ip: string): string {
  return endpoint.hostname || ip.replaceAll('.', '-')
}

function podRecord(ctx: ClusterContext, labels: string[], asked: string, type: RecordType): DnsReply {
  const namespace = labels.pop()
  if (namespace === undefined) return nodata
  if (!ctx.cache.get<Namespace>(resources.namespaces, namespace)) return nxdomain
  const dashed = labels.pop()
  if (dashed === undefined) return nodata
  const ip = dashed.replaceAll('-', '.')
  if (labels.length > 0 || parseIPv4(ip) === undefined) return nxdomain
  return addresses(ctx, asked, [ip], type)
}

function canonical(ctx: ClusterContext, asked: string, target: string, type: RecordType): DnsReply {
  const alias: DnsAnswer = { name: asked, type: 'CNAME', ttl, data: target }
  if (type === 'CNAME' || target.replace(/\.$/, '').toLowerCase() === asked) return found([alias])
  const inside = target.replace(/\.$/, '').toLowerCase().endsWith(`.${domain}`)
  const { answers } = clusterDns(ctx, target, type)
  // CoreDNS follows a name within the cluster itself, and drops one that leads to nothing.
  return inside && answers.length === 0 ? nodata : found([alias, ...answers])
}

function reverse(ctx: ClusterContext, asked: string): DnsReply {
  const ip = asked.endsWith('.in-addr.arpa') ? asked.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.') : asked
  if (parseIPv4(ip) === undefined) return nxdomain
  const name = `${ip.split('.').reverse().join('.')}.in-addr.arpa`
  const services = ctx.cache.list<Service>(resources.services)
  const owner = services.find(({ spec }) => spec?.clusterIP === ip)
  if (owner) {
    return found([{ name, type: 'PTR', ttl, data: `${owner.metadata.name}.${owner.metadata.namespace}.svc.${domain}` }])
  }
  const names = new Set<string>()
  for (const service of services) {
    if (!service.spec || service.spec.type === 'ExternalName') continue
    for (const endpoint of readyEndpoints(ctx, service)) {
      if (endpoint.ip === ip) names.add(`${endpoint.label}.${service.metadata.name}.${service.metadata.namespace}.svc.${domain}`)
    }
  }
  return names.size > 0 ? found([...names].map((data) => ({ name, type: 'PTR', ttl, data }))) : nxdomain
}

/** In random order, as CoreDNS' loadbalance plugin gives them. */
function addresses(ctx: ClusterContext, name: string, ips: string[], type: RecordType): DnsReply {
  if (type !== 'A') return nodata
  const shuffled = [...new Set(ips)]
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(ctx.random() * (last + 1))
    ;[shuffled[last], shuffled[other]] = [shuffled[other] as string, shuffled[last] as string]
  }
  return found(shuffled.map((data) => ({ name, type: 'A', ttl, data })))
}

function found(answers: DnsAnswer[]): DnsReply {
  return { rcode: 'NOERROR', answers }
}
