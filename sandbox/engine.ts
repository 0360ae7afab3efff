/**
 * The two contracts of everything that runs a learner's cluster. An engine makes sandboxes; a sandbox is one learner's
 * cluster (or hosts) with the place where their shell runs. Nothing here knows of people, labs or grades.
 */

import type { Text } from './text.ts'

export type EngineName = 'embedded' | 'kind' | 'hosts'

export type Capability =
  | 'api'
  | 'pods'
  | 'exec'
  | 'network'
  | 'node-shell'
  | 'etcd'
  | 'cni'
  | 'hosts'
  | 'multi-node'
  | 'fork'
  | 'terminal'
  /** Time is the cluster's own and can be skipped. */
  | 'clock'
  /** Who asked the API for what is kept. */
  | 'audit'

/** For each capability `true`, or the sentence that says why it is missing ("Docker is not running"). */
export type Capabilities = Record<Capability, true | Text>

/** What a cluster is made of, where its engine can choose. */
export interface ClusterShape {
  /** '1.34' or '1.34.4'; the engine's own unless given. */
  kubernetesVersion?: string
  /** The Pod network; kindnet unless given. With 'none' nodes stay NotReady until somebody installs one. */
  cni?: 'kindnet' | 'flannel' | 'none'
  /** What a plain kind cluster has not: 'gateway' is a class for Ingresses and one for Gateways, on the embedded engine. */
  addons?: readonly 'gateway'[]
  featureGates?: Readonly<Record<string, boolean>>
  /** Images that every node has from the start; no registry is asked. */
  images?: readonly string[]
  /** Host ports that lead to the control plane's; none unless given. */
  portMappings?: readonly { containerPort: number; hostPort: number }[]
}

export interface SandboxSpec {
  /** Chosen by the supervisor; unique for ever; safe in a file name. */
  id: string
  /** Nodes of the cluster, the first being the control plane; on the hosts engine, hosts. */
  nodes: number
  shape?: ClusterShape
  /** Kubernetes manifests (YAML, several documents) applied before the sandbox is ready. */
  manifests?: string
  /** A folder whose files are copied into the learner's home before the first shell. */
  homeFiles?: string
  /** Cluster seconds per real second. 1 unless the engine has a clock of its own. */
  clockRate?: number
  /** Makes names, back-off jitter and addresses repeatable on engines that can. */
  seed?: number
}

export interface Progress {
  step: string
  /** 0 to 1, when it is known. */
  fraction?: number
}

export interface Engine extends AsyncDisposable {
  readonly name: EngineName
  /** Of what sandboxes keep on the disk, where that is the engine's own: one that was stored in another format cannot be brought back. */
  readonly storageFormat?: number
  capabilities(): Promise<Capabilities>
  /** Resolves when the cluster is ready for use. On failure nothing is left behind. */
  create(spec: SandboxSpec, onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<Sandbox>
  /** After a restart: brings back those of these sandboxes that still run or are stored, and removes every other one it finds. */
  adopt(ids: readonly string[]): Promise<Sandbox[]>
  /** Ends a sandbox and removes everything it left, also when it is only half there. Does nothing for an unknown id. */
  destroy(id: string): Promise<void>
}

export interface GroupVersionResource {
  /** '' for the core group. */
  group: string
  version: string
  /** The plural, as in a URL: 'pods'. */
  resource: string
}

export interface ObjectSelector extends GroupVersionResource {
  namespace?: string
  name?: string
  labelSelector?: string
}

export interface WatchedObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; [field: string]: unknown }
  [field: string]: unknown
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: WatchedObject
  /** Cluster time, ms since the epoch. */
  time: number
}

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path and query: /api/v1/namespaces/default/pods?limit=5 */
  path: string
  body?: unknown
  /** For PATCH; application/merge-patch+json unless given. */
  contentType?: string
  /** Acts as this user; the cluster's administrator unless given. */
  as?: { username: string; groups: string[] }
}

export interface ApiResponse {
  status: number
  body: unknown
}

/** One request to the API, of those that an audit log keeps: who asked what, never what was sent or answered. */
export interface AuditedRequest {
  /** Cluster time, ms since the epoch, at which it came. */
  time: number
  user: string
  /** The client's program, as it calls itself: 'kubectl/v1.34.4'. */
  agent: string | null
  verb: string
  /** '' for what is no resource. */
  group: string
  /** The plural, with its subresource: 'pods/exec'; a path for what is no resource. */
  resource: string
  namespace: string | null
  name: string | null
  /** HTTP status of the answer. */
  code: number
}

export interface ExecResult {
  exitCode: number
  stdout: string
  stderr: string
}

