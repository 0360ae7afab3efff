import type { Process } from '../containers/kernel/process.ts'
import type { SignalName } from '../containers/kernel/signals.ts'
import type { PodNetwork } from '../network/network.ts'
import type { Cri, CriContainer, CriPod, NodeProcess } from './host.ts'
import type { NodePids } from './pids.ts'
import { ServiceFailure, type Systemd } from './systemd.ts'

const megabyte = 1024 * 1024
const journald = { pid: 160, command: '/lib/systemd/systemd-journald', memoryBytes: 12 * megabyte }
/** What the services hold in memory, by executable. */
const serviceMemory: Record<string, number> = { containerd: 57 * megabyte, kubelet: 82 * megabyte }
const shimMemory = 17 * megabyte
const pauseMemory = 700 * 1024

export interface ProcessTableParts {
  systemd: Systemd
  cri: Cri
  pids: NodePids
  bootedAt: number
  /** The network namespace of a pod that has a sandbox. */
  network(pod: CriPod): PodNetwork | undefined
}

/**
 * What runs on a node beside its own shells, by number: the journal, the services, and of every pod a shim, the pause
 * program that holds its namespaces, and its containers' processes.
 */
export function processTable({ systemd, cri, pids, bootedAt, network }: ProcessTableParts): NodeProcess[] {
  const found: NodeProcess[] = [
    {
      pid: journald.pid,
      ppid: 1,
      uid: 0,
      startedAt: bootedAt,
      argv: [journald.command],
      title: undefined,
      memoryBytes: journald.memoryBytes,
      cpuNanoseconds: 0,
      kill: () => {},
    },
  ]
  for (const name of systemd.names()) {
    const unit = systemd.find(name)
    if (unit?.state.sub !== 'running') continue
    const { service, state } = unit
    found.push({
      pid: state.pid,
      ppid: 1,
      uid: 0,
      startedAt: state.since,
      argv: [service.executable, ...service.args().split(' ').filter(Boolean)],
      title: undefined,
      memoryBytes: serviceMemory[service.executable.split('/').pop() ?? ''] ?? 0,
      cpuNanoseconds: 0,
      kill: (signal) => systemd.ended(name, ServiceFailure.bySignal(signal)),
    })
  }
  const byPod = Map.groupBy(cri.containers(), ({ pod }) => pod.uid)
  const sandboxes = cri.pods().filter(({ ready }) => ready)
  const keep = new Set<string>()
  for (const pod of sandboxes.sort((one, other) => one.createdAt - other.createdAt)) {
    const containers = (byPod.get(pod.uid) ?? []).filter(({ state }) => state === 'running')
    const of = (key: string) => {
      keep.add(key)
      return pids.of(key)
    }
    const shim = of(`shim/${pod.id}`)
    const pause = of(`pause/${pod.id}`)
    const first = new Map(containers.map((container) => [container, of(container.id)]))
    const net = pod.hostNetwork ? undefined : network(pod)
    const where = { pod, ...(net && { network: net }) }
    const endAll = (signal: SignalName) => {
      if (signal === 'KILL') for (const { container } of containers) container.signal('SIGKILL')
    }
    found.push({
      pid: shim,
      ppid: 1,
      uid: 0,
      startedAt: pod.createdAt,
      argv: [
        '/usr/local/bin/containerd-shim-runc-v2',
        '-namespace',
        'k8s.io',
        '-id',
        pod.id,
        '-address',
        '/run/containerd/containerd.sock',
      ],
      title: undefined,
      memoryBytes: shimMemory,
      cpuNanoseconds: 0,
      kill: endAll,
    })
    found.push({
      pid: pause,
      ppid: shim,
      uid: 65535,
      startedAt: pod.createdAt,
      argv: ['/pause'],
      title: undefined,
      memoryBytes: pauseMemory,
      cpuNanoseconds: 0,
      ...where,
      kill: () => {},
    })
    for (const [container, pid] of first) found.push(...processesOf(container, pid, shim, pids, where))
  }
  pids.keep(keep)
  return found.sort((one, other) => one.pid - other.pid)
}

function processesOf(
  container: CriContainer,
  firstPid: number,
  shim: number,
  pids: NodePids,
  where: Pick<NodeProcess, 'pod' | 'network'>,
): NodeProcess[] {
  const { machine } = container.container
  if (!machine) return []
  const pidOf = (process: Process) => (machine.pids.node ? process.pid : process === machine.init ? firstPid : pids.ofProcess(process))
  return [...machine.processes.values()].map((process) => ({
    pid: pidOf(process),
    ppid: process.parent && machine.processes.has(process.parent.pid) ? pidOf(process.parent) : shim,
    uid: process.uid,
    startedAt: process.startedAt,
    argv: process.argv,
    title: process.title,
    memoryBytes: process.memoryBytes,
    cpuNanoseconds: process.cpuNanoseconds,
    container,
    process,
    ...where,
    kill: (signal) => process.kill(signal, 'outside'),
  }))
}
