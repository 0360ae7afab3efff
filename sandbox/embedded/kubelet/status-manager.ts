import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { ApiUnreachable, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Pod, PodStatus } from '../schema/types/core.v1.ts'
import type { NodeFacts } from './environment.ts'
import type { PodRecord, PodRecords } from './pod-record.ts'
import { kubeletUid } from './static-pods.ts'
import { podStatusOf, type StartFailure } from './status.ts'
import { statusPatch } from './status-patch.ts'

/** What its statuses need of a pod. */
interface ToldPod {
  pod: Pod
  readonly record: PodRecord
  readonly isStatic: boolean
  /** How the pod stands is to be told again. */
  retell(): void
}

interface StatusHost {
  ctx: ClusterContext
  node: NodeFacts
  records: PodRecords
}

/** ms between two looks of the kubelet at what is told of its pods. */
const period = 10_000
const ownConditions = new Set(['PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready'])

/** What the API is told of one pod (status_manager.go). */
export class StatusManager implements Disposable {
  /** The API server could not be told something. */
  behind = false
  private readonly owner: ToldPod
  private readonly host: StatusHost
  private readonly failures: ReadonlyMap<string, StartFailure>
  /** The patch that is under way, or that no pod was there for: it is not sent again while the pod is the same. */
  private sentPatch = ''
  /** Phase and own conditions as they were last told: what `correct` holds against what is shown. */
  private said: string | undefined
  private correction: Timer | undefined

  constructor(owner: ToldPod, host: StatusHost, failures: ReadonlyMap<string, StartFailure>) {
    this.owner = owner
    this.host = host
    this.failures = failures
  }

  /** Tells how the pod stands, unless the API has it so. `terminal`: nothing of it will run any more. */
  async write(terminal = false): Promise<void> {
    const { ctx, node, records } = this.host
    const { pod, record, isStatic } = this.owner
    const latest = ctx.cache.get<Pod>(resources.pods, record.name, record.namespace)
    const shown = latest && (isStatic ? kubeletUid(latest) : latest.metadata.uid)
    if (latest ? shown !== record.uid : isStatic) return
    const current = latest ?? pod
    const asSeen = (latest: Pod): Pod => (record.tornDown && pod.spec ? { ...latest, spec: pod.spec } : latest)
    const status = podStatusOf({
      // The kubelet knows no generation of what is in its files.
      pod: isStatic ? { ...pod, status: current.status } : asSeen(current),
      record,
      failures: this.failures,
      hostIP: node.ip,
      terminal: terminal || record.tornDown === true,
      now: ctx.clock.now(),
    })
    const patch = statusPatch(current, status)
    const text = JSON.stringify(patch)
    if (!patch || (text === this.sentPatch && current.metadata.resourceVersion === pod.metadata.resourceVersion)) return
    this.sentPatch = text
    this.said = saidBy(status)
    // what is told has to be known still after a crash
    records.store(record.uid)
    try {
      const options = { namespace: record.namespace, subresource: 'status', fieldManager: 'kubelet' }
      const written = await ctx.clock.during(ctx.client.patch<Pod>(resources.pods, record.name, patch, 'merge', options))
      this.sentPatch = ''
      this.behind = false
      if (isStatic) this.owner.pod = { ...this.owner.pod, status: written.status }
      else if (written.metadata.uid === record.uid) this.owner.pod = asSeen(written)
    } catch (error) {
      if (error instanceof ApiUnreachable) {
        this.sentPatch = ''
        this.behind = true
      } else if (!isNotFound(error)) throw error
    }
  }

  /** Tells the API server something else, if it can be reached; what runs does not wait for it. */
  async tell(tell: () => Promise<void>): Promise<void> {
    try {
      await tell()
    } catch (error) {
      if (!(error instanceof ApiUnreachable)) throw error
      this.behind = true
    }
  }

  /** What somebody else has said in the kubelet's place is set right at its next look at all statuses. */
  correct(shown: Pod): void {
    if (this.said === undefined || this.correction || saidBy(shown.status) === this.said) return
    const { clock } = this.host.ctx
    const correct = () => {
      this.correction = undefined
      this.owner.retell()
    }
    this.correction = clock.setTimeout(correct, period - (clock.now() % period))
  }

  [Symbol.dispose](): void {
    this.correction?.cancel()
  }
}

function saidBy(status: PodStatus | undefined): string {
  const own = status?.conditions?.filter(({ type }) => ownConditions.has(type)).map(({ type, status: is }) => `${type}=${is}`)
  return [status?.phase, ...(own ?? []).sort()].join()
}
