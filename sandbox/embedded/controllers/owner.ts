import type { ClusterContext } from '../machinery/context.ts'
import { isApiError, isNotFound } from '../machinery/errors.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import { orphanIn, podController } from '../machinery/pod-indexes.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { OwnerReference } from '../schema/types/meta.v1.ts'

/** The reference of the controller that manages the object, if one does. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller)
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid
}

/** A reference that makes owner the managing controller of whatever carries it. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

/** namespace/name, the key of an object in work queues; only the name for a cluster's own. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name}` : (name ?? '')
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** The Pods that the owner controls, and those that it might adopt as nobody does, in the order of their names. */
export function candidatePods(context: ClusterContext, { metadata }: KubeObject): readonly Pod[] {
  const own = context.cache.indexed<Pod>(resources.pods, podController, metadata.uid ?? '')
  const orphans = context.cache.indexed<Pod>(resources.pods, podController, orphanIn(metadata.namespace))
  return orphans.length === 0 ? own : [...own, ...orphans].sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
}

/**
 * Which of the candidates the controller owns, after adopting matching orphans and releasing what it owns but no longer
 * matches (BaseControllerRefManager.ClaimObject).
 *
 * @param finalizer put on what is adopted, and taken from what is released
 */
export async function claim<T extends KubeObject>(
  context: ClusterContext,
  owner: KubeObject,
  resource: Resource,
  candidates: readonly T[],
  matches: (candidate: T) => boolean,
  finalizer?: string,
): Promise<T[]> {
  const claimed: T[] = []
  const errors: unknown[] = []
  for (const candidate of candidates) {
    try {
      // most are its own, and stay so: nothing is waited for
      const reference = controllerOf(candidate)
      if (reference && reference.uid === owner.metadata.uid && matches(candidate)) {
        claimed.push(candidate)
        continue
      }
      const own = await claimOne(context, owner, resource, candidate, matches, finalizer)
      if (own) claimed.push(own)
    } catch (error) {
      if (!isNotFound(error)) errors.push(error)
    }
  }
  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) throw new AggregateError(errors, 'several objects could not be claimed')
  return claimed
}

async function claimOne<T extends KubeObject>(
  context: ClusterContext,
  owner: KubeObject,
  resource: Resource,
  candidate: T,
  matches: (candidate: T) => boolean,
  finalizer: string | undefined,
): Promise<T | undefined> {
  const reference = controllerOf(candidate)
  if (reference) {
    if (reference.uid !== owner.metadata.uid) return undefined
    if (!owner.metadata.deletionTimestamp) await release(context, owner, resource, candidate, finalizer)
    return undefined
  }
  if (owner.metadata.deletionTimestamp || candidate.metadata.deletionTimestamp || !matches(candidate)) return undefined
  const references = [...(candidate.metadata.ownerReferences ?? []), controllerReference(owner)]
  const finalizers = finalizer && [...(candidate.metadata.finalizers ?? []).filter((one) => one !== finalizer), finalizer]
  return await patchOwners<T>(context, resource, candidate, { ownerReferences: references, ...(finalizers && { finalizers }) })
}

async function release(
  context: ClusterContext,
  owner: KubeObject,
  resource: Resource,
  candidate: KubeObject,
  finalizer: string | undefined,
): Promise<void> {
  const references = (candidate.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid)
  const finalizers = finalizer ? (candidate.metadata.finalizers ?? []).filter((one) => one !== finalizer) : undefined
  const patch = {
    ownerReferences: references.length > 0 ? references : null,
    ...(finalizers && { finalizers: finalizers.length > 0 ? finalizers : null }),
  }
  try {
    await patchOwners(context, resource, candidate, patch)
  } catch (error) {
    // Gone, or deleted and made anew under the same name: either way no longer ours.
    if (!isNotFound(error) && !isApiError(error, 'Invalid')) throw error
  }
}

function patchOwners<T extends KubeObject>(
  context: ClusterContext,
  resource: Resource,
  object: KubeObject,
  change: { ownerReferences: OwnerReference[] | null; finalizers?: string[] | null },
): Promise<T> {
  const { name, namespace, uid, resourceVersion } = object.metadata
  const patch = { metadata: { uid, resourceVersion, ...change } }
  return context.client.patch<T>(resource, name ?? '', patch, 'merge', { namespace })
}

/**
 * Calls enqueue with each owner whose Pods a change touches: the managing controller of the Pod before and after, and for an
 * orphan every owner that might adopt it.
 */
export function watchPodsOf<T extends KubeObject>(
  context: ClusterContext,
  owner: { resource: Resource; kind: string; matches: (owner: T, pod: Pod) => boolean },
  enqueue: (owner: T) => void,
): Disposable {
  const resolve = (pod: Pod) => {
    const reference = controllerOf(pod)
    if (reference?.kind !== owner.kind) return
    const found = context.cache.get<T>(owner.resource, reference.name, pod.metadata.namespace)
    if (found && found.metadata.uid === reference.uid) enqueue(found)
  }
  return context.cache.watch<Pod>(resources.pods, ({ type, object, previous }) => {
    resolve(object)
    if (previous && controllerOf(previous)?.uid !== controllerOf(object)?.uid) resolve(previous)
    if (controllerOf(object) || type === 'DELETED' || object.metadata.deletionTimestamp) return
    for (const candidate of context.cache.list<T>(owner.resource, object.metadata.namespace)) {
      if (owner.matches(candidate, object)) enqueue(candidate)
    }
  })
}
