import type { Pod } from '../schema/types/core.v1.ts'
import { isPodActive, isPodReady, podCondition } from './pod.ts'
import { parseTime } from './time.ts'

const phaseOrder: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 }

/**
 * The Pods in the order in which a ReplicaSet gives them up (ActivePodsWithRanks in kube-controller-manager): unassigned,
 * pending, not ready, cheap, doubled up on a node, shortly ready, often restarted and young ones first.
 *
 * @param related Pods of all ReplicaSets of the same owner, which count towards a node's crowding
 * @param now ms since the epoch
 */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[], now: number): Pod[] {
  const crowd = new Map<string, number>()
  for (const pod of related) {
    if (!isPodActive(pod)) continue
    const node = pod.spec?.nodeName ?? ''
    crowd.set(node, (crowd.get(node) ?? 0) + 1)
  }
  const rank = (pod: Pod) => crowd.get(pod.spec?.nodeName ?? '') ?? 0
  return [...pods].sort((a, b) => compare(a, b, rank, now))
}

function compare(a: Pod, b: Pod, rank: (pod: Pod) => number, now: number): number {
  const assigned = Number(Boolean(a.spec?.nodeName)) - Number(Boolean(b.spec?.nodeName))
  if (assigned !== 0) return assigned
  const phase = (phaseOrder[a.status?.phase ?? ''] ?? 0) - (phaseOrder[b.status?.phase ?? ''] ?? 0)
  if (phase !== 0) return phase
  const ready = Number(isPodReady(a)) - Number(isPodReady(b))
  if (ready !== 0) return ready
  const cost = deletionCost(a) - deletionCost(b)
  if (cost !== 0) return cost
  const crowded = rank(b) - rank(a)
  if (crowded !== 0) return crowded
  if (isPodReady(a)) {
    const since = compareAges(readySince(a), readySince(b), a, b, now)
    if (since !== 0) return since
  }
  const restarts = restartCount(b, 'containerStatuses') - restartCount(a, 'containerStatuses')
  if (restarts !== 0) return restarts
  const sidecars = restartCount(b, 'initContainerStatuses') - restartCount(a, 'initContainerStatuses')
  if (sidecars !== 0) return sidecars
  return compareAges(parseTime(a.metadata.creationTimestamp), parseTime(b.metadata.creationTimestamp), a, b, now)
}

/** Ages are compared by their logarithm, so that Pods of about the same age are given up in no particular order. */
function compareAges(a: number, b: number, podA: Pod, podB: Pod, now: number): number {
  if (a === b) return 0
  if (a === 0 || b === 0) return a === 0 ? -1 : 1
  const difference = logarithm(now - a) - logarithm(now - b)
  if (difference !== 0) return difference
  return (podA.metadata.uid ?? '') < (podB.metadata.uid ?? '') ? -1 : 1
}

/** Of nanoseconds, as Go's durations are. */
function logarithm(age: number): number {
  return age > 0 ? Math.floor(Math.log2(age * 1e6)) : -1
}

function readySince(pod: Pod): number {
  return parseTime(podCondition(pod, 'Ready')?.lastTransitionTime)
}

function deletionCost(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0)
  return Number.isInteger(cost) ? cost : 0
}

function restartCount(pod: Pod, list: 'containerStatuses' | 'initContainerStatuses'): number {
  const sidecars = new Set(pod.spec?.initContainers?.filter((container) => container.restartPolicy === 'Always').map(({ name }) => name))
  let most = 0
  for (const status of pod.status?.[list] ?? []) {
    if (list === 'containerStatuses' || sidecars.has(status.name)) most = Math.max(most, status.restartCount)
  }
  return most
}
