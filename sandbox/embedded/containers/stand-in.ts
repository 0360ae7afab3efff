import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Clock, Timer } from '../clock.ts'
import { duplexOf } from '../network/http-bridge.ts'
import { canonicalName } from './images.ts'
import { Killed, type Process, type Program } from './kernel/process.ts'
import type { SignalName } from './kernel/signals.ts'
import type { ContainerSpec, Signal } from './runtime.ts'
import { MountedFiles } from './stand-in-files.ts'

/**
 * Plays the main process of a container whose image is not to be had here. It runs on this machine, in real time and with all
 * that this process may do: whoever embeds a cluster gives it, nobody who uses the cluster can. Resolves with the exit code; a
 * rejection is exit code 1 and is told in the container's log. When `killed` aborts it is to end at once.
 */
export type StandIn = (container: StandInContainer) => Promise<number>

export interface StandInContainer {
  readonly pod: { namespace: string; name: string; uid: string }
  readonly name: string
  /** As the Pod has it. */
  readonly image: string
  /** Of the Pod's spec; empty where the image's own holds. */
  readonly command: readonly string[]
  readonly args: readonly string[]
  /**
   * What the container's process sees, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT reach the API from this machine,
   * and KUBECONFIG names a file for the ServiceAccount's token where one is mounted.
   */
  readonly env: Readonly<Record<string, string>>
  /**
   * A folder of this machine with the container's volumes below it, as files:
   * join(root, '/var/run/secrets/kubernetes.io/serviceaccount/token').
   * They follow changes in the cluster (a new token, an edited ConfigMap); what is written there stays there.
   */
  readonly root: string
  /** Aborts when the container is killed, after its grace period or when the cluster ends. */
  readonly killed: AbortSignal
  /** Writes to the container's log. */
  print(data: string | Uint8Array, stream?: 'stdout' | 'stderr'): void
  /** Hears signals, SIGTERM among them. As any PID 1, one that does not listen is not ended by them. */
  onSignal(listener: (signal: Signal) => void): void
  /** From now on a port of the Pod leads to 127.0.0.1:target of this machine. Throws NetworkError when something listens at the port. */
  forward(port: number, target: number): void
}

const handled: readonly SignalName[] = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2']
/** Cluster ms. */
const syncInterval = 1000

/** The stand-ins of a cluster by the images they stand in for, and what they have taken of this machine. */
export class StandIns implements AsyncDisposable {
  private readonly table: [pattern: RegExp, standIn: StandIn][]
  private readonly clock: Clock
  private readonly api: () => Promise<{ host: string; port: number }>
  private readonly running = new Set<Promise<unknown>>()

  /** `table` is by image, as a Pod names it or in full, where * is anything; `api` is where the API is served. */
  constructor(table: Readonly<Record<string, StandIn>>, clock: Clock, api: () => Promise<{ host: string; port: number }>) {
    this.table = Object.entries(table).map(([pattern, standIn]) => [matcher(pattern), standIn])
    this.clock = clock
    this.api = api
  }

  /** Who stands in for an image: the first whose pattern it fits. */
  of(image: string): StandIn | undefined {
    if (this.table.length === 0) return undefined
    const { repository, tag } = canonicalName(image)
    return this.table.find(([pattern]) => pattern.test(image) || pattern.test(`${repository}:${tag}`))?.[1]
  }

  program(standIn: StandIn, spec: ContainerSpec): Program {
    return { run: (process) => this.run(standIn, spec, process) }
  }

  /** Resolves when all of them have ended; those that run are to be killed before. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.running)
  }

  private async run(standIn: StandIn, spec: ContainerSpec, process: Process): Promise<number> {
    const killed = new AbortController()
    process.onEnd(() => killed.abort(new Killed(undefined)))
    const listeners = new Set<(signal: Signal) => void>()
    for (const name of handled)
      process.trap(name, () => {
        for (const listener of listeners) listener(`SIG${name}` as Signal)
      })
    const { host, port } = await process.until(() => this.api())
    const folder = await mkdtemp(join(tmpdir(), 'stand-in-'))
    const files = new MountedFiles(join(folder, 'root'), spec.mounts)
    const kubeconfig = files.sync().kubeconfig(join(folder, 'kubeconfig'), `https://${host}:${port}`, spec.podNamespace)
    const forwards = new DisposableStack()
    let timer: Timer | undefined
    const follow = () => {
      files.sync()
      timer = this.clock.setTimeout(follow, syncInterval)
    }
    timer = this.clock.setTimeout(follow, syncInterval)
    let output: Promise<void> = Promise.resolve()
    const container: StandInContainer = {
      pod: { namespace: spec.podNamespace, name: spec.podName, uid: spec.podUID },
      name: spec.name,
      image: spec.image,
      command: spec.command ?? [],
      args: spec.args ?? [],
      env: {
        ...Object.fromEntries(process.env),
        KUBERNETES_SERVICE_HOST: host,
        KUBERNETES_SERVICE_PORT: String(port),
        ...(kubeconfig && { KUBECONFIG: kubeconfig }),
      },
      root: files.root,
      killed: killed.signal,
      print: (data, stream = 'stdout') => {
        output = output.then(() => (process.ended ? undefined : process.write(stream === 'stdout' ? 1 : 2, data))).catch(unlessKilled)
      },
      onSignal: (listener) => void listeners.add(listener),
      forward: (from, target) => void forwards.use(forwardPort(process, from, target)),
    }
    const finished = Promise.try(() => standIn(container))
      .finally(async () => {
        timer?.cancel()
        forwards.dispose()
        await rm(folder, { recursive: true, force: true })
      })
      .then(async (code) => {
        await output
        return code
      })
    const tracked = finished.catch(() => undefined).finally(() => this.running.delete(tracked))
    this.running.add(tracked)
    return await process.until(() => finished)
  }
}

function forwardPort(process: Process, port: number, target: number): Disposable {
  return process.machine.network.listen(port, {
    accept: (connection) => {
      const inside = duplexOf(connection)
      const outside = connect(target, '127.0.0.1')
      // Either end that goes takes the other with it; why it went is for its own side to know.
      pipeline(inside, outside, inside).catch(() => inside.destroy())
    },
  })
}

function unlessKilled(error: unknown): void {
  if (!(error instanceof Killed)) throw error
}

function matcher(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)
}
