import type { Container, Pod } from '../schema/types/core.v1.ts'
import { isSidecar, latestRun, type PodRecord, stateOf } from './pod-record.ts'

/** Whether a container that is not running should get another life (or its first). */
export function shouldRun(pod: Pod, container: Container, record: PodRecord): boolean {
  if (pod.metadata.deletionTimestamp) return false
  const run = latestRun(record, container.name)
  if (!run) return true
  const state = stateOf(run)
  if (state === 'running') return false
  if (state === 'created') return true
  return restartsAfter(pod, container, run.exit?.exitCode ?? 0)
}

/** Whether the restart policy brings a container back that ended with this code. */
export function restartsAfter(pod: Pod, container: Container, exitCode: number): boolean {
  if (isSidecar(container)) return true
  const policy = pod.spec?.restartPolicy ?? 'Always'
  if (policy === 'Always') return !isInitContainer(pod, container) || exitCode !== 0
  return policy === 'OnFailure' && exitCode !== 0
}

function isInitContainer(pod: Pod, container: Container): boolean {
  return pod.spec?.initContainers?.some(({ name }) => name === container.name) ?? false
}
