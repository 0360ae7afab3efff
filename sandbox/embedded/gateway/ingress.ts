import type { ClusterContext } from '../machinery/context.ts'
import { type Resource, resources } from '../machinery/object.ts'
import type { Secret, Service } from '../schema/types/core.v1.ts'
import type { HTTPIngressPath, Ingress, IngressBackend, IngressClass } from '../schema/types/networking.v1.ts'
import { byParticularity, covers } from './hostnames.ts'
import { ingressController } from './names.ts'
import { tlsPair } from './tls-pair.ts'

export const ingressClasses: Resource = { group: 'networking.k8s.io', version: 'v1', resource: 'ingressclasses' }
const classAnnotation = 'kubernetes.io/ingress.class'

/** The Ingresses whose class is served by the built-in controller, the oldest first. */
export function ourIngresses({ cache }: Pick<ClusterContext, 'cache'>): Ingress[] {
  const ours = new Set(
    cache
      .list<IngressClass>(ingressClasses)
      .filter(({ spec }) => spec?.controller === ingressController)
      .map(({ metadata }) => metadata.name),
  )
  const key = ({ metadata }: Ingress) => `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`
  return cache
    .list<Ingress>(resources.ingresses)
    .filter(({ metadata, spec }) => ours.has(spec?.ingressClassName ?? metadata.annotations?.[classAnnotation]))
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** What an Ingress's rules lead to: a port of a Service, or what there is of it. */
export interface IngressTarget {
  namespace: string
  name: string
  service?: Service
  /** Of the Service, where it has it. */
  port?: number
}

export interface IngressRoutes {
  /** The backend for a host and path; undefined where no rule and no default backend takes it. */
  find(host: string, path: string): IngressTarget | undefined
  /** The certificate for a server name. */
  certificate(host: string): { certificate: string; key: string } | undefined
}

interface Entry {
  host: string
  namespace: string
  path: HTTPIngressPath
}

/**
 * The rules of all Ingresses together: an exact host before a wildcard before none, then the longest path, an exact one
 * before a prefix, the older Ingress before the newer.
 * @see https://kubernetes.io/docs/concepts/services-networking/ingress/
 */
export function ingressRoutes(ctx: Pick<ClusterContext, 'cache'>): IngressRoutes {
  const ingresses = ourIngresses(ctx)
  const entries: Entry[] = []
  const hostDefaults = new Map<string, { backend: IngressBackend; namespace: string }>()
  let otherwise: { backend: IngressBackend; namespace: string } | undefined
  const certificates: { host: string; pair: { certificate: string; key: string } }[] = []
  for (const { metadata, spec } of ingresses) {
    const namespace = metadata.namespace ?? ''
    const fallback = spec?.defaultBackend && { backend: spec.defaultBackend, namespace }
    otherwise ??= fallback
    for (const { host = '', http } of spec?.rules ?? []) {
      for (const path of http?.paths ?? []) entries.push({ host, namespace, path })
      if (fallback && !hostDefaults.has(host)) hostDefaults.set(host, fallback)
    }
    for (const { hosts = [], secretName } of spec?.tls ?? []) {
      const pair = tlsPair(ctx.cache.get<Secret>(resources.secrets, secretName ?? '', namespace))
      if (typeof pair === 'string') continue
      for (const host of hosts.length > 0 ? hosts : ['']) certificates.push({ host, pair })
    }
  }
  entries.sort((a, b) => byParticularity(a.host, b.host) || byPath(a.path, b.path))
  return {
    find(host, path) {
      const hosts = [...new Set([...entries.map((entry) => entry.host), ...hostDefaults.keys()])]
      const named = hosts.filter((name) => standsFor(name, host)).sort(byParticularity)[0]
      const entry = entries.find((each) => each.host === named && pathMatches(each.path, path))
      const found = entry ? { backend: entry.path.backend, namespace: entry.namespace } : (hostDefaults.get(named ?? '') ?? otherwise)
      return found && targetOf(ctx, found.namespace, found.backend)
    },
    certificate: (host) =>
      certificates.filter((entry) => standsFor(entry.host, host)).sort((a, b) => byParticularity(a.host, b.host))[0]?.pair,
  }
}

/** An Ingress's wildcard stands for exactly one label. */
function standsFor(rule: string, host: string): boolean {
  if (!rule.startsWith('*.')) return rule === '' || rule === host
  return covers(rule, host) && !host.slice(0, host.length - rule.length + 1).includes('.')
}

function byPath(a: HTTPIngressPath, b: HTTPIngressPath): number {
  return (b.path ?? '/').length - (a.path ?? '/').length || Number(b.pathType === 'Exact') - Number(a.pathType === 'Exact')
}

/** ImplementationSpecific is a prefix here. */
function pathMatches({ path = '/', pathType }: HTTPIngressPath, asked: string): boolean {
  const plain = asked.split('?')[0] ?? ''
  return pathType === 'Exact' ? plain === path : prefixMatches(path, plain)
}

/** Whether a prefix covers a path, element by element: /foo covers /foo/bar, not /foobar. */
export function prefixMatches(prefix: string, path: string): boolean {
  const trimmed = prefix.replace(/\/+$/, '')
  return path === trimmed || path.startsWith(`${trimmed}/`)
}

function targetOf(ctx: Pick<ClusterContext, 'cache'>, namespace: string, { service: wanted }: IngressBackend): IngressTarget {
  const name = wanted?.name ?? ''
  const service = ctx.cache.get<Service>(resources.services, name, namespace)
  const port = service?.spec?.ports?.find(
    (each) =>
      (wanted?.port?.number !== undefined && each.port === wanted.port.number) ||
      (wanted?.port?.name !== undefined && each.name === wanted.port.name),
  )?.port
  return { namespace, name, ...(service && { service }), ...(port !== undefined && { port }) }
}
