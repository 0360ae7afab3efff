import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import type { Container, Probe } from '../schema/types/core.v1.ts'
import { type ContainerRun, type ProbeResult, stateOf } from './pod-record.ts'
import type { ProbeOutcome } from './probe-handlers.ts'
import { ProbeCounts, shownTypes } from './probe-metrics.ts'

export type ProbeType = 'startup' | 'liveness' | 'readiness'

/** What a probe worker sees of its pod. */
export interface ProbedPod {
  /** The container's latest life. */
  run(): ContainerRun | undefined
  started(run: ContainerRun): boolean
  terminating(): boolean
  /** The pod has ended or the container won't run again. */
  finished(): boolean
  probe(probe: Probe): Promise<ProbeOutcome>
  event(type: 'Warning', reason: string, message: string): void
  /** The result of a probe has changed. */
  changed(): void
}

const attempts = 3

/**
 * Probes one container again and again: a tick each period from the moment the pod came to the node, as the kubelet's
 * probe workers do, so that delays and thresholds add up to the same seconds.
 */
export class ProbeWorker implements Disposable {
  readonly type: ProbeType
  readonly container: string
  readonly counts = new ProbeCounts()
  private readonly ctx: ClusterContext
  private readonly pod: ProbedPod
  private readonly probe: Probe
  private readonly period: number
  private timer: Timer | undefined
  private probing = false
  private pending = false
  private disposed = false
  private containerID = ''
  private onHold = false
  private lastResult: ProbeResult | undefined
  private resultRun = 0

  constructor(ctx: ClusterContext, type: ProbeType, container: Container, probe: Probe, pod: ProbedPod, firstAfter: number) {
    this.ctx = ctx
    this.type = type
    this.container = container.name
    this.probe = probe
    this.pod = pod
    this.period = Math.max(1, probe.periodSeconds ?? 10) * 1000
    this.timer = ctx.clock.setTimeout(() => this.tick(), firstAfter)
  }

  /** Probes now, and counts the periods from now: what a container that has just started gets for its readiness. */
  trigger(): void {
    if (this.disposed || this.probing) return
    this.timer?.cancel()
    this.tick()
  }

  [Symbol.dispose](): void {
    this.disposed = true
    this.timer?.cancel()
  }

  private tick(): void {
    if (this.disposed) return
    this.timer = this.ctx.clock.setTimeout(() => this.tick(), this.period, 'coarse')
    if (this.probing) {
      this.pending = true
      return
    }
    this.probing = true
    this.round()
      .catch((error) => this.ctx.report(`${this.type} probe of ${this.container}`, error))
      .finally(() => {
        this.probing = false
        if (!this.pending) return
        this.pending = false
        this.timer?.cancel()
        this.tick()
      })
  }

  private async round(): Promise<void> {
    if (this.pod.finished()) return this[Symbol.dispose]()
    const run = this.pod.run()
    if (!run) return
    if (run.id !== this.containerID) {
      this.containerID = run.id
      this.onHold = false
      this.resultRun = 0
      this.lastResult = undefined
    }
    if (this.onHold || stateOf(run) !== 'running') return
    if (this.pod.terminating() && this.type !== 'readiness') return this[Symbol.dispose]()
    // The API's times are whole seconds, and the kubelet counts from what it wrote there.
    const running = this.ctx.clock.now() - Math.floor((run.startedAt ?? 0) / 1000) * 1000
    if (Math.floor(running / 1000) < (this.probe.initialDelaySeconds ?? 0)) return
    if (this.pod.started(run) === (this.type === 'startup')) return

    const begun = this.ctx.clock.now()
    const outcome = await this.attempt(run)
    if (this.disposed || run.exit || outcome.result === 'error') return
    const result: ProbeResult = outcome.result === 'failure' ? 'failure' : 'success'
    if (result === 'success') this.counts.success(this.ctx.clock.now() - begun)
    else this.counts.failed++
    this.resultRun = result === this.lastResult ? this.resultRun + 1 : 1
    this.lastResult = result
    const threshold = result === 'failure' ? (this.probe.failureThreshold ?? 3) : (this.probe.successThreshold ?? 1)
    if (this.resultRun < threshold) return
    const key = `${this.type}Probe` as const
    const before = run[key]
    run[key] = result
    if ((this.type === 'liveness' && result === 'failure') || this.type === 'startup') {
      this.onHold = true
      this.resultRun = 0
    }
    if (before !== result) this.pod.changed()
  }

  private async attempt(run: ContainerRun): Promise<ProbeOutcome> {
    let outcome: ProbeOutcome = { result: 'error', output: '' }
    for (let n = 0; n < attempts && outcome.result === 'error' && !this.disposed; n++) outcome = await this.pod.probe(this.probe)
    // What a probe finds in a container that is gone by then says nothing about it.
    if (this.disposed || run.exit) return outcome
    if (outcome.result === 'failure') this.pod.event('Warning', 'Unhealthy', `${shownTypes[this.type]} probe failed: ${outcome.output}`)
    if (outcome.result === 'warning') this.pod.event('Warning', 'ProbeWarning', `${shownTypes[this.type]} probe warning: ${outcome.output}`)
    if (outcome.result === 'error') {
      const message = `${shownTypes[this.type]} probe errored and resulted in unknown state: ${outcome.output}`
      this.pod.event('Warning', 'Unhealthy', message)
    }
    return outcome
  }
}
