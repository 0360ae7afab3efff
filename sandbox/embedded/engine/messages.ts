import type { ApiRequest, ApiResponse, AuditedRequest, ExecResult, ObjectSelector, Snapshot, WatchEvent } from '../../engine.ts'
import type { OutsideView } from '../network/outside.ts'

/** What a cluster's process is asked. Every method's first argument is the cluster's id. */
export interface ClusterProcess {
  /** New, or brought back from `dir` when something is stored there. */
  open(id: string, options: OpenOptions): Promise<void>
  close(id: string): Promise<void>
  /** A copy whose clock stands still, under another id; lives in memory alone. */
  fork(id: string, fork: string): Promise<void>
  kubeconfig(id: string, server: string, user: { username: string; groups: string[] } | null): Promise<string>
  request(id: string, request: ApiRequest): Promise<ApiResponse>
  exec(id: string, namespace: string, pod: string, argv: string[], options: { container?: string; timeout?: number }): Promise<ExecResult>
  /** The nodes that a shell can be opened on, the control plane first. */
  nodes(id: string): Promise<string[]>
  execOnNode(id: string, node: string, argv: string[], options: { timeout?: number; stdin?: string }): Promise<ExecResult>
  /** A login shell on a node; what it writes and its end are told under the terminal's number. */
  openTerminal(id: string, terminal: number, node: string, size: { cols: number; rows: number }): Promise<void>
  writeTerminal(id: string, terminal: number, data: string): Promise<void>
  resizeTerminal(id: string, terminal: number, size: { cols: number; rows: number }): Promise<void>
  closeTerminal(id: string, terminal: number): Promise<void>
  snapshot(id: string): Promise<Snapshot>
  auditLog(id: string): Promise<AuditedRequest[]>
  now(id: string): Promise<number>
  advance(id: string, ms: number): Promise<void>
  /** Starts telling events under the watch's number; resolves after what exists was told. */
  watch(id: string, watch: number, selector: ObjectSelector): Promise<void>
  unwatch(id: string, watch: number): Promise<void>
  /** Lets connections in by a Unix socket (door.ts) and tells which addresses answer, under the door's number. */
  openDoor(id: string, door: number, socket: string): Promise<void>
}

export interface OpenOptions {
  dir: string | null
  name: string
  /** Unix socket to serve the API on; null for none. */
  socket: string | null
  nodes: number
  seed: number
  rate: number
  /** Without kindnet the nodes wait for a network plugin. */
  cni?: 'kindnet' | 'none'
  addons?: readonly 'gateway'[]
  snapshot?: Snapshot
}

export type ToProcess = { call: number; method: keyof ClusterProcess; args: unknown[] }

export type FromProcess =
  | { call: number; result: unknown }
  | { call: number; error: string }
  | { watch: number; event: WatchEvent }
  | { door: number; view: OutsideView }
  | { terminal: number; data: Uint8Array }
  | { terminal: number; exitCode: number }
  | { fault: string; cluster: string }
