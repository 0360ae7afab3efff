import type { ExecOptions, ExecResult, TerminalOptions, TerminalProcess } from '../../engine.ts'
import type { Text } from '../../text.ts'
import type { Docker } from '../docker.ts'
import type { ToolboxImageOptions } from './image.ts'
import type { Egress } from './walls.ts'

/** What a toolbox may use at most. */
export interface ToolboxLimits {
  /** Bytes. */
  memory: number
  /** In CPUs: 1.5 is one and a half. */
  cpus: number
  pids: number
}

export interface KindToolboxOptions {
  docker: Docker
  /** The cluster's name, unique on this Docker: the toolbox's container is `${id}-toolbox`. */
  id: string
  /** The cluster's own Docker network, on which its nodes are reached by their node names (labernetes-control-plane ...). */
  network: string
  /** For every object that is made: what the sweep finds them by. */
  labels: Readonly<Record<string, string>>
  /** YAML; its server is https://labernetes-control-plane:6443. */
  kubeconfig: string
  /** A folder whose files are copied into the learner's home before the first shell. */
  homeFiles?: string
  limits: ToolboxLimits
  /** Where the cluster's network may lead; 'none' unless given. Its bridge has to be called `${bridgePrefix}-...` (walls.ts). */
  egress?: Egress
  /** Which image, as `image` was asked. */
  image?: ToolboxImageOptions
}

/**
 * The place where the learner's shell runs: a container on the cluster's network. Its terminals and home outlive the
 * platform. Everything it made carries `labels`, so that the engine's sweep removes what a crash left; the network is the
 * engine's.
 */
export interface ClusterToolbox extends AsyncDisposable {
  openTerminal(options: TerminalOptions): Promise<TerminalProcess>
  /** As Sandbox.exec without a node. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>
  /** A root shell in a node's container; `container` is Docker's name or id of it. */
  openNodeTerminal(container: string, options: TerminalOptions): Promise<TerminalProcess>
  /** Writes another kubeconfig: a warm cluster's toolbox is there before its learner, and so before their credentials. */
  setKubeconfig(kubeconfig: string): Promise<void>
  /** Copies a folder's files into the learner's home. */
  addHomeFiles(folder: string): Promise<void>
  /** Lets go of what this process holds (ptys, attached clients); the container with its shells goes on. */
  letGo(): Promise<void>
  /** Removes the container and everything in it. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Where toolboxes come from: kindToolboxes in toolbox.ts. */
export interface ClusterToolboxes {
  /** Puts the walls up (walls.ts) and starts one behind them. Rejects with a sentence; nothing is left behind then. */
  start(options: KindToolboxOptions, signal?: AbortSignal): Promise<ClusterToolbox>
  /** Finds one again after the platform was restarted; null when it is not there (any more). */
  adopt(options: Omit<KindToolboxOptions, 'kubeconfig' | 'homeFiles'>): Promise<ClusterToolbox | null>
  /** Builds or finds the toolbox image; a sentence that says what is missing when it cannot be had. Asked by capabilities(). */
  image(docker: Docker, signal?: AbortSignal, options?: ToolboxImageOptions): Promise<{ image: string } | { missing: Text }>
}
