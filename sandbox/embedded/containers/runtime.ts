import type { PodNetwork } from '../network/network.ts'
import type { Machine, OutOfMemory } from './kernel/machine.ts'
import type { Credentials } from './registry.ts'

export type { Credentials } from './registry.ts'

/**
 * The container runtime of a node as the kubelet sees it (what CRI is to a real kubelet), and a running process as
 * exec, attach and the logs see it. Everything happens in this process: a container is a virtual file system and the
 * programs that run over it.
 */
export interface ContainerRuntime {
  /**
   * Resolves with the image's identity after the time a pull takes; one that is there already takes less. Rejects with
   * ImageError. `present` tells without pulling.
   */
  pull(image: string, options?: PullOptions): Promise<Pulled>
  present(image: string, node?: string): Image | undefined
  /** Those that have been pulled to a node. */
  images(node: string): Image[]
  /** Forgets an image that was pulled to a node; false where there is none to forget. */
  removeImage(image: string, node: string): boolean
  /** Creates, does not start. Rejects with ContainerError (reason CreateContainerError, RunContainerError...). */
  create(spec: ContainerSpec): Promise<Container>
  /** A directory that outlives containers: emptyDir, a ConfigMap's files, a PVC. The traits count when it is new. */
  volume(key: string, traits?: VolumeTraits): Volume
  removeVolume(key: string): void
  /** Containers that came back from the records after a restart or in a fork, running on as they were. */
  restored(): readonly Container[]
  /** All that there are and have not been removed. */
  containers(): readonly Container[]
}

export interface PullOptions {
  /** Where it is pulled to; nodes have their images each for themselves. */
  node?: string
  /** What the pod's pull secrets have for the image's registry. */
  credentials?: readonly Credentials[]
  signal?: AbortSignal
}

export interface Pulled {
  image: Image
  /** How long the pull itself took, without waiting for others: cluster ms. */
  ms: number
}

export interface Image {
  /** docker.io/library/nginx:1.27 */
  name: string
  /** docker.io/library/nginx@sha256:... , made from the name and always the same. */
  id: string
  sizeBytes: number
  /** The user id its processes run as; root unless given. */
  user?: number
  /** Nobody here knows what is in it: its own programs do not run. */
  unknown?: boolean
  /** Somebody outside of the cluster plays its main program. */
  standIn?: boolean
}

export interface ContainerSpec {
  /** containerd://<64 hex> without the scheme. */
  id: string
  podUID: string
  podNamespace: string
  podName: string
  name: string
  image: string
  /** Replaces the image's ENTRYPOINT. */
  command?: string[]
  /** Replaces the image's CMD. */
  args?: string[]
  env: { name: string; value: string }[]
  workingDir?: string
  user?: number
  /** The primary group of its processes; /etc/passwd has it for a user it knows, 0 otherwise. */
  group?: number
  /** Further groups of its processes, besides those that the image's /etc/group gives the user. */
  supplementalGroups?: readonly number[]
  /** Without the groups that the image's /etc/group gives. */
  strictGroups?: boolean
  readOnlyRootFilesystem?: boolean
  /** Where its last words go; /dev/termination-log unless given. */
  terminationMessagePath?: string
  /** Set-user-ID programs run as who starts them. */
  noNewPrivileges?: boolean
  /** Beside and without the usual ones, by name. */
  capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] }
  /** With every capability. */
  privileged?: boolean
  /** Whose processes it sees besides its own: all of the pod or of the node, or another container's; nobody's when absent. */
  sharesProcesses?: 'pod' | 'node' | { container: string }
  /** Kernel parameters of its pod, by name. */
  sysctls?: Readonly<Record<string, string>>
  tty: boolean
  stdin: boolean
  mounts: Mount[]
  /** Bytes. */
  memoryLimit?: number
  /** Cores: 0.5 is 500m. */
  cpuLimit?: number
  /** Of those that take more memory than they may only the largest ends; all of the container's processes do unless given. */
  singleProcessOOMKill?: boolean
  /** How soon its processes go when the node has no memory left. */
  oomScoreAdj?: number
  network: PodNetwork
  hostname: string
  /** Where the node has its log, below /var/log. */
  logFile?: LogPlace
}

export interface LogPlace {
  /** The node's own files. */
  files: Volume
  /** How often it has been started again. */
  attempt: number
}

export interface Mount {
  mountPath: string
  subPath?: string
  readOnly: boolean
  volume: Volume
}

export interface VolumeTraits {
  /** It begins as the files of an image (a node's own). */
  image?: string
  /** On tmpfs: what is written counts as memory of the containers that mount it. */
  memory?: boolean
  /** Bytes that fit in. */
  sizeBytes?: number
  /** Of its root; 0777 unless given. */
  mode?: number
}

