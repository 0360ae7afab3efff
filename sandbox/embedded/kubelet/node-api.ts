import { ContainerError, type Process, type Container as RuntimeContainer } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { ApiError } from '../machinery/errors.ts'
import type { LogOptions, NodeApi, StreamOptions } from '../machinery/node-api.ts'
import { resources } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import { type Connection, NetworkError } from '../network/network.ts'
import type { NodeUse } from '../node/host.ts'
import type { ContainerStatus, Node, Pod } from '../schema/types/core.v1.ts'
import type { ContainerUsage } from './figures.ts'
import { logStream } from './logs.ts'
import { containerNamed } from './pod-containers.ts'
import { latestRun, stateOf } from './pod-record.ts'
import type { PodWorker } from './pod-worker.ts'
import { serveKubelet } from './server.ts'

/** The kubelets' streaming server: what the API server's pod subresources lead to. */
export function createNodeApi(
  ctx: ClusterContext,
  {
    worker: workerOf,
    obstacle,
    use: useOfNode,
  }: {
    worker: (pod: Pod) => PodWorker | undefined
    obstacle: (node: string) => string | undefined
    use: (node: string) => NodeUse
  },
): NodeApi & { useOf(node: string): { memoryBytes: number; cpuNanoCores: number } } {
  /** The connection that the API server does not get to a node whose kubelet is not there; undefined where it is. */
  function refusal(node: string): { address: string; why: string } | undefined {
    const why = obstacle(node)
    if (why === undefined) return undefined
    const addresses = ctx.cache.get<Node>(resources.nodes, node)?.status?.addresses ?? []
    const address = `${addresses.find(({ type }) => type === 'InternalIP')?.address ?? node}:10250`
    return { address, why: `dial tcp ${address}: ${why}` }
  }

  function find(namespace: string, name: string): { pod: Pod; worker: PodWorker } {
    const pod = ctx.cache.get<Pod>(resources.pods, name, namespace)
    if (!pod) throw ApiError.notFound(resources.pods, name)
    if (!pod.spec?.nodeName) throw ApiError.badRequest(`pod ${name} does not have a host assigned`)
    const worker = workerOf(pod)
    if (!worker) throw new ApiError(404, 'NotFound', `pod "${name}" cannot be found - no logs available`)
    return { pod, worker }
  }

  function running(namespace: string, name: string, wanted: string | undefined, asked: string): RuntimeContainer {
    const { pod, container } = meant(namespace, name, wanted)
    const refused = refusal(pod.spec?.nodeName ?? '')
    if (refused) {
      const url = `https://${refused.address}/${asked}/${namespace}/${name}/${container}`
      throw ApiError.internal(new Error(`error sending request: Post "${url}": ${refused.why}`))
    }
    const { worker } = find(namespace, name)
    const run = latestRun(worker.record, container)
    const live = run && stateOf(run) === 'running' ? worker.containers.get(run.id) : undefined
    if (!live) throw ApiError.internal(new Error(`unable to upgrade connection: container not found ("${container}")`))
    return live
  }

  function meant(namespace: string, name: string, wanted: string | undefined): { pod: Pod; container: string } {
    const pod = ctx.cache.get<Pod>(resources.pods, name, namespace)
    if (!pod) throw ApiError.notFound(resources.pods, name)
    return { pod, container: chooseContainer(pod, wanted) }
  }

  const api: NodeApi = {
    async logs(namespace, name, options, signal) {
      const { container, pod: asked } = meant(namespace, name, options.container)
      const refused = asked.spec?.nodeName ? refusal(asked.spec.nodeName) : undefined
      if (refused) {
        const url = `https://${refused.address}/containerLogs/${namespace}/${name}/${container}`
        throw new ApiError(500, undefined, `Get "${url}": ${refused.why}`)
      }
      const { pod, worker } = find(namespace, name)
      const id = loggedContainer(name, statusOf(pod, container), container, options)
      const live = worker.containers.get(id)
      if (!live) throw ApiError.badRequest(`unable to retrieve container logs for containerd://${id}`)
      return logStream(ctx.clock, live, options, signal)
    },

    async exec(namespace, name, options) {
      const live = running(namespace, name, options.container, 'exec')
      try {
        return await live.exec(options.command, { tty: options.tty, stdin: options.stdin })
      } catch (error) {
        if (!(error instanceof ContainerError)) throw error
        throw ApiError.internal(new Error(`Internal error occurred: error executing command in container: ${error.message}`))
      }
    },

    async attach(namespace: string, name: string, options: StreamOptions): Promise<Process> {
      return running(namespace, name, options.container, 'attach').attach()
    },

    async portForward(namespace, name, port): Promise<Connection> {
      const refused = refusal(ctx.cache.get<Pod>(resources.pods, name, namespace)?.spec?.nodeName ?? '')
      if (refused) throw new ApiError(500, undefined, `error dialing backend: ${refused.why}`)
      const { pod, worker } = find(namespace, name)
      if (!worker.network) {
        throw ApiError.internal(new Error(`unable to forward port because pod is not running. Current status=${pod.status?.phase}`))
      }
      try {
        return await worker.network.connect('127.0.0.1', port)
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error
        const where = `network namespace "/var/run/netns/cni-${pod.metadata.uid}"`
        const why = `IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused IPv6 dial tcp6 [::1]:${port}: connect: connection refused `
        const inside = `failed to connect to localhost:${port} inside namespace "${pod.metadata.uid}", ${why}`
        throw ApiError.internal(new Error(`failed to execute portforward in ${where}: ${inside}`))
      }
    },

    podUsage(namespace, name) {
      const pod = ctx.cache.get<Pod>(resources.pods, name, namespace)
      const worker = pod && workerOf(pod)
      return worker && usageOf(worker)
    },

    async kubelet(name, request, signal) {
      const node = ctx.cache.get<Node>(resources.nodes, name)
      if (!node) throw ApiError.notFound(resources.nodes, name)
      const refused = refusal(name)
      if (refused) throw ApiError.serviceUnavailable(`error trying to reach service: ${refused.why}`)
      const pods = ctx.cache
        .list<Pod>(resources.pods)
        .filter(({ spec }) => spec?.nodeName === name)
        .map((pod) => {
          const worker = workerOf(pod)
          return { pod, containers: worker ? usageOf(worker) : [], probes: worker ? worker.probeFigures() : [] }
        })
      const total = api.nodeUsage(name) ?? { memoryBytes: 0, cpuNanoCores: 0 }
      return await serveKubelet({ node, pods, total, use: useOfNode(name), now: ctx.clock.now() }, api.logs, request, signal)
    },

    nodeUsage(node) {
      return obstacle(node) === undefined ? useOf(node) : undefined
    },
  }
  return Object.assign(api, { useOf })

  /** What the containers of a node take, and the node itself. */
  function useOf(node: string): { memoryBytes: number; cpuNanoCores: number } {
    const pods = ctx.cache.indexed<Pod>(resources.pods, podNode, node)
    const usages = pods.flatMap((pod) => {
      const worker = workerOf(pod)
      return worker ? usageOf(worker) : []
    })
    // What a node itself takes: the kubelet, the runtime and the system's own programs.
    const base = { memoryBytes: 600 * 1024 * 1024, cpuNanoCores: 80_000_000 }
    return usages.reduce(
      (sum, { memoryBytes, cpuNanoCores }) => ({
        memoryBytes: sum.memoryBytes + memoryBytes,
        cpuNanoCores: sum.cpuNanoCores + cpuNanoCores,
      }),
      base,
    )
  }
}

