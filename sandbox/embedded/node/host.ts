import type { OutOfMemory } from '../containers/kernel/machine.ts'
import type { Process } from '../containers/kernel/process.ts'
import type { SignalName } from '../containers/kernel/signals.ts'
import type { Container, Image, Volume } from '../containers/runtime.ts'
import type { PodNetwork } from '../network/network.ts'
import type { Journal } from './journal.ts'
import type { Systemd } from './systemd.ts'

/** A node as the programs in its shells see it, beside its files and network. */
export interface NodeHost {
  readonly name: string
  /** Its own. */
  readonly files: Volume
  readonly network: PodNetwork
  readonly systemd: Systemd
  readonly journal: Journal
  readonly cri: Cri
  /** The process number on the node of a container's or sandbox' first process; 0 where none runs. */
  pidOf(id: string): number
  /** What runs beside the node's own shells, by number. */
  processes(): NodeProcess[]
  /** A number for a process of the node's own shells. */
  takePid(): number
  use(): NodeUse
  /** Processes of its own shells are killed, since the node has no more memory. */
  outOfMemory(report: OutOfMemory): void
}

/** A process as the node sees it. */
export interface NodeProcess {
  pid: number
  ppid: number
  uid: number
  /** Cluster ms. */
  startedAt: number
  argv: readonly string[]
  /** What it shows instead of its arguments. */
  title: string | undefined
  memoryBytes: number
  cpuNanoseconds: number
  /** The pod whose namespaces it is in, where it is in one's. */
  pod?: CriPod
  /** The pod's network; absent for what is on the node's. */
  network?: PodNetwork
  container?: CriContainer
  /** The container's own view of it. */
  process?: Process
  kill(signal: SignalName): void
}

/** What a node has, and how much of it is taken. */
export interface NodeUse {
  /** Bytes; what is taken cannot be given back. */
  memory: { total: number; used: number }
  /** Bytes of the one disk. */
  disk: { total: number; used: number }
  inodes: { total: number; used: number }
  processes: { most: number; running: number }
  /** Billionths of a core, over the last seconds. */
  cpuNanoCores: number
  /** Cluster ms. */
  bootedAt: number
}

/** A node's container runtime as one asks it by its socket. */
export interface Cri {
  /** The socket answers. */
  readonly serves: boolean
  pods(): CriPod[]
  containers(): CriContainer[]
  /** What the image of each name is; several names may stand for one. */
  images(): Image[]
  /** Rejects with ImageError. */
  pull(image: string): Promise<Image>
  /** False where there is no such image, or it is in use. */
  removeImage(image: string): boolean
}

export interface CriPod {
  id: string
  uid: string
  name: string
  namespace: string
  ready: boolean
  /** Cluster ms. */
  createdAt: number
  labels: Record<string, string>
  annotations: Record<string, string>
  ip: string
  hostNetwork: boolean
  qosClass: string
}

export interface CriContainer {
  id: string
  pod: CriPod
  name: string
  attempt: number
  /** As the pod's spec names it. */
  image: string
  imageID: string
  state: Container['state']
  /** Cluster ms. */
  createdAt: number
  container: Container
}
