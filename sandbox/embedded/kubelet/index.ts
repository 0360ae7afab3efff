import type { ContainerRuntime, Container as RuntimeContainer } from '../containers/runtime.ts'
import type { Change, ClusterContext } from '../machinery/context.ts'
import type { NodeApi } from '../machinery/node-api.ts'
import { resources } from '../machinery/object.ts'
import { addressIn, sizeOf } from '../network/addresses.ts'
import type { Network } from '../network/network.ts'
import type { NodeHost, NodeProcess, NodeUse } from '../node/host.ts'
import { Journal } from '../node/journal.ts'
import type { NodePids } from '../node/pids.ts'
import { processTable } from '../node/processes.ts'
import { Systemd } from '../node/systemd.ts'
import type { ConfigMap, Node, Pod, Secret } from '../schema/types/core.v1.ts'
import { CniError, networkProblem } from './cni.ts'
import { criOf } from './cri.ts'
import { Kubelet } from './kubelet.ts'
import { announce, type Beating, Heartbeat, nodeNames, type RegisteredNode, registerNode } from './node.ts'
import { createNodeApi } from './node-api.ts'
import { filesOfNode, type GivenFiles, writeNodeFiles } from './node-files.ts'
import { servicesOf } from './node-services.ts'
import { nodeUse, observationsOf } from './node-use.ts'
import { type PodRecord, PodRecords } from './pod-record.ts'
import type { PodWorker } from './pod-worker.ts'
import { kubeletUid } from './static-pods.ts'

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
  /** The process numbers of a node, which its containers may know. */
  pids(node: string): NodePids
  /** What kubeadm writes on a new node: certificates, kubeconfigs, the manifests of its static pods. */
  files(node: RegisteredNode, controlPlane: boolean): GivenFiles
}

export interface Kubelets extends NodeApi, AsyncDisposable {
  /** A node's services and journal, for its shells. Throws Error for a node that is not there. */
  host(node: string): NodeHost
  /** Brings the records up to date: before a fork, a snapshot or an orderly end. */
  checkpoint(): void
}

/**
 * The kubelets of all nodes: registers the nodes, takes up the containers that run already (after a restart, in a fork)
 * and runs the pods bound to the nodes until it is disposed. Rejects when a node cannot be registered.
 */
