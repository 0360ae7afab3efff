import type { Deployment, StatefulSet } from '../../schema/types/apps.v1.ts'
import type { Job } from '../../schema/types/batch.v1.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'

/** What stories wait for. */

/** The rollout of the present template is done: every replica is of it, and available. */
export function rolledOut(scene: Scene, name: string): () => boolean {
  return () => {
    const deployment = scene.one<Deployment>('Deployment', name)
    if (!deployment) return false
    const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, observedGeneration = 0 } = deployment.status ?? {}
    const wanted = deployment.spec?.replicas ?? 0
    const seen = observedGeneration >= (deployment.metadata.generation ?? 0)
    return seen && [replicas, updatedReplicas, availableReplicas].every((count) => count === wanted)
  }
}

export function conditionIs(
  scene: Scene,
  kind: 'Deployment' | 'Job' | 'Pod' | 'ReplicationController',
  name: string,
  type: string,
  status: string,
  reason?: string,
): () => boolean {
  return () => {
    const conditions = scene.one<Deployment | Job | Pod>(kind, name)?.status?.conditions ?? []
    return conditions.some(
      (condition) => condition.type === type && condition.status === status && (!reason || condition.reason === reason),
    )
  }
}

/** As many Pods as given, all ready and none ending. */
export function podsReady(scene: Scene, count: number): () => boolean {
  return () => {
    const pods = scene.all<Pod>('Pod')
    return pods.length === count && pods.every((pod) => isReady(pod) && !pod.metadata.deletionTimestamp)
  }
}

export function podReady(scene: Scene, name: string): () => boolean {
  return () => isReady(scene.one<Pod>('Pod', name))
}

export function podPhase(scene: Scene, name: string, phase: string): () => boolean {
  return () => scene.one<Pod>('Pod', name)?.status?.phase === phase
}

export function podGone(scene: Scene, name: string): () => boolean {
  return () => scene.one<Pod>('Pod', name) === undefined
}

/** The container has begun again so many times, and what it waits for, if that is given. */
export function restarted(scene: Scene, pod: string, times: number, waiting?: string): () => boolean {
  return () => {
    const container = scene.one<Pod>('Pod', pod)?.status?.containerStatuses?.[0]
    return container?.restartCount === times && (!waiting || container.state?.waiting?.reason === waiting)
  }
}

/** Every replica of a StatefulSet is there, ready and of the newest revision. */
export function settled(scene: Scene, name: string): () => boolean {
  return () => {
    const set = scene.one<StatefulSet>('StatefulSet', name)
    if (!set) return false
    const { replicas = 0, readyReplicas = 0, observedGeneration = 0, currentRevision, updateRevision } = set.status ?? {}
    const wanted = set.spec?.replicas ?? 0
    const seen = observedGeneration >= (set.metadata.generation ?? 0)
    return seen && replicas === wanted && readyReplicas === wanted && currentRevision === updateRevision
  }
}

function isReady(pod: Pod | undefined): boolean {
  return pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}
