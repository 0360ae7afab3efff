import type { KubeObject } from '../machinery/object.ts'
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../schema/types/apps.v1.ts'
import type { HorizontalPodAutoscaler } from '../schema/types/autoscaling.v2.ts'
import type { CronJob, Job } from '../schema/types/batch.v1.ts'
import type { ContainerStatus, Node, PersistentVolume, PersistentVolumeClaim, Pod, ResourceQuota } from '../schema/types/core.v1.ts'
import type { EndpointSlice } from '../schema/types/discovery.v1.ts'
import type { PodDisruptionBudget } from '../schema/types/policy.v1.ts'

export type Facet = string | number

/** What of an object a story follows: by name of the facet, its value now. */
export function facetsOf(object: KubeObject): Record<string, Facet> {
  const facets: Record<string, Facet | undefined> = { ...statusOf(object), ...conditionsOf(object) }
  const { finalizers } = object.metadata
  if (finalizers && finalizers.length > 0 && object.kind !== 'PersistentVolumeClaim') facets['finalizers'] = finalizers.join(', ')
  return Object.fromEntries(Object.entries(facets).filter((entry): entry is [string, Facet] => entry[1] !== undefined))
}

type Facets = Record<string, Facet | undefined>

function statusOf(object: KubeObject): Facets {
  switch (object.kind) {
    case 'Pod':
      return podFacets(object as Pod)
    case 'Deployment':
    case 'ReplicaSet':
    case 'StatefulSet':
    case 'ReplicationController':
      return replicaFacets(object as Deployment | ReplicaSet | StatefulSet)
    case 'DaemonSet':
      return numbersOf((object as DaemonSet).status, ['observedGeneration'])
    case 'Job':
      return jobFacets(object as Job)
    case 'CronJob':
      return { active: (object as CronJob).status?.active?.length ?? 0 }
    case 'PersistentVolumeClaim':
      return claimFacets(object as PersistentVolumeClaim)
    case 'PersistentVolume':
      return { phase: (object as PersistentVolume).status?.phase, claim: (object as PersistentVolume).spec?.claimRef?.name }
    case 'HorizontalPodAutoscaler':
      return numbersOf((object as HorizontalPodAutoscaler).status, ['observedGeneration'])
    case 'PodDisruptionBudget':
      return numbersOf((object as PodDisruptionBudget).status, ['observedGeneration'])
    case 'ResourceQuota':
      return Object.fromEntries(Object.entries((object as ResourceQuota).status?.used ?? {}).map(([name, used]) => [`used ${name}`, used]))
    case 'EndpointSlice':
      return endpointFacets(object as EndpointSlice)
    case 'Node':
      return nodeFacets(object as Node)
    default:
      return {}
  }
}

function podFacets({ spec, status }: Pod): Facets {
  const facets: Facets = { phase: [status?.phase, status?.reason, status?.message].filter(Boolean).join(': ') }
  facets['node'] = spec?.nodeName && 'assigned'
  facets['nominated'] = status?.nominatedNodeName && 'yes'
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status ?? {}
  for (const container of [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses]) {
    facets[`container ${container.name}`] = stateOf(container)
    facets[`ready ${container.name}`] = String(container.ready)
    if (container.started !== undefined) facets[`started ${container.name}`] = String(container.started)
  }
  return facets
}

function stateOf({ state, restartCount }: ContainerStatus): string {
  const { waiting, running, terminated } = state ?? {}
  const after = restartCount > 0 ? `, restart ${restartCount}` : ''
  if (running) return `running${after}`
  if (terminated)
    return `terminated ${[terminated.reason, terminated.exitCode, terminated.message].filter((part) => part !== undefined).join(' ')}${after}`
  return `waiting ${waiting?.reason ?? ''}${after}`
}

function replicaFacets({ status, metadata }: Deployment | ReplicaSet | StatefulSet): Facets {
  const { collisionCount: _collisions, ...counts } = numbersOf(status, ['observedGeneration'])
  return { ...counts, revision: metadata.annotations?.['deployment.kubernetes.io/revision'] }
}

function jobFacets({ status }: Job): Facets {
  const ended = status?.conditions?.some((condition) => ['Complete', 'Failed'].includes(condition.type) && condition.status === 'True')
  return {
    ...numbersOf(status, ['ready']),
    ...(ended && { completedIndexes: status?.completedIndexes, failedIndexes: status?.failedIndexes }),
    completed: status?.completionTime && 'yes',
  }
}

function claimFacets({ status, metadata }: PersistentVolumeClaim): Facets {
  return {
    phase: status?.phase,
    capacity: status?.capacity?.['storage'],
    owners: metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`).join(', '),
  }
}

function endpointFacets({ endpoints }: EndpointSlice): Facets {
  const count = (condition: 'ready' | 'serving' | 'terminating') =>
    (endpoints ?? []).filter(({ conditions }) => conditions?.[condition]).length
  return { endpoints: endpoints?.length ?? 0, ready: count('ready'), serving: count('serving'), terminating: count('terminating') }
}

function nodeFacets({ spec }: Node): Facets {
  return {
    unschedulable: String(spec?.unschedulable ?? false),
    taints: (spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).join(', '),
  }
}

function numbersOf(status: object | undefined, without: readonly string[]): Facets {
  return Object.fromEntries(Object.entries(status ?? {}).filter(([name, value]) => typeof value === 'number' && !without.includes(name)))
}

interface Condition {
  type: string
  status: string
  reason?: string
  message?: string
}

function conditionsOf(object: KubeObject): Facets {
  const { conditions = [] } = (object as { status?: { conditions?: Condition[] } }).status ?? {}
  return Object.fromEntries(
    conditions.map(({ type, status, reason, message }) => [`condition ${type}`, [status, reason, message].filter(Boolean).join(' | ')]),
  )
}
