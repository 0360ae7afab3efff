import type { NodeFigures } from './server.ts'
import { formatTime } from './status.ts'

export interface ContainerUsage {
  name: string
  /** Cluster ms. */
  startedAt: number
  memoryBytes: number
  cpuNanoCores: number
  /** Since it started. */
  cpuNanoSeconds: number
}

/** The stats summary of a node (k8s.io/kubelet/pkg/apis/stats/v1alpha1). */
export function summary({ node, pods, total, use, now }: NodeFigures): unknown {
  const time = formatTime(now)
  const { name } = node.metadata
  const cpu = (usageNanoCores: number, usageCoreNanoSeconds: number) => ({ time, usageNanoCores, usageCoreNanoSeconds })
  const memory = (bytes: number) => ({
    time,
    usageBytes: bytes,
    workingSetBytes: bytes,
    rssBytes: bytes,
    pageFaults: 0,
    majorPageFaults: 0,
  })
  const disk = {
    time,
    availableBytes: use.disk.total - use.disk.used,
    capacityBytes: use.disk.total,
    usedBytes: use.disk.used,
    inodesFree: use.inodes.total - use.inodes.used,
    inodes: use.inodes.total,
    inodesUsed: use.inodes.used,
  }
  const swap = { time, swapUsageBytes: 0 }
  const startTime = node.metadata.creationTimestamp
  return {
    node: {
      nodeName: name,
      startTime,
      cpu: cpu(total.cpuNanoCores, sum(pods.flatMap(({ containers }) => containers.map(({ cpuNanoSeconds }) => cpuNanoSeconds)))),
      memory: { ...memory(total.memoryBytes), availableBytes: use.memory.total - use.memory.used },
      network: { time, name: 'eth0', interfaces: [{ name: 'eth0' }] },
      swap,
      fs: disk,
      runtime: { imageFs: disk, containerFs: disk },
      rlimit: { time, maxpid: use.processes.most, curproc: use.processes.running },
    },
    pods: pods
      .filter(({ containers }) => containers.length > 0)
      .map(({ pod, containers }) => ({
        podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
        startTime: pod.status?.startTime,
        containers: containers.map((each) => ({
          name: each.name,
          startTime: formatTime(each.startedAt),
          cpu: cpu(each.cpuNanoCores, each.cpuNanoSeconds),
          memory: memory(each.memoryBytes),
          swap,
          rootfs: { ...disk, usedBytes: 0 },
          logs: { ...disk, usedBytes: 0 },
        })),
        cpu: cpu(sum(containers.map(({ cpuNanoCores }) => cpuNanoCores)), sum(containers.map(({ cpuNanoSeconds }) => cpuNanoSeconds))),
        memory: memory(sum(containers.map(({ memoryBytes }) => memoryBytes))),
        network: { time, name: 'eth0', interfaces: [{ name: 'eth0' }] },
        swap,
        'ephemeral-storage': { ...disk, usedBytes: 0 },
      })),
  }
}

/** What the kubelet counts about itself. */
export function kubeletMetrics({ node, pods, now }: NodeFigures): string {
  const running = pods.filter(({ containers }) => containers.length > 0)
  return exposition([
    ['kubelet_node_name', "The node's name. The count is always 1.", 'gauge', [[{ node: node.metadata.name ?? '' }, 1]]],
    ['kubelet_running_pods', 'Number of pods that have a running pod sandbox', 'gauge', [[{}, running.length]]],
    [
      'kubelet_running_containers',
      'Number of containers currently running',
      'gauge',
      [[{ container_state: 'running' }, sum(pods.map(({ containers }) => containers.length))]],
    ],
    ['kubelet_desired_pods', 'The number of pods the kubelet is being instructed to run', 'gauge', [[{ static: '' }, pods.length]]],
    [
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds.',
      'gauge',
      [[{}, Math.floor(startOf({ node, now }) / 1000)]],
    ],
  ])
}

/** When the kubelet was started, in ms. */
export function startOf({ node, now }: Pick<NodeFigures, 'node' | 'now'>): number {
  return Date.parse(String(node.metadata.creationTimestamp ?? formatTime(now)))
}

