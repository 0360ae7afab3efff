import { copyOf } from '../../machinery/copy.ts'
import type { Pod, PodStatus } from '../../schema/types/core.v1.ts'
import type { Definition } from '../define.ts'
import { defaultPod } from '../pod-defaults.ts'
import { validatePod, validatePodCreate, validatePodUpdate } from '../pod-validation.ts'
import { podWarnings } from '../pod-warnings.ts'
import { qosClass } from '../qos.ts'
import { validatePodStatus } from './pod-status.ts'

/** pkg/registry/core/pod/strategy.go. */
export const podRules: Partial<Definition<Pod>> = {
  validateStatus: validatePodStatus,
  sharesSpec: true,
  default(pod) {
    if (!Object.isFrozen(pod.spec)) defaultPod(pod)
    alignAddresses(pod.status)
  },
  prepareForCreate(pod, { now }) {
    pod.status = { phase: 'Pending', qosClass: qosClass(pod.spec!) }
    if (pod.spec?.schedulingGates?.length) {
      pod.status.conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          lastProbeTime: null,
          lastTransitionTime: now,
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
        },
      ] as never
    }
  },
  prepareForStatusUpdate(pod, old) {
    if (old.metadata.ownerReferences === undefined) delete pod.metadata.ownerReferences
    else pod.metadata.ownerReferences = copyOf(old.metadata.ownerReferences)
    if (!pod.status) return
    pod.status.qosClass ||= old.status?.qosClass
    keepObservedGenerations(pod.status, old.status)
  },
  podSpec: ({ spec }) => spec,
  validate: validatePod,
  validateCreate: validatePodCreate,
  validateUpdate: validatePodUpdate,
  warnings: (pod) => podWarnings(pod.spec, ''),
  fieldSelectors: {
    'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec?.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec?.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
}

/** The one address of older clients is the first of the list; where they differ the older field is believed. */
function alignAddresses(status: PodStatus | undefined): void {
  if (!status) return
  const [first] = status.podIPs ?? []
  if (status.podIP && first?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }]
  else if (!status.podIP && first) status.podIP = first.ip as string
}

/** Who leaves out which generation has been seen does not forget it. Of conditions of one type each keeps its own. */
function keepObservedGenerations(status: PodStatus, old: PodStatus | undefined): void {
  if (!status.observedGeneration && old?.observedGeneration) status.observedGeneration = old.observedGeneration
  const before = Map.groupBy(old?.conditions ?? [], ({ type }) => type)
  for (const condition of status.conditions ?? []) {
    const generation = before.get(condition.type)?.shift()?.observedGeneration
    if (!condition.observedGeneration && generation) condition.observedGeneration = generation
  }
}
