import { matchesSelector } from '../controllers/selector.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Namespace, Secret, Service } from '../schema/types/core.v1.ts'
import { mayRefer } from './grants.ts'
import { intersection } from './hostnames.ts'
import { tlsPair } from './tls-pair.ts'
import {
  type BackendRef,
  type Gateway,
  type GatewayClass,
  type GatewayListener,
  gatewayGroup,
  gatewayResources,
  type ParentReference,
  type Route,
  type RouteFilter,
  type RouteKind,
} from './types.ts'

export const gatewayController = 'labernetes.io/gateway-controller'

/** A judgement as a condition states it. */
export interface Finding {
  status: 'True' | 'False'
  reason: string
  message: string
}

/** A listener as it is: what is wrong with it, and which routes are attached. */
export interface ResolvedListener {
  listener: GatewayListener
  supportedKinds: RouteKind[]
  accepted: Finding
  conflicted: Finding
  resolvedRefs: Finding
  /** Traffic is served by it. */
  works: boolean
  /** PEM, in the order of its references. */
  certificates: { certificate: string; key: string }[]
  attached: { route: Route; hostnames: string[] }[]
}

export interface ResolvedGateway {
  gateway: Gateway
  accepted: Finding
  listeners: ResolvedListener[]
}

export interface ResolvedParent {
  parentRef: ParentReference
  accepted: Finding
  resolvedRefs: Finding
}

export interface ResolvedRoutes {
  gateways: ResolvedGateway[]
  /** What each route is to those of its parents that are Gateways of ours. */
  routes: { route: Route; parents: ResolvedParent[] }[]
}

const fine = (reason: string, message = ''): Finding => ({ status: 'True', reason, message })
const bad = (reason: string, message: string): Finding => ({ status: 'False', reason, message })

/** All Gateways whose class is ours, with their routes, as the specification judges them. */
export function resolveGateways(ctx: Pick<ClusterContext, 'cache'>): ResolvedRoutes {
  const { cache } = ctx
  const gateways = cache
    .list<Gateway>(gatewayResources.gateways)
    .filter((gateway) => isOurs(cache.get<GatewayClass>(gatewayResources.gatewayClasses, gateway.spec.gatewayClassName)))
    .map((gateway) => resolveGateway(ctx, gateway))
  const routes = [...cache.list<Route>(gatewayResources.httpRoutes), ...cache.list<Route>(gatewayResources.grpcRoutes)]
    .toSorted(byAge)
    .map((route) => ({ route, parents: parentsOf(ctx, gateways, route) }))
  return { gateways, routes }
}

export function isOurs(gatewayClass: GatewayClass | undefined): boolean {
  return gatewayClass?.spec.controllerName === gatewayController
}

function resolveGateway(ctx: Pick<ClusterContext, 'cache'>, gateway: Gateway): ResolvedGateway {
  const { spec } = gateway
  const listeners = spec.listeners.map((listener) => resolveListener(ctx, gateway, listener))
  const asked = spec.addresses?.some(({ value }) => value)
  const accepted = asked
    ? bad('UnsupportedAddress', 'Addresses cannot be chosen; leave spec.addresses out')
    : spec.infrastructure?.parametersRef
      ? bad('InvalidParameters', 'Parameters are not supported')
      : listeners.every(({ accepted, conflicted }) => accepted.status === 'True' && conflicted.status === 'False')
        ? fine('Accepted', 'The Gateway is accepted')
        : { ...fine('ListenersNotValid', 'A listener is not valid'), status: anyValid(listeners) ? ('True' as const) : ('False' as const) }
  return { gateway, accepted, listeners }
}

function anyValid(listeners: readonly ResolvedListener[]): boolean {
  return listeners.some(({ accepted, conflicted }) => accepted.status === 'True' && conflicted.status === 'False')
}

function resolveListener(ctx: Pick<ClusterContext, 'cache'>, gateway: Gateway, listener: GatewayListener): ResolvedListener {
  const { protocol } = listener
  const known = protocol === 'HTTP' || protocol === 'HTTPS'
  const accepted = known
    ? fine('Accepted', 'The listener is accepted')
    : bad('UnsupportedProtocol', `Protocol ${protocol} is not supported`)
  const conflicted = conflictOf(gateway, listener)
  const { supportedKinds, unsupported } = kindsOf(listener, known)
  const { certificates, problem } = certificatesOf(ctx, gateway, listener)
  const resolvedRefs =
    unsupported.length > 0
      ? bad(
          'InvalidRouteKinds',
          `Routes of kind ${unsupported.map(({ kind }) => kind).join(', ')} cannot be attached to a listener for ${protocol}`,
        )
      : (problem ?? fine('ResolvedRefs', 'All references are resolved'))
  const works = accepted.status === 'True' && conflicted.status === 'False' && (protocol === 'HTTP' || certificates.length > 0)
  return { listener, supportedKinds, accepted, conflicted, resolvedRefs, works, certificates, attached: [] }
}

