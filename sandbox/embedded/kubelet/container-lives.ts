import { ContainerError, type ContainerSpec, type Container as RuntimeContainer } from '../containers/runtime.ts'
import { randomHex } from '../machinery/random.ts'
import type { Container } from '../schema/types/core.v1.ts'
import { backOffLeft, nextBackOff } from './back-off.ts'
import { containerSpecOf, podLabel, userOf } from './container-spec.ts'
import { goDuration } from './duration.ts'
import { ConfigError } from './environment.ts'
import { HookError, runHook } from './hooks.ts'
import { ensureImage, StartError } from './images.ts'
import { stopContainer } from './killing.ts'
import { containerNamed } from './pod-containers.ts'
import { type ContainerRun, latestRun, runsOf, stateOf } from './pod-record.ts'
import type { PodWorker, WorkerHost } from './pod-worker.ts'
import { pullSecretsOf } from './pull-secrets.ts'
import { sandboxId } from './sandbox.ts'
import type { StartFailure } from './status.ts'
import { terminationMessage } from './termination-message.ts'
import type { PodVolumes } from './volumes.ts'

/** The lives of one pod's containers: starting them, following them to their end, stopping them. */
export class ContainerLives {
  /** By container id; the last two lives of each. */
  readonly containers = new Map<string, RuntimeContainer>()
  /** Why a container's last start did not work, by its name. */
  readonly failures = new Map<string, StartFailure>()
  /** The life whose start (with its postStart hook) is under way: probes don't see it yet. */
  starting: string | undefined
  private readonly pod: PodWorker
  private readonly host: WorkerHost
  private readonly volumes: PodVolumes
  private readonly pullErrors = new Map<string, string>()

  constructor(pod: PodWorker, host: WorkerHost, volumes: PodVolumes) {
    this.pod = pod
    this.host = host
    this.volumes = volumes
  }

  /** A life of a container from nothing to running. False when it could not be; then the failure says why. */
  async start(container: Container, lastExit: number | undefined, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted()
    try {
      this.backOff(container, lastExit)
      await this.startNow(container, signal)
      this.failures.delete(container.name)
      return true
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      this.failures.set(container.name, { reason: error.reason, message: error.message })
      this.journal(container, error)
      return false
    } finally {
      this.starting = undefined
      this.pod.save()
    }
  }

  /** What the kubelet's own log says of a container that did not start. */
  private journal(container: Container, { reason, message }: StartError): void {
    const { kubelet } = this.host
    const { pod } = this.pod
    if (reason !== 'CrashLoopBackOff' && reason !== 'ImagePullBackOff') {
      const err = `container ${container.name} start failed in pod ${podLabel(pod)}: ${reason}: ${message}`
      kubelet.say('E', 'kuberuntime_manager.go:1449', 'Unhandled Error', { err, logger: 'UnhandledError' })
    }
    kubelet.skipped(pod, `failed to "StartContainer" for ${JSON.stringify(container.name)} with ${reason}: ${JSON.stringify(message)}`)
  }

