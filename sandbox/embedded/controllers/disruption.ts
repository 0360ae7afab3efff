import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { ReplicaSet } from '../schema/types/apps.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { OwnerReference } from '../schema/types/meta.v1.ts'
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../schema/types/policy.v1.ts'
import { semanticEqual } from './equality.ts'
import { messageOf } from './failure.ts'
import { scaledValue } from './int-or-percent.ts'
import { controllerOf, keyOf, splitKey } from './owner.ts'
import { isPodFinished, isPodReady, podCondition, setPodCondition } from './pod.ts'
import { restAfter, WorkQueue } from './queue.ts'
import { readScale, scalableResource } from './scale-target.ts'
import { matchesSelector, selectorText } from './selector.ts'
import { parseTime, timestamp } from './time.ts'

const component = 'controllermanager'

/** How long an evicted Pod counts as on its way out, ms. */
const deletionTimeout = 120_000

/** Keeps the status of PodDisruptionBudgets: how many of their Pods may be disrupted now. */
export function startDisruption(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncBudget(context, queue, key), { name: 'disruption-controller' }))
  stack.use(context.cache.watch<PodDisruptionBudget>(resources.podDisruptionBudgets, ({ object }) => queue.add(keyOf(object))))
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ object }) => {
      const budget = budgetOf(context, object)
      if (budget) queue.add(keyOf(budget))
    }),
  )
  for (const resource of [resources.deployments, resources.replicaSets, resources.statefulSets, resources.replicationControllers]) {
    stack.use(
      context.cache.watch(resource, ({ object }) => {
        for (const budget of context.cache.list<PodDisruptionBudget>(resources.podDisruptionBudgets, object.metadata.namespace))
          queue.add(keyOf(budget))
      }),
    )
  }
  stack.use(startStaleTargets(context))
  return stack
}

/** Of several budgets for one Pod only one hears of it (getPdbForPod): the first, upstream any of them. */
function budgetOf(context: ClusterContext, pod: Pod): PodDisruptionBudget | undefined {
  const { namespace, name, labels } = pod.metadata
  const [first, second] = context.cache
    .list<PodDisruptionBudget>(resources.podDisruptionBudgets, namespace)
    .filter(({ spec }) => matchesSelector(spec?.selector, labels))
  if (first && second) {
    const message = `Pod "${namespace}"/"${name}" matches multiple PodDisruptionBudgets.  Chose "${first.metadata.name}" arbitrarily.`
    context.events.event(pod, 'Warning', 'MultiplePodDisruptionBudgets', message, { component })
  }
  return first
}

async function syncBudget(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const budget = context.cache.get<PodDisruptionBudget>(resources.podDisruptionBudgets, name, namespace)
  if (!budget) return
  const pods = context.cache
    .list<Pod>(resources.pods, namespace)
    .filter((pod) => matchesSelector(budget.spec?.selector, pod.metadata.labels))
  queue.pause(key, restAfter(pods.length))
  if (pods.length === 0) context.events.event(budget, 'Normal', 'NoPods', 'No matching pods found', { component })
  const disruptedPods = stillDisrupted(context, queue, budget, pods)
  const current = pods.filter((pod) => !pod.metadata.deletionTimestamp && !disruptedPods[pod.metadata.name ?? ''] && isPodReady(pod)).length
  let expectation: Expectation
  try {
    expectation = await expectationOf(context, budget, pods)
  } catch (error) {
    const message = `Failed to calculate the number of expected pods: ${messageOf(error)}`
    context.events.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', message, { component })
    return await failSafe(context, budget, messageOf(error))
  }
  const { expected, desired, unmanaged } = expectation
  if (unmanaged) {
    const message = `Pods selected by this PodDisruptionBudget (selector: ${selectorText(budget.spec?.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`
    context.events.event(budget, 'Warning', 'UnmanagedPods', message, { component })
  }
  const allowed = expected > 0 ? Math.max(0, current - desired) : 0
  const next = {
    observedGeneration: budget.metadata.generation,
    disruptionsAllowed: allowed,
    currentHealthy: current,
    desiredHealthy: desired,
    expectedPods: expected,
    ...(Object.keys(disruptedPods).length > 0 && { disruptedPods }),
  }
  const reason = allowed > 0 ? 'SufficientPods' : 'InsufficientPods'
  const conditions = conditionsOf(context, budget, { status: allowed > 0 ? 'True' : 'False', reason, message: '' })
  if (semanticEqual({ disruptedPods: {}, ...budget.status }, { ...next, conditions })) return
  const status: PodDisruptionBudgetStatus = { ...next, conditions }
  await context.client.update<PodDisruptionBudget>(resources.podDisruptionBudgets, { ...copyOf(budget), status }, { subresource: 'status' })
}

/** Pods that were evicted a moment ago and have not gone yet. */
function stillDisrupted(
  context: ClusterContext,
  queue: WorkQueue,
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
): Record<string, string> {
  const left: Record<string, string> = {}
  for (const [name, time] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find(({ metadata }) => metadata.name === name)
    const wait = parseTime(time) + deletionTimeout - context.clock.now()
    if (!pod || pod.metadata.deletionTimestamp) continue
    if (wait <= 0) {
      context.events.event(pod, 'Warning', 'NotDeleted', `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`, {
        component,
      })
      continue
    }
    left[name] = time
    queue.addAfter(keyOf(budget), wait)
  }
  return left
}

