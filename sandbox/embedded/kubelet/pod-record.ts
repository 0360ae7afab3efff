import type { Records } from '../machinery/context.ts'
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
  /** Newest first, at most two a container. */
  runs: ContainerRun[]
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
  return record.runs.find((run) => run.name === name)
}

export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

export class PodRecords {
  private readonly records: Records

  constructor(records: Records) {
    this.records = records
  }

  all(): PodRecord[] {
    return this.records.keys('kubelet/pod/').flatMap((key) => this.records.get<PodRecord>(key) ?? [])
  }

  save(record: PodRecord): void {
    this.records.put(`kubelet/pod/${record.uid}`, record)
  }

  delete(uid: string): void {
    this.records.delete(`kubelet/pod/${uid}`)
  }
}
