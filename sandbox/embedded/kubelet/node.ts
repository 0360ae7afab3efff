import type { Clock, Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { addressIn } from '../network/addresses.ts'
import { nodeCIDR } from '../network/index.ts'
import type { Lease } from '../schema/types/coordination.v1.ts'
import type { Node, NodeCondition } from '../schema/types/core.v1.ts'
import type { CSINode } from '../schema/types/storage.v1.ts'
import type { NodeFacts } from './environment.ts'
import { formatTime } from './status.ts'

const kubeletVersion = 'v1.34.4'
const capacity = {
  cpu: '4',
  'ephemeral-storage': '61255492Ki',
  'hugepages-1Gi': '0',
  'hugepages-2Mi': '0',
  memory: '8388608Ki',
  pods: '110',
}

/**
 * A kubelet renews its lease every 10 s; these do it just often enough for the node lifecycle controller, which gives a
 * node up after 50 s: they live in the cluster's own process and cannot be lost from it, and every renewal is a write.
 */
const leaseSeconds = 40
const renewEvery = 40_000
/** How often a kubelet compares its status with what it sees. */
const lookEvery = 10_000

/** The names kind gives to the nodes of a cluster. */
export function nodeNames(cluster: string, count: number): string[] {
  const workers = Array.from({ length: count - 1 }, (_, index) => `${cluster}-worker${index === 0 ? '' : index + 1}`)
  return [`${cluster}-control-plane`, ...workers]
}

export interface RegisteredNode extends NodeFacts {
  podCIDR: string
}

/** Makes the node known to the API, as its kubelet and kubeadm do; a node that is known stays as it is. */
export async function registerNode(
  ctx: ClusterContext,
  name: string,
  index: number,
  count: number,
  problem?: string,
): Promise<RegisteredNode> {
  const ip = addressIn(nodeCIDR, 2 + index)
  const known = ctx.cache.get<Node>(resources.nodes, name)
  if (!known) {
    const made = nodeObject(ctx.clock, name, ip, index, count, problem)
    await ctx.client.create(resources.nodes, made)
    const stored = ctx.cache.get<Node>(resources.nodes, name)
    if (!stored?.status?.addresses?.length) {
      await ctx.client.patch(resources.nodes, name, { status: made.status }, 'merge', { subresource: 'status' })
    }
    announce(ctx, made, problem === undefined)
    await ctx.client.create(resources.csiNodes, csiNode(name, stored?.metadata.uid ?? ''))
  }
  const node = ctx.cache.get<Node>(resources.nodes, name)
  const allocatable = Object.fromEntries(Object.entries(node?.status?.allocatable ?? capacity).map(([key, value]) => [key, String(value)]))
  return {
    name,
    ip: node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? ip,
    podCIDR: node?.spec?.podCIDR ?? `10.244.${index}.0/24`,
    allocatable,
  }
}

/** What the kubelet says of the node's storage drivers: there are none. */
function csiNode(name: string, uid: string): CSINode {
  const migrated = ['aws-ebs', 'azure-disk', 'azure-file', 'cinder', 'gce-pd', 'portworx-volume', 'vsphere-volume']
  const annotations = { 'storage.alpha.kubernetes.io/migrated-plugins': migrated.map((plugin) => `kubernetes.io/${plugin}`).join(',') }
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name, uid }]
  return { apiVersion: 'storage.k8s.io/v1', kind: 'CSINode', metadata: { name, annotations, ownerReferences }, spec: { drivers: [] } }
}

/** Renews the leases of all nodes by one slow timer, and says again that they are ready where somebody has come to doubt it. */
export class Heartbeat implements Disposable {
  private readonly ctx: ClusterContext
  private readonly nodes: readonly string[]
  private readonly problemOf: (node: string) => string | undefined
  private timer: Timer | undefined
  private look: Timer | undefined