function usageOf(worker: PodWorker): ContainerUsage[] {
  return worker.record.runs.flatMap((run) => {
    const live = stateOf(run) === 'running' ? worker.containers.get(run.id) : undefined
    return live ? [{ name: run.name, startedAt: live.startedAt ?? 0, ...live.usage() }] : []
  })
}

/** The container that a request means, as the API server chooses it. */
function chooseContainer(pod: Pod, wanted: string | undefined): string {
  const { containers = [], initContainers = [] } = pod.spec ?? {}
  const name = pod.metadata.name ?? ''
  if (wanted) {
    if (containerNamed(pod, wanted)) return wanted
    throw ApiError.badRequest(`container ${wanted} is not valid for pod ${name}`)
  }
  const [only, ...others] = containers
  if (only && others.length === 0) return only.name
  const names = (list: { name: string }[]) => `[${list.map((container) => container.name).join(' ')}]`
  const init = initContainers.length > 0 ? ` or one of the init containers: ${names(initContainers)}` : ''
  throw ApiError.badRequest(`a container name must be specified for pod ${name}, choose one of: ${names(containers)}${init}`)
}

function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {}
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find((status) => status.name === name)
}

/** The id of the container whose log is meant; the kubelet's validateContainerLogStatus. */
function loggedContainer(pod: string, status: ContainerStatus | undefined, name: string, { previous }: LogOptions): string {
  const which = `container "${name}" in pod "${pod}"`
  if (!status) throw ApiError.badRequest(`${which} is not available`)
  const { waiting, running, terminated } = status.state ?? {}
  const last = status.lastState?.terminated
  const bare = (id: string | undefined) => id?.replace(/^containerd:\/\//, '') ?? ''
  if (previous) {
    if (!last?.containerID) throw ApiError.badRequest(`previous terminated ${which} not found`)
    return bare(last.containerID)
  }
  if (running) return bare(status.containerID)
  const ended = terminated?.containerID ? terminated : last
  if (terminated || last) {
    if (!ended?.containerID) throw ApiError.badRequest(`${which} is terminated`)
    return bare(ended.containerID)
  }
  const why =
    waiting?.reason === 'ErrImagePull'
      ? "image can't be pulled"
      : waiting?.reason === 'ImagePullBackOff'
        ? 'trying and failing to pull image'
        : (waiting?.reason ?? '')
  throw ApiError.badRequest(`${which} is waiting to start: ${why}`)
}
