import type { ApiRequest, ApiResponse, ExecResult, ObjectSelector, Snapshot, WatchEvent } from '../../engine.ts'

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
  snapshot(id: string): Promise<Snapshot>
  now(id: string): Promise<number>
  advance(id: string, ms: number): Promise<void>
  /** Starts telling events under the watch's number; resolves after what exists was told. */
  watch(id: string, watch: number, selector: ObjectSelector): Promise<void>
  unwatch(id: string, watch: number): Promise<void>
}

export interface OpenOptions {
  dir: string | null
  name: string
  /** Unix socket to serve the API on; null for none. */
  socket: string | null
  nodes: number
  seed: number
  rate: number
  snapshot?: Snapshot
}

export type ToProcess = { call: number; method: keyof ClusterProcess; args: unknown[] }

export type FromProcess =
  | { call: number; result: unknown }
  | { call: number; error: string }
  | { watch: number; event: WatchEvent }
  | { fault: string; cluster: string }
