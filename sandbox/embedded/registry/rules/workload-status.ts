import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../schema/types/apps.v1.ts'
import type { ReplicationController } from '../../schema/types/core.v1.ts'
import { type FieldError, invalid, Path } from '../field.ts'
import { validateNonnegative } from '../metadata.ts'

type Counts = Record<string, unknown>

const path = new Path('status')

/** Source: ValidateDeploymentStatusUpdate in pkg/apis/apps/validation. */
export function validateDeploymentStatus({ status = {} }: Deployment, old: Deployment): FieldError[] {
  return [
    ...notBelowZero(status, ['observedGeneration', 'replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas']),
    ...notBelowZero(status, ['unavailableReplicas', 'terminatingReplicas', 'collisionCount']),
    ...notAbove(status, ['updatedReplicas', 'readyReplicas', 'availableReplicas'], 'replicas', 'status.replicas'),
    ...notAbove(status, ['availableReplicas'], 'readyReplicas', 'readyReplicas'),
    ...notFewer(status, old.status),
  ]
}

/** Source: ValidateReplicaSetStatus in pkg/apis/apps/validation, and of replication controllers in pkg/apis/core/validation. */
export function validateReplicaStatus({ status }: ReplicaSet | ReplicationController): FieldError[] {
  const counts: Counts = { ...status }
  return [
    ...notBelowZero(counts, ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration']),
    ...notBelowZero(counts, ['terminatingReplicas']),
    ...notAbove(counts, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'], 'replicas', 'status.replicas'),
    ...notAbove(counts, ['availableReplicas'], 'readyReplicas', 'readyReplicas'),
  ]
}

/** Source: ValidateStatefulSetStatusUpdate in pkg/apis/apps/validation. */
export function validateStatefulSetStatus({ status }: StatefulSet, old: StatefulSet): FieldError[] {
  const counts: Counts = { ...status }
  return [
    ...notBelowZero(counts, ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas']),
    ...notBelowZero(counts, ['observedGeneration', 'collisionCount']),
    ...notAbove(counts, ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'], 'replicas', 'status.replicas'),
    ...notAbove(counts, ['availableReplicas'], 'readyReplicas', 'status.readyReplicas'),
    ...notFewer(counts, old.status),
  ]
}

/** Source: ValidateDaemonSetStatusUpdate in pkg/apis/apps/validation. */
export function validateDaemonSetStatus({ status }: DaemonSet, old: DaemonSet): FieldError[] {
  const counts: Counts = { ...status }
  return [
    ...notBelowZero(counts, ['currentNumberScheduled', 'numberMisscheduled', 'desiredNumberScheduled', 'numberReady']),
    ...notBelowZero(counts, ['observedGeneration', 'updatedNumberScheduled', 'numberAvailable', 'numberUnavailable', 'collisionCount']),
    ...notFewer(counts, old.status),
  ]
}

/** Counts of a status, none of which may be less than none. */
export function notBelowZero(status: object, fields: readonly string[]): FieldError[] {
  return fields.flatMap((field) => validateNonnegative((status as Counts)[field] as number | undefined, path.child(field)))
}

function notAbove(status: object, fields: readonly string[], whole: string, called: string): FieldError[] {
  const count = (field: string) => Number((status as Counts)[field] ?? 0)
  return fields.flatMap((field) =>
    count(field) > count(whole) ? [invalid(path.child(field), count(field), `cannot be greater than ${called}`)] : [],
  )
}

/** Hashes that have met are not forgotten. */
function notFewer(status: object, old: object | undefined): FieldError[] {
  const [now, before] = [(status as Counts)['collisionCount'], (old as Counts | undefined)?.['collisionCount']]
  if (before === undefined || (now !== undefined && Number(now) >= Number(before))) return []
  return [invalid(path.child('collisionCount'), now ?? 0, 'cannot be decremented')]
}