export interface ExecOptions {
  /** ms; 30 000 unless given. The process group is killed after it and exitCode is 124. */
  timeout?: number
  stdin?: string
  /**
   * Runs on a node, as root there, instead of in the toolbox. A node's name or the part of it that is the same on every
   * engine: 'control-plane', 'worker', 'worker2' ... (hosts are called 'worker', 'worker2' ...).
   */
  node?: string
}

export interface TerminalOptions {
  cols: number
  rows: number
  /** As in ExecOptions. */
  node?: string
  /**
   * Names the shell where shells outlive the platform: opening the same id again gives the same shell, its output from byte
   * `seq` on (bytes since the shell began). Engines whose shells end with the platform start a new one each time.
   */
  held?: { id: string; seq: number }
}

/** A running shell with its pty. Disposing destroys the pty and everything that runs in it. */
export interface TerminalProcess extends AsyncDisposable {
  /**
   * Set when the shell was there before: offset of the first byte that onData tells. It is more than the `seq` that was asked
   * for when so much was written meanwhile that the oldest of it is gone.
   */
  readonly continuesAt?: number
  /** Lets go of a shell that goes on running, to be opened again by its id. Missing where shells end with the platform. */
  detach?(): Promise<void>
  write(data: string): void
  resize(cols: number, rows: number): void
  /** Stops and resumes reading from the pty; what the shell writes meanwhile waits in the kernel. */
  pause(): void
  resume(): void
  onData(listener: (data: Uint8Array) => void): Disposable
  onExit(listener: (exit: { exitCode: number; signal?: number }) => void): Disposable
}

/** Everything that is in a cluster at one moment, in the form every engine writes and the embedded one can open. */
export interface Snapshot {
  format: 1
  engine: EngineName
  kubernetesVersion: string
  /** Cluster time, ms since the epoch. */
  time: number
  resourceVersion: string
  /** All objects of all kinds, as the API would answer them. */
  objects: WatchedObject[]
  /** What the embedded engine needs besides objects to go on (containers' files and programs); opaque to others. */
  runtime?: unknown
}

export interface Sandbox extends AsyncDisposable {
  readonly id: string
  readonly engine: EngineName
  /** Shells outlive the platform and a pause (TerminalOptions.held). */
  readonly holdsShells?: boolean
  /** Names of the nodes (or hosts) that a terminal can be opened on, the control plane first; empty without node shells. */
  nodes(): Promise<string[]>
  /** A kubeconfig (YAML) that works inside the toolbox; for the administrator unless a user is given. */
  kubeconfig(user?: { username: string; groups: string[] }): Promise<string>
  openTerminal(options: TerminalOptions): Promise<TerminalProcess>
  /** Runs a command in the toolbox as the learner would. Never rejects for a failing command. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>
  /** Runs a command inside a container of a pod. */
  execInPod(
    namespace: string,
    pod: string,
    argv: readonly string[],
    options?: { container?: string; timeout?: number },
  ): Promise<ExecResult>
  api(request: ApiRequest): Promise<ApiResponse>
  /** Applies YAML manifests as the administrator (server-side, field manager "labernetes"). */
  apply(manifests: string): Promise<void>
  /**
   * Tells every object that exists (ADDED) and resolves, then goes on telling changes until the signal aborts. Survives a
   * restart of the cluster's process: what exists then is told again, what was deleted meanwhile as DELETED.
   */
  watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void>
  snapshot(): Promise<Snapshot>
  /** What changed something, reached into a container, read Secrets or was refused: the latest thousands, oldest first. */
  auditLog?(): Promise<AuditedRequest[]>
  /**
   * Calls back when somebody is at work on the nodes (in a terminal), until the signal aborts: their networks may be others now.
   * Those of an engine without it are looked at every few seconds.
   */
  onNodeActivity?(listener: () => void, signal: AbortSignal): void
  /**
   * Calls back with what learners are to be told in their terminals
   * (processes of theirs were killed, and why), until the signal aborts.
   */
  onNotice?(listener: (notice: Text) => void, signal: AbortSignal): void
  /** A copy that shares nothing with this one and whose clock stands still until `advance`. */
  fork?(): Promise<ForkedSandbox>
  pause(): Promise<void>
  resume(): Promise<void>
  /** Cluster time, ms since the epoch. */
  now(): Promise<number>
  /** Skips ahead; everything that would have happened meanwhile has happened when it resolves. Engines with a clock only. */
  advance?(ms: number): Promise<void>
}

export interface ForkedSandbox extends AsyncDisposable {
  api(request: ApiRequest): Promise<ApiResponse>
  execInPod(
    namespace: string,
    pod: string,
    argv: readonly string[],
    options?: { container?: string; timeout?: number },
  ): Promise<ExecResult>
  now(): Promise<number>
  /** Runs the copy for so many ms of cluster time, as fast as it goes. */
  advance(ms: number): Promise<void>
}
