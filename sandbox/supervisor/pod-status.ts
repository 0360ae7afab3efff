import type { Pod } from '../embedded/schema/types/core.v1.ts'

/** What kubectl prints under STATUS (printPod in Kubernetes' pkg/printers/internalversion). */
export function podStatus(pod: Pod): string {
  const { status, spec, metadata } = pod
  const init = initStatus(pod)
  let reason = init ?? status?.reason ?? status?.phase ?? 'Unknown'
  if (init === null) {
    let running = false
    for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
      const { waiting, terminated } = container.state ?? {}
      if (waiting?.reason) reason = waiting.reason
      else if (terminated)
        reason = terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`)
      else if (container.ready && container.state?.running) running = true
    }
    if (reason === 'Completed' && running)
      reason = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ? 'Running' : 'NotReady'
  }
  const gated = status?.conditions?.find((condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated')
  if (gated && !spec?.nodeName) reason = 'SchedulingGated'
  if (metadata.deletionTimestamp) return status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating'
  return reason
}

/** Init:1/3 and the like while init containers run; null when they are done. */
function initStatus({ spec, status }: Pod): string | null {
  const containers = spec?.initContainers ?? []
  const sidecars = new Set(containers.filter((container) => container.restartPolicy === 'Always').map((container) => container.name))
  for (const [index, container] of (status?.initContainerStatuses ?? []).entries()) {
    const { terminated, waiting } = container.state ?? {}
    if (terminated?.exitCode === 0) continue
    if (sidecars.has(container.name) && container.started) continue
    if (terminated)
      return `Init:${terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`)}`
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`
    return `Init:${index}/${containers.length}`
  }
  return null
}
