import { semanticEqual } from '../controllers/equality.ts'
import { WorkQueue } from '../controllers/queue.ts'
import { timestamp } from '../controllers/time.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isConflict, isNotFound } from '../machinery/errors.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { Ingress } from '../schema/types/networking.v1.ts'
import { conditions } from './conditions.ts'
import { gatewayName, reconcileInfrastructure, whyNotProgrammed } from './infrastructure.ts'
import { ingressClasses, ourIngresses } from './ingress.ts'
import { assignAddresses, balancerAddress } from './load-balancer.ts'
import { controllerNamespace, ingressService } from './names.ts'
import { type Finding, gatewayController, isOurs, type ResolvedGateway, type ResolvedRoutes, resolveGateways } from './resolve.ts'
import { type GatewayClass, gatewayResources, type ListenerStatus, type Route, type RouteParentStatus } from './types.ts'

/** What a controller's sync changes its mind by. */
const watched: readonly Resource[] = [
  ...Object.values(gatewayResources),
  ingressClasses,
  resources.ingresses,
  resources.services,
  resources.namespaces,
  resources.secrets,
]

/**
 * Keeps the built-in classes: the status of their Ingresses, GatewayClasses, Gateways and routes, a proxy (Deployment and
 * Service) for each Gateway, and addresses for the Services in front of proxies. All of it is judged anew at each change.
 */
export function startGatewayController(ctx: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(ctx, () => sync(ctx), { name: 'gateway-controller', workers: 1 }))
  for (const resource of watched) stack.use(ctx.cache.watch(resource, () => queue.add('all')))
  stack.use(
    ctx.cache.watch<KubeObject>(resources.deployments, ({ object }) => {
      if (object.metadata.labels?.[gatewayName] !== undefined) queue.add('all')
    }),
  )
  return stack
}

async function sync(ctx: ClusterContext): Promise<void> {
  await assignAddresses(ctx)
  await syncIngresses(ctx)
  for (const gatewayClass of ctx.cache.list<GatewayClass>(gatewayResources.gatewayClasses)) {
    if (isOurs(gatewayClass)) await syncClass(ctx, gatewayClass)
  }
  const resolved = resolveGateways(ctx)
  for (const gateway of resolved.gateways) {
    await reconcileInfrastructure(ctx, gateway)
    await syncGateway(ctx, gateway)
  }
  await syncRoutes(ctx, resolved)
}

async function syncIngresses(ctx: ClusterContext): Promise<void> {
  const service = ctx.cache.get<Service>(resources.services, ingressService, controllerNamespace)
  const ip = service && balancerAddress(service)
  for (const ingress of ourIngresses(ctx)) {
    const status: Ingress['status'] = { loadBalancer: ip ? { ingress: [{ ip }] } : {} }
    await writeStatus(ctx, resources.ingresses, ingress, status)
  }
}

async function syncClass(ctx: ClusterContext, gatewayClass: GatewayClass): Promise<void> {
  const { spec, status, metadata } = gatewayClass
  const Accepted: Finding = spec.parametersRef
    ? { status: 'False', reason: 'InvalidParameters', message: 'Parameters are not supported' }
    : { status: 'True', reason: 'Accepted', message: 'The GatewayClass is accepted' }
  await writeStatus(ctx, gatewayResources.gatewayClasses, gatewayClass, {
    ...status,
    conditions: conditions({ Accepted }, status?.conditions, metadata.generation, timestamp(ctx)),
  })
}

async function syncGateway(ctx: ClusterContext, { gateway, accepted, listeners }: ResolvedGateway): Promise<void> {
  const { status, metadata } = gateway
  const now = timestamp(ctx)
  const { address, waits } = whyNotProgrammed(ctx, gateway)
  const some = listeners.some(({ works }) => works)
  const programmed: Finding =
    accepted.status === 'False' || !some
      ? { status: 'False', reason: 'Invalid', message: accepted.status === 'False' ? accepted.message : 'No listener works' }
      : (waits ?? { status: 'True', reason: 'Programmed', message: 'The proxy has its configuration' })
  const listenerStatus = listeners.map(({ listener, supportedKinds, attached, works, ...found }): ListenerStatus => {
    const before = status?.listeners?.find(({ name }) => name === listener.name)?.conditions
    const Programmed: Finding = works
      ? programmed.status === 'True'
        ? { status: 'True', reason: 'Programmed', message: 'The listener is open' }
        : { status: 'False', reason: 'Pending', message: programmed.message }
      : { status: 'False', reason: 'Invalid', message: 'The listener is not open' }
    const all = { Accepted: found.accepted, Conflicted: found.conflicted, ResolvedRefs: found.resolvedRefs, Programmed }
    return {
      name: listener.name,
      supportedKinds,
      attachedRoutes: attached.length,
      conditions: conditions(all, before, metadata.generation, now),
    }
  })
  await writeStatus(ctx, gatewayResources.gateways, gateway, {
    ...(address && { addresses: [{ type: 'IPAddress', value: address }] }),
    conditions: conditions({ Accepted: accepted, Programmed: programmed }, status?.conditions, metadata.generation, now),
    listeners: listenerStatus,
  })
}

/** Each parent's status belongs to the controller of that parent; those of others stay as they are. */
async function syncRoutes(ctx: ClusterContext, { routes }: ResolvedRoutes): Promise<void> {
  for (const { route, parents } of routes) {
    const before = route.status?.parents ?? []
    const ours = parents.map(({ parentRef, accepted, resolvedRefs }): RouteParentStatus => {
      const old = before.find((parent) => parent.controllerName === gatewayController && semanticEqual(parent.parentRef, parentRef))
      const found = { Accepted: accepted, ResolvedRefs: resolvedRefs }
      return {
        parentRef,
        controllerName: gatewayController,
        conditions: conditions(found, old?.conditions, route.metadata.generation, timestamp(ctx)),
      }
    })
    const others = before.filter(({ controllerName }) => controllerName !== gatewayController)
    if (ours.length === 0 && others.length === before.length) continue
    await writeStatus(ctx, resourceOf(route), route, { parents: [...others, ...ours] })
  }
}

function resourceOf({ kind }: Route): Resource {
  return kind === 'GRPCRoute' ? gatewayResources.grpcRoutes : gatewayResources.httpRoutes
}

/** Writes a status that has changed. An object that is gone or newer meanwhile comes again by its own change. */
async function writeStatus<T extends KubeObject & { status?: object }>(
  ctx: ClusterContext,
  resource: Resource,
  object: T,
  status: object | undefined,
): Promise<void> {
  if (semanticEqual(object.status, status)) return
  try {
    await ctx.client.update(resource, { ...object, status }, { subresource: 'status' })
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}