/** Listeners of one port must speak the same protocol and have different hostnames. */
function conflictOf({ spec }: Gateway, listener: GatewayListener): Finding {
  const others = spec.listeners.filter((other) => other !== listener && other.port === listener.port)
  if (others.some(({ protocol }) => protocol !== listener.protocol)) {
    return { status: 'True', reason: 'ProtocolConflict', message: `Another listener uses port ${listener.port} for another protocol` }
  }
  if (others.some(({ hostname = '' }) => hostname === (listener.hostname ?? ''))) {
    return { status: 'True', reason: 'HostnameConflict', message: `Another listener uses port ${listener.port} with the same hostname` }
  }
  return bad('NoConflicts', 'No listener is in conflict with this one')
}

const routeKinds = ['HTTPRoute', 'GRPCRoute']

function kindsOf({ allowedRoutes }: GatewayListener, known: boolean): { supportedKinds: RouteKind[]; unsupported: RouteKind[] } {
  const ours = known ? routeKinds.map((kind) => ({ group: gatewayGroup, kind })) : []
  if (!allowedRoutes?.kinds?.length) return { supportedKinds: ours, unsupported: [] }
  const isKnown = ({ group = gatewayGroup, kind }: RouteKind) => group === gatewayGroup && ours.some((our) => our.kind === kind)
  return {
    supportedKinds: ours.filter(({ kind }) => allowedRoutes.kinds?.some((asked) => asked.kind === kind && isKnown(asked))),
    unsupported: allowedRoutes.kinds.filter((kind) => !isKnown(kind)),
  }
}

function certificatesOf(
  ctx: Pick<ClusterContext, 'cache'>,
  gateway: Gateway,
  { protocol, tls }: GatewayListener,
): { certificates: ResolvedListener['certificates']; problem?: Finding } {
  if (protocol !== 'HTTPS') return { certificates: [] }
  const namespace = gateway.metadata.namespace ?? ''
  const certificates: ResolvedListener['certificates'] = []
  let problem: Finding | undefined
  for (const ref of tls?.certificateRefs ?? []) {
    const { group = '', kind = 'Secret', name } = ref
    const to = { group, kind, name, namespace: ref.namespace ?? namespace }
    const full = `${to.namespace}/${name}`
    if (group !== '' || kind !== 'Secret') problem ??= bad('InvalidCertificateRef', `A certificate is a Secret, not a ${kind}`)
    else if (!mayRefer(ctx, { kind: 'Gateway', namespace }, to)) {
      problem ??= bad('RefNotPermitted', `No ReferenceGrant lets this Gateway use Secret ${full}`)
    } else {
      const pair = tlsPair(ctx.cache.get<Secret>(resources.secrets, name, to.namespace))
      if (typeof pair === 'string') problem ??= bad('InvalidCertificateRef', `Secret ${full} ${pair}`)
      else certificates.push(pair)
    }
  }
  if (certificates.length === 0) problem ??= bad('InvalidCertificateRef', 'The listener names no certificate')
  return { certificates, ...(problem && { problem }) }
}

function parentsOf(ctx: Pick<ClusterContext, 'cache'>, gateways: readonly ResolvedGateway[], route: Route): ResolvedParent[] {
  const namespace = route.metadata.namespace ?? ''
  const resolvedRefs = referencesOf(ctx, route)
  return (route.spec.parentRefs ?? []).flatMap((parentRef) => {
    if ((parentRef.group ?? gatewayGroup) !== gatewayGroup || (parentRef.kind ?? 'Gateway') !== 'Gateway') return []
    const parent = gateways.find(
      ({ gateway: { metadata } }) => metadata.name === parentRef.name && metadata.namespace === (parentRef.namespace ?? namespace),
    )
    if (!parent) return []
    const unsupported = unsupportedIn(route)
    const accepted = unsupported ? bad('UnsupportedValue', unsupported) : attach(ctx, parent, parentRef, route)
    return [{ parentRef, accepted, resolvedRefs }]
  })
}