  /** `problemOf` tells why a node cannot run pods. */
  constructor(ctx: ClusterContext, nodes: readonly string[], problemOf: (node: string) => string | undefined) {
    this.ctx = ctx
    this.nodes = nodes
    this.problemOf = problemOf
    this.schedule()
    this.scheduleLook()
  }

  /** Writes every node's lease now. */
  async renew(): Promise<void> {
    for (const name of this.nodes) {
      await renewLease(this.ctx, name)
      await postReady(this.ctx, name, this.problemOf(name))
      await postExtended(this.ctx, name)
    }
  }

  [Symbol.dispose](): void {
    this.timer?.cancel()
    this.look?.cancel()
  }

  private schedule(): void {
    this.timer = this.ctx.clock.setTimeout(() => {
      this.ctx.clock.during(this.renew()).catch((error) => this.ctx.report('node leases', error))
      this.schedule()
    }, renewEvery)
  }

  /** Sees what has become of the nodes; only a change is a write. */
  private scheduleLook(): void {
    this.look = this.ctx.clock.setTimeout(() => {
      for (const name of this.nodes) {
        const ready = this.ctx.cache.get<Node>(resources.nodes, name)?.status?.conditions?.find(({ type }) => type === 'Ready')?.status
        const problem = this.problemOf(name)
        if (ready === undefined || (ready === 'True') === (problem === undefined)) continue
        this.ctx.clock.during(postReady(this.ctx, name, problem)).catch((error) => this.ctx.report(`status of node ${name}`, error))
      }
      this.scheduleLook()
    }, lookEvery)
  }
}

async function renewLease(ctx: ClusterContext, name: string): Promise<void> {
  const renewTime = new Date(ctx.clock.now()).toISOString().replace('Z', '000Z')
  const namespace = 'kube-node-lease'
  const known = ctx.cache.get<Lease>(resources.leases, name, namespace)
  const node = ctx.cache.get<Node>(resources.nodes, name)
  if (!node) return
  if (known) {
    await ctx.client.patch(resources.leases, name, { spec: { renewTime } }, 'merge', { namespace, fieldManager: 'kubelet' })
    return
  }
  const lease: Lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: node.metadata.uid ?? '' }] },
    spec: { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime },
  }
  try {
    await ctx.client.create(resources.leases, lease, { namespace })
  } catch (error) {
    // Before the namespace is there the next renewal will do.
    if (!isNotFound(error)) throw error
  }
}

async function postReady(ctx: ClusterContext, name: string, problem: string | undefined): Promise<void> {
  const node = ctx.cache.get<Node>(resources.nodes, name)
  const wanted = problem === undefined ? 'True' : 'False'
  if (!node || node.status?.conditions?.find(({ type }) => type === 'Ready')?.status === wanted) return
  const conditions = conditionsAt(ctx.clock, problem).map((condition) => {
    const before = node.status?.conditions?.find(({ type }) => type === condition.type)
    return before?.status === condition.status ? { ...condition, lastTransitionTime: before.lastTransitionTime } : condition
  })
  await ctx.client.patch(resources.nodes, name, { status: { conditions } }, 'merge', { subresource: 'status', fieldManager: 'kubelet' })
  const about = { ...node, metadata: { ...node.metadata, uid: name } }
  const state = problem === undefined ? 'NodeReady' : 'NodeNotReady'
  ctx.events.event(about, 'Normal', state, `Node ${name} status is now: ${state}`, { component: 'kubelet', host: name })
}

/** Extended resources that somebody has given the node may be used in full; those that are gone may not. */
async function postExtended(ctx: ClusterContext, name: string): Promise<void> {
  const { capacity: given = {}, allocatable = {} } = ctx.cache.get<Node>(resources.nodes, name)?.status ?? {}
  const isExtended = (resource: string) => resource.includes('/') && !resource.includes('kubernetes.io/')
  const change: Record<string, string | number | null> = {}
  for (const [resource, amount] of Object.entries(given)) {
    if (isExtended(resource) && allocatable[resource] !== amount) change[resource] = amount
  }
  for (const resource of Object.keys(allocatable)) if (isExtended(resource) && given[resource] === undefined) change[resource] = null
  if (Object.keys(change).length === 0) return
  const patch = { status: { allocatable: change } }
  await ctx.client.patch(resources.nodes, name, patch, 'merge', { subresource: 'status', fieldManager: 'kubelet' })
}

