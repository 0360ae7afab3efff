import type { ContainerStatus, Pod, PodStatus } from '../schema/types/core.v1.ts'
import { isSidecar } from './pod-record.ts'

const unknown = {
  terminated: {
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    exitCode: 137,
  },
}

/**
 * The last status of a pod of which nothing is left on its node: what never ran has failed.
 * @see pkg/kubelet/status/status_manager.go, TerminatePod
 */
export function terminalStatus(pod: Pod, status: PodStatus): PodStatus {
  const ended = (container: ContainerStatus): ContainerStatus =>
    container.state?.terminated ? container : { ...container, state: unknown }
  const init = status.initContainerStatuses ?? []
  // The first step at least, and all before one that has begun.
  const last = Math.max(0, init.findLastIndex(hasEverStarted))
  return {
    ...status,
    ...(status.phase === 'Pending' || status.phase === 'Running' ? { phase: 'Failed' } : {}),
    ...(init.length > 0 && { initContainerStatuses: init.map((container, index) => (index <= last ? ended(container) : container)) }),
    containerStatuses: hasInitialized(pod, status) ? status.containerStatuses?.map(ended) : status.containerStatuses,
  }
}

function hasEverStarted({ state, lastState }: ContainerStatus): boolean {
  return lastState?.terminated !== undefined || state?.waiting === undefined
}

/** It has, when there was nothing to initialise, a container has ever left its waiting state, or the last step is done. */
function hasInitialized({ spec }: Pod, { containerStatuses = [], initContainerStatuses = [] }: PodStatus): boolean {
  const step = spec?.initContainers?.at(-1)
  if (!step || containerStatuses.some(hasEverStarted)) return true
  const last = initContainerStatuses.at(-1)
  if (isSidecar(step)) return last?.state?.running !== undefined && last.started === true
  return last?.state?.terminated?.exitCode === 0 || last?.lastState?.terminated?.exitCode === 0
}
