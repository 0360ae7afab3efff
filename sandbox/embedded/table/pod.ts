import type { ContainerStatus, Pod } from '../schema/types/core.v1.ts'
import { type Age, type Cell, type CellsOf, orNone } from './cell.ts'

export const podCells: Record<string, CellsOf> = { 'v1/pods': cellsOf }

interface Summary {
  reason: string
  ready: number
  restarts: number
  lastRestart: string
}

function cellsOf(pod: Pod, age: Age): Cell[] {
  const { spec, status, metadata } = pod
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  const total = (spec?.containers ?? []).length + sidecars.length
  const { reason, ready, restarts, lastRestart } = podSummary(pod)
  const gates = spec?.readinessGates ?? []
  const open = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status: is }) => type === conditionType && is === 'True'),
  )
  return [
    metadata.name ?? '',
    `${ready}/${total}`,
    reason,
    restarts !== 0 && lastRestart ? `${restarts} (${age(lastRestart)} ago)` : String(restarts),
    age(metadata.creationTimestamp),
    orNone(status?.podIPs?.[0]?.ip),
    orNone(spec?.nodeName),
    orNone(status?.nominatedNodeName),
    gates.length > 0 ? `${open.length}/${gates.length}` : '<none>',
  ]
}

/** The STATUS that `kubectl get pods` shows, with ready containers and restarts. Source: printPod in pkg/printers. */
export function podSummary(pod: Pod): Summary {
  const { status, spec, metadata } = pod
  const conditions = status?.conditions ?? []
  const gated = conditions.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated')
  const summary: Summary = {
    reason: gated ? 'SchedulingGated' : status?.reason || (status?.phase ?? ''),
    ready: 0,
    restarts: 0,
    lastRestart: '',
  }
  const sidecar = { restarts: 0, lastRestart: '' }
  const initializing = readInitContainers(pod, summary, sidecar)
  if (!initializing || conditions.some(({ type, status: is }) => type === 'Initialized' && is === 'True')) {
    summary.restarts = sidecar.restarts
    summary.lastRestart = sidecar.lastRestart
    let running = false
    for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
      count(container, summary)
      const { waiting, terminated } = container.state ?? {}
      if (waiting?.reason) summary.reason = waiting.reason
      else if (terminated)
        summary.reason = terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`)
      else if (container.ready && container.state?.running) {
        running = true
        summary.ready += 1
      }
    }
    if (summary.reason === 'Completed' && running) {
      const ready = conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True')
      summary.reason = ready ? 'Running' : 'NotReady'
    }
  }
  const over = status?.phase === 'Succeeded' || status?.phase === 'Failed'
  if (metadata.deletionTimestamp && status?.reason === 'NodeLost') summary.reason = 'Unknown'
  else if (metadata.deletionTimestamp && !over) summary.reason = 'Terminating'
  if (spec === undefined) summary.ready = 0
  return summary
}

/** True while an init container is still to finish; the first such one gives the reason. */
function readInitContainers({ spec, status }: Pod, summary: Summary, sidecar: Pick<Summary, 'restarts' | 'lastRestart'>): boolean {
  const containers = spec?.initContainers ?? []
  for (const [index, container] of (status?.initContainerStatuses ?? []).entries()) {
    const isSidecar = containers.some(({ name, restartPolicy }) => name === container.name && restartPolicy === 'Always')
    count(container, summary)
    if (isSidecar) count(container, sidecar)
    const { terminated, waiting } = container.state ?? {}
    if (terminated?.exitCode === 0) continue
    if (isSidecar && container.started) {
      if (container.ready) summary.ready += 1
      continue
    }
    if (terminated) {
      summary.reason = `Init:${terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`)}`
    } else if (waiting?.reason && waiting.reason !== 'PodInitializing') summary.reason = `Init:${waiting.reason}`
    else summary.reason = `Init:${index}/${containers.length}`
    return true
  }
  return false
}

function count(container: ContainerStatus, into: { restarts: number; lastRestart: string }): void {
  into.restarts += container.restartCount ?? 0
  const finished = container.lastState?.terminated?.finishedAt
  if (finished && finished > into.lastRestart) into.lastRestart = finished
}