function conditionsAt(clock: Clock, problem?: string): NodeCondition[] {
  const now = formatTime(clock.now())
  const condition = (type: string, status: string, reason: string, message: string): NodeCondition => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  })
  return [
    condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    problem === undefined
      ? condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : condition('Ready', 'False', 'KubeletNotReady', problem),
  ]
}

function announce(ctx: ClusterContext, node: Node, ready: boolean): void {
  const { name = '' } = node.metadata
  // Events about nodes name them as their uid, as the kubelet does.
  const about = { ...node, metadata: { ...node.metadata, uid: name } }
  const source = { component: 'kubelet', host: name }
  ctx.events.event(about, 'Normal', 'Starting', 'Starting kubelet.', source)
  ctx.events.event(about, 'Normal', 'NodeHasSufficientMemory', `Node ${name} status is now: NodeHasSufficientMemory`, source)
  ctx.events.event(about, 'Normal', 'NodeHasNoDiskPressure', `Node ${name} status is now: NodeHasNoDiskPressure`, source)
  ctx.events.event(about, 'Normal', 'NodeHasSufficientPID', `Node ${name} status is now: NodeHasSufficientPID`, source)
  if (ready) ctx.events.event(about, 'Normal', 'NodeReady', `Node ${name} status is now: NodeReady`, source)
}

function nodeObject(clock: Clock, name: string, ip: string, index: number, count: number, problem: string | undefined): Node {
  const controlPlane = index === 0
  const id = `${name}-machine`.split('').reduce((hash, letter) => (hash * 33 + letter.charCodeAt(0)) >>> 0, 5381)
  const machineID = id.toString(16).padStart(8, '0').repeat(4)
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: { 'node.alpha.kubernetes.io/ttl': '0', 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        ...(controlPlane && { 'node-role.kubernetes.io/control-plane': '' }),
        ...(controlPlane && count > 1 && { 'node.kubernetes.io/exclude-from-external-load-balancers': '' }),
      },
    },
    spec: {
      podCIDR: `10.244.${index}.0/24`,
      podCIDRs: [`10.244.${index}.0/24`],
      providerID: `kind://docker/${name.replace(/-(control-plane|worker\d*)$/, '')}/${name}`,
      ...(controlPlane && count > 1 && { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }),
    },
    status: {
      addresses: [
        { type: 'InternalIP', address: ip },
        { type: 'Hostname', address: name },
      ],
      capacity,
      allocatable: capacity,
      conditions: conditionsAt(clock, problem),
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      images: [
        { names: ['registry.k8s.io/coredns/coredns:v1.12.1'], sizeBytes: 22384805 },
        { names: ['registry.k8s.io/kube-proxy:v1.34.4'], sizeBytes: 76106104 },
        { names: ['registry.k8s.io/pause:3.10.1'], sizeBytes: 320448 },
      ],
      nodeInfo: {
        architecture: 'amd64',
        bootID: `${machineID.slice(0, 8)}-${machineID.slice(8, 12)}-${machineID.slice(12, 16)}-${machineID.slice(16, 20)}-${machineID.slice(20)}`,
        containerRuntimeVersion: 'containerd://2.2.0',
        kernelVersion: '6.8.0-labernetes',
        kubeProxyVersion: '',
        kubeletVersion,
        machineID,
        operatingSystem: 'linux',
        osImage: 'Debian GNU/Linux 12 (bookworm)',
        systemUUID: machineID,
      },
    },
  }
}
