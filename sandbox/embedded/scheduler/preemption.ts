import { setPodCondition } from '../controllers/pod.ts'
import { matchesSelector } from '../controllers/selector.ts'
import { parseTime } from '../controllers/time.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { nominated, podNominated } from '../machinery/pod-indexes.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { PodDisruptionBudget } from '../schema/types/policy.v1.ts'
import { type FilterPlugin, type Rejection, runFilters } from './filter.ts'
import { fitMessage } from './message.ts'
import { type Cycle, type NodeInfo, nodeInfo, priorityOf, replaceNode } from './snapshot.ts'

const component = 'default-scheduler'

interface Candidate {
  readonly info: NodeInfo
  readonly victims: readonly Pod[]
  /** Victims that a PodDisruptionBudget would protect. */
  readonly violations: number
}

/** The node made free for the Pod, or why none could be. */
export type Preemption = { node: string } | { message: string }

/**
 * Looks for a node where the Pod would fit if Pods of lower priority left, takes the one where that harms least, and
 * deletes these Pods.
 */
export async function preempt(
  plugins: readonly FilterPlugin[],
  cycle: Cycle,
  rejected: ReadonlyMap<string, Rejection>,
): Promise<Preemption> {
  const { context, pod, nodes } = cycle
  const ineligible = ineligibility(cycle, rejected)
  if (ineligible) return { message: ineligible }
  const statuses = new Map<string, Rejection>()
  const candidates: Candidate[] = []
  for (const info of nodes) {
    if (!rejected.get(info.name)?.resolvable) continue
    const found = selectVictims(plugins, cycle, info)
    if ('victims' in found) candidates.push(found)
    else statuses.set(info.name, found)
  }
  const best = pickCandidate(candidates)
  if (!best) {
    const notHelpful = { plugin: 'DefaultPreemption', reasons: ['Preemption is not helpful for scheduling'], resolvable: false }
    const all = new Map(nodes.map(({ name }) => [name, statuses.get(name) ?? notHelpful]))
    return { message: fitMessage(nodes.length, all) }
  }
  for (const victim of best.victims) await evict(context, pod, victim, best.info.name)
  await clearNominations(context, pod, best.info.name)
  return { node: best.info.name }
}

