import { bootstrapPolicy } from '../auth/bootstrap-policy.ts'
import type { Clock } from '../clock.ts'
import type { Client } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { qualified } from '../machinery/errors.ts'
import { deepEqual } from '../machinery/freeze.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import type { Store } from '../machinery/store.ts'
import { addressIn } from '../network/addresses.ts'
import { apiServerPort, nodeCIDR, serviceCIDR } from '../network/index.ts'
import { builtInResources } from '../registry/index.ts'
import type { Endpoints, Namespace, Service } from '../schema/types/core.v1.ts'
import type { EndpointSlice } from '../schema/types/discovery.v1.ts'
import type { FlowSchema } from '../schema/types/flowcontrol.v1.ts'
import type { ServiceCIDR } from '../schema/types/networking.v1.ts'
import type { PriorityClass } from '../schema/types/scheduling.v1.ts'
import type { StorageClass } from '../schema/types/storage.v1.ts'
import { addons } from '../system/addons.ts'
import { flowSchemas as mandatoryFlowSchemas, priorityLevels as mandatoryPriorityLevels } from '../system/flow-control.ts'
import { danglingCondition, danglingOptions, danglingPatch, flowSchemas, priorityLevels } from './flow-schema-status.ts'
import { timestamp, uuid } from './object-meta.ts'
import { apiVersionOf } from './resources.ts'

const rbac: Record<string, Resource> = {
  ClusterRole: resources.clusterRoles,
  ClusterRoleBinding: resources.clusterRoleBindings,
  Role: resources.roles,
  RoleBinding: resources.roleBindings,
}

export interface BootstrapParts {
  client: Client
  store: Store
  clock: Clock
  random: () => number
}

/** Makes what a new cluster has before anyone has asked for anything. Rejects with ApiError. */
export async function bootstrap(parts: BootstrapParts, cluster: Parameters<typeof addons>[0]): Promise<void> {
  for (const object of namespaces) await createAlike(parts, resources.namespaces, object)
  for (const object of (policy ??= bootstrapPolicy())) await createAlike(parts, rbac[object.kind] as Resource, object)
  for (const object of priorityClasses) await createAlike(parts, resources.priorityClasses, object)
  for (const object of mandatoryPriorityLevels) await createAlike(parts, priorityLevels, object)
  for (const object of mandatoryFlowSchemas) await createAlike(parts, flowSchemas, object, judgeFlowSchema)
  await createAlike(parts, resources.storageClasses, standardStorageClass)
  await createAlike(parts, resources.serviceCIDRs, serviceCIDRObject)
  await createAlike(parts, resources.services, kubernetesService)
  await createAlike(parts, resources.endpoints, kubernetesEndpoints)
  await createAlike(parts, resources.endpointSlices, kubernetesEndpointSlice)
  for (const object of addons(cluster)) await createAlike(parts, resourceOf(object), object)
}

/** What clusters have alike: what the first one of this process asked for, and the states that the stored object went through. */
const common = new Map<string, { asked: KubeObject; states: readonly KubeObject[] }>()
let policy: readonly KubeObject[] | undefined

/**
 * Makes an object that is most often the same in every cluster. The first cluster of a process goes the whole way of a request (and of
 * another, `after`, where the server says something of it at once); those that ask for the same share what came of it, frozen, and
 * have an identity and times of their own.
 */