export interface VolumeFile {
  content: Uint8Array
  mode: number
  uid?: number
}

/** A tree of files shared by mounts. Paths are relative to it, without a leading slash. */
export interface Volume {
  readonly key: string
  /** Replaces the whole tree at once (a ConfigMap's update); modes are octal numbers. */
  replace(files: Record<string, VolumeFile>): void
  /**
   * Gives all of it to a group, who may then read it (and write it, unless read-only), as the kubelet does for an fsGroup.
   * With `onRootMismatch` nothing is done where the root is right already.
   */
  giveToGroup(group: number, options: { readOnly: boolean; onRootMismatch?: boolean }): void
  /** Names in a directory, in order; none where there is no directory. */
  list(path: string): string[]
  /** What is at a path, links inside followed. */
  kindOf(path: string): 'file' | 'dir' | 'fifo' | 'device' | undefined
  /** Makes a directory with its parents; with the mode of the root unless another is given. */
  makeDirectory(path: string, mode?: number): void
  read(path: string): Uint8Array | undefined
  write(path: string, content: Uint8Array, mode?: number): void
  usedBytes(): number
  usedInodes(): number
  /** Hears of every change; what has changed it must find out itself. */
  watch(listener: () => void): Disposable
}

export type Signal = 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGHUP' | 'SIGQUIT' | 'SIGUSR1' | 'SIGUSR2' | 'SIGCHLD'

export interface ContainerExit {
  exitCode: number
  signal?: Signal
  /** 'Completed', 'Error' or 'OOMKilled'. */
  reason: string
  /** Cluster ms. */
  finishedAt: number
}

/** Bytes, and files with their directories. */
export interface DiskUse {
  bytes: number
  inodes: number
}

export interface Container {
  readonly spec: ContainerSpec
  /** The kernel's side of it, where it runs in this process. */
  readonly machine?: Machine
  state: 'created' | 'running' | 'exited'
  startedAt?: number
  exit?: ContainerExit
  readonly log: ContainerLog
  /** Rejects with ContainerError when the command cannot be started (no such file: exit 127/128 as runc reports it). */
  start(): Promise<void>
  signal(signal: Signal): void
  onExit(listener: (exit: ContainerExit) => void): Disposable
  /** Hears of processes that are about to be killed because there is no memory for them. */
  onOutOfMemory?(listener: (report: OutOfMemory) => void): Disposable
  /** Another process in the container. Rejects with ContainerError when it cannot be started. */
  exec(argv: readonly string[], options: { tty: boolean; stdin: boolean; cols?: number; rows?: number }): Promise<Process>
  /** The main process's streams. */
  attach(): Process
  readFile(path: string): Uint8Array | undefined
  /** Bytes in use, nanocores over the last seconds, nanoseconds since the start. */
  usage(): { memoryBytes: number; cpuNanoCores: number; cpuNanoSeconds: number }
  /** What it has written to its own layer and its log. */
  disk(): DiskUse
  /** New limits for what runs: bytes, and cores. Absent is none. */
  setLimits(limits: { memoryLimit?: number; cpuLimit?: number }): void
  /** Frees everything; a running process is killed. */
  remove(): void
}

export interface Process {
  write(data: Uint8Array): void
  closeStdin(): void
  resize(cols: number, rows: number): void
  onOutput(listener: (stream: 'stdout' | 'stderr', data: Uint8Array) => void): Disposable
  readonly exited: Promise<{ exitCode: number }>
  kill(signal: Signal): void
}

export interface LogLine {
  /** Cluster ms. */
  time: number
  stream: 'stdout' | 'stderr'
  /** With its newline when it has one. */
  text: string
}

/** A container's output, line by line, 10 MiB at most (the oldest goes first). */
export interface ContainerLog {
  /** Those that have not been put aside. */
  lines(): readonly LogLine[]
  /** Bytes of the file that the lines are in. */
  readonly fileBytes: number
  /** Somebody has removed that file. */
  readonly removed: boolean
  /** What there is so far is not shown any more; so many files of what was put aside are kept. */
  putAside(files: number): void
  /** What is said from now on is in a new file. */
  reopen(): void
  onLine(listener: (line: LogLine) => void): Disposable
}

export class ImageError extends Error {
  readonly reason: 'ErrImagePull' | 'ImagePullBackOff' | 'ErrImageNeverPull' | 'InvalidImageName'
  constructor(reason: ImageError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

export class ContainerError extends Error {
  readonly reason: string
  readonly exitCode: number
  constructor(reason: string, message: string, exitCode = 128) {
    super(message)
    this.reason = reason
    this.exitCode = exitCode
  }
}