function ineligibility({ pod, nodes }: Cycle, rejected: ReadonlyMap<string, Rejection>): string | undefined {
  if (pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.'
  const nominated = pod.status?.nominatedNodeName
  if (!nominated || rejected.get(nominated)?.resolvable === false) return undefined
  const leaving = nodes
    .find(({ name }) => name === nominated)
    ?.pods.some((other) => other.metadata.deletionTimestamp && priorityOf(other) < priorityOf(pod) && wasPreempted(other))
  return leaving ? 'not eligible due to a terminating pod on the nominated node.' : undefined
}

function wasPreempted(pod: Pod): boolean {
  return Boolean(
    pod.status?.conditions?.some(
      ({ type, status, reason }) => type === 'DisruptionTarget' && status === 'True' && reason === 'PreemptionByScheduler',
    ),
  )
}

/** The fewest and least important Pods whose leaving makes room: all are taken away, then put back one by one while it fits. */
function selectVictims(plugins: readonly FilterPlugin[], cycle: Cycle, info: NodeInfo): Candidate | Rejection {
  const lower = info.pods.filter((other) => priorityOf(other) < priorityOf(cycle.pod))
  if (lower.length === 0)
    return { plugin: 'DefaultPreemption', reasons: ['No preemption victims found for incoming pod'], resolvable: false }
  let staying = info.pods.filter((other) => !lower.includes(other))
  const rejectionWith = (pods: readonly Pod[]) => {
    const changed = nodeInfo(info.node, pods)
    const nodes = replaceNode(cycle.nodes, changed)
    return runFilters(plugins, { ...cycle, nodes }).rejected.get(info.name)
  }
  const rejection = rejectionWith(staying)
  if (rejection) return rejection
  const victims: Pod[] = []
  const { violating, others } = splitByBudgets(cycle.context, [...lower].sort(byImportance))
  let violations = 0
  for (const pod of [...violating, ...others]) {
    if (rejectionWith([...staying, pod])) {
      victims.push(pod)
      if (violating.includes(pod)) violations++
    } else {
      staying = [...staying, pod]
    }
  }
  return { info, victims: victims.sort(byImportance), violations }
}

/** Higher priority first, and among equals what has run longer. */
function byImportance(a: Pod, b: Pod): number {
  return priorityOf(b) - priorityOf(a) || parseTime(a.status?.startTime) - parseTime(b.status?.startTime)
}

function splitByBudgets(context: ClusterContext, pods: readonly Pod[]): { violating: Pod[]; others: Pod[] } {
  const left = new Map<PodDisruptionBudget, number>()
  const violating: Pod[] = []
  const others: Pod[] = []
  for (const pod of pods) {
    let violates = false
    for (const budget of context.cache.list<PodDisruptionBudget>(resources.podDisruptionBudgets, pod.metadata.namespace)) {
      if (!matchesSelector(budget.spec?.selector, pod.metadata.labels)) continue
      if (budget.status?.disruptedPods?.[pod.metadata.name ?? '']) continue
      const allowed = (left.get(budget) ?? budget.status?.disruptionsAllowed ?? 0) - 1
      left.set(budget, allowed)
      if (allowed < 0) violates = true
    }
    ;(violates ? violating : others).push(pod)
  }
  return { violating, others }
}

/** Fewest protected Pods, then the least important ones, then the fewest, then those that started last. */
function pickCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  const offset = 2 ** 31
  const highest = ({ victims }: Candidate) => Math.max(...victims.map(priorityOf))
  const total = ({ victims }: Candidate) => victims.reduce((sum, pod) => sum + priorityOf(pod) + offset, 0)
  const earliest = (candidate: Candidate) => {
    const important = candidate.victims.filter((pod) => priorityOf(pod) === highest(candidate))
    return Math.min(...important.map((pod) => parseTime(pod.status?.startTime) || Number.POSITIVE_INFINITY))
  }
  return [...candidates].sort(
    (a, b) =>
      a.violations - b.violations ||
      highest(a) - highest(b) ||
      total(a) - total(b) ||
      a.victims.length - b.victims.length ||
      earliest(b) - earliest(a) ||
      0,
  )[0]
}

async function evict(context: ClusterContext, preemptor: Pod, victim: Pod, node: string): Promise<void> {
  const { name = '', namespace } = victim.metadata
  const copy = copyOf(victim)
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'PreemptionByScheduler',
    message: `${preemptor.spec?.schedulerName ?? component}: preempting to accommodate a higher priority pod`,
  }
  try {
    if (setPodCondition(copy, condition, context.clock.now())) {
      const conditions = copy.status?.conditions?.filter(({ type }) => type === 'DisruptionTarget')
      await context.client.patch(resources.pods, name, { status: { conditions } }, 'strategic', { namespace, subresource: 'status' })
    }
    await context.client.delete(resources.pods, name, namespace)
  } catch (error) {
    if (isNotFound(error)) return
    throw error
  }
  context.events.event(victim, 'Normal', 'Preempted', `Preempted by pod ${preemptor.metadata.uid} on node ${node}`, { component })
}

/** Less important Pods that were to have the node may now fit elsewhere. */
async function clearNominations(context: ClusterContext, pod: Pod, node: string): Promise<void> {
  for (const other of context.cache.indexed<Pod>(resources.pods, podNominated, nominated)) {
    if (other.status?.nominatedNodeName !== node || priorityOf(other) >= priorityOf(pod)) continue
    const { name = '', namespace } = other.metadata
    await context.client.patch(resources.pods, name, { status: { nominatedNodeName: null } }, 'strategic', {
      namespace,
      subresource: 'status',
    })
  }
}
