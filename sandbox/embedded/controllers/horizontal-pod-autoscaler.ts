import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import type { NodeApi } from '../machinery/node-api.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import { amountOf } from '../scheduler/amounts.ts'
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
} from '../schema/types/autoscaling.v2.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { LabelSelector } from '../schema/types/meta.v1.ts'
import { semanticEqual } from './equality.ts'
import { messageOf } from './failure.ts'
import { keyOf, splitKey } from './owner.ts'
import { isPodReady } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { matchesSelector } from './selector.ts'
import { timestamp } from './time.ts'

const component = 'horizontal-pod-autoscaler'

/** Between two looks at the metrics, ms. */
const period = 15_000
const tolerance = 0.1
const defaultUp: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const defaultDown: HPAScalingRules = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
}

export type PodUsage = NodeApi['podUsage']

interface Scalable extends KubeObject {
  spec?: { replicas?: number; selector: LabelSelector }
  status?: { replicas?: number }
}

/** What is remembered of an autoscaler between looks. Times are ms since the epoch. */
interface Memory {
  recommendations: { time: number; replicas: number }[]
  changes: { time: number; difference: number }[]
}

interface Sync {
  readonly context: ClusterContext
  readonly usage: PodUsage
  readonly memory: Memory
  readonly scaler: HorizontalPodAutoscaler
  readonly status: HorizontalPodAutoscalerStatus
}

interface Proposal {
  replicas: number
  /** As in "cpu resource utilization (percentage of request)". */
  metric: string
  status: MetricStatus
}

const targets: Record<string, Resource> = {
  Deployment: resources.deployments,
  ReplicaSet: resources.replicaSets,
  StatefulSet: resources.statefulSets,
}

/** Scales targets so that their Pods' CPU or memory keeps near what each HorizontalPodAutoscaler asks for. */
export function startHorizontalPodAutoscaler(context: ClusterContext, usage: PodUsage): Disposable {
  const stack = new DisposableStack()
  const memories = new Map<string, Memory>()
  const sync = async (key: string) => {
    const { namespace, name } = splitKey(key)
    const scaler = context.cache.get<HorizontalPodAutoscaler>(resources.horizontalPodAutoscalers, name, namespace)
    if (!scaler?.spec) {
      memories.delete(key)
      return
    }
    const memory = memories.get(key) ?? { recommendations: [], changes: [] }
    memories.set(key, memory)
    queue.addAfter(key, period)
    await syncScaler({
      context,
      usage,
      memory,
      scaler,
      status: { ...copyOf(scaler.status), desiredReplicas: 0, currentMetrics: [] },
    })
  }
  const queue: WorkQueue = stack.use(new WorkQueue(context, sync, { name: component }))
  stack.use(
    context.cache.watch<HorizontalPodAutoscaler>(resources.horizontalPodAutoscalers, ({ type, object, previous }) => {
      if (type !== 'MODIFIED' || !semanticEqual(object.spec, previous?.spec)) queue.add(keyOf(object))
    }),
  )
  return stack
}

