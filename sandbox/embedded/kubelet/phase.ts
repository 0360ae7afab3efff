import type { ContainerStatus, Pod } from '../schema/types/core.v1.ts'
import { isSidecar } from './pod-record.ts'
import { restartsAfter } from './restart-policy.ts'

/** A pod's phase from its containers' statuses (kubelet's getPhase). `terminal`: nothing will be started any more. */
export function phaseOf(pod: Pod, statuses: ContainerStatus[], terminal: boolean): string {
  const byName = new Map(statuses.map((status) => [status.name, status]))
  let pendingInit = 0
  let pendingSidecars = 0
  const count = { unknown: 0, running: 0, waiting: 0, stopped: 0, final: 0, succeeded: 0 }

  for (const container of pod.spec?.initContainers ?? []) {
    const { state, lastState, started } = byName.get(container.name) ?? {}
    const ended = state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined)
    if (isSidecar(container)) {
      if (state?.running) {
        if (!started) pendingSidecars++
        count.running++
      } else if (state?.waiting && !ended) {
        pendingSidecars++
        count.waiting++
      }
    } else if (!ended) {
      pendingInit++
    } else if (ended.exitCode !== 0 && !restartsAfter(pod, container, ended.exitCode)) {
      return 'Failed'
    }
  }
  let hasStarted = false
  for (const container of pod.spec?.containers ?? []) {
    const { state, lastState } = byName.get(container.name) ?? {}
    const ended = state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined)
    if (state?.running) {
      count.running++
      hasStarted = true
    } else if (ended) {
      hasStarted = true
      count.stopped++
      if (!restartsAfter(pod, container, ended.exitCode)) count.final++
      if (state?.terminated?.exitCode === 0) count.succeeded++
    } else if (state?.waiting) {
      count.waiting++
    } else {
      count.unknown++
    }
  }
  if (pendingInit > 0 || (pendingSidecars > 0 && !hasStarted) || count.waiting > 0) return 'Pending'
  if (count.running > 0 && count.unknown === 0) return 'Running'
  if (count.stopped > 0 && count.unknown === 0) {
    if (!terminal && count.stopped !== count.final) return 'Running'
    return count.stopped === count.succeeded ? 'Succeeded' : 'Failed'
  }
  return 'Pending'
}
