import type { WebhookReach } from './admission/webhook-connector.ts'
import type { ClusterLimits } from './api/limits.ts'
import type { ClusterClockOptions } from './clock.ts'
import type { StandIn } from './containers/stand-in.ts'
import type { KubeObject } from './machinery/object.ts'

export interface ClusterOptions {
  /** Where its state lives. Without one it is gone when it is disposed. */
  dir?: string
  nodes: number
  clock?: ClusterClockOptions
  seed?: number
  /** The network plugin that is there from the start. With 'none' nodes stay NotReady until somebody installs one (flannel). */
  cni?: 'kindnet' | 'none'
  /** Nothing runs but the API server and etcd: no controllers, no scheduler, no kubelets. What is written stays as it was written. */
  only?: 'api'
  /** What a new cluster has beside what kind installs: a class for Ingresses and one for Gateways (docs/embedded-gateway.md). */
  addons?: readonly 'gateway'[]
  /** What the nodes' names begin with. */
  name?: string
  /** How much it may hold, where that is not the usual (api/limits.ts). */
  limits?: Partial<ClusterLimits>
  /** By image, who plays its containers' main processes, in this process or by others of this machine. They wait for `listen`. */
  standIns?: Readonly<Record<string, StandIn>>
  /**
   * Where the hosts of webhooks' urls are looked for: in the cluster (the
   * usual), or on this machine, for a controller under test beside it.
   */
  webhooks?: WebhookReach
  /** Hears errors that have no caller. */
  report?(where: string, error: unknown): void
}

/** What a cluster must know of itself when it is brought back. */
export interface Settings {
  nodes: number
  /** The network plugin; kindnet where nothing is said. */
  cni?: 'kindnet' | 'none'
  only?: 'api'
  name: string
  seed: number
  limits?: Partial<ClusterLimits>
}

/** The record in which they lie. */
export const settingsRecord = 'cluster/settings'

type GivenSettings = Pick<ClusterOptions, 'nodes' | 'name' | 'seed' | 'cni' | 'limits' | 'only'>

export function settingsOf({ nodes, name = 'labernetes', seed = 1, cni, limits, only }: GivenSettings): Settings {
  return { nodes, name, seed, ...(cni && { cni }), ...(limits && { limits }), ...(only && { only }) }
}

/** Of a cluster that another program made: its nodes are run by ours when they are named as kind and kubeadm name them. */
export function settingsFrom(objects: readonly KubeObject[]): Settings {
  const nodes = objects.filter(({ kind }) => kind === 'Node').map(({ metadata }) => metadata.name ?? '')
  const controlPlane = nodes.find((name) => name.endsWith('-control-plane'))
  return settingsOf({ nodes: Math.max(1, nodes.length), ...(controlPlane ? { name: controlPlane.replace(/-control-plane$/, '') } : {}) })
}