async function syncScaler(sync: Sync): Promise<void> {
  const { context, scaler, status, memory } = sync
  const { scaleTargetRef, minReplicas = 1, maxReplicas = 1 } = scaler.spec ?? {}
  const resource = targets[scaleTargetRef?.kind ?? '']
  const target = resource && context.cache.get<Scalable>(resource, scaleTargetRef?.name ?? '', scaler.metadata.namespace)
  status.observedGeneration = scaler.metadata.generation
  if (!resource || !target?.spec) {
    const message = `${scaleTargetRef?.kind.toLowerCase()}s.apps "${scaleTargetRef?.name}" not found`
    context.events.event(scaler, 'Warning', 'FailedGetScale', message, { component })
    setCondition(
      sync,
      'AbleToScale',
      'False',
      'FailedGetScale',
      `the HPA controller was unable to get the target's current scale: ${message}`,
    )
    return await writeStatus(sync)
  }
  setCondition(sync, 'AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale")
  const current = target.spec.replicas ?? 1
  status.currentReplicas = target.status?.replicas ?? 0
  status.desiredReplicas = current
  if (current === 0) {
    setCondition(sync, 'ScalingActive', 'False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero')
    return await writeStatus(sync)
  }
  const bounded = current > maxReplicas ? maxReplicas : current < minReplicas ? minReplicas : undefined
  const reasons = {
    [maxReplicas]: 'Current number of replicas above Spec.MaxReplicas',
    [minReplicas]: 'Current number of replicas below Spec.MinReplicas',
  }
  const proposal = bounded === undefined ? propose(sync, target, current) : undefined
  if (bounded === undefined && !proposal) return await writeStatus(sync)
  if (proposal) memory.recommendations.push({ time: context.clock.now(), replicas: proposal.replicas })
  const desired = bounded ?? limit(sync, proposal?.replicas ?? current, current)
  status.desiredReplicas = desired
  if (desired !== current) {
    const direction = desired > current ? `${proposal?.metric} above target` : 'All metrics below target'
    const reason = bounded === undefined ? direction : (reasons[bounded] ?? direction)
    await rescale(sync, resource, target, desired, reason)
    memory.changes.push({ time: context.clock.now(), difference: desired - current })
  }
  await writeStatus(sync)
}

async function rescale(sync: Sync, resource: Resource, target: Scalable, replicas: number, reason: string): Promise<void> {
  const { context, scaler, status } = sync
  const { name = '', namespace } = target.metadata
  try {
    await context.client.patch(resource, name, { spec: { replicas } }, 'merge', { namespace, subresource: 'scale' })
  } catch (error) {
    context.events.event(scaler, 'Warning', 'FailedRescale', `New size: ${replicas}; reason: ${reason}; error: ${messageOf(error)}`, {
      component,
    })
    setCondition(
      sync,
      'AbleToScale',
      'False',
      'FailedUpdateScale',
      `the HPA controller was unable to update the target scale: ${messageOf(error)}`,
    )
    throw error
  }
  setCondition(sync, 'AbleToScale', 'True', 'SucceededRescale', `the HPA controller was able to update the target scale to ${replicas}`)
  context.events.event(scaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${reason}`, { component })
  status.lastScaleTime = timestamp(context)
}

/** The largest of what the metrics ask for; undefined when none of them could be had. */
function propose(sync: Sync, target: Scalable, current: number): Proposal | undefined {
  const { context, scaler, status } = sync
  const metrics = scaler.spec?.metrics ?? []
  const proposals: Proposal[] = []
  let failure: string | undefined
  for (const metric of metrics) {
    const name = metric.resource?.name ?? metric.containerResource?.name ?? ''
    try {
      proposals.push(proposeFor(sync, metric, target, current))
    } catch (error) {
      const kind = metric.resource ? 'FailedGetResourceMetric' : `FailedGet${metric.type}Metric`
      context.events.event(scaler, 'Warning', kind, messageOf(error), { component })
      setCondition(sync, 'ScalingActive', 'False', kind, `the HPA was unable to compute the replica count: ${messageOf(error)}`)
      failure ??= `failed to get ${name} resource metric value: ${messageOf(error)}`
    }
  }
  const best = proposals.sort((a, b) => b.replicas - a.replicas)[0]
  status.currentMetrics = proposals.map((proposal) => proposal.status)
  // While a metric is missing the others may add Pods but not take any.
  if (!best || (failure && best.replicas < current)) {
    const invalid = metrics.length - proposals.length
    const message = `invalid metrics (${invalid} invalid out of ${metrics.length}), first error is: ${failure}`
    context.events.event(scaler, 'Warning', 'FailedComputeMetricsReplicas', message, { component })
    return undefined
  }
  setCondition(
    sync,
    'ScalingActive',
    'True',
    'ValidMetricFound',
    `the HPA was able to successfully calculate a replica count from ${best.metric}`,
  )
  return best
}

function proposeFor({ context, usage }: Sync, metric: MetricSpec, target: Scalable, current: number): Proposal {
  const source = metric.resource ?? metric.containerResource
  if (!source) throw new Error(`unable to get metric: no metrics returned from the ${metric.type} metrics API`)
  const container = metric.containerResource?.container
  const { name } = source
  const pods = context.cache
    .list<Pod>(resources.pods, target.metadata.namespace)
    .filter(
      (pod) =>
        matchesSelector(target.spec?.selector, pod.metadata.labels) && !pod.metadata.deletionTimestamp && pod.status?.phase !== 'Failed',
    )
  const measured = new Map<Pod, number>()
  for (const pod of pods) {
    const containers = usage(pod.metadata.namespace ?? '', pod.metadata.name ?? '')?.filter((one) => !container || one.name === container)
    if (!containers?.length) continue
    measured.set(
      pod,
      containers.reduce((sum, one) => sum + (name === 'cpu' ? Math.ceil(one.cpuNanoCores / 1e6) : one.memoryBytes), 0),
    )
  }
  const percent = source.target.averageUtilization
  const failed = percent === undefined ? `failed to get ${name} usage` : `failed to get ${name} utilization`
  if (measured.size === 0)
    throw new Error(`${failed}: unable to get metrics for resource ${name}: no metrics returned from resource metrics API`)
  const wanted = percent === undefined ? amountOf(name, source.target.averageValue ?? 0) : undefined
  const requests = new Map(pods.map((pod) => [pod, wanted ?? requestOf(pod, name, container, failed)]))
  const goal = percent === undefined ? 1 : percent / 100
  const unready = new Set(pods.filter((pod) => !isPodReady(pod) && (name === 'cpu' || pod.status?.phase === 'Pending')))
  const ready = [...measured.keys()].filter((pod) => !unready.has(pod))
  if (ready.length === 0) throw new Error(`${failed}: did not receive metrics for targeted pods (pods might be unready)`)
  const sum = (list: readonly Pod[], value: (pod: Pod) => number) => list.reduce((total, pod) => total + value(pod), 0)
  const used = sum(ready, (pod) => measured.get(pod) ?? 0)
  const ratio = used / sum(ready, (pod) => requests.get(pod) ?? 0) / goal
  const replicas = replicasFor(pods, ready, unready, requests, used, goal, ratio, current)
  const average = Math.ceil(used / ready.length)
  const averageValue = name === 'cpu' ? `${average}m` : String(average)
  const value = { averageValue, ...(percent !== undefined && { averageUtilization: Math.floor(ratio * goal * 100) }) }
  const status: MetricStatus = container
    ? { type: 'ContainerResource', containerResource: { name, container, current: value } }
    : { type: 'Resource', resource: { name, current: value } }
  return { replicas, metric: percent === undefined ? `${name} resource` : `${name} resource utilization (percentage of request)`, status }
}

/** Pods without metrics count as idle when this would add Pods, and as just busy enough when it would take some. */
function replicasFor(
  pods: readonly Pod[],
  ready: readonly Pod[],
  unready: ReadonlySet<Pod>,
  requests: ReadonlyMap<Pod, number>,
  used: number,
  goal: number,
  ratio: number,
  current: number,
): number {
  const missing = pods.filter((pod) => !ready.includes(pod) && !unready.has(pod))
  const up = ratio > 1
  const idle = up ? [...unready] : []
  if (missing.length === 0 && idle.length === 0) return Math.abs(1 - ratio) <= tolerance ? current : Math.ceil(ratio * ready.length)
  const request = (list: readonly Pod[]) => list.reduce((total, pod) => total + (requests.get(pod) ?? 0), 0)
  const counted = [...ready, ...missing, ...idle]
  const assumed = up ? 0 : request(missing) * goal
  const next = (used + assumed) / request(counted) / goal
  if (Math.abs(1 - next) <= tolerance || next > 1 !== up) return current
  const replicas = Math.ceil(next * counted.length)
  return (up && replicas < current) || (!up && replicas > current) ? current : replicas
}

function requestOf(pod: Pod, name: string, container: string | undefined, failed: string): number {
  let total = 0
  for (const one of pod.spec?.containers ?? []) {
    if (container && one.name !== container) continue
    const request = one.resources?.requests?.[name]
    if (request === undefined)
      throw new Error(`${failed}: missing request for ${name} in container ${one.name} of Pod ${pod.metadata.name}`)
    total += amountOf(name, request)
  }
  return total
}

/** What may be done now of what is recommended: nothing hasty, nothing faster than the policies, nothing out of range. */
function limit(sync: Sync, recommended: number, current: number): number {
  const { scaler, context, memory } = sync
  const { minReplicas = 1, maxReplicas = 1, behavior } = scaler.spec ?? {}
  const up = { ...defaultUp, ...behavior?.scaleUp }
  const down = { ...defaultDown, ...behavior?.scaleDown }
  const now = context.clock.now()
  const longest = Math.max(up.stabilizationWindowSeconds ?? 0, down.stabilizationWindowSeconds ?? 0, 3600) * 1000
  memory.recommendations = memory.recommendations.filter(({ time }) => time > now - longest)
  memory.changes = memory.changes.filter(({ time }) => time > now - longest)
  const recent = (rules: HPAScalingRules) => {
    const since = now - (rules.stabilizationWindowSeconds ?? 0) * 1000
    return memory.recommendations.filter(({ time }) => time > since).map(({ replicas }) => replicas)
  }
  const floor = Math.min(recommended, ...recent(up))
  const ceiling = Math.max(recommended, ...recent(down))
  const stable = Math.min(Math.max(current, floor), ceiling)
  if (stable === recommended) setCondition(sync, 'AbleToScale', 'True', 'ReadyForNewScale', 'recommended size matches current size')
  else if (stable > recommended) {
    setCondition(
      sync,
      'AbleToScale',
      'True',
      'ScaleDownStabilized',
      'recent recommendations were higher than current one, applying the highest recent recommendation',
    )
  } else
    setCondition(
      sync,
      'AbleToScale',
      'True',
      'ScaleUpStabilized',
      'recent recommendations were lower than current one, applying the lowest recent recommendation',
    )
  const most = Math.min(maxReplicas, rate(memory, up, current, now, 1))
  const least = Math.max(minReplicas, rate(memory, down, current, now, -1))
  if (stable > most) {
    const bounded = most === maxReplicas
    setCondition(
      sync,
      'ScalingLimited',
      'True',
      bounded ? 'TooManyReplicas' : 'ScaleUpLimit',
      bounded
        ? 'the desired replica count is more than the maximum replica count'
        : 'the desired replica count is increasing faster than the maximum scale rate',
    )
    return most
  }
  if (stable < least) {
    const bounded = least === minReplicas
    setCondition(
      sync,
      'ScalingLimited',
      'True',
      bounded ? 'TooFewReplicas' : 'ScaleDownLimit',
      bounded
        ? 'the desired replica count is less than the minimum replica count'
        : 'the desired replica count is decreasing faster than the maximum scale rate',
    )
    return least
  }
  setCondition(sync, 'ScalingLimited', 'False', 'DesiredWithinRange', 'the desired count is within the acceptable range')
  return stable
}

/** The farthest count that the policies of one direction allow. */
function rate(memory: Memory, rules: HPAScalingRules, current: number, now: number, sign: 1 | -1): number {
  if (rules.selectPolicy === 'Disabled') return current
  const allowed = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const since = now - periodSeconds * 1000
    const changed = memory.changes.filter(({ time, difference }) => time > since && Math.sign(difference) === sign)
    const start = current - changed.reduce((sum, { difference }) => sum + difference, 0)
    if (type === 'Pods') return start + sign * value
    return sign > 0 ? Math.ceil(start * (1 + value / 100)) : Math.floor(start * (1 - value / 100))
  })
  const widest = (rules.selectPolicy === 'Min') === sign > 0 ? Math.min(...allowed) : Math.max(...allowed)
  return sign > 0 ? Math.max(current, widest) : Math.min(current, widest)
}

function setCondition({ context, status }: Sync, type: string, value: string, reason: string, message: string): void {
  const old = status.conditions?.find((condition) => condition.type === type)
  const lastTransitionTime = old?.status === value ? old.lastTransitionTime : timestamp(context)
  const next = { type, status: value, lastTransitionTime, reason, message }
  if (old) status.conditions = status.conditions?.map((condition) => (condition === old ? next : condition))
  else status.conditions = [...(status.conditions ?? []), next]
}

async function writeStatus({ context, scaler, status }: Sync): Promise<void> {
  if (semanticEqual({ currentMetrics: [], ...scaler.status }, status)) return
  await context.client.update<HorizontalPodAutoscaler>(
    resources.horizontalPodAutoscalers,
    { ...copyOf(scaler), status },
    { subresource: 'status' },
  )
}
