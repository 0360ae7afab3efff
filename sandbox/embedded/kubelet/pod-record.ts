import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import type { Joint } from '../network/stacks.ts'
import type { Container, Pod, ResourceRequirements } from '../schema/types/core.v1.ts'

/** What the kubelet remembers about a pod besides the API: it outlives a restart of the cluster and is copied by a fork. */
export interface PodRecord {
  uid: string
  namespace: string
  name: string
  node: string
  /** The address of the sandbox; absent until there is one. */
  ip?: string
  /** How the network plugin joined it to its node; absent on the node's own network. */
  joint?: Joint
  /** Cluster ms when the kubelet first saw the pod. */
  startedAt: number
  /** Newest first, at most two a container. Another list whenever one comes or goes. */
  runs: readonly ContainerRun[]
  backOff: Record<string, BackOffEntry>
  /** Of a static pod: what its file says. */
  manifest?: Pod
  /** Resources granted to each container that can be resized, by name. */
  allocated?: Record<string, ResourceRequirements>
  resize?: PodResize
  /** Set when the pod ended or was rejected by the kubelet itself. */
  verdict?: { phase: 'Failed'; reason: string; message: string; rejected?: boolean; disruption?: boolean }
  /** The sandbox and the volumes are gone: nothing runs any more. */
  tornDown?: boolean
}

/** One life of a container. */
export interface ContainerRun {
  id: string
  name: string
  image: string
  /** As the pod's spec names the image; another one there means the container must be replaced. */
  specImage: string
  imageID: string
  restartCount: number
  uid: number
  /** What it runs with; as its spec says unless given. */
  resources?: ResourceRequirements
  /** Cluster ms. */
  createdAt: number
  startedAt?: number
  exit?: { exitCode: number; signal?: string; reason: string; message?: string; finishedAt: number }
  startupProbe?: ProbeResult
  readinessProbe?: ProbeResult
  livenessProbe?: ProbeResult
}

/** A resize on its way: not granted yet, or granted and not yet done. */
export interface PodResize {
  pending?: { reason: string; message: string; at: number } | undefined
  inProgress?: boolean
  error?: string | undefined
}

export type ProbeResult = 'success' | 'failure' | 'unknown'

/** Exponential back-off of one key, ms. */
export interface BackOffEntry {
  delay: number
  updatedAt: number
}

export type RunState = 'created' | 'running' | 'exited'

export function stateOf(run: ContainerRun): RunState {
  if (run.exit) return 'exited'
  return run.startedAt === undefined ? 'created' : 'running'
}

/** The latest life of a container, or undefined when it never had one. */
export function latestRun(record: PodRecord, name: string): ContainerRun | undefined {
  return runsOf(record, name)[0]
}

/** The lives of a container that are remembered, the latest first. */
export function runsOf({ runs }: PodRecord, name: string): readonly ContainerRun[] {
  let named = byName.get(runs)
  if (!named) byName.set(runs, (named = Map.groupBy(runs, (run) => run.name)))
  return named.get(name) ?? []
}

/** A pod may have thousands of containers. */
const byName = new WeakMap<readonly ContainerRun[], Map<string, ContainerRun[]>>()

export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

/** Cluster ms between a change and its record. */
const debounce = 1000

/** The records of pods. One that changes is written a little later: a pod of many containers not once for each. */
export class PodRecords implements Disposable {
  private readonly ctx: Pick<ClusterContext, 'records' | 'clock'>
  private readonly changed = new Map<string, PodRecord>()
  private timer: Timer | undefined

  constructor(ctx: Pick<ClusterContext, 'records' | 'clock'>) {
    this.ctx = ctx
  }

  all(): PodRecord[] {
    this.checkpoint()
    const { records } = this.ctx
    return records.keys('kubelet/pod/').flatMap((key) => records.get<PodRecord>(key) ?? [])
  }

  /** The record has changed. It may change further until it is written. */
  save(record: PodRecord): void {
    this.changed.set(record.uid, record)
    this.timer ??= this.ctx.clock.setTimeout(() => this.checkpoint(), debounce)
  }

  /** Writes a pod's record now if it has changed. */
  store(uid: string): void {
    const record = this.changed.get(uid)
    if (!record) return
    this.changed.delete(uid)
    this.ctx.records.put(`kubelet/pod/${uid}`, record)
  }

  delete(uid: string): void {
    this.changed.delete(uid)
    this.ctx.records.delete(`kubelet/pod/${uid}`)
  }

  /** Writes all that have changed. */
  checkpoint(): void {
    this.timer?.cancel()
    this.timer = undefined
    for (const uid of this.changed.keys()) this.store(uid)
  }

  [Symbol.dispose](): void {
    this.checkpoint()
  }
}
