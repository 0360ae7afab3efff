import { loadavg } from 'node:os'
import type { Text } from '../text.ts'
import { memoryCgroup, memoryUsed } from './cgroup.ts'
import type { Docker } from './docker.ts'
import { examineMachine, inGibibytes, type Machine, whyNoCluster } from './machine.ts'

/** How much of the machine kind clusters may have. */
export interface BudgetLimits {
  /** Share of the machine's memory for all clusters together, 0 to 1. */
  memory: number
  /** Load per CPU, 0 to 1 and more, from which on nothing is made ahead of need. */
  load: number
  /** Bytes that stay free on Docker's disk. */
  disk: number
}

const mebibyte = 2 ** 20
/** What a node took that nothing had run on, before this machine has measured its own (docs/operating.md). */
const firstEstimate = { control: 620 * mebibyte, worker: 220 * mebibyte }

/** Says whether the machine has room for another cluster. What a cluster takes is measured on those that run. */
export class Budget {
  readonly limits: BudgetLimits
  private readonly label: string
  /** Bytes by shape, as last measured. */
  private readonly measured = new Map<string, number>()

  constructor(limits: BudgetLimits, label: string) {
    this.limits = limits
    this.label = label
  }

  /** Bytes that a cluster of this shape is expected to take. */
  costOf(key: string, nodes: number): number {
    return this.measured.get(key) ?? firstEstimate.control + (nodes - 1) * firstEstimate.worker
  }

  /** Looks at what a running cluster takes now, and remembers it for its shape. */
  async measure(docker: Docker, key: string, containers: readonly string[]): Promise<void> {
    const bytes = await memoryOf(docker, containers)
    if (bytes) this.measured.set(key, bytes)
  }

  /** Why there is no room for a cluster of so many bytes; null when there is. */
  async whyNoRoom(docker: Docker, bytes: number): Promise<Text | null> {
    const [machine, running] = await Promise.all([examineMachine(), docker.list('container', { [this.label]: '' })])
    const missing = whyNoCluster(machine)
    if (missing) return missing
    const allowed = machine.memory.totalBytes * this.limits.memory
    const used = (await memoryOf(docker, running)) ?? running.length * firstEstimate.control
    if (used + bytes > allowed)
      return {
        en: `Kind clusters use ${inGibibytes(used)} of the ${inGibibytes(allowed)} they may have together; another one needs ${inGibibytes(bytes)}.`,
        zh: `kind 集群共可使用 ${inGibibytes(allowed)} 内存，已用 ${inGibibytes(used)}，再建一个还需要 ${inGibibytes(bytes)}。`,
      }
    return whyNotOnMachine(machine, bytes, this.limits)
  }

  /** As whyNoRoom, and also for a machine that is busy: nothing is made ahead of need then. */
  async whyNotAhead(docker: Docker, bytes: number): Promise<Text | null> {
    const room = await this.whyNoRoom(docker, bytes)
    if (room) return room
    const machine = await examineMachine()
    const load = (loadavg()[0] ?? 0) / machine.cpus
    if (load <= this.limits.load) return null
    return { en: `The machine is busy: a load of ${load.toFixed(1)} per CPU.`, zh: `机器繁忙：每个 CPU 的负载为 ${load.toFixed(1)}。` }
  }
}

function whyNotOnMachine({ memory, diskFreeBytes }: Machine, bytes: number, limits: BudgetLimits): Text | null {
  if (memory.availableBytes < bytes * 1.25)
    return {
      en: `${inGibibytes(memory.availableBytes)} of memory are free; another kind cluster needs ${inGibibytes(bytes)}.`,
      zh: `空闲内存只有 ${inGibibytes(memory.availableBytes)}，再建一个 kind 集群需要 ${inGibibytes(bytes)}。`,
    }
  if (diskFreeBytes !== null && diskFreeBytes < limits.disk)
    return {
      en: `${inGibibytes(diskFreeBytes)} of disk are free where Docker keeps its data; ${inGibibytes(limits.disk)} are to stay free.`,
      zh: `Docker 数据所在磁盘只剩 ${inGibibytes(diskFreeBytes)}，须保留 ${inGibibytes(limits.disk)}。`,
    }
  return null
}

/**
 * Bytes that these containers have together, without the page cache that the kernel can drop, as their cgroups say. Null
 * where those are not on this machine (a daemon in a virtual machine).
 */
export async function memoryOf(docker: Docker, containers: readonly string[]): Promise<number | null> {
  const running = (await docker.inspect('container', containers)).filter(({ State }) => State.Pid > 0)
  const bytes = await Promise.all(
    running.map(async ({ Id, State }) => {
      const cgroup = await memoryCgroup(Id, State.Pid)
      return cgroup && memoryUsed(cgroup)
    }),
  )
  return bytes.reduce<number | null>((sum, one) => (sum === null || one === null ? null : sum + one), 0)
}
