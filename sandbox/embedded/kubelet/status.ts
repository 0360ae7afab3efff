import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodStatus,
  VolumeMountStatus,
} from '../schema/types/core.v1.ts'
import { phaseOf } from './phase.ts'
import { type ContainerRun, isSidecar, latestRun, type PodRecord, runsOf, stateOf } from './pod-record.ts'
import { qosClassOf } from './qos.ts'
import { shouldRun } from './restart-policy.ts'
import { terminalStatus } from './terminal-status.ts'

/** Why a container's last start did not work, as its waiting state tells it. */
export interface StartFailure {
  reason: string
  message: string
}

export interface StatusInput {
  pod: Pod
  record: PodRecord
  failures: ReadonlyMap<string, StartFailure>
  hostIP: string
  /** Nothing will run any more: the pod is finished or being deleted. */
  terminal: boolean
  /** Cluster ms. */
  now: number
}

const kubeletConditions = [
  'PodResizePending',
  'PodResizeInProgress',
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
]

/** The status of a pod as the kubelet reports it, from what its containers did (kubelet's generateAPIPodStatus). */
export function podStatusOf(input: StatusInput): PodStatus {
  const { pod, record, hostIP, now } = input
  const old = pod.status ?? {}
  if (record.verdict?.rejected) return rejectedStatus(input)
  const spec = pod.spec ?? { containers: [] }
  const init = spec.initContainers ?? []
  const statusesOf = (kind: ContainerKind, containers: Container[], old: ContainerStatus[] = []) => {
    const before = new Map(old.map((status) => [status.name, status]))
    return containers.map((container) => containerStatusOf(input, container, before.get(container.name), kind))
  }
  const initStatuses = statusesOf('init', init, old.initContainerStatuses)
  const statuses = statusesOf('regular', spec.containers, old.containerStatuses)
  const ephemeral = statusesOf('ephemeral', (spec.ephemeralContainers ?? []) as Container[], old.ephemeralContainerStatuses)
  let phase = phaseOf(pod, [...initStatuses, ...statuses], input.terminal)
  if (old.phase === 'Failed' || old.phase === 'Succeeded') phase = old.phase
  if (record.verdict) phase = record.verdict.phase

  const status: PodStatus = {
    observedGeneration: pod.metadata.generation,
    phase,
    conditions: [],
    hostIP,
    hostIPs: [{ ip: hostIP }],
    startTime: old.startTime ?? formatTime(record.startedAt),
    qosClass: old.qosClass ?? qosClassOf(pod),
  }
  const ip = record.ip ?? old.podIP
  if (ip) {
    status.podIP = ip
    status.podIPs = [{ ip }]
  }
  if (record.verdict) {
    status.reason = record.verdict.reason
    status.message = record.verdict.message
  } else if (old.phase === phase) {
    if (old.reason) status.reason = old.reason
    if (old.message) status.message = old.message
  }
  if (init.length > 0) status.initContainerStatuses = initStatuses
  status.containerStatuses = statuses
  if (ephemeral.length > 0) status.ephemeralContainerStatuses = ephemeral
  const kept = (old.conditions ?? []).filter(({ type }) => !kubeletConditions.includes(type))
  const { verdict } = record
  if (verdict?.disruption && !kept.some(({ type }) => type === 'DisruptionTarget')) {
    const lastTransitionTime = formatTime(now)
    const why = { reason: 'TerminationByKubelet', message: verdict.message, observedGeneration: pod.metadata.generation }
    kept.push({ type: 'DisruptionTarget', status: 'True', ...why, lastProbeTime: undefined, lastTransitionTime })
  }
  const made = conditionsOf(input, phase, initStatuses, statuses, kept)
  status.conditions = [...kept, ...made]
  for (const condition of made) {
    const before = old.conditions?.find(({ type }) => type === condition.type)
    condition.lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : formatTime(now)
    if (condition.type === 'PodScheduled' && before) condition.lastTransitionTime = before.lastTransitionTime
  }
  if (old.nominatedNodeName) status.nominatedNodeName = old.nominatedNodeName
  if (old.resourceClaimStatuses) status.resourceClaimStatuses = old.resourceClaimStatuses
  return record.tornDown ? terminalStatus(pod, status) : status
}

