import type { Container, Pod } from '../schema/types/core.v1.ts'
import { type ContainerRun, isSidecar, latestRun, type PodRecord, stateOf } from './pod-record.ts'
import { needsRestart } from './resize.ts'
import { restartsAfter, shouldRun } from './restart-policy.ts'

/** What must be done so that a pod's containers are as its spec wants them. */
export interface PodActions {
  /** Nothing of the pod will run again: stop what is left. */
  killPod: boolean
  kill: { run: ContainerRun; container: Container; message: string; probe?: 'livenessProbe' | 'startupProbe' }[]
  startInit: Container[]
  start: Container[]
  startEphemeral: Container[]
}

/** The kubelet's computePodActions: compares the pod's spec with the containers' lives. */
export function computeActions(pod: Pod, record: PodRecord): PodActions {
  const actions: PodActions = { killPod: false, kill: [], startInit: [], start: [], startEphemeral: [] }
  for (const container of (pod.spec?.ephemeralContainers ?? []) as Container[]) {
    if (!latestRun(record, container.name)) actions.startEphemeral.push(container)
  }
  const initialized = computeInit(pod, record, actions)
  if (actions.killPod || !initialized) return actions

  let kept = 0
  for (const container of pod.spec?.containers ?? []) {
    const run = latestRun(record, container.name)
    if (!run || stateOf(run) !== 'running') {
      if (shouldRun(pod, container, record)) actions.start.push(container)
      continue
    }
    const reason = reasonToKill(container, run)
    if (!reason) {
      kept++
      continue
    }
    const again = reason.always || pod.spec?.restartPolicy !== 'Never'
    if (again) actions.start.push(container)
    const more = again && !reason.resize ? ', will be restarted' : ''
    actions.kill.push({ run, container, probe: reason.probe, message: `Container ${reason.text}${more}` })
  }
  if (kept === 0 && actions.start.length === 0) {
    actions.killPod = true
    actions.startInit = []
  }
  return actions
}

function computeInit(pod: Pod, record: PodRecord, actions: PodActions): boolean {
  const init = pod.spec?.initContainers ?? []
  if (init.length === 0) return true
  const before = (pod.spec?.containers ?? []).some(({ name }) => latestRun(record, name) !== undefined)
  let initialized = before
  // From the last to the first: the latest container that has a life tells how far initialization has come.
  for (let index = init.length - 1; index >= 0; index--) {
    const container = init[index] as Container
    const run = latestRun(record, container.name)
    const sidecar = isSidecar(container)
    if (!run) {
      if (before && sidecar) actions.startInit.push(container)
      continue
    }
    if (before && !sidecar) continue
    const state = stateOf(run)
    if (state === 'created') {
      actions.startInit.push(container)
    } else if (state === 'running') {
      if (!sidecar) {
        restoreSidecars(init.slice(0, index), record, actions)
        return initialized
      }
      const reason = reasonToKill(container, run)
      if (reason) {
        actions.kill.push({ run, container, probe: reason.probe, message: `Init container ${reason.text}` })
        actions.startInit.push(container)
      } else if (container.startupProbe && run.startupProbe !== 'success') {
        if (!before) return initialized
      } else if (index === init.length - 1) {
        initialized = true
      } else if (!before) {
        addNext(init, index, record, actions)
      }
    } else if (sidecar) {
      actions.startInit.push(container)
    } else if (run.exit?.exitCode !== 0) {
      if (!restartsAfter(pod, container, run.exit?.exitCode ?? 1)) {
        actions.killPod = true
        actions.startInit = []
        return false
      }
      actions.startInit.push(container)
      return initialized
    } else if (index === init.length - 1) {
      initialized = true
    } else {
      addNext(init, index, record, actions)
    }
    // Sidecars before this one are looked after too; a finished init container ends the search.
    if (!before && !sidecar) {
      restoreSidecars(init.slice(0, index), record, actions)
      break
    }
  }
  const none = init.every(({ name }) => !latestRun(record, name))
  if (none && init[0]) actions.startInit = [init[0]]
  actions.startInit = init.filter((container) => actions.startInit.includes(container))
  return initialized
}

function addNext(init: Container[], index: number, record: PodRecord, actions: PodActions): void {
  const next = init[index + 1]
  if (next && !latestRun(record, next.name)) actions.startInit.push(next)
}

function restoreSidecars(earlier: Container[], record: PodRecord, actions: PodActions): void {
  for (const container of earlier) {
    const run = latestRun(record, container.name)
    if (!isSidecar(container) || !run) continue
    if (stateOf(run) === 'exited') actions.startInit.push(container)
    const reason = stateOf(run) === 'running' ? reasonToKill(container, run) : undefined
    if (!reason) continue
    actions.kill.push({ run, container, probe: reason.probe, message: `Init container ${reason.text}` })
    actions.startInit.push(container)
  }
}

function reasonToKill(
  container: Container,
  run: ContainerRun,
): { text: string; probe?: 'livenessProbe' | 'startupProbe'; always?: boolean; resize?: boolean } | undefined {
  if (container.image !== run.specImage) return { text: `${container.name} definition changed`, always: true }
  if (needsRestart(container, run)) return { text: `${container.name} resize requires restart`, always: true, resize: true }
  if (run.livenessProbe === 'failure') return { text: `${container.name} failed liveness probe`, probe: 'livenessProbe' }
  if (run.startupProbe === 'failure') return { text: `${container.name} failed startup probe`, probe: 'startupProbe' }
  return undefined
}
