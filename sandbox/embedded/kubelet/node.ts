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
/** ms between two renewals of a real kubelet. */
const realRenewal = 10_000
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
    announce(ctx, made)
    if (problem === undefined) nodeEvent(ctx, made, 'NodeReady', `Node ${name} status is now: NodeReady`)
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

/** What a heartbeat must know of a node. */
export interface Beating {
  readonly name: string
  /** Its kubelet runs, and hears from the API server. */
  beats(): boolean
  /** Why it cannot run pods. */
  problem(): string | undefined
  /** Pressure, by the type of its condition. */
  pressure(): ReadonlySet<Pressure>
}

export type Pressure = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure'

/** Renews the leases of all nodes by one slow timer, and says again that they are ready where somebody has come to doubt it. */
export class Heartbeat implements Disposable {
  private readonly ctx: ClusterContext
  private readonly nodes: readonly Beating[]
  private timer: Timer | undefined
  private look: Timer | undefined
  private readonly beforeLook: () => void

  /** `beforeLook` is called each time before the nodes are looked at. */
  constructor(ctx: ClusterContext, nodes: readonly Beating[], beforeLook: () => void) {
    this.ctx = ctx
    this.nodes = nodes
    this.beforeLook = beforeLook
    this.schedule()
    this.scheduleLook()
  }

  /** Writes the leases of the nodes that are alive, or of one of them, now. */
  async renew(only?: string): Promise<void> {
    for (const node of this.nodes) {
      if ((only !== undefined && node.name !== only) || !node.beats()) continue
      await renewLease(this.ctx, node.name, this.ctx.clock.now())
      await postStatus(this.ctx, node)
      await postExtended(this.ctx, node.name)
    }
  }

  /** Has the node's lease be as old as it would be of a kubelet that renews it as often as a real one does. */
  async last(name: string): Promise<void> {
    await renewLease(this.ctx, name, this.ctx.clock.now() - Math.floor(this.ctx.random() * realRenewal))
  }

  /** Sees now what has become of a node. */
  async lookAt(name: string): Promise<void> {
    for (const node of this.nodes) if (node.name === name && node.beats()) await postStatus(this.ctx, node)
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
      this.beforeLook()
      for (const node of this.nodes) {
        if (!node.beats()) continue
        saySchedulable(this.ctx, node.name)
        if (!differs(this.ctx, node)) continue
        this.ctx.clock.during(postStatus(this.ctx, node)).catch((error) => this.ctx.report(`status of node ${node.name}`, error))
      }
      this.scheduleLook()
    }, lookEvery)
  }
}

/** A kubelet that looks at its node says whether it has been cordoned or uncordoned since it looked last. */
function saySchedulable(ctx: ClusterContext, name: string): void {
  const node = ctx.cache.get<Node>(resources.nodes, name)
  if (!node) return
  const cordoned = node.spec?.unschedulable === true
  if (cordoned === (ctx.records.get(cordonedRecord(name)) ?? false)) return
  ctx.records.put(cordonedRecord(name), cordoned)
  const reason = cordoned ? 'NodeNotSchedulable' : 'NodeSchedulable'
  nodeEvent(ctx, node, reason, `Node ${name} status is now: ${reason}`)
}

const cordonedRecord = (name: string) => `node/cordoned/${name}`

async function renewLease(ctx: ClusterContext, name: string, at: number): Promise<void> {
  const renewTime = new Date(at).toISOString().replace('Z', '000Z')
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

/** Whether a node's conditions in the API are other ones than its kubelet would report. */
function differs(ctx: ClusterContext, node: Beating): boolean {
  const known = ctx.cache.get<Node>(resources.nodes, node.name)
  if (!known) return false
  return conditionsAt(ctx.clock, node.problem(), node.pressure()).some(({ type, status }) => {
    return known.status?.conditions?.find((condition) => condition.type === type)?.status !== status
  })
}

/** Events of a change, in the order that the kubelet looks at its conditions. */
const changeEvents: Record<string, Record<string, string>> = {
  MemoryPressure: { True: 'NodeHasInsufficientMemory', False: 'NodeHasSufficientMemory' },
  DiskPressure: { True: 'NodeHasDiskPressure', False: 'NodeHasNoDiskPressure' },
  PIDPressure: { True: 'NodeHasInsufficientPID', False: 'NodeHasSufficientPID' },
  Ready: { True: 'NodeReady', False: 'NodeNotReady' },
}

async function postStatus(ctx: ClusterContext, beating: Beating): Promise<void> {
  const { name } = beating
  if (!differs(ctx, beating)) return
  const node = ctx.cache.get<Node>(resources.nodes, name) as Node
  const before = (type: string) => node.status?.conditions?.find((condition) => condition.type === type)
  const conditions = conditionsAt(ctx.clock, beating.problem(), beating.pressure()).map((condition) => {
    const old = before(condition.type)
    return old?.status === condition.status ? { ...condition, lastTransitionTime: old.lastTransitionTime } : condition
  })
  const others = (node.status?.conditions ?? []).filter(({ type }) => !conditions.some((condition) => condition.type === type))
  const status = { conditions: [...others, ...conditions] }
  await ctx.client.patch(resources.nodes, name, { status }, 'merge', { subresource: 'status', fieldManager: 'kubelet' })
  for (const { type, status: now } of conditions) {
    const reason = changeEvents[type]?.[now]
    if (reason && before(type)?.status !== now) nodeEvent(ctx, node, reason, `Node ${name} status is now: ${reason}`)
  }
}

/** Events about nodes name them as their uid, as the kubelet does. */
export function nodeEvent(ctx: ClusterContext, node: Node, reason: string, message: string, type: 'Normal' | 'Warning' = 'Normal'): void {
  const { name = '' } = node.metadata
  const about = { ...node, metadata: { ...node.metadata, uid: name } }
  ctx.events.event(about, type, reason, message, { component: 'kubelet', host: name })
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

function conditionsAt(clock: Clock, problem: string | undefined, pressure: ReadonlySet<Pressure> = new Set()): NodeCondition[] {
  const now = formatTime(clock.now())
  const condition = (type: string, status: string, reason: string, message: string): NodeCondition => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  })
  const pressed = (type: Pressure, yes: [string, string], no: [string, string]) =>
    pressure.has(type) ? condition(type, 'True', ...yes) : condition(type, 'False', ...no)
  return [
    pressed(
      'MemoryPressure',
      ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
      ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ),
    pressed(
      'DiskPressure',
      ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
      ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ),
    pressed(
      'PIDPressure',
      ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
      ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ),
    problem === undefined
      ? condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : condition('Ready', 'False', 'KubeletNotReady', problem),
  ]
}

/** The first words of a kubelet that starts: it takes its node for one that was never cordoned. */
export function announce(ctx: ClusterContext, node: Node): void {
  ctx.records.put(cordonedRecord(node.metadata.name ?? ''), false)
  nodeEvent(ctx, node, 'Starting', 'Starting kubelet.')
  for (const reason of ['NodeHasSufficientMemory', 'NodeHasNoDiskPressure', 'NodeHasSufficientPID']) {
    nodeEvent(ctx, node, reason, `Node ${node.metadata.name} status is now: ${reason}`)
  }
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
