import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { release } from 'node:os'
import { type NetworkState, settingsOf } from '../check/network.ts'
import { lookAtNetwork, watchNetwork } from '../check/network-watch.ts'
import type {
  ApiResponse,
  ExecOptions,
  ExecResult,
  ObjectSelector,
  Sandbox,
  Snapshot,
  TerminalOptions,
  TerminalProcess,
  WatchEvent,
  WatchedObject,
} from '../engine.ts'
import { Listeners } from '../listeners.ts'
import { openPty, outsideEnvironment, run } from '../terminal/launch.ts'
import { watchProcesses } from '../terminal/watchdog.ts'
import type { Text } from '../text.ts'
import type { Holder } from './holder.ts'
import { limits } from './limits.ts'
import { enterHost } from './walls.ts'

interface SandboxParts {
  id: string
  uid: number | null
  holder: Holder
  gone: () => void
}

/** Hosts as objects, so that what watches objects sees them too: one of kind Host each, with its network as it is. */
export const hostsResource = { group: 'hosts.labernetes', version: 'v1', resource: 'hosts' } as const

export interface Host extends WatchedObject {
  kind: 'Host'
  network: NetworkState
}

const noApi = 'Hosts have no Kubernetes API.'
/** Quiet for so long after output, a terminal may have done what it was told. ms. */
const quiet = 400

/** Some hosts joined by an underlay. The first of them, `worker`, stands where other engines have the toolbox. */
export class HostsSandbox implements Sandbox {
  readonly engine = 'hosts'
  readonly id: string
  private readonly parts: SandboxParts
  private readonly owned = new AsyncDisposableStack()
  private readonly terminals = new Set<TerminalProcess>()
  private readonly running = new Set<ChildProcess>()
  private readonly activity = new Listeners()
  private readonly notices = new Listeners<Text>()
  private closed = false

  constructor(parts: SandboxParts) {
    this.parts = parts
    this.id = parts.id
    this.owned.defer(() => parts.gone())
    this.owned.use(parts.holder)
    this.owned.use(
      watchProcesses({ pids: parts.holder.hosts.map(({ pid }) => pid), memoryBytes: limits.memoryBytes, home: null }, (notice) =>
        this.notices.tell(notice),
      ),
    )
  }

  async nodes(): Promise<string[]> {
    return this.parts.holder.hosts.map(({ name }) => name)
  }

  async kubeconfig(): Promise<string> {
    throw new Error(noApi)
  }

  async openTerminal({ cols, rows, node }: TerminalOptions): Promise<TerminalProcess> {
    await this.mustLive()
    const terminal = openPty(this.launch(node, ['bash', '-l']), cols, rows, () => this.terminals.delete(terminal))
    this.terminals.add(terminal)
    let timer: NodeJS.Timeout | undefined
    terminal.onData(() => {
      clearTimeout(timer)
      timer = setTimeout(() => this.activity.tell(), quiet)
      timer.unref()
    })
    return terminal
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    try {
      await this.mustLive()
      return await run(this.launch(options.node, argv), options, this.running)
    } catch (error) {
      return { exitCode: 126, stdout: '', stderr: (error as Error).message }
    }
  }

  async execInPod(): Promise<ExecResult> {
    return { exitCode: 126, stdout: '', stderr: 'There are no Pods on hosts.' }
  }

  async api(): Promise<ApiResponse> {
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404, message: noApi }
    return { status: 404, body: status }
  }

  async apply(): Promise<void> {
    throw new Error(noApi)
  }

  /** Of hosts alone; of every other resource there is nothing to tell. */
  async watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    if (selector.group !== hostsResource.group || selector.resource !== hostsResource.resource) return
    const told = new Set<string>()
    await Promise.all(
      this.parts.holder.hosts
        .filter(({ name }) => selector.name === undefined || selector.name === name)
        .map(({ name }) =>
          watchNetwork(
            this,
            name,
            (network) => {
              if (!network) return
              onEvent({ type: told.has(name) ? 'MODIFIED' : 'ADDED', object: this.hostOf(name, network), time: Date.now() })
              told.add(name)
            },
            signal,
          ),
        ),
    )
  }

  async snapshot(): Promise<Snapshot> {
    const hosts = this.parts.holder.hosts
    const objects = await Promise.all(hosts.map(async ({ name }) => this.hostOf(name, await lookAtNetwork(this, name))))
    // what stands where other engines have Kubernetes
    const kubernetesVersion = `none (Linux ${release()})`
    return { format: 1, engine: 'hosts', kubernetesVersion, time: Date.now(), resourceVersion: '', objects }
  }

  onNodeActivity(listener: () => void, signal: AbortSignal): void {
    this.activity.add(listener, signal)
  }

  onNotice(listener: (notice: Text) => void, signal: AbortSignal): void {
    this.notices.add(listener, signal)
  }

  /** Hosts take next to nothing while nobody works on them, and their memory could not be given back. */
  async pause(): Promise<void> {
    await this.endWork()
  }

  async resume(): Promise<void> {
    await this.mustLive()
  }

  async now(): Promise<number> {
    return Date.now()
  }

  /** Ends what runs for this platform; the hosts go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.endWork()
    await this.owned.disposeAsync()
  }

  private async endWork(): Promise<void> {
    for (const child of this.running) child.kill('SIGKILL')
    await Promise.all([...this.terminals].map((terminal) => terminal[Symbol.asyncDispose]()))
  }

  private hostOf(name: string, network: NetworkState): Host {
    // the same network has the same version, also for the next platform
    const resourceVersion = createHash('sha256').update(settingsOf(network)).digest('hex').slice(0, 16)
    return { apiVersion: 'hosts.labernetes/v1', kind: 'Host', metadata: { name, uid: `host-${name}`, resourceVersion }, network }
  }

  private launch(node: string | undefined, argv: readonly string[]) {
    const { holder, uid } = this.parts
    const host = holder.hosts.find(({ name }) => name === (node ?? 'worker'))
    if (!host) throw new Error(`There is no host ${node}. There are: ${holder.hosts.map(({ name }) => name).join(', ')}`)
    return { argv: enterHost(host.pid, uid, argv, environment), environment: outsideEnvironment(), cwd: '/' }
  }

  private async mustLive(): Promise<void> {
    if (this.closed || !(await this.parts.holder.alive())) throw new Error('The hosts have ended.')
  }
}

const environment: Record<string, string> = {
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/bash',
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
  LANG: 'C.UTF-8',
  PATH: '/opt/labernetes/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  EDITOR: 'nano',
}
