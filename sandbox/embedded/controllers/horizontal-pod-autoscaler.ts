import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isConflict } from '../machinery/errors.ts'
import { type Resource, resources } from '../machinery/object.ts'
import { parseLabelSelector } from '../machinery/selectors.ts'
import type { Scale } from '../schema/types/autoscaling.v1.ts'
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, MetricStatus } from '../schema/types/autoscaling.v2.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { type AutoscalerMemory, decide } from './autoscaler-behavior.ts'
import { MetricError, type PodUsage, type Proposal, propose } from './autoscaler-metrics.ts'
import { semanticEqual } from './equality.ts'
import { messageOf } from './failure.ts'
import { keyOf, splitKey } from './owner.ts'
import { WorkQueue } from './queue.ts'
import { readScale, scalableResource } from './scale-target.ts'
import { timestamp } from './time.ts'

const component = 'horizontal-pod-autoscaler'

/** Between two looks at the metrics, ms. The first comes as long after the autoscaler was made. */
const period = 15_000

/** Attempts to set a size that somebody else has just changed. */
const attempts = 5

/** With the selector of the target's Pods, as it was last seen. */
interface Memory extends AutoscalerMemory {
  selector?: string
}

interface Sync {
  readonly context: ClusterContext
  readonly usage: PodUsage
  readonly memory: Memory
  /** Of all autoscalers. */
  readonly memories: ReadonlyMap<string, Memory>
  readonly scaler: HorizontalPodAutoscaler
  /** As it will be written. */
  readonly status: HorizontalPodAutoscalerStatus
}

/** Scales targets so that what their Pods use keeps near what each HorizontalPodAutoscaler asks for. */
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
    const memory: Memory = memories.get(key) ?? { recommendations: [], changes: [] }
    memories.set(key, memory)
    queue.addAfter(key, period)
    await reconcile({
      context,
      usage,
      memory,
      memories,
      scaler,
      status: copyOf(scaler.status) ?? { desiredReplicas: 0, currentMetrics: [] },
    })
  }
  const queue: WorkQueue = stack.use(new WorkQueue(context, sync, { name: component, baseDelay: period, maxDelay: period }))
  stack.use(
    context.cache.watch<HorizontalPodAutoscaler>(resources.horizontalPodAutoscalers, ({ type, object }) =>
      queue.addAfter(keyOf(object), type === 'DELETED' ? 0 : period),
    ),
  )
  return stack
}

