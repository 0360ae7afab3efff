import type {
  ApiRequest,
  ApiResponse,
  ExecOptions,
  ExecResult,
  ObjectSelector,
  Sandbox,
  Snapshot,
  TerminalOptions,
  TerminalProcess,
  WatchEvent,
} from '../engine.ts'
import { applyManifests } from '../manifests.ts'
import type { KindCluster } from './cluster.ts'
import type { Identity } from './pki.ts'
import type { ClusterRecord, Records } from './records.ts'
import { findNode, type NodePlan } from './shape.ts'
import { takeSnapshot } from './snapshot.ts'
import type { ClusterToolbox } from './toolbox/contract.ts'

/** Who a learner is in a cluster of their own: what kubeadm calls its administrator. */
export const administrator: Identity = { username: 'kubernetes-admin', groups: ['kubeadm:cluster-admins'] }

export interface SandboxParts {
  id: string
  cluster: KindCluster
  /** Null on a machine without a toolbox image. */
  toolbox: ClusterToolbox | null
  records: Records
  /** Removes everything of the cluster. */
  remove: () => Promise<void>
}

const resumeTimeout = 120_000

/** One learner's kind cluster. */
export class KindSandbox implements Sandbox {
  readonly engine = 'kind'
  readonly holdsShells = true
  private readonly parts: SandboxParts

  constructor(parts: SandboxParts) {
    this.parts = parts
  }

  get id(): string {
    return this.parts.id
  }

  /** The cluster's record as it is stored. */
  get record(): ClusterRecord {
    return this.parts.cluster.record
  }

  async nodes(): Promise<string[]> {
    return this.record.nodes.map(({ name }) => name)
  }

  async kubeconfig(user?: { username: string; groups: string[] }): Promise<string> {
    return this.parts.cluster.kubeconfig(user ?? administrator)
  }

  async openTerminal(options: TerminalOptions): Promise<TerminalProcess> {
    const { node, ...rest } = options
    return node === undefined ? this.toolbox().openTerminal(rest) : this.toolbox().openNodeTerminal(this.nodeOf(node).container, options)
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { node, timeout, stdin } = options
    if (node === undefined) return this.toolbox().exec(argv, options)
    const limits = { ...(timeout === undefined ? {} : { timeout }), ...(stdin === undefined ? {} : { stdin }) }
    return this.parts.cluster.docker.exec(this.nodeOf(node).container, argv, limits)
  }

  execInPod(
    namespace: string,
    pod: string,
    argv: readonly string[],
    options: { container?: string; timeout?: number } = {},
  ): Promise<ExecResult> {
    return this.parts.cluster.api.execInPod(namespace, pod, argv, options)
  }

  api(request: ApiRequest): Promise<ApiResponse> {
    return this.parts.cluster.api.request(request)
  }

  apply(manifests: string): Promise<void> {
    return applyManifests((request) => this.api(request), manifests)
  }

  watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    return this.parts.cluster.api.watch(selector, onEvent, signal)
  }

  snapshot(): Promise<Snapshot> {
    return takeSnapshot((request) => this.api(request))
  }

  /** Freezes nodes and toolbox where they are; shells go on after resume. */
  async pause(): Promise<void> {
    await this.parts.toolbox?.letGo()
    this.record.paused = true
    await this.parts.records.put(this.record)
    await this.parts.cluster.freeze()
  }

  /**
   * While it is paused: ends its nodes' processes, for the memory they hold. Containers of Pods start anew at resume, which
   * takes ten seconds and more instead of one.
   */
  async giveMemoryBack(): Promise<boolean> {
    if (!this.record.paused || this.record.stopped) return false
    this.record.stopped = true
    await this.parts.records.put(this.record)
    await this.parts.cluster.stop()
    return true
  }

  async resume(): Promise<void> {
    await this.parts.cluster.start(resumeTimeout)
    this.record.paused = false
    delete this.record.stopped
    await this.parts.records.put(this.record)
  }

  async now(): Promise<number> {
    return Date.now()
  }

  /** Lets go of what this process holds; the cluster goes on, for another process to adopt. */
  async letGo(): Promise<void> {
    await this.parts.toolbox?.letGo()
    this.parts.cluster[Symbol.dispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.remove()
  }

  private toolbox(): ClusterToolbox {
    if (!this.parts.toolbox) throw new Error('This server has no toolbox image for kind clusters; npm run doctor says how to get one')
    return this.parts.toolbox
  }

  private nodeOf(asked: string): NodePlan {
    const node = findNode(this.record.nodes, asked)
    if (!node) throw new Error(`There is no node ${asked}. There are: ${this.record.nodes.map(({ name }) => name).join(', ')}`)
    return node
  }
}
