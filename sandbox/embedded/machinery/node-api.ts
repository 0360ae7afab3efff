import type { Process } from '../containers/runtime.ts'
import type { Connection, HttpRequest, HttpResponse } from '../network/network.ts'

/** What the API server asks of the kubelet of a pod's node: the streaming subresources and the figures. */
export interface NodeApi {
  /** Rejects with ApiError as the kubelet answers ("container \"x\" in pod \"y\" is waiting to start: ..."). */
  logs(namespace: string, pod: string, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  exec(namespace: string, pod: string, options: StreamOptions & { command: string[] }): Promise<Process>
  attach(namespace: string, pod: string, options: StreamOptions): Promise<Process>
  portForward(namespace: string, pod: string, port: number): Promise<Connection>
  /** metrics.k8s.io: bytes and nanocores by container. */
  podUsage(namespace: string, pod: string): { name: string; memoryBytes: number; cpuNanoCores: number }[] | undefined
  /** A request to a node's kubelet itself: /healthz, /pods, /metrics, /stats/summary, /configz, /logs. */
  kubelet(node: string, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>
  nodeUsage(node: string): { memoryBytes: number; cpuNanoCores: number } | undefined
}

export interface StreamOptions {
  container?: string
  stdin: boolean
  stdout: boolean
  stderr: boolean
  tty: boolean
}

export interface LogOptions {
  container?: string
  follow?: boolean
  previous?: boolean
  timestamps?: boolean
  tailLines?: number
  sinceSeconds?: number
  /** RFC 3339. */
  sinceTime?: string
  limitBytes?: number
}
