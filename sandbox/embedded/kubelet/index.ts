import type { ContainerRuntime } from '../containers/runtime.ts'
import type { Change, ClusterContext } from '../machinery/context.ts'
import type { NodeApi } from '../machinery/node-api.ts'
import { resources } from '../machinery/object.ts'
import { addressIn, sizeOf } from '../network/addresses.ts'
import type { Network } from '../network/network.ts'
import type { ConfigMap, Pod, Secret } from '../schema/types/core.v1.ts'
import { CniError, networkProblem } from './cni.ts'
import { Heartbeat, nodeNames, type RegisteredNode, registerNode } from './node.ts'
import { createNodeApi } from './node-api.ts'
import { filesOfNode, writeNodeFiles } from './node-files.ts'
import { PodRecords } from './pod-record.ts'
import { PodWorker, type WorkerHost } from './pod-worker.ts'

export { filesOfNode } from './node-files.ts'
export { restoredNetwork } from './pod-network.ts'

export interface KubeletOptions {
  /** How many nodes; the first is the control plane. */
  nodes: number
  network: Network
  runtime: ContainerRuntime
  /** What the nodes' names begin with. */
  cluster?: string
  /** Whether the nodes come with kindnet's configuration; they do unless told otherwise. */
  kindnet?: boolean
}

/**
 * The kubelets of all nodes: registers the nodes, takes up the containers that run already (after a restart, in a fork)
 * and runs the pods bound to the nodes until it is disposed. Rejects when a node cannot be registered.
 */
export async function startKubelets(ctx: ClusterContext, options: KubeletOptions): Promise<NodeApi & AsyncDisposable> {
  const { nodes: count, network, runtime, cluster = 'labernetes', kindnet = true } = options
  const nodes = new Map<string, RegisteredNode>()
  for (const [index, name] of nodeNames(cluster, count).entries()) {
    const files = filesOfNode(runtime, name)
    const fresh = files.kindOf('etc/hostname') === undefined
    const node = await registerNode(ctx, name, index, count, kindnet ? undefined : networkProblem(files))
    if (fresh) writeNodeFiles(files, node, kindnet)
    nodes.set(name, node)
  }

  const heartbeat = new Heartbeat(ctx, [...nodes.keys()], (name) => networkProblem(filesOfNode(runtime, name)))
  await heartbeat.renew()
  const workers = new Map<string, PodWorker>()
  const byNode = new Map([...nodes.keys()].map((name) => [name, new Map<string, PodWorker>()]))
  const records = new PodRecords(ctx.records)
  const hosts = new Map([...nodes].map(([name, node]) => [name, hostOf(node)]))

  function hostOf(node: RegisteredNode): WorkerHost {
    return {
      ctx,
      runtime,
      network,
      records,
      node,
      nextIP: (subnet) => {
        const used = new Set(workersOn(node.name).flatMap(({ record, active }) => (active ? (record.ip ?? []) : [])))
        return nextIP(ctx, node.name, subnet, used)
      },
      podsBesides: (uid) =>
        workersOn(node.name)
          .filter(({ record, active }) => active && record.uid !== uid)
          .map(({ granted }) => granted),
      forget: (uid) => {
        workers.delete(uid)
        byNode.get(node.name)?.delete(uid)
        for (const worker of workersOn(node.name)) worker.roomMade()
      },
    }
  }

  function workersOn(node: string): PodWorker[] {
    return [...(byNode.get(node)?.values() ?? [])]
  }

  function begin(uid: string, worker: PodWorker): void {
    workers.set(uid, worker)
    byNode.get(worker.record.node)?.set(uid, worker)
  }

  const restored = runtime.restored()
  for (const record of records.all()) {
    const host = hosts.get(record.node)
    const containers = restored.filter(({ spec }) => spec.podUID === record.uid)
    const pod = ctx.cache.get<Pod>(resources.pods, record.name, record.namespace)
    if (host && pod?.metadata.uid === record.uid) {
      begin(record.uid, new PodWorker(host, pod, record, containers))
    } else {
      for (const container of containers) container.remove()
      records.delete(record.uid)
    }
  }

  const watches = [
    ctx.cache.watch<Pod>(resources.pods, (change) => podChanged(change)),
    ctx.cache.watch<ConfigMap>(resources.configMaps, (change) => contentChanged('ConfigMap', change)),
    ctx.cache.watch<Secret>(resources.secrets, (change) => contentChanged('Secret', change)),
  ]

  function podChanged({ type, object: pod }: Change<Pod>): void {
    const uid = pod.metadata.uid ?? ''
    const worker = workers.get(uid)
    if (type === 'DELETED') worker?.remove()
    else if (worker) worker.update(pod)
    else {
      const host = hosts.get(pod.spec?.nodeName ?? '')
      if (host) begin(uid, new PodWorker(host, pod))
    }
  }

  function contentChanged(kind: 'ConfigMap' | 'Secret', { object }: Change<ConfigMap | Secret>): void {
    for (const worker of workers.values()) {
      if (worker.record.namespace === object.metadata.namespace) worker.contentChanged(kind, object.metadata.name ?? '')
    }
  }

  return Object.assign(
    createNodeApi(ctx, (uid) => workers.get(uid)),
    {
      async [Symbol.asyncDispose](): Promise<void> {
        for (const watch of watches) watch[Symbol.dispose]()
        heartbeat[Symbol.dispose]()
        for (const worker of workers.values()) worker[Symbol.dispose]()
        workers.clear()
      },
    },
  )
}

/** The address after the one given out last, as the host-local plugin chooses; the first is the gateway's. */
function nextIP(ctx: ClusterContext, node: string, subnet: string, used: ReadonlySet<string>): string {
  const key = `kubelet/ipam/${node}`
  const usable = sizeOf(subnet) - 3
  const last = ctx.records.get<number>(key) ?? 1
  for (let step = 1; step <= usable; step++) {
    const offset = ((last - 2 + step) % usable) + 2
    const ip = addressIn(subnet, offset)
    if (used.has(ip)) continue
    ctx.records.put(key, offset)
    return ip
  }
  throw new CniError(`no IP addresses available in range set: ${addressIn(subnet, 1)}-${addressIn(subnet, usable + 2)}`)
}