export async function startKubelets(ctx: ClusterContext, options: KubeletOptions): Promise<Kubelets> {
  const { nodes: count, network, runtime, cluster = 'labernetes', kindnet = true } = options
  const workers = new Map<string, PodWorker>()
  const records = new PodRecords(ctx)
  const agents = new Map<string, Agent>()
  runtime.restored()
  const left = leftOver(runtime, records)
  const parts = { ctx, runtime, network, records, workers, left: left.of }
  for (const [index, name] of nodeNames(cluster, count).entries()) {
    const files = filesOfNode(runtime, name)
    const node = await registerNode(ctx, name, index, count, kindnet ? undefined : networkProblem(files))
    const written = `node/files/${name}`
    if (ctx.records.get(written) === undefined || files.kindOf('etc/hostname') === undefined) {
      writeNodeFiles(files, node, kindnet, withoutShown(ctx, node, options.files(node, index === 0)))
      ctx.records.put(written, true)
    }
    const journal = new Journal(ctx.clock, ctx.records.get(journalRecord(name)))
    const kubelet: Kubelet = new Kubelet({
      ...parts,
      node,
      journal,
      nextIP: (subnet) =>
        nextIP(ctx, name, subnet, new Set(kubelet.workers().flatMap(({ record, active }) => (active ? (record.ip ?? []) : [])))),
      obstacle: (ip, port) => {
        const why = network.obstacle(name, ip, port)
        return why && `dial tcp ${ip}:${port}: ${obstacles[why]}`
      },
      observe: (node) => observationsOf(use(node)),
      use,
      processes: (node) => agents.get(node)?.processes() ?? [],
      onPressure: () => {
        ctx.clock.during(heartbeat.lookAt(name)).catch((error) => ctx.report(`status of node ${name}`, error))
      },
      onReady: () => begun(kubelet),
    })
    const created = ctx.cache.get<Node>(resources.nodes, name)?.metadata.creationTimestamp
    const bootedAt = created ? Date.parse(created) : ctx.clock.now()
    const services = servicesOf(node, kubelet, () => stopped(kubelet))
    const pids = options.pids(name)
    const takePid = () => pids.take()
    const systemd = new Systemd(name, ctx.clock, ctx.records, journal, services, bootedAt, takePid)
    const cri = criOf({ ctx, runtime, records, node: name, serves: () => systemd.isRunning('containerd.service') })
    const networkOf = ({ uid }: { uid: string }) => workers.get(uid)?.network
    const processes = () => processTable({ systemd, cri, pids, bootedAt, network: networkOf })
    const pidOf = (id: string) => processes().find((each) => isFirstOf(id, each))?.pid ?? 0
    agents.set(name, {
      name,
      files,
      network: network.node(name),
      kubelet,
      journal,
      systemd,
      cri,
      pidOf,
      processes,
      takePid,
      use: () => use(name),
      bootedAt,
      outOfMemory: (report) => kubelet.systemOutOfMemory(report),
    })
  }

  const beating = [...agents].map(([name, { kubelet }]): Beating => {
    const problem = () => kubelet.runtimeProblem ?? networkProblem(kubelet.files)
    return { name, beats: () => kubelet.connected, problem, pressure: () => kubelet.eviction.pressure }
  })
  const heartbeat = new Heartbeat(ctx, beating, () => {
    for (const { kubelet } of agents.values()) {
      kubelet.lookAtUse()
      if (kubelet.reconnect()) ctx.clock.during(heartbeat.renew(kubelet.node.name)).catch((error) => ctx.report('node leases', error))
    }
  })
  let booting = true
  left.remember()
  for (const { systemd } of agents.values()) systemd.boot()
  left.forget()
  booting = false
  await heartbeat.renew()
  for (const { kubelet } of agents.values()) await kubelet.showStatics()

  function use(node: string): NodeUse {
    const { kubelet, bootedAt } = agents.get(node) as Agent
    return nodeUse(runtime, kubelet, api.useOf(node), bootedAt)
  }

  /** A kubelet that has been started says so; those that begin with the cluster have said it when their node was made. */
  function begun(kubelet: Kubelet): void {
    const { node } = kubelet
    const known = ctx.cache.get<Node>(resources.nodes, node.name)
    if (booting || !known || !kubelet.connected) return
    announce(ctx, known)
    ctx.clock.during(heartbeat.renew(node.name)).catch((error) => ctx.report(`status of node ${node.name}`, error))
  }

  function stopped({ node }: Kubelet): void {
    ctx.clock.during(heartbeat.last(node.name)).catch((error) => ctx.report(`lease of node ${node.name}`, error))
  }

  const watches = [
    ctx.cache.watch<Pod>(resources.pods, ({ type, object }) => agents.get(object.spec?.nodeName ?? '')?.kubelet.podChanged(type, object)),
    ctx.cache.watch<ConfigMap>(resources.configMaps, (change) => contentChanged('ConfigMap', change)),
    ctx.cache.watch<Secret>(resources.secrets, (change) => contentChanged('Secret', change)),
  ]

  function contentChanged(kind: 'ConfigMap' | 'Secret', { object }: Change<ConfigMap | Secret>): void {
    for (const worker of workers.values()) {
      if (worker.record.namespace === object.metadata.namespace) worker.contentChanged(kind, object.metadata.name ?? '')
    }
  }

  function checkpoint(): void {
    records.checkpoint()
    for (const [name, { journal }] of agents) if (journal.entries().length > 0) ctx.records.put(journalRecord(name), [...journal.entries()])
  }

  const api = createNodeApi(ctx, {
    use,
    worker: (pod) => workers.get(kubeletUid(pod)) ?? workers.get(pod.metadata.uid ?? ''),
    obstacle: (node) => {
      const kubelet = agents.get(node)?.kubelet
      if (!kubelet) return undefined
      const controlPlane = [...agents.keys()][0] as string
      const way = network.obstacle(controlPlane, kubelet.node.ip, kubeletPort)
      if (way && way !== 'refused') return obstacles[way]
      return kubelet.running ? undefined : obstacles.refused
    },
  })
  return Object.assign(api, {
    host(node: string): NodeHost {
      const agent = agents.get(node)
      if (!agent) throw new Error(`there is no node ${node}`)
      return agent
    },
    checkpoint,
    async [Symbol.asyncDispose](): Promise<void> {
      checkpoint()
      for (const watch of watches) watch[Symbol.dispose]()
      heartbeat[Symbol.dispose]()
      for (const { kubelet, systemd } of agents.values()) {
        kubelet[Symbol.dispose]()
        systemd[Symbol.dispose]()
      }
      for (const worker of workers.values()) worker[Symbol.dispose]()
      workers.clear()
      records[Symbol.dispose]()
    },
  })
}

/** Whether a process is the first of a container, or the one that holds a sandbox. */
function isFirstOf(id: string, { pod, container, process }: NodeProcess): boolean {
  return container ? container.id === id && process === container.container.machine?.init : pod?.id === id
}

/** Where kubelets listen. */
const kubeletPort = 10250

/** Go's words for what becomes of a connection. */
const obstacles = { refused: 'connect: connection refused', unreachable: 'connect: no route to host', dropped: 'i/o timeout' }

interface Agent extends NodeHost {
  kubelet: Kubelet
  /** Cluster ms. */
  bootedAt: number
}

function journalRecord(node: string): string {
  return `node/journal/${node}`
}

/** A cluster that another program made has its control plane's pods without their files: they stay as they are. */
function withoutShown(ctx: ClusterContext, node: RegisteredNode, given: GivenFiles): GivenFiles {
  const isShown = (path: string) => {
    const name = /^etc\/kubernetes\/manifests\/(.+)\.yaml$/.exec(path)?.[1]
    return name !== undefined && ctx.cache.get(resources.pods, `${name}-${node.name}`, 'kube-system') !== undefined
  }
  return Object.fromEntries(Object.entries(given).filter(([path]) => !isShown(path)))
}

/** What there is of a node's pods; while all kubelets begin it is looked up once for all of them. */
function leftOver(runtime: ContainerRuntime, records: PodRecords) {
  type Left = { record: PodRecord; containers: RuntimeContainer[] }
  let known: Map<string, Left[]> | undefined
  const lookUp = () => {
    const byPod = Map.groupBy(runtime.containers(), ({ spec }) => spec.podUID)
    const all = records.all().map((record): Left => ({ record, containers: byPod.get(record.uid) ?? [] }))
    return Map.groupBy(all, ({ record }) => record.node)
  }
  return {
    of: (node: string) => (known ?? lookUp()).get(node) ?? [],
    remember: () => {
      known = lookUp()
    },
    forget: () => {
      known = undefined
    },
  }
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
