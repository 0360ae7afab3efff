import type { ContainerRuntime } from '../containers/runtime.ts'
import { nodeMemory } from '../containers/vfs/proc.ts'
import type { NodeUse } from '../node/host.ts'
import type { Observation } from './eviction-thresholds.ts'
import type { Kubelet } from './kubelet.ts'

/** As the node's capacity has it, and what its system itself takes of it. */
const disk = { total: 61_255_492 * 1024, system: 9_000_000_000 }
const inodes = { total: 3_907_584, system: 307_584 }
/** Threads that a machine of this memory may have (kernel.threads-max), and those of the machine itself. */
const threads = { most: 62_718, system: 210 }

/** What is taken of a node by what runs on it. */
export function nodeUse(
  runtime: ContainerRuntime,
  kubelet: Kubelet,
  running: { memoryBytes: number; cpuNanoCores: number },
  bootedAt: number,
): NodeUse {
  const workers = kubelet.workers()
  const containers = runtime.containers().filter(({ spec }) => workers.some(({ record }) => record.uid === spec.podUID))
  const volumes = workers.flatMap((worker) => [...worker.emptyDirs().values()])
  const images = runtime.images(kubelet.node.name).map(({ sizeBytes }) => sizeBytes)
  const own = { bytes: kubelet.files.usedBytes(), inodes: kubelet.files.usedInodes() }
  const written = [...containers.map((container) => container.disk()), ...volumes, own]
  return {
    memory: { total: nodeMemory, used: Math.min(nodeMemory, running.memoryBytes) },
    disk: { total: disk.total, used: sum([disk.system, ...images, ...written.map(({ bytes }) => bytes)]) },
    inodes: { total: inodes.total, used: sum([inodes.system, ...written.map((each) => each.inodes)]) },
    processes: { most: threads.most, running: threads.system + sum(containers.map(({ machine }) => machine?.processes.size ?? 0)) },
    cpuNanoCores: running.cpuNanoCores,
    bootedAt,
  }
}

/** The same by eviction signal: images and containers are on the node's one disk. */
export function observationsOf({ memory, disk, inodes, processes }: NodeUse): Record<string, Observation> {
  const bytes = { capacity: disk.total, available: Math.max(0, disk.total - disk.used) }
  const names = { capacity: inodes.total, available: Math.max(0, inodes.total - inodes.used) }
  return {
    'memory.available': { capacity: memory.total, available: memory.total - memory.used },
    'nodefs.available': bytes,
    'nodefs.inodesFree': names,
    'imagefs.available': bytes,
    'imagefs.inodesFree': names,
    'containerfs.available': bytes,
    'containerfs.inodesFree': names,
    'pid.available': { capacity: processes.most, available: processes.most - processes.running },
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
