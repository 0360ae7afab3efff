/** Reading Kubernetes objects in a judge: typed, and never throwing for what is missing. */
import type { Deployment } from '../embedded/schema/types/apps.v1.ts'
import type { ConfigMap, Container, Pod } from '../embedded/schema/types/core.v1.ts'
import type { EndpointSlice } from '../embedded/schema/types/discovery.v1.ts'
import type { ClusterRole, ClusterRoleBinding, RoleBinding } from '../embedded/schema/types/rbac.v1.ts'
import type { ObjectSelector, WatchedObject } from '../engine.ts'
import type { ProvingGround } from './kit.ts'

export type { ClusterRole, ClusterRoleBinding, ConfigMap, Container, Deployment, EndpointSlice, Pod, RoleBinding, WatchedObject }

/** An address of a Service as its EndpointSlices have it. */
export interface EndpointSeen {
  address: string
  /** Name of the Pod behind it; '' when the slice names none. */
  pod: string
  ready: boolean
  terminating: boolean
}

/** The objects of a query as the type they are; an empty list for a query without objects. */
export function as<T>(objects: readonly WatchedObject[] | undefined): readonly T[] {
  return (objects ?? []) as unknown as readonly T[]
}

export function findDeployment(objects: readonly WatchedObject[] | undefined, name: string): Deployment | undefined {
  return as<Deployment>(objects).find((one) => one.metadata.name === name)
}

export function endpointsOf(slices: readonly WatchedObject[] | undefined): EndpointSeen[] {
  return as<EndpointSlice>(slices).flatMap((slice) =>
    (slice.endpoints ?? []).flatMap(({ addresses, conditions, targetRef }) =>
      addresses.map((address) => ({
        address,
        pod: targetRef?.name ?? '',
        ready: conditions?.ready ?? true,
        terminating: conditions?.terminating ?? false,
      })),
    ),
  )
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
}

/** Of all its containers together. */
export function restartsOf(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, container) => sum + container.restartCount, 0)
}

/** A field manager that owns a field of an object. */
export interface FieldManager {
  manager: string
  operation: string
  /** '' unless the field was set through one. */
  subresource: string
}

/** Who owns a field ('spec', 'replicas'), by metadata.managedFields; an empty list for nobody. */
export function managersOf(object: { metadata: object } | undefined, ...path: readonly string[]): FieldManager[] {
  const managed = (object?.metadata as { managedFields?: ManagedFields[] } | undefined)?.managedFields ?? []
  return managed.flatMap(({ manager = '', operation = '', subresource = '', fieldsV1 }) => {
    let at: unknown = fieldsV1
    for (const part of path) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[`f:${part}`] : undefined
    return at === undefined ? [] : [{ manager, operation, subresource }]
  })
}

interface ManagedFields {
  manager?: string
  operation?: string
  subresource?: string
  fieldsV1?: unknown
}

/** The undo of what broke a process from inside: Pods that do not answer with 200 are deleted, for their controller to replace. */
export async function replaceBroken(ground: ProvingGround, pods: ObjectSelector & { namespace: string }, url: string): Promise<void> {
  for (const { metadata } of await ground.list(pods)) {
    if (metadata['deletionTimestamp']) continue
    const argv = ['curl', '-s', '-o', '/dev/null', '-m', '2', '-w', '%{http_code}', url]
    const { stdout } = await ground.exec(pods.namespace, metadata.name, argv)
    if (stdout === '200') continue
    await ground.api({ method: 'DELETE', path: `/api/v1/namespaces/${pods.namespace}/pods/${metadata.name}` })
  }
}