interface Expectation {
  expected: number
  desired: number
  /** Some Pods have no controller that says how many there should be. */
  unmanaged: boolean
}

async function expectationOf(context: ClusterContext, budget: PodDisruptionBudget, pods: readonly Pod[]): Promise<Expectation> {
  const { minAvailable, maxUnavailable } = budget.spec ?? {}
  if (maxUnavailable === undefined && typeof minAvailable === 'number') {
    return { expected: pods.length, desired: minAvailable, unmanaged: false }
  }
  const { expected, unmanaged } = await expectedScale(context, pods)
  const desired =
    maxUnavailable === undefined
      ? scaledValue(minAvailable, expected, 'up')
      : Math.max(0, expected - scaledValue(maxUnavailable, expected, 'up'))
  return { expected, desired, unmanaged }
}

/** Replicas that the controllers of the Pods are asked for, all together. Throws when one of them has no scale. */
async function expectedScale(context: ClusterContext, pods: readonly Pod[]): Promise<{ expected: number; unmanaged: boolean }> {
  const scales = new Map<string, number>()
  let unmanaged = false
  for (const pod of pods) {
    const owner = controllerOf(pod)
    if (!owner) unmanaged = true
    else if (!scales.has(owner.uid)) {
      const found = await scaleOf(context, owner, pod.metadata.namespace)
      if (!found) throw new Error(`found no controllers for pod "${pod.metadata.name}"`)
      scales.set(found.uid, found.replicas)
    }
  }
  return { expected: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged }
}

/** The size asked for of what controls a Pod: of the Deployment of its ReplicaSet, if it has one. */
async function scaleOf(
  context: ClusterContext,
  owner: OwnerReference,
  namespace: string | undefined,
): Promise<{ uid: string; replicas: number } | undefined> {
  if (owner.kind === 'ReplicaSet') {
    const set = context.cache.get<ReplicaSet>(resources.replicaSets, owner.name, namespace)
    const above = set?.metadata.uid === owner.uid ? controllerOf(set) : undefined
    if (above?.kind === 'Deployment') return await scaleOf(context, above, namespace)
  }
  const unscalable = unscalableKinds[owner.kind]
  if (unscalable) throw new Error(`${unscalable} does not implement the scale subresource`)
  try {
    const scale = await readScale(context, scalableResource(context, owner.apiVersion, owner.kind), owner.name, namespace)
    return scale.metadata.uid === owner.uid ? { uid: owner.uid, replicas: scale.spec?.replicas ?? 0 } : undefined
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Kinds of Kubernetes itself that control Pods without having a scale. */
const unscalableKinds: Readonly<Record<string, string>> = { DaemonSet: 'daemonsets.apps', Job: 'jobs.batch' }

/** Lets nobody be evicted while it is not known how many may be. */
async function failSafe(context: ClusterContext, budget: PodDisruptionBudget, message: string): Promise<void> {
  const conditions = conditionsOf(context, budget, { status: 'False', reason: 'SyncFailed', message })
  const before = { expectedPods: 0, currentHealthy: 0, desiredHealthy: 0, ...budget.status }
  const status: PodDisruptionBudgetStatus = { ...before, disruptionsAllowed: 0, conditions }
  if (semanticEqual(budget.status, status)) return
  await context.client.update<PodDisruptionBudget>(resources.podDisruptionBudgets, { ...copyOf(budget), status }, { subresource: 'status' })
}

interface Verdict {
  status: string
  reason: string
  message: string
}

function conditionsOf(context: ClusterContext, budget: PodDisruptionBudget, verdict: Verdict): PodDisruptionBudgetStatus['conditions'] {
  const old = budget.status?.conditions?.find(({ type }) => type === 'DisruptionAllowed')
  const condition = {
    type: 'DisruptionAllowed',
    ...verdict,
    observedGeneration: budget.metadata.generation,
    lastTransitionTime: old?.status === verdict.status ? old.lastTransitionTime : timestamp(context),
  }
  return [...(budget.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed'), condition]
}

/** Takes back that a Pod is to be disrupted when after two minutes nobody has deleted it. */
function startStaleTargets(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncTarget(context, queue, key), { name: 'disruption-controller: stale conditions' }),
  )
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      if (type !== 'DELETED' && isTargeted(object)) queue.add(keyOf(object))
    }),
  )
  return stack
}

async function syncTarget(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const pod = context.cache.get<Pod>(resources.pods, name, namespace)
  if (!pod || !isTargeted(pod)) return
  const left = parseTime(podCondition(pod, 'DisruptionTarget')?.lastTransitionTime) + deletionTimeout - context.clock.now()
  if (left > 0) {
    queue.addAfter(key, left)
    return
  }
  const copy = copyOf(pod)
  setPodCondition(copy, { type: 'DisruptionTarget', status: 'False' }, context.clock.now())
  await context.client.update<Pod>(resources.pods, copy, { subresource: 'status' })
}

function isTargeted(pod: Pod): boolean {
  const condition = podCondition(pod, 'DisruptionTarget')
  if (pod.metadata.deletionTimestamp || isPodFinished(pod)) return false
  return condition?.status === 'True' && condition.reason !== 'TerminationByKubelet'
}