/** A pod that the kubelet turned away has no containers to tell of. */
function rejectedStatus({ pod, record }: StatusInput): PodStatus {
  const { conditions, qosClass, startTime } = pod.status ?? {}
  const kept = conditions?.filter(({ type }) => !kubeletConditions.includes(type))
  return {
    observedGeneration: pod.metadata.generation,
    phase: 'Failed',
    reason: record.verdict?.reason,
    message: record.verdict?.message,
    startTime: startTime ?? formatTime(record.startedAt),
    qosClass: qosClass ?? qosClassOf(pod),
    ...(kept && kept.length > 0 && { conditions: kept }),
  }
}

/** RFC 3339 in whole seconds, from ms since the epoch. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** A container is started when it runs and its startup probe, if any, has succeeded. */
export function isStarted(container: Container, run: ContainerRun | undefined): boolean {
  if (!run || stateOf(run) !== 'running') return false
  return !container.startupProbe || run.startupProbe === 'success'
}

export function isReady(container: Container, run: ContainerRun | undefined): boolean {
  return isStarted(container, run) && (!container.readinessProbe || run?.readinessProbe === 'success')
}

type ContainerKind = 'init' | 'regular' | 'ephemeral'

function containerStatusOf(
  input: StatusInput,
  container: Container,
  before: ContainerStatus | undefined,
  kind: ContainerKind,
): ContainerStatus {
  const { pod, record, failures } = input
  const [run, previous] = runsOf(record, container.name)
  const hasInit = (pod.spec?.initContainers?.length ?? 0) > 0
  const status: ContainerStatus = {
    name: container.name,
    state: { waiting: { reason: hasInit && kind !== 'ephemeral' ? 'PodInitializing' : 'ContainerCreating' } },
    lastState: {},
    ready: false,
    restartCount: 0,
    image: container.image ?? '',
    imageID: '',
    started: false,
  }
  const mounts = (container.volumeMounts ?? []).map((mount): VolumeMountStatus => {
    const shown: VolumeMountStatus = { name: mount.name, mountPath: mount.mountPath }
    return mount.readOnly ? { ...shown, readOnly: true, recursiveReadOnly: 'Disabled' } : shown
  })
  if (mounts.length > 0) status.volumeMounts = mounts
  if (run) {
    Object.assign(status, {
      state: containerStateOf(run),
      restartCount: run.restartCount,
      image: run.image,
      imageID: run.imageID,
      containerID: `containerd://${run.id}`,
      user: { linux: { uid: run.uid, gid: run.uid === 0 ? 0 : gidOf(pod, container), supplementalGroups: groupsOf(pod, container, run) } },
    })
    if (kind !== 'ephemeral') {
      status.resources = { ...(run.resources ?? container.resources) }
      const { requests } = record.allocated?.[container.name] ?? container.resources ?? {}
      if (requests) status.allocatedResources = { ...requests }
    }
    if (previous) status.lastState = containerStateOf(previous)
  } else if (before?.state?.terminated) {
    return { ...before }
  } else if (before) {
    status.restartCount = before.restartCount
    status.lastState = before.lastState ?? {}
  }
  const failure = failures.get(container.name)
  const finishedInit = kind === 'init' && run?.exit?.exitCode === 0 && !isSidecar(container)
  if (failure && !finishedInit && !input.terminal && shouldRun(pod, container, record)) {
    if (status.state?.terminated) status.lastState = status.state
    status.state = { waiting: failure }
  }
  if (kind === 'ephemeral') {
    delete status.started
    return status
  }
  status.started = isStarted(container, run)
  status.ready = kind === 'init' && !isSidecar(container) ? run?.exit?.exitCode === 0 : isReady(container, run)
  return status
}