  private backOff(container: Container, lastExit: number | undefined): void {
    if (lastExit === undefined) return
    const { backOff } = this.pod.record
    const key = backOffKey(container)
    const now = this.host.ctx.clock.now()
    if (backOffLeft(backOff[key], lastExit, now) > 0) {
      this.pod.event(
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${container.name} in pod ${podLabel(this.pod.pod)}`,
        container,
      )
      const delay = goDuration(backOff[key]?.delay ?? 0)
      throw new StartError(
        'CrashLoopBackOff',
        `back-off ${delay} restarting failed container=${container.name} pod=${podLabel(this.pod.pod)}`,
      )
    }
    nextBackOff(backOff, key, lastExit, now)
  }

  private async startNow(container: Container, signal: AbortSignal): Promise<void> {
    const { ctx, runtime } = this.host
    const event = (type: 'Normal' | 'Warning', reason: string, message: string) => this.pod.event(type, reason, message, container)
    const failed = (reason: string, message: string) => {
      event('Warning', 'Failed', `Error: ${message}`)
      return new StartError(reason, message)
    }
    const { missing, credentials } = pullSecretsOf(ctx, this.pod.pod)
    if (missing.length > 0) {
      const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`
      this.pod.event('Warning', 'FailedToRetrieveImagePullSecret', message)
    }
    const { backOff } = this.pod.record
    const { kubelet } = this.host
    const node = this.host.node.name
    const pull = { ctx, runtime, kubelet, container, backOff, previous: this.pullErrors, node, credentials, event }
    const image = await ensureImage(pull, signal)
    signal.throwIfAborted()
    const { pod, network } = this.pod
    const { volumes } = this
    if (!network) throw new StartError('CreateContainerError', 'the pod sandbox is gone')
    const id = randomHex(ctx.random, 64)
    const restartCount = (latestRun(this.pod.record, container.name)?.restartCount ?? -1) + 1
    let live: RuntimeContainer
    try {
      const sharesProcesses = this.sharesProcesses(container)
      const singleProcessOOMKill = kubelet.configured?.singleProcessOOMKill ?? false
      live = await runtime.create(
        containerSpecOf({
          ctx,
          runtime,
          pod,
          container,
          image,
          network,
          node: this.host.node,
          volumes,
          id,
          sharesProcesses,
          attempt: restartCount,
          singleProcessOOMKill,
        }),
      )
    } catch (error) {
      if (error instanceof ConfigError) throw failed('CreateContainerConfigError', error.message)
      if (error instanceof ContainerError) throw failed('CreateContainerError', error.message)
      throw error
    }
    event('Normal', 'Created', `Created container: ${container.name}`)
    const inSandbox = `CreateContainer within sandbox "${sandboxId(this.pod.record.uid)}" for name:"${container.name}"`
    this.host.kubelet.runtimeSays('info', `${inSandbox} returns container id "${id}"`)
    if (image.unknown && latestRun(this.pod.record, container.name) === undefined)
      event('Warning', 'UnknownImage', unknownImage(container.image ?? ''))
    const run: ContainerRun = {
      id,
      name: container.name,
      image: image.name,
      specImage: container.image ?? '',
      imageID: image.id,
      restartCount,
      uid: userOf(pod, container) ?? image.user ?? 0,
      resources: container.resources ?? {},
      createdAt: ctx.clock.now(),
    }
    this.starting = id
    this.remember(run)
    this.follow(live, run)
    this.pod.save()
    try {
      await live.start()
    } catch (error) {
      if (!(error instanceof ContainerError)) throw error
      run.exit ??= { exitCode: error.exitCode, reason: 'StartError', message: error.message, finishedAt: ctx.clock.now() }
      throw failed('RunContainerError', error.message)
    }
    run.startedAt = live.startedAt ?? ctx.clock.now()
    this.host.kubelet.runtimeSays('info', `StartContainer for "${id}" returns successfully`)
    event('Normal', 'Started', `Started container ${container.name}`)
    this.pod.save()
    await this.postStart(container, live, run, signal)
  }

  /** Whose processes a container is to see: a debugger its target's, all where the pod says so. */
  private sharesProcesses(container: Container): ContainerSpec['sharesProcesses'] {
    const { spec } = this.pod.pod
    const target = spec?.ephemeralContainers?.find(({ name }) => name === container.name)?.targetContainerName
    const run = target === undefined ? undefined : latestRun(this.pod.record, target)
    if (run) return { container: run.id }
    if (spec?.hostPID) return 'node'
    return spec?.shareProcessNamespace ? 'pod' : undefined
  }

  private async postStart(container: Container, running: RuntimeContainer, run: ContainerRun, signal: AbortSignal): Promise<void> {
    const handler = container.lifecycle?.postStart
    if (!handler) return
    try {
      await runHook(this.hookTarget(container, running), handler, signal)
    } catch (error) {
      if (!(error instanceof HookError)) throw error
      this.pod.event('Warning', 'FailedPostStartHook', 'PostStartHook failed', container)
      await this.kill(run, container, 'FailedPostStartHook', this.pod.graceOf(container))
      throw new StartError('PostStartHookError', error.message)
    }
  }

  async kill(run: ContainerRun, container: Container, message: string, grace: number, turn?: Promise<void>): Promise<void> {
    const running = this.containers.get(run.id)
    if (!running || stateOf(run) !== 'running') return
    this.pod.event('Normal', 'Killing', message, container)
    const handler = container.lifecycle?.preStop
    const hook = async (signal: AbortSignal) => {
      try {
        // A command is not stopped when its time is over; it ends with its container, and its failure is told then.
        if (handler) await runHook(this.hookTarget(container, running), handler, handler.exec ? undefined : signal)
      } catch (error) {
        if (signal.aborted && !(handler?.exec && error instanceof HookError)) return
        if (!(error instanceof HookError)) throw error
        this.pod.event('Warning', 'FailedPreStopHook', 'PreStopHook failed', container)
      }
    }
    const { clock } = this.host.ctx
    await stopContainer({ clock, running, grace, preStop: handler && hook, turn })
  }

  private hookTarget(container: Container, running: RuntimeContainer) {
    const { ctx, network, node } = this.host
    return {
      clock: ctx.clock,
      network: network.node(node.name),
      podIP: this.pod.record.ip ?? '',
      podName: podLabel(this.pod.pod),
      container,
      running,
    }
  }

  /** A new life. Of a container the last two are kept: what `logs --previous` shows. */
  private remember(latest: ContainerRun): void {
    const { record } = this.pod
    const old = runsOf(record, latest.name).slice(1)
    for (const run of old) {
      const container = this.containers.get(run.id)
      if (container) {
        this.volumes.release(container)
        container.remove()
        this.host.kubelet.say('I', 'scope.go:117', 'RemoveContainer', { containerID: run.id })
      }
      this.containers.delete(run.id)
    }
    record.runs = [latest, ...record.runs.filter((run) => !old.includes(run))]
  }

  /** Takes up the containers that came back with the cluster; those of the record that did not are lost. */
  adopt(restored: readonly RuntimeContainer[]): void {
    for (const container of restored) {
      const run = this.pod.record.runs.find(({ id }) => id === container.spec.id)
      if (!run) {
        container.remove()
        continue
      }
      if (container.startedAt !== undefined) run.startedAt ??= container.startedAt
      this.follow(container, run)
    }
    for (const run of this.pod.record.runs) if (!run.exit && !this.containers.has(run.id)) this.lost(run)
  }

  removeAll(): void {
    for (const container of this.containers.values()) container.remove()
    this.containers.clear()
  }

  private follow(container: RuntimeContainer, run: ContainerRun): void {
    this.containers.set(run.id, container)
    container.onExit(() => this.exited(container, run))
    container.onOutOfMemory?.((report) => this.host.kubelet.outOfMemory(report))
  }

  private exited(container: RuntimeContainer, run: ContainerRun): void {
    const { exit } = container
    if (!exit || run.exit) return
    const spec = containerNamed(this.pod.pod, run.name)
    const message = spec && terminationMessage(container, spec, exit.exitCode)
    run.exit = {
      exitCode: exit.exitCode,
      signal: exit.signal,
      reason: exit.reason,
      finishedAt: exit.finishedAt,
      ...(message && { message }),
    }
    this.pod.save()
    this.pod.wake()
  }

  /** A container that the runtime no longer knows after a restart. */
  private lost(run: ContainerRun): void {
    run.startedAt ??= run.createdAt
    const message = 'The container could not be located when the pod was terminated'
    run.exit = { exitCode: 137, reason: 'ContainerStatusUnknown', message, finishedAt: this.host.ctx.clock.now() }
  }
}

/** Restarts are counted by container and image: a new image starts anew. */
export function backOffKey(container: Container): string {
  return `container/${container.name}/${container.image}`
}

/** No kubelet's words: a real one knows what it runs. */
function unknownImage(image: string): string {
  const known = `The contents of image ${JSON.stringify(image)} are not known to the embedded engine, which runs shell commands over it but none of its own programs`
  return `${known}; the kind engine runs it for real`
}
