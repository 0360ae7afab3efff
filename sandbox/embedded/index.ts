import type { ApiRequest, ApiResponse, ObjectSelector, Snapshot, WatchEvent } from '../engine.ts'
import { Cluster } from './cluster.ts'
import type { StandIn } from './containers/stand-in.ts'

export type { ApiRequest, ApiResponse, ObjectSelector, Snapshot, WatchEvent, WatchedObject } from '../engine.ts'
export type { Signal } from './containers/runtime.ts'
export type { StandIn, StandInContainer } from './containers/stand-in.ts'
export { standInProcess } from './containers/stand-in-process.ts'

export interface CreateOptions {
  /** How many, the first being the control plane; 1 unless given. */
  nodes?: number
  /** Folder to keep the state in, and to take it up from again; in memory unless given. */
  dir?: string
  /** Cluster seconds per real second; 1 unless given, 0 stands still until `clock.advance`. */
  clockRate?: number
  /** Makes names, addresses and jitter the same in every run. */
  seed?: number
  /** Port on 127.0.0.1; a free one unless given. */
  port?: number
  /**
   * Who plays the containers of images that are not to be had here (an operator of one's own), by image, where * is anything:
   * `{ 'example.com/operator:*': (container) => standInProcess(container, './operator') }`.
   */
  standIns?: Readonly<Record<string, StandIn>>
  /** `none`: the nodes wait until somebody installs a network plugin. */
  cni?: 'kindnet' | 'none'
  /** `gateway`: classes for Ingresses and Gateways. */
  addons?: readonly 'gateway'[]
  /** `machine`: the hosts in webhooks' urls are this machine's; otherwise they lead into the cluster's own network. */
  webhooks?: 'machine'
  /** Hears errors that have no caller. They are written to stderr unless given. */
  report?: (where: string, error: unknown) => void
}

/** A Kubernetes cluster in this process, served over TLS on 127.0.0.1 until it is disposed. */
export interface EmbeddedCluster extends AsyncDisposable {
  /** https://127.0.0.1:PORT */
  readonly server: string
  /** A kubeconfig (YAML): of the cluster's administrator, or of a user with a client certificate of their own. */
  kubeconfig(user?: { username: string; groups: string[] }): string
  readonly clock: {
    /** Cluster time, ms since the epoch. */
    now(): number
    /** Skips ahead; everything that would have happened meanwhile has happened when it resolves. */
    advance(ms: number): Promise<void>
  }
  /** A request past the network. Never rejects for an answer that is an error. */
  request(request: ApiRequest): Promise<ApiResponse>
  /** Tells what exists, then every change, until the signal aborts. */
  watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void>
  /** Everything that is in it; `open` makes a cluster of it again. */
  snapshot(): Snapshot
  /** A copy that shares nothing with it, whose clock stands still until it is advanced. */
  fork(): Promise<EmbeddedCluster>
}

export type { EmbeddedCluster as Cluster }

/** A new cluster, or the one that lives in `dir`. Resolves once its nodes are registered. */
export async function create(options: CreateOptions = {}): Promise<EmbeddedCluster> {
  const { nodes = 1, clockRate = 1, port = 0, report = toStderr, ...rest } = options
  const cluster = await Cluster.open({
    nodes,
    report,
    clock: { rate: clockRate },
    ...rest,
  })
  return serve(cluster, port)
}

/** A cluster in memory from what `snapshot` gave, or from a file that `etcdctl snapshot save` wrote (of a real cluster, too). */
export async function open(snapshot: Snapshot | Uint8Array, report = toStderr): Promise<EmbeddedCluster> {
  return serve(
    snapshot instanceof Uint8Array ? await Cluster.fromEtcd(snapshot, { report }) : await Cluster.fromSnapshot(snapshot, report),
    0,
  )
}

async function serve(cluster: Cluster, wanted: number): Promise<EmbeddedCluster> {
  const address = await cluster.listen({ host: '127.0.0.1', port: wanted })
  const server = `https://127.0.0.1:${'port' in address ? address.port : wanted}`
  return {
    server,
    kubeconfig: (user) => cluster.kubeconfig({ server, ...(user ? { user } : {}) }),
    clock: { now: () => cluster.clock.now(), advance: (ms) => cluster.advance(ms) },
    request: (request) => cluster.request(request),
    watch: (selector, onEvent, signal) => cluster.watch(selector, onEvent, signal),
    snapshot: () => cluster.snapshot(),
    fork: async () => serve(await cluster.fork(), 0),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}

function toStderr(where: string, error: unknown): void {
  console.error(`${where}:`, error)
}
