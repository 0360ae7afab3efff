import { copyOf } from '../../machinery/copy.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { Definition } from '../define.ts'
import { defaultPod } from '../pod-defaults.ts'
import { validatePod, validatePodCreate, validatePodUpdate } from '../pod-validation.ts'
import { podWarnings } from '../pod-warnings.ts'
import { qosClass } from '../qos.ts'

/** pkg/registry/core/pod/strategy.go. */
export const podRules: Partial<Definition<Pod>> = {
  default: defaultPod,
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
    pod.spec = copyOf(old.spec)
    const { labels, annotations, ownerReferences } = old.metadata
    pod.metadata.deletionTimestamp = old.metadata.deletionTimestamp
    if (pod.metadata.deletionTimestamp === undefined) delete pod.metadata.deletionTimestamp
    pod.metadata.labels ??= labels
    pod.metadata.annotations ??= annotations
    pod.metadata.ownerReferences = ownerReferences
    for (const key of ['labels', 'annotations', 'ownerReferences'] as const) if (pod.metadata[key] === undefined) delete pod.metadata[key]
    if (pod.status) pod.status.qosClass ??= old.status?.qosClass
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