async function reconcile(sync: Sync): Promise<void> {
  const { context, scaler, memory } = sync
  const { minReplicas = 1, maxReplicas } = scaler.spec ?? { maxReplicas: 1 }
  const target = await findTarget(sync)
  if (!target) return await writeStatus(sync)
  setCondition(sync, 'AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale")
  const current = target.scale.spec?.replicas ?? 0
  if (memory.recommendations.length === 0) memory.recommendations.push({ time: context.clock.now(), replicas: current })
  if (current === 0 && minReplicas !== 0) {
    setCondition(sync, 'ScalingActive', 'False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero')
    return await finish(sync, current, current, [])
  }
  if (current > maxReplicas) return await rescale(sync, target, maxReplicas, 'Current number of replicas above Spec.MaxReplicas', [])
  if (current < minReplicas) return await rescale(sync, target, minReplicas, 'Current number of replicas below Spec.MinReplicas', [])
  const { best, statuses } = proposals(sync, target.scale)
  if (!best) return await finish(sync, current, sync.status.desiredReplicas, statuses)
  const { replicas, ableToScale, limited } = decide(
    scaler.spec ?? { scaleTargetRef: { kind: '', name: '' }, maxReplicas },
    memory,
    best.replicas,
    current,
    context.clock.now(),
  )
  setCondition(sync, 'AbleToScale', 'True', ableToScale.reason, ableToScale.message)
  setCondition(sync, 'ScalingLimited', limited.status, limited.reason, limited.message)
  if (replicas === current) return await finish(sync, current, current, statuses)
  const reason = best.replicas > current ? `${best.metric} above target` : best.replicas < current ? 'All metrics below target' : ''
  await rescale(sync, target, replicas, reason, statuses)
}

interface Target {
  resource: Resource
  scale: Scale
}

/** The scale of what the autoscaler names; without one its condition says why. */
async function findTarget(sync: Sync): Promise<Target | undefined> {
  const { context, scaler } = sync
  const { kind = '', name = '', apiVersion = '' } = scaler.spec?.scaleTargetRef ?? {}
  try {
    const resource = scalableResource(context, apiVersion, kind)
    return { resource, scale: await readScale(context, resource, name, scaler.metadata.namespace) }
  } catch (error) {
    const message = messageOf(error)
    context.events.event(scaler, 'Warning', 'FailedGetScale', message, { component })
    const text = `the HPA controller was unable to get the target's current scale: ${message}`
    setCondition(sync, 'AbleToScale', 'False', 'FailedGetScale', text)
    return undefined
  }
}

/** The largest of what the metrics ask for; none when they cannot be had, or some cannot and the others would take Pods away. */
function proposals(sync: Sync, scale: Scale): { best: Proposal | undefined; statuses: MetricStatus[] } {
  const { context, scaler, usage } = sync
  const { namespace = '' } = scaler.metadata
  const metrics = scaler.spec?.metrics ?? []
  const pods = selectedPods(sync, scale)
  if (!pods) return { best: undefined, statuses: [] }
  const currentReplicas = scale.spec?.replicas ?? 0
  const found: Proposal[] = []
  const failures: MetricError[] = []
  for (const metric of metrics) {
    try {
      found.push(propose({ context, usage, namespace, pods, currentReplicas }, metric))
    } catch (error) {
      if (!(error instanceof MetricError)) throw error
      context.events.event(scaler, 'Warning', error.reason, error.message, { component })
      failures.push(error)
    }
  }
  const best = found.reduce<Proposal | undefined>((most, one) => (!most || one.replicas > most.replicas ? one : most), undefined)
  const statuses = found.map(({ status }) => status)
  const [first] = failures
  if (first && (!best || best.replicas < currentReplicas)) {
    setCondition(sync, 'ScalingActive', 'False', first.reason, `the HPA was unable to compute the replica count: ${first.message}`)
    fail(sync, `invalid metrics (${failures.length} invalid out of ${metrics.length}), first error is: ${first.whole}`)
    return { best: undefined, statuses }
  }
  const valid = `the HPA was able to successfully calculate a replica count from ${best?.metric}`
  setCondition(sync, 'ScalingActive', 'True', 'ValidMetricFound', valid)
  return { best, statuses }
}

/** The Pods of the target, unless another autoscaler has a say in them too. */
function selectedPods(sync: Sync, scale: Scale): Pod[] | undefined {
  const { context, scaler } = sync
  const selector = scale.status?.selector
  if (!selector) {
    context.events.event(scaler, 'Warning', 'SelectorRequired', 'selector is required', { component })
    setCondition(sync, 'ScalingActive', 'False', 'InvalidSelector', "the HPA target's scale is missing a selector")
    fail(sync, 'selector is required')
    return undefined
  }
  sync.memory.selector = selector
  const matches = parseLabelSelector(selector)
  const pods = context.cache.list<Pod>(resources.pods, scaler.metadata.namespace).filter((pod) => matches(pod.metadata.labels))
  const selecting = autoscalersOf(sync, pods)
  if (selecting.length <= 1) return pods
  const keys = selecting.map(({ namespace, name }) => `${namespace}/${name}`)
  const message = `pods by selector ${selector} are controlled by multiple HPAs: [${keys.join(' ')}]`
  context.events.event(scaler, 'Warning', 'AmbiguousSelector', message, { component })
  setCondition(sync, 'ScalingActive', 'False', 'AmbiguousSelector', message)
  fail(sync, message)
  return undefined
}

/** Autoscalers whose targets select one of these Pods. */
function autoscalersOf({ memories, scaler }: Sync, pods: readonly Pod[]): { namespace: string; name: string }[] {
  const beside = [...memories].map(([key, { selector }]) => ({ ...splitKey(key), selector }))
  return beside.filter(({ namespace, selector }) => {
    if (namespace !== scaler.metadata.namespace || selector === undefined) return false
    const matches = parseLabelSelector(selector)
    return pods.some((pod) => matches(pod.metadata.labels))
  })
}

function fail({ context, scaler }: Sync, message: string): void {
  context.events.event(scaler, 'Warning', 'FailedComputeMetricsReplicas', message, { component })
}

async function rescale(sync: Sync, { resource, scale }: Target, replicas: number, reason: string, statuses: MetricStatus[]): Promise<void> {
  const { context, scaler, status, memory } = sync
  const { name = '', namespace } = scale.metadata
  const current = scale.spec?.replicas ?? 0
  try {
    await setScale(context, resource, name, namespace, replicas)
  } catch (error) {
    const message = messageOf(error)
    const event = `New size: ${replicas}; reason: ${reason}; error: ${message}`
    context.events.event(scaler, 'Warning', 'FailedRescale', event, { component })
    const text = `the HPA controller was unable to update the target scale: ${message}`
    setCondition(sync, 'AbleToScale', 'False', 'FailedUpdateScale', text)
    return await finish(sync, current, status.desiredReplicas, statuses)
  }
  setCondition(sync, 'AbleToScale', 'True', 'SucceededRescale', `the HPA controller was able to update the target scale to ${replicas}`)
  context.events.event(scaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${reason}`, { component })
  if (scaler.spec?.behavior) memory.changes.push({ time: context.clock.now(), difference: replicas - current })
  status.lastScaleTime = timestamp(context)
  await finish(sync, current, replicas, statuses)
}

async function setScale(context: ClusterContext, resource: Resource, name: string, namespace: string | undefined, replicas: number) {
  for (let attempt = 1; ; attempt++) {
    try {
      await context.client.patch(resource, name, { spec: { replicas } }, 'merge', { namespace, subresource: 'scale' })
      return
    } catch (error) {
      if (!isConflict(error) || attempt === attempts) throw error
    }
  }
}

async function finish(sync: Sync, current: number, desired: number, metrics: MetricStatus[]): Promise<void> {
  const { status } = sync
  status.currentReplicas = current
  status.desiredReplicas = desired
  status.currentMetrics = metrics
  await writeStatus(sync)
}

function setCondition({ context, status }: Sync, type: string, value: string, reason: string, message: string): void {
  const old = status.conditions?.find((condition) => condition.type === type)
  const lastTransitionTime = old?.status === value ? old.lastTransitionTime : timestamp(context)
  const next = { type, status: value, lastTransitionTime, reason, message }
  if (old) status.conditions = status.conditions?.map((condition) => (condition === old ? next : condition))
  else status.conditions = [...(status.conditions ?? []), next]
}

async function writeStatus({ context, scaler, status }: Sync): Promise<void> {
  if (semanticEqual(scaler.status, status)) return
  await context.client.update<HorizontalPodAutoscaler>(
    resources.horizontalPodAutoscalers,
    { ...copyOf(scaler), status },
    { subresource: 'status' },
  )
}
