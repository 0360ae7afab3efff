import type { Container as RuntimeContainer } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import type { Network, PodNetwork } from '../network/network.ts'
import type { Container, Pod, Probe } from '../schema/types/core.v1.ts'
import type { NodeFacts } from './environment.ts'
import type { Kubelet } from './kubelet.ts'
import { containerNamed } from './pod-containers.ts'
import { type ContainerRun, isSidecar, latestRun, type PodRecord } from './pod-record.ts'
import { runProbe } from './probe-handlers.ts'
import type { ProbeCounts, ProbeLabels } from './probe-metrics.ts'
import { type ProbeType, ProbeWorker } from './prober.ts'
import { isReady, isStarted } from './status.ts'

/** What probes need of their pod. */
export interface ProbedPod {
  readonly pod: Pod
  readonly record: PodRecord
  readonly network: PodNetwork | undefined
  readonly containers: ReadonlyMap<string, RuntimeContainer>
  /** The life whose start is under way: probes don't see it yet. */
  readonly starting: string | undefined
  isTerminating(): boolean
  event(type: 'Warning', reason: string, message: string, container: Container): void
  /** A probe's result is another one now. */
  probed(): void
}

interface ProbeHost {
  ctx: ClusterContext
  network: Network
  node: NodeFacts
  kubelet: Pick<Kubelet, 'sayMore'>
}

/** The probes of one pod's containers, from the time that its kubelet knows it until it is gone. */
export class PodProbes implements Disposable {
  private readonly owner: ProbedPod
  private readonly workers: ProbeWorker[] = []
  private readonly triggered = new Set<string>()

  constructor(owner: ProbedPod, host: ProbeHost) {
    this.owner = owner
    const { containers = [], initContainers = [] } = owner.pod.spec ?? {}
    for (const container of [...containers, ...initContainers.filter(isSidecar)]) {
      for (const type of ['startup', 'liveness', 'readiness'] satisfies ProbeType[]) {
        const probe = container[`${type}Probe`]
        if (!probe) continue
        // The kubelet looks for the first time when the pod comes to it and there is no container yet, then each period.
        // In a cluster that was brought back or forked the beat goes on.
        const period = (probe.periodSeconds ?? 10) * 1000
        const firstAfter = period - ((host.ctx.clock.now() - owner.record.startedAt) % period)
        this.workers.push(new ProbeWorker(host.ctx, type, container, probe, this.target(container, probe, host), firstAfter))
      }
    }
  }

  /** The first look at a container's readiness does not wait for the period. */
  triggerReadiness(): void {
    for (const probe of this.workers) {
      if (probe.type !== 'readiness') continue
      const container = containerNamed(this.owner.pod, probe.container)
      const run = latestRun(this.owner.record, probe.container)
      if (!container || !run || !isStarted(container, run) || isReady(container, run) || this.triggered.has(run.id)) continue
      this.triggered.add(run.id)
      probe.trigger()
    }
  }

  /** What they have come to so far. */
  figures(): { labels: ProbeLabels; counts: ProbeCounts }[] {
    const { name: pod, namespace, uid } = this.owner.record
    return this.workers.map(({ container, type, counts }) => ({ labels: { container, namespace, pod, pod_uid: uid, type }, counts }))
  }

  [Symbol.dispose](): void {
    for (const worker of this.workers.splice(0)) worker[Symbol.dispose]()
  }

  private target(container: Container, probe: Probe, { ctx, network, node, kubelet }: ProbeHost) {
    const { owner } = this
    return {
      run: () => {
        const run = latestRun(owner.record, container.name)
        return run?.id === owner.starting ? undefined : run
      },
      started: (run: ContainerRun) => isStarted(container, run),
      terminating: () => owner.isTerminating(),
      finished: () => owner.record.tornDown === true,
      probe: async () => {
        const running = owner.containers.get(latestRun(owner.record, container.name)?.id ?? '')
        if (!running || !owner.network) return { result: 'error' as const, output: 'container not found' }
        const target = { clock: ctx.clock, network: network.node(node.name), podIP: owner.network.ip, container, running }
        return await runProbe(target, probe)
      },
      event: (kind: 'Warning', reason: string, message: string) => {
        owner.event(kind, reason, message, container)
        const [, type = '', output] = /^(\w+) probe failed: (.*)$/s.exec(message) ?? []
        if (output === undefined) return
        const { namespace, name, uid } = owner.pod.metadata
        const of = { probeType: type, pod: `${namespace}/${name}`, podUID: uid, containerName: container.name }
        kubelet.sayMore(1, 'prober.go:120', 'Probe failed', { ...of, probeResult: 'failure', output })
      },
      changed: () => owner.probed(),
    }
  }
}
