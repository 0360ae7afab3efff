import type { Node, Pod, Service } from '../embedded/schema/types/core.v1.ts'
import type { EndpointSlice } from '../embedded/schema/types/discovery.v1.ts'
import { podSummary } from '../embedded/table/pod.ts'
import type { GroupVersionResource, Sandbox, WatchedObject } from '../engine.ts'
import { type Host, hostsResource } from '../hosts/sandbox.ts'

/** A cluster as it is drawn: what stands where and whether it works. */
export interface ClusterView {
  /** Cluster ms. */
  time: number
  nodes: { name: string; ready: boolean; unschedulable: boolean; controlPlane: boolean }[]
  pods: {
    uid: string
    name: string
    namespace: string
    node: string | null
    status: string
    ready: boolean
    terminating: boolean
    restarts: number
    ip: string | null
    owner: string | null
    containers: { name: string; state: 'waiting' | 'running' | 'terminated'; reason: string | null; ready: boolean; restarts: number }[]
  }[]
  services: {
    uid: string
    name: string
    namespace: string
    type: string
    clusterIP: string | null
    ports: { name: string | null; port: number; targetPort: string }[]
    endpoints: { ip: string; pod: string | null; ready: boolean; terminating: boolean }[]
  }[]
}

const watched = {
  nodes: { group: '', version: 'v1', resource: 'nodes' },
  pods: { group: '', version: 'v1', resource: 'pods' },
  services: { group: '', version: 'v1', resource: 'services' },
  slices: { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' },
  hosts: hostsResource,
} as const satisfies Record<string, GroupVersionResource>

type Kept = Record<keyof typeof watched, Map<string, WatchedObject>>

/** What belongs to the cluster itself and is not drawn. */
const systemNamespaces = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage'])
const atMostEveryMs = 100

/** Calls back with the view now and after each change of it, ten times a second at most, until the signal aborts. */
export async function watchClusterView(sandbox: Sandbox, onView: (view: ClusterView) => void, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let lastAt = 0
  const show = () => {
    timer = undefined
    lastAt = performance.now()
    const view = look()
    if (view) onView(view)
  }
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  const look = await followClusterView(
    sandbox,
    () => {
      if (!signal.aborted) timer ??= setTimeout(show, Math.max(0, lastAt + atMostEveryMs - performance.now()))
    },
    signal,
  )
  if (!signal.aborted) show()
}

/**
 * Follows the cluster until the signal aborts, calling back when something may look different. Resolves with what gives the view
 * if it is another than the last that was given, or null.
 */
export async function followClusterView(sandbox: Sandbox, onChange: () => void, signal: AbortSignal): Promise<() => ClusterView | null> {
  const kept: Kept = { nodes: new Map(), pods: new Map(), services: new Map(), slices: new Map(), hosts: new Map() }
  let time = await sandbox.now()
  let last = ''
  let complete = false
  const told = (Object.keys(watched) as (keyof Kept)[]).filter((name) => (name === 'hosts') === (sandbox.engine === 'hosts'))
  for (const name of told)
    await sandbox.watch(
      watched[name],
      (event) => {
        time = event.time
        const { uid } = event.object.metadata
        if (event.type === 'DELETED') kept[name].delete(uid)
        else kept[name].set(uid, event.object)
        if (complete) onChange()
      },
      signal,
    )
  complete = true
  return () => {
    const view = draw(kept, time)
    const text = JSON.stringify({ ...view, time: 0 })
    if (text === last) return null
    last = text
    return view
  }
}

/** The view once. */
export async function clusterView(sandbox: Sandbox): Promise<ClusterView> {
  const abort = new AbortController()
  try {
    return await new Promise<ClusterView>((resolve, reject) => {
      watchClusterView(sandbox, resolve, abort.signal).catch(reject)
    })
  } finally {
    abort.abort()
  }
}

function draw(kept: Kept, time: number): ClusterView {
  const of = <T>(name: keyof Kept) =>
    [...kept[name].values()].filter((object) => !systemNamespaces.has(object.metadata.namespace ?? '')).sort(byAge) as unknown as T[]
  const slices = of<EndpointSlice>('slices')
  const hosts = of<Host>('hosts')
  return {
    time,
    nodes: [...of<Node>('nodes').map(drawNode), ...hosts.map(drawHost)],
    pods: [...of<Pod>('pods').map(drawPod), ...hosts.flatMap(drawNamespaces)],
    services: of<Service>('services')
      .filter(({ metadata }) => !(metadata.namespace === 'default' && metadata.name === 'kubernetes'))
      .map((service) => drawService(service, slices)),
  }
}

function drawNode({ metadata, spec, status }: Node): ClusterView['nodes'][number] {
  return {
    name: metadata.name ?? '',
    ready: status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false,
    unschedulable: spec?.unschedulable ?? false,
    controlPlane: 'node-role.kubernetes.io/control-plane' in (metadata.labels ?? {}),
  }
}

function drawPod(pod: Pod): ClusterView['pods'][number] {
  const { metadata, spec, status } = pod
  const seen = new Map((status?.containerStatuses ?? []).map((container) => [container.name, container]))
  const containers = (spec?.containers ?? []).map(({ name }) => {
    const container = seen.get(name)
    const { running, terminated, waiting } = container?.state ?? {}
    return {
      name,
      state: running ? ('running' as const) : terminated ? ('terminated' as const) : ('waiting' as const),
      reason: waiting?.reason ?? terminated?.reason ?? null,
      ready: container?.ready ?? false,
      restarts: container?.restartCount ?? 0,
    }
  })
  const controller = metadata.ownerReferences?.find((owner) => owner.controller)
  const hash = metadata.labels?.['pod-template-hash']
  const owner =
    controller &&
    (controller.kind === 'ReplicaSet' && hash && controller.name.endsWith(`-${hash}`)
      ? `Deployment/${controller.name.slice(0, -hash.length - 1)}`
      : `${controller.kind}/${controller.name}`)
  return {
    uid: metadata.uid ?? '',
    name: metadata.name ?? '',
    namespace: metadata.namespace ?? '',
    node: spec?.nodeName ?? null,
    status: podSummary(pod).reason,
    ready: status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false,
    terminating: metadata.deletionTimestamp !== undefined,
    restarts: containers.reduce((total, container) => total + container.restarts, 0),
    ip: status?.podIP ?? null,
    owner: owner ?? null,
    containers,
  }
}

function drawHost({ metadata }: Host): ClusterView['nodes'][number] {
  return { name: metadata.name, ready: true, unschedulable: false, controlPlane: false }
}

/** The network namespaces on a host stand where Pods do, which they are made to be; their devices are what is in them. */
function drawNamespaces({ metadata, network }: Host): ClusterView['pods'] {
  const { '': _own, ...namespaces } = network.namespaces
  return Object.entries(namespaces).map(([name, { links }]) => {
    const devices = links.filter((link) => link.name !== 'lo')
    return {
      uid: `${metadata.uid}/${name}`,
      name,
      namespace: 'netns',
      node: metadata.name,
      status: 'netns',
      ready: devices.some((link) => link.up),
      terminating: false,
      restarts: 0,
      ip: devices.flatMap((link) => link.addresses)[0] ?? null,
      owner: null,
      containers: devices.map((link) => ({
        name: link.name,
        state: link.up ? ('running' as const) : ('waiting' as const),
        reason: link.up ? null : 'DOWN',
        ready: link.up,
        restarts: 0,
      })),
    }
  })
}

function drawService({ metadata, spec }: Service, slices: readonly EndpointSlice[]): ClusterView['services'][number] {
  const mine = slices.filter(
    (slice) => slice.metadata.namespace === metadata.namespace && slice.metadata.labels?.['kubernetes.io/service-name'] === metadata.name,
  )
  const endpoints = mine.flatMap((slice) =>
    (slice.endpoints ?? []).flatMap((endpoint) =>
      endpoint.addresses.map((ip) => ({
        ip,
        pod: endpoint.targetRef?.name ?? null,
        ready: endpoint.conditions?.ready ?? true,
        terminating: endpoint.conditions?.terminating ?? false,
      })),
    ),
  )
  return {
    uid: metadata.uid ?? '',
    name: metadata.name ?? '',
    namespace: metadata.namespace ?? '',
    type: spec?.type ?? 'ClusterIP',
    clusterIP: spec?.clusterIP ?? null,
    ports: (spec?.ports ?? []).map(({ name, port, targetPort }) => ({ name: name ?? null, port, targetPort: String(targetPort ?? port) })),
    endpoints: endpoints.sort((a, b) => (a.ip < b.ip ? -1 : 1)),
  }
}

function byAge(a: WatchedObject, b: WatchedObject): number {
  const left = `${String(a.metadata['creationTimestamp'])}/${a.metadata.name}`
  const right = `${String(b.metadata['creationTimestamp'])}/${b.metadata.name}`
  return left < right ? -1 : left > right ? 1 : 0
}