/** What metrics-server reads. */
export function resourceMetrics({ pods, total, now }: NodeFigures): string {
  const each = (value: (usage: ContainerUsage) => number): [Labels, number][] =>
    pods.flatMap(({ pod, containers }) =>
      containers.map((usage): [Labels, number] => [labelsOf(pod.metadata, { container: usage.name }), value(usage)]),
    )
  const byPod = (value: (usage: ContainerUsage) => number): [Labels, number][] =>
    pods
      .filter(({ containers }) => containers.length > 0)
      .map(({ pod, containers }) => [labelsOf(pod.metadata, {}), sum(containers.map(value))])
  const cpu = ({ cpuNanoSeconds }: ContainerUsage) => cpuNanoSeconds / 1e9
  const memory = ({ memoryBytes }: ContainerUsage) => memoryBytes
  const all = sum(pods.flatMap(({ containers }) => containers.map(cpu)))
  const none = () => 0
  const swapHelp = (what: string) => `Current amount ${what} in bytes. Reported only on non-windows systems`
  return exposition([
    ['container_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the container in core-seconds', 'counter', each(cpu)],
    ['container_memory_working_set_bytes', 'Current working set of the container in bytes', 'gauge', each(memory)],
    [
      'container_start_time_seconds',
      'Start time of the container since unix epoch in seconds',
      'gauge',
      each(({ startedAt }) => startedAt / 1000),
    ],
    ['container_swap_limit_bytes', swapHelp('of the container swap limit'), 'gauge', each(none)],
    ['container_swap_usage_bytes', swapHelp('of the container swap usage'), 'gauge', each(none)],
    ['node_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the node in core-seconds', 'counter', [[{}, all]]],
    ['node_memory_working_set_bytes', 'Current working set of the node in bytes', 'gauge', [[{}, total.memoryBytes]]],
    ['node_swap_usage_bytes', 'Current swap usage of the node in bytes. Reported only on non-windows systems', 'gauge', [[{}, 0]]],
    ['pod_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the pod in core-seconds', 'counter', byPod(cpu)],
    ['pod_memory_working_set_bytes', 'Current working set of the pod in bytes', 'gauge', byPod(memory)],
    ['pod_swap_usage_bytes', swapHelp('of the pod swap usage'), 'gauge', byPod(none)],
    ['resource_scrape_error', '1 if there was an error while getting container metrics, 0 otherwise', 'gauge', [[{}, now < 0 ? 1 : 0]]],
  ])
}

/** The same by cAdvisor's names and labels. */
export function cadvisorMetrics({ pods }: NodeFigures): string {
  const rows = (value: (usage: ContainerUsage) => number): [Labels, number][] =>
    pods.flatMap(({ pod, containers }) =>
      containers.map((usage): [Labels, number] => {
        const image = pod.spec?.containers.find(({ name }) => name === usage.name)?.image ?? ''
        return [labelsOf(pod.metadata, { container: usage.name, image }), value(usage)]
      }),
    )
  return exposition([
    [
      'container_cpu_usage_seconds_total',
      'Cumulative cpu time consumed in seconds.',
      'counter',
      rows(({ cpuNanoSeconds }) => cpuNanoSeconds / 1e9),
    ],
    [
      'container_memory_usage_bytes',
      'Current memory usage in bytes, including all memory regardless of when it was accessed',
      'gauge',
      rows(({ memoryBytes }) => memoryBytes),
    ],
    ['container_memory_working_set_bytes', 'Current working set in bytes.', 'gauge', rows(({ memoryBytes }) => memoryBytes)],
    [
      'container_start_time_seconds',
      'Start time of the container since unix epoch in seconds.',
      'gauge',
      rows(({ startedAt }) => Math.floor(startedAt / 1000)),
    ],
  ])
}

type Labels = Record<string, string>

function labelsOf({ namespace = '', name = '' }: { namespace?: string; name?: string }, more: Labels): Labels {
  return { ...more, namespace, pod: name }
}

/** Prometheus' text format. */
function exposition(families: [name: string, help: string, type: string, samples: [Labels, number][]][]): string {
  const lines = families.flatMap(([name, help, type, samples]) => [
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`,
    ...samples.map(([labels, value]) => {
      const shown = Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`)
      return `${name}${shown.length > 0 ? `{${shown.join(',')}}` : ''} ${value}\n`
    }),
  ])
  return lines.join('')
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
