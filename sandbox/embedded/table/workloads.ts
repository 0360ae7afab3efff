import { horizontalPodAutoscalerConversion } from '../registry/rules/autoscaling.ts'
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../schema/types/apps.v1.ts'
import type { HorizontalPodAutoscaler as HpaV1, Scale } from '../schema/types/autoscaling.v1.ts'
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../schema/types/autoscaling.v2.ts'
import type { CronJob, Job } from '../schema/types/batch.v1.ts'
import type { PodTemplate, ReplicationController } from '../schema/types/core.v1.ts'
import type { PodDisruptionBudget } from '../schema/types/policy.v1.ts'
import { type Age, type Cell, type CellsOf, containerCells, humanDuration, labelsText, nameOf, orNone, selectorText } from './cell.ts'

export const workloadCells: Record<string, CellsOf> = {
  'apps/v1/deployments': (object: Deployment, age: Age) => [
    nameOf(object),
    `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
    object.status?.updatedReplicas ?? 0,
    object.status?.availableReplicas ?? 0,
    age(object.metadata.creationTimestamp),
    ...containerCells(object.spec?.template.spec?.containers),
    selectorText(object.spec?.selector),
  ],
  'apps/v1/replicasets': (object: ReplicaSet, age: Age) => [
    ...replicaCells(object, age),
    ...containerCells(object.spec?.template?.spec?.containers),
    selectorText(object.spec?.selector),
  ],
  'v1/replicationcontrollers': (object: ReplicationController, age: Age) => [
    ...replicaCells(object, age),
    ...containerCells(object.spec?.template?.spec?.containers),
    labelsText(object.spec?.selector),
  ],
  'apps/v1/statefulsets': (object: StatefulSet, age: Age) => [
    nameOf(object),
    `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
    age(object.metadata.creationTimestamp),
    ...containerCells(object.spec?.template.spec?.containers),
  ],
  'apps/v1/daemonsets': ({ spec, status, metadata }: DaemonSet, age: Age) => [
    metadata.name ?? '',
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    labelsText(spec?.template.spec?.nodeSelector),
    age(metadata.creationTimestamp),
    ...containerCells(spec?.template.spec?.containers),
    selectorText(spec?.selector),
  ],
  'apps/v1/controllerrevisions': ({ metadata, revision }: ControllerRevision, age: Age) => {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller)
    const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''
    return [
      metadata.name ?? '',
      owner ? `${owner.kind.toLowerCase()}${group}/${owner.name}` : '<none>',
      revision ?? 0,
      age(metadata.creationTimestamp),
    ]
  },
  'v1/podtemplates': ({ metadata, template }: PodTemplate) => [
    metadata.name ?? '',
    ...containerCells(template?.spec?.containers),
    labelsText(template?.metadata?.labels),
  ],
  'batch/v1/jobs': jobCells,
  'batch/v1/cronjobs': ({ spec, status, metadata }: CronJob, age: Age) => [
    metadata.name ?? '',
    spec?.schedule ?? '',
    orNone(spec?.timeZone),
    spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False',
    status?.active?.length ?? 0,
    status?.lastScheduleTime ? age(status.lastScheduleTime) : '<none>',
    age(metadata.creationTimestamp),
    ...containerCells(spec?.jobTemplate.spec?.template.spec?.containers),
    selectorText(spec?.jobTemplate.spec?.selector),
  ],
  'autoscaling/v1/scales': ({ metadata, spec, status }: Scale, age: Age) => [
    metadata.name ?? '',
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    age(metadata.creationTimestamp),
  ],
  'autoscaling/v2/horizontalpodautoscalers': hpaCells,
  'autoscaling/v1/horizontalpodautoscalers': (object: HpaV1, age: Age) =>
    hpaCells(horizontalPodAutoscalerConversion.toStorage(object) as unknown as HorizontalPodAutoscaler, age),
  'policy/v1/poddisruptionbudgets': ({ spec, status, metadata }: PodDisruptionBudget, age: Age) => [
    metadata.name ?? '',
    String(spec?.minAvailable ?? 'N/A'),
    String(spec?.maxUnavailable ?? 'N/A'),
    status?.disruptionsAllowed ?? 0,
    age(metadata.creationTimestamp),
  ],
}

function replicaCells({ spec, status, metadata }: ReplicaSet | ReplicationController, age: Age): Cell[] {
  return [metadata.name ?? '', spec?.replicas ?? 0, status?.replicas ?? 0, status?.readyReplicas ?? 0, age(metadata.creationTimestamp)]
}

function jobCells({ spec, status, metadata }: Job, age: Age): Cell[] {
  const has = (type: string) => status?.conditions?.some((condition) => condition.type === type && condition.status === 'True')
  const state = ['Complete', 'Failed'].find(has) ?? (metadata.deletionTimestamp ? 'Terminating' : undefined)
  const rest = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running'
  const succeeded = status?.succeeded ?? 0
  const parallelism = spec?.parallelism ?? 0
  const { startTime, completionTime } = status ?? {}
  return [
    metadata.name ?? '',
    state ?? rest,
    spec?.completions !== undefined
      ? `${succeeded}/${spec.completions}`
      : parallelism > 1
        ? `${succeeded}/1 of ${parallelism}`
        : `${succeeded}/1`,
    !startTime ? '' : completionTime ? humanDuration(Date.parse(completionTime) - Date.parse(startTime)) : age(startTime),
    age(metadata.creationTimestamp),
    ...containerCells(spec?.template.spec?.containers),
    selectorText(spec?.selector),
  ]
}

function hpaCells({ spec, status, metadata }: HorizontalPodAutoscaler, age: Age): Cell[] {
  const metrics = spec?.metrics ?? []
  const texts = metrics.map((metric, index) => metricText(metric, status?.currentMetrics?.[index]))
  const shown = texts.slice(0, 2).join(', ')
  return [
    metadata.name ?? '',
    `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`,
    metrics.length === 0 ? '<none>' : metrics.length > 2 ? `${shown} + ${metrics.length - 2} more...` : shown,
    spec?.minReplicas === undefined ? '<unset>' : String(spec.minReplicas),
    spec?.maxReplicas ?? 0,
    status?.currentReplicas ?? 0,
    age(metadata.creationTimestamp),
  ]
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const resource = spec.resource ?? spec.containerResource
  const current = status?.resource?.current ?? status?.containerResource?.current
  if (resource) return `${resource.name}: ${utilization(resource.target, current)}`
  if (spec.pods) return `${status?.pods?.current.averageValue ?? '<unknown>'}/${spec.pods.target.averageValue}`
  const target = spec.object?.target ?? spec.external?.target
  const value = status?.object?.current ?? status?.external?.current
  if (!target) return '<unknown type>'
  if (target.averageValue !== undefined) return `${value?.averageValue ?? '<unknown>'}/${target.averageValue} (avg)`
  return `${value?.value ?? '<unknown>'}/${target.value}`
}

function utilization(target: MetricTarget, current: MetricValueStatus | undefined): string {
  if (target.averageValue !== undefined) return `${current?.averageValue ?? '<unknown>'}/${target.averageValue}`
  const percent = (value: number | undefined, none: string) => (value === undefined ? none : `${value}%`)
  return `${percent(current?.averageUtilization, '<unknown>')}/${percent(target.averageUtilization, '<auto>')}`
}