function containerStateOf(run: ContainerRun): ContainerState {
  const { exit, id, startedAt } = run
  if (exit) {
    return {
      terminated: {
        exitCode: exit.exitCode,
        reason: exit.reason,
        ...(exit.message && { message: exit.message }),
        startedAt: formatTime(startedAt ?? 0),
        finishedAt: formatTime(exit.finishedAt),
        containerID: `containerd://${id}`,
      },
    }
  }
  return startedAt === undefined ? { waiting: {} } : { running: { startedAt: formatTime(startedAt) } }
}

function gidOf(pod: Pod, container: Container): number {
  return container.securityContext?.runAsGroup ?? pod.spec?.securityContext?.runAsGroup ?? 0
}

function groupsOf(pod: Pod, container: Container, run: ContainerRun): number[] {
  const { fsGroup, supplementalGroups = [] } = pod.spec?.securityContext ?? {}
  const first = run.uid === 0 ? 0 : gidOf(pod, container)
  return [...new Set([first, ...(fsGroup === undefined ? [] : [fsGroup]), ...supplementalGroups])].sort((a, b) => a - b)
}

function conditionsOf(
  input: StatusInput,
  phase: string,
  init: ContainerStatus[],
  regular: ContainerStatus[],
  kept: PodCondition[],
): PodCondition[] {
  const { pod, record } = input
  const make = (type: string, status: boolean, why: { reason?: string; message?: string } = {}): PodCondition => ({
    type,
    observedGeneration: pod.metadata.generation,
    status: status ? 'True' : 'False',
    lastProbeTime: undefined,
    ...why,
  })
  const containersReady = containersReadiness(pod, phase, init, regular)
  const { pending, inProgress, error } = record.resize ?? {}
  return [
    ...(pending
      ? [{ ...make('PodResizePending', true, { reason: pending.reason, message: pending.message }), lastProbeTime: formatTime(pending.at) }]
      : []),
    ...(inProgress ? [make('PodResizeInProgress', true, error ? { reason: 'Error', message: error } : {})] : []),
    make('PodReadyToStartContainers', record.ip !== undefined && !record.tornDown),
    make('Initialized', ...initialization(pod, record, phase, init)),
    make('Ready', ...readiness(pod, containersReady, kept)),
    make('ContainersReady', ...containersReady),
    make('PodScheduled', true),
  ]
}

type Verdict = [boolean, { reason?: string; message?: string }?]

function initialization(pod: Pod, record: PodRecord, phase: string, init: ContainerStatus[]): Verdict {
  if (phase === 'Succeeded') return [true, { reason: 'PodCompleted' }]
  if (pod.spec?.containers.some(({ name }) => latestRun(record, name)?.startedAt !== undefined)) return [true]
  const incomplete = (pod.spec?.initContainers ?? []).flatMap((container, index) => {
    const status = init[index]
    return (isSidecar(container) ? status?.started : status?.ready) ? [] : [container.name]
  })
  if (incomplete.length === 0) return [true]
  const message = `containers with incomplete status: [${incomplete.join(' ')}]`
  return [false, { reason: 'ContainersNotInitialized', message }]
}

function containersReadiness(pod: Pod, phase: string, init: ContainerStatus[], regular: ContainerStatus[]): Verdict {
  if (phase === 'Succeeded') return [false, { reason: 'PodCompleted' }]
  if (phase === 'Failed') return [false, { reason: 'PodFailed' }]
  const sidecars = (pod.spec?.initContainers ?? []).flatMap((container, index) => (isSidecar(container) ? (init[index] ?? []) : []))
  const unready = [...sidecars, ...regular].flatMap(({ ready, name }) => (ready ? [] : [name]))
  if (unready.length === 0) return [true]
  return [false, { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }]
}

function readiness(pod: Pod, containersReady: Verdict, conditions: PodCondition[]): Verdict {
  if (!containersReady[0]) return containersReady
  const messages = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = conditions.find(({ type }) => type === conditionType)
    if (!condition) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`]
    return condition.status === 'True' ? [] : [`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`]
  })
  return messages.length === 0 ? [true] : [false, { reason: 'ReadinessGatesNotReady', message: messages.join(', ') }]
}
