import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import type { Deployment, ReplicaSet, StatefulSet } from '../schema/types/apps.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../schema/types/policy.v1.ts'
import { semanticEqual } from './equality.ts'
import { scaledValue } from './int-or-percent.ts'
import { controllerOf, keyOf, splitKey } from './owner.ts'
import { isPodReady } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { matchesSelector } from './selector.ts'
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
    context.cache.watch<Pod>(resources.pods, ({ object, previous }) => {
      for (const budget of context.cache.list<PodDisruptionBudget>(resources.podDisruptionBudgets, object.metadata.namespace)) {
        const selector = budget.spec?.selector
        if (matchesSelector(selector, object.metadata.labels) || (previous && matchesSelector(selector, previous.metadata.labels)))
          queue.add(keyOf(budget))
      }
    }),
  )
  for (const resource of [resources.deployments, resources.replicaSets, resources.statefulSets]) {
    stack.use(
      context.cache.watch(resource, ({ object }) => {
        for (const budget of context.cache.list<PodDisruptionBudget>(resources.podDisruptionBudgets, object.metadata.namespace))
          queue.add(keyOf(budget))
      }),
    )
  }
  return stack
}

async function syncBudget(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const budget = context.cache.get<PodDisruptionBudget>(resources.podDisruptionBudgets, name, namespace)
  if (!budget) return
  const pods = context.cache
    .list<Pod>(resources.pods, namespace)
    .filter((pod) => matchesSelector(budget.spec?.selector, pod.metadata.labels))
  if (pods.length === 0) context.events.event(budget, 'Normal', 'NoPods', 'No matching pods found', { component })
  const disruptedPods = stillDisrupted(context, queue, budget, pods)
  const current = pods.filter((pod) => !pod.metadata.deletionTimestamp && !disruptedPods[pod.metadata.name ?? ''] && isPodReady(pod)).length
  const { expected, desired } = expectation(context, budget, pods)
  const allowed = expected > 0 ? Math.max(0, current - desired) : 0
  const next = {
    observedGeneration: budget.metadata.generation,
    disruptionsAllowed: allowed,
    currentHealthy: current,
    desiredHealthy: desired,
    expectedPods: expected,
    ...(Object.keys(disruptedPods).length > 0 && { disruptedPods }),
  }
  const conditions = conditionsOf(context, budget, allowed)
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

function expectation(context: ClusterContext, budget: PodDisruptionBudget, pods: readonly Pod[]): { expected: number; desired: number } {
  const { minAvailable, maxUnavailable } = budget.spec ?? {}
  if (maxUnavailable !== undefined) {
    const expected = expectedScale(context, pods)
    return { expected, desired: Math.max(0, expected - scaledValue(maxUnavailable, expected, 'up')) }
  }
  if (typeof minAvailable === 'number') return { expected: pods.length, desired: minAvailable }
  const expected = expectedScale(context, pods)
  return { expected, desired: scaledValue(minAvailable, expected, 'up') }
}

/** Replicas that the controllers of the Pods are asked for, all together. */
function expectedScale(context: ClusterContext, pods: readonly Pod[]): number {
  const scales = new Map<string, number>()
  for (const pod of pods) {
    const owner = controllerOf(pod)
    if (!owner) continue
    const found = scaleOf(context, owner.kind, owner.name, pod.metadata.namespace)
    if (found) scales.set(found.uid, found.replicas)
  }
  return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0)
}

function scaleOf(
  context: ClusterContext,
  kind: string,
  name: string,
  namespace: string | undefined,
): { uid: string; replicas: number } | undefined {
  if (kind === 'ReplicaSet') {
    const set = context.cache.get<ReplicaSet>(resources.replicaSets, name, namespace)
    const owner = set && controllerOf(set)
    if (owner?.kind === 'Deployment') return scaleOf(context, owner.kind, owner.name, namespace)
    return set && { uid: set.metadata.uid ?? '', replicas: set.spec?.replicas ?? 0 }
  }
  const resource = kind === 'Deployment' ? resources.deployments : kind === 'StatefulSet' ? resources.statefulSets : undefined
  const found = resource && context.cache.get<Deployment | StatefulSet>(resource, name, namespace)
  return found && { uid: found.metadata.uid ?? '', replicas: found.spec?.replicas ?? 0 }
}

function conditionsOf(context: ClusterContext, budget: PodDisruptionBudget, allowed: number): PodDisruptionBudgetStatus['conditions'] {
  const status = allowed > 0 ? 'True' : 'False'
  const old = budget.status?.conditions?.find(({ type }) => type === 'DisruptionAllowed')
  const condition = {
    type: 'DisruptionAllowed',
    status,
    observedGeneration: budget.metadata.generation,
    lastTransitionTime: old?.status === status ? old.lastTransitionTime : timestamp(context),
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  }
  return [...(budget.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed'), condition]
}
