import type { Container as RuntimeContainer } from '../containers/runtime.ts'
import type { Cache } from '../machinery/context.ts'
import { deepEqual } from '../machinery/freeze.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { Container, Pod, ResourceRequirements } from '../schema/types/core.v1.ts'
import { admissionFailure, requestOf } from './admission.ts'
import type { NodeFacts } from './environment.ts'
import { type ContainerRun, isSidecar, latestRun, type PodRecord, stateOf } from './pod-record.ts'

export interface ResizeSetting {
  node: NodeFacts
  cache: Cache
  /** The node's other pods, as they are granted. */
  others(): Pod[]
  /** Cluster ms. */
  now: number
}

/** A pod as the kubelet has granted it: its spec's resources, but for a resize that is not granted yet. */
export function allocatedPod(pod: Pod, record: PodRecord): Pod {
  const { allocated } = record
  if (!allocated || !pod.spec) return pod
  const granted = (container: Container): Container => {
    const resources = allocated[container.name]
    return resources && container.resources !== resources ? { ...container, resources } : container
  }
  const { containers, initContainers } = pod.spec
  return {
    ...pod,
    spec: { ...pod.spec, containers: containers.map(granted), ...(initContainers && { initContainers: initContainers.map(granted) }) },
  }
}

/**
 * Grants what the spec asks for when the node has it. What it cannot give is kept as pending: infeasible where the node
 * will never have so much, deferred where others hold it. True when something was granted.
 */
export function allocate(pod: Pod, record: PodRecord, { node, cache, others, now }: ResizeSetting): boolean {
  const wanted = Object.fromEntries(resizable(pod).map(({ name, resources = {} }) => [name, resources]))
  if (!record.allocated) {
    record.allocated = wanted
    return true
  }
  const resize = record.resize ?? {}
  if (deepEqual(wanted, record.allocated)) {
    if (!resize.pending) return false
    record.resize = { ...resize, pending: undefined }
    return true
  }
  const refusal = refusalOf(pod, node, others(), cache)
  if (refusal) {
    const { reason, message } = refusal
    const same = resize.pending?.reason === reason && resize.pending.message === message
    if (!same) record.resize = { ...resize, pending: { reason, message, at: now } }
    return false
  }
  record.allocated = wanted
  record.resize = { inProgress: true }
  return true
}

/** Whether a running container must end for its new resources, by its resizePolicy. */
export function needsRestart(container: Container, run: ContainerRun): boolean {
  const before = run.resources ?? container.resources
  return (container.resizePolicy ?? []).some(({ resourceName, restartPolicy }) => {
    if (restartPolicy !== 'RestartContainer') return false
    return (
      amount(before, 'limits', resourceName) !== amount(container.resources, 'limits', resourceName) ||
      amount(before, 'requests', resourceName) !== amount(container.resources, 'requests', resourceName)
    )
  })
}

/** Gives running containers the limits that were granted, where no restart is needed. The error is what stands against it. */
export function actuate(pod: Pod, record: PodRecord, live: (id: string) => RuntimeContainer | undefined): string | undefined {
  const errors: string[] = []
  for (const container of resizable(pod)) {
    const run = latestRun(record, container.name)
    const running = run && stateOf(run) === 'running' ? live(run.id) : undefined
    if (!run || !running || upToDate(container, run) || needsRestart(container, run)) continue
    const { memoryLimit, cpuLimit } = limitsOf(container)
    const { memoryBytes } = running.usage()
    if (memoryLimit !== undefined && memoryLimit < memoryBytes) {
      errors.push(
        `attempting to set container ${JSON.stringify(container.name)} memory limit (${memoryLimit}) below current usage (${memoryBytes})`,
      )
      continue
    }
    running.setLimits({ memoryLimit, cpuLimit })
    run.resources = container.resources ?? {}
  }
  return errors.length > 0 ? errors.join(', ') : undefined
}

/** Whether every running container has what was granted. */
export function isActuated(pod: Pod, record: PodRecord): boolean {
  return resizable(pod).every((container) => {
    const run = latestRun(record, container.name)
    return !run || stateOf(run) !== 'running' || upToDate(container, run)
  })
}

/** The message of ResizeCompleted: what every container has now. */
export function resizeSummary(pod: Pod): string {
  const rows = (list: Container[] = []) => list.map(({ name, resources = {} }) => ({ name, resources }))
  const { initContainers, containers } = pod.spec ?? { containers: [] }
  const summary = { ...(initContainers?.length ? { initContainers: rows(initContainers) } : {}), containers: rows(containers) }
  return `Pod resize completed: ${JSON.stringify(summary)}`
}

/** Bytes and cores that a container may take. */
export function limitsOf({ resources }: Container): { memoryLimit?: number; cpuLimit?: number } {
  const { memory, cpu } = resources?.limits ?? {}
  return {
    ...(memory === undefined ? {} : { memoryLimit: Number(parseQuantity(memory).nano / 1_000_000_000n) }),
    ...(cpu === undefined ? {} : { cpuLimit: Number(parseQuantity(cpu).nano) / 1e9 }),
  }
}

/** The kubelet's canResizePod. */
function refusalOf(pod: Pod, node: NodeFacts, others: Pod[], cache: Cache): { reason: string; message: string } | undefined {
  for (const [name, unit] of [
    ['memory', 1_000_000_000n],
    ['cpu', 1_000_000n],
  ] as const) {
    const requested = requestOf(pod, name) / unit
    const capacity = parseQuantity(node.allocatable[name] ?? 0).nano / unit
    if (requested > capacity) {
      const message = `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${capacity}`
      return { reason: 'Infeasible', message }
    }
  }
  const failure = admissionFailure(pod, node, others, cache)
  return failure && { reason: 'Deferred', message: failure.message }
}

function resizable(pod: Pod): Container[] {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []).filter(isSidecar)]
}

function upToDate(container: Container, run: ContainerRun): boolean {
  return deepEqual(run.resources ?? container.resources ?? {}, container.resources ?? {})
}

function amount(resources: ResourceRequirements | undefined, kind: 'limits' | 'requests', name: string): bigint | undefined {
  const value = resources?.[kind]?.[name]
  return value === undefined ? undefined : parseQuantity(value).nano
}
