import type { Container, Image } from '../containers/runtime.ts'
import type { Journal } from './journal.ts'
import type { Systemd } from './systemd.ts'

/** A node as the programs in its shells see it, beside its files and network. */
export interface NodeHost {
  readonly systemd: Systemd
  readonly journal: Journal
  readonly cri: Cri
  /** The process number on the node of a container's or sandbox' first process. */
  pidOf(id: string): number
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