async function createAlike<T extends KubeObject>(
  parts: BootstrapParts,
  resource: Resource,
  object: T,
  after?: (parts: BootstrapParts, made: T) => Promise<T>,
): Promise<void> {
  const { client, store, clock, random } = parts
  const { namespace, name = '' } = object.metadata
  const table = qualified(resource)
  const key = namespace ? `${namespace}/${name}` : name
  const known = common.get(`${table}/${key}`)
  if (!known || !deepEqual(known.asked, object)) {
    const asked = copyOf(object)
    const created = await client.create(resource, object, { namespace })
    const states = after ? [created, await after(parts, created)] : [created]
    if (!known && states.every(isTimeless)) common.set(`${table}/${key}`, { asked, states })
    return
  }
  const now = timestamp(clock.now())
  const own = { uid: uuid(random), creationTimestamp: now }
  for (const state of known.states) {
    const managedFields = state.metadata.managedFields?.map((entry) => ({ ...entry, time: now }))
    const metadata = { ...state.metadata, ...own, ...(managedFields ? { managedFields } : {}) }
    store.put(table, key, { ...state, metadata, ...timedStatus(state, now) })
  }
}

/** What the server says of a FlowSchema as soon as it sees it. */
async function judgeFlowSchema({ client, clock }: BootstrapParts, { metadata: { name = '' }, spec }: FlowSchema): Promise<FlowSchema> {
  const condition = danglingCondition(spec?.priorityLevelConfiguration.name ?? '', true, timestamp(clock.now()))
  return await client.patch<FlowSchema>(flowSchemas, name, danglingPatch(name, condition), 'apply', danglingOptions)
}

/** The conditions of what all clusters have alike came about when this one was made. */
function timedStatus({ status }: KubeObject & { status?: FlowSchema['status'] }, now: string): { status?: FlowSchema['status'] } {
  if (!status?.conditions) return {}
  return { status: { ...status, conditions: status.conditions.map((condition) => ({ ...condition, lastTransitionTime: now })) } }
}

/** Whether it tells its time and identity nowhere else: then it is alike. */
function isTimeless(state: KubeObject): boolean {
  const { metadata, ...rest } = { ...state, ...timedStatus(state, '') }
  const text = JSON.stringify(rest)
  return !text.includes(metadata.creationTimestamp ?? '') && !text.includes(metadata.uid ?? '')
}

const kinds = new Map<string, Resource>()

function resourceOf({ apiVersion, kind }: KubeObject): Resource {
  const known = kinds.get(`${apiVersion} ${kind}`)
  if (known) return known
  const found = builtInResources.find((info) => info.kind === kind && apiVersionOf(info) === apiVersion)
  if (!found) throw new Error(`no built-in resource is a ${kind} of ${apiVersion}`)
  kinds.set(`${apiVersion} ${kind}`, found)
  return found
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map(
  (name): Namespace => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
)

const serviceCIDRObject: ServiceCIDR = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'kubernetes', finalizers: ['networking.k8s.io/service-cidr-finalizer'] },
  spec: { cidrs: [serviceCIDR] },
}

const serverAddress = addressIn(nodeCIDR, 2)

const priorityClasses: PriorityClass[] = [
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
]

const isDefaultClass = { 'storageclass.kubernetes.io/is-default-class': 'true' }
const appliedStorageClass: StorageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { annotations: isDefaultClass, name: 'standard' },
  provisioner: 'rancher.io/local-path',
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
}

/** kind applies it with kubectl. */
const standardStorageClass: StorageClass = {
  ...appliedStorageClass,
  metadata: {
    name: 'standard',
    annotations: {
      ...isDefaultClass,
      'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(appliedStorageClass)}\n`,
    },
  },
}

const kubernetesService: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
  spec: {
    clusterIP: '10.96.0.1',
    ipFamilyPolicy: 'SingleStack',
    ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: apiServerPort }],
    sessionAffinity: 'None',
    type: 'ClusterIP',
  },
}

const kubernetesEndpoints: Endpoints = {
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name: 'kubernetes', namespace: 'default', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
  subsets: [{ addresses: [{ ip: serverAddress }], ports: [{ name: 'https', port: apiServerPort, protocol: 'TCP' }] }],
}

const kubernetesEndpointSlice: EndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [serverAddress], conditions: { ready: true } }],
  ports: [{ name: 'https', port: apiServerPort, protocol: 'TCP' }],
}
