import { createHash } from 'node:crypto'
import { semanticEqual } from '../controllers/equality.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists, isConflict } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Deployment } from '../schema/types/apps.v1.ts'
import type { Service, ServicePort } from '../schema/types/core.v1.ts'
import type { ObjectMeta } from '../schema/types/meta.v1.ts'
import { balancerAddress } from './load-balancer.ts'
import { gatewayImage, loadBalancerClass } from './names.ts'
import type { Finding, ResolvedGateway } from './resolve.ts'
import { type Gateway, gatewayGroup } from './types.ts'

/** The label by which GEP-1762 ties what was made for a Gateway to it. */
export const gatewayName = `${gatewayGroup}/gateway-name`
const gatewayClassName = `${gatewayGroup}/gateway-class-name`

/**
 * The Deployment and the Service of a Gateway, called NAME-CLASS in its namespace and owned by it.
 * @see https://gateway-api.sigs.k8s.io/geps/gep-1762/
 */
export async function reconcileInfrastructure(ctx: ClusterContext, resolved: ResolvedGateway): Promise<void> {
  const { gateway, accepted, listeners } = resolved
  if (gateway.metadata.deletionTimestamp) return
  const metadata = metadataOf(gateway)
  const ports = [...new Set(listeners.filter(({ works }) => works).map(({ listener }) => listener.port))].sort((a, b) => a - b)
  if (accepted.status === 'False' || ports.length === 0) return
  await ensureDeployment(ctx, gateway, metadata)
  await ensureService(ctx, metadata, ports)
}

/** The Gateway's address, once it has one, and what its traffic waits for. */
export function whyNotProgrammed({ cache }: Pick<ClusterContext, 'cache'>, gateway: Gateway): { address?: string; waits?: Finding } {
  const { name, namespace } = metadataOf(gateway)
  const service = cache.get<Service>(resources.services, name ?? '', namespace)
  const address = service && balancerAddress(service)
  if (!address) return { waits: { status: 'False', reason: 'AddressNotAssigned', message: 'The Service has no address yet' } }
  const available = cache.get<Deployment>(resources.deployments, name ?? '', namespace)?.status?.availableReplicas ?? 0
  if (available > 0) return { address }
  return { address, waits: { status: 'False', reason: 'Pending', message: 'No Pod of the proxy is available' } }
}

function metadataOf({ metadata, spec }: Gateway): ObjectMeta {
  const full = `${metadata.name}-${spec.gatewayClassName}`
  const name = full.length <= 63 ? full : `${full.slice(0, 54)}-${createHash('sha256').update(full).digest('hex').slice(0, 8)}`
  const { labels, annotations } = spec.infrastructure ?? {}
  return {
    name,
    namespace: metadata.namespace,
    labels: { ...labels, [gatewayName]: metadata.name ?? '', [gatewayClassName]: spec.gatewayClassName },
    ...(annotations && { annotations }),
    ownerReferences: [
      { apiVersion: `${gatewayGroup}/v1`, kind: 'Gateway', name: metadata.name ?? '', uid: metadata.uid ?? '', controller: true },
    ],
  }
}

async function ensureDeployment(ctx: ClusterContext, gateway: Gateway, metadata: ObjectMeta): Promise<void> {
  if (ctx.cache.get(resources.deployments, metadata.name ?? '', metadata.namespace)) return
  const { name, namespace } = gateway.metadata
  const selector = { [gatewayName]: name ?? '' }
  const deployment: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: 1,
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: { ...metadata.labels }, ...(metadata.annotations && { annotations: metadata.annotations }) },
        spec: { containers: [{ name: 'proxy', image: gatewayImage, args: ['proxy', `--gateway=${namespace}/${name}`] }] },
      },
    },
  }
  await unlessThere(ctx.client.create(resources.deployments, deployment))
}

async function ensureService(ctx: ClusterContext, metadata: ObjectMeta, numbers: readonly number[]): Promise<void> {
  const known = ctx.cache.get<Service>(resources.services, metadata.name ?? '', metadata.namespace)
  const before = new Map(known?.spec?.ports?.map((port) => [port.port, port]))
  const ports = numbers.map((port): ServicePort => before.get(port) ?? { name: `port-${port}`, port, targetPort: port, protocol: 'TCP' })
  if (!known) {
    const selector = { [gatewayName]: metadata.labels?.[gatewayName] ?? '' }
    const spec: Service['spec'] = { type: 'LoadBalancer', loadBalancerClass, selector, ports }
    await unlessThere(ctx.client.create<Service>(resources.services, { apiVersion: 'v1', kind: 'Service', metadata, spec }))
  } else if (!semanticEqual(known.spec?.ports, ports)) {
    await unlessThere(ctx.client.update<Service>(resources.services, { ...known, spec: { ...known.spec, ports } }))
  }
}

async function unlessThere(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isAlreadyExists(error) && !isConflict(error)) throw error
  }
}