/** Attaches a route to the listeners that a reference means and that allow it. */
function attach({ cache }: Pick<ClusterContext, 'cache'>, parent: ResolvedGateway, ref: ParentReference, route: Route): Finding {
  const meant = parent.listeners.filter(
    ({ listener }) =>
      (ref.sectionName === undefined || listener.name === ref.sectionName) && (ref.port === undefined || listener.port === ref.port),
  )
  if (meant.length === 0) return bad('NoMatchingParent', 'No listener of the Gateway has this name and port')
  const namespace = cache.get<Namespace>(resources.namespaces, route.metadata.namespace ?? '')
  const allowing = meant.filter(({ listener, supportedKinds }) => {
    if (!supportedKinds.some(({ kind }) => kind === route.kind)) return false
    const { from = 'Same', selector } = listener.allowedRoutes?.namespaces ?? {}
    if (from === 'All') return true
    if (from === 'Same') return route.metadata.namespace === parent.gateway.metadata.namespace
    return from === 'Selector' && matchesSelector(selector, namespace?.metadata.labels)
  })
  if (allowing.length === 0) return bad('NotAllowedByListeners', 'No listener allows routes of this kind from this namespace')
  const matching = allowing.flatMap((listener) => {
    const hostnames = intersection(listener.listener.hostname, route.spec.hostnames)
    return hostnames.length > 0 ? [{ listener, hostnames }] : []
  })
  if (matching.length === 0) return bad('NoMatchingListenerHostname', 'No listener has a hostname in common with the route')
  for (const { listener, hostnames } of matching) {
    if (!listener.attached.some((known) => known.route === route)) listener.attached.push({ route, hostnames })
  }
  return fine('Accepted', 'The route is accepted')
}

const filterTypes = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite', 'RequestMirror']

function unsupportedIn({ spec }: Route): string | undefined {
  const filters = (spec.rules ?? []).flatMap((rule) => [
    ...(rule.filters ?? []),
    ...(rule.backendRefs ?? []).flatMap((ref) => ref.filters ?? []),
  ])
  const unknown = filters.find(({ type }) => !filterTypes.includes(type))
  return unknown && `Filter ${unknown.type} is not supported`
}

/** The first thing that is wrong with what a route refers to. */
function referencesOf(ctx: Pick<ClusterContext, 'cache'>, route: Route): Finding {
  const refs = (route.spec.rules ?? []).flatMap((rule) => [...(rule.backendRefs ?? []), ...mirrorsOf(rule.filters)])
  for (const ref of refs) {
    const backend = resolveBackend(ctx, route, ref)
    if ('problem' in backend) return backend.problem
  }
  return fine('ResolvedRefs', 'All references are resolved')
}

function mirrorsOf(filters: readonly RouteFilter[] = []): BackendRef[] {
  return filters.flatMap(({ requestMirror }) => (requestMirror ? [requestMirror.backendRef] : []))
}

/** The Service and port behind a reference of a route, or what is wrong with it. */
export function resolveBackend(
  ctx: Pick<ClusterContext, 'cache'>,
  route: Route,
  { group = '', kind = 'Service', name, namespace, port }: BackendRef,
): { service: Service; port: number } | { problem: Finding } {
  const own = route.metadata.namespace ?? ''
  const to = { group, kind, name, namespace: namespace ?? own }
  if (group !== '' || kind !== 'Service') return { problem: bad('InvalidKind', `A backend is a Service, not a ${kind}`) }
  if (!mayRefer(ctx, { kind: route.kind, namespace: own }, to)) {
    return { problem: bad('RefNotPermitted', `No ReferenceGrant lets this ${route.kind} refer to Service ${to.namespace}/${name}`) }
  }
  const service = ctx.cache.get<Service>(resources.services, name, to.namespace)
  if (!service) return { problem: bad('BackendNotFound', `Service ${to.namespace}/${name} does not exist`) }
  if (port === undefined || !service.spec?.ports?.some((each) => each.port === port)) {
    return { problem: bad('BackendNotFound', `Service ${to.namespace}/${name} has no port ${port ?? ''}`.trimEnd()) }
  }
  return { service, port }
}

function byAge(a: Route, b: Route): number {
  const key = ({ metadata }: Route) => `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`
  return key(a) < key(b) ? -1 : 1
}
