import { cleanupFinalizer } from '../crd/establish.ts'
import { copyOf } from '../machinery/copy.ts'
import { ApiError, type Status } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { CustomResourceDefinition } from '../schema/types/apiextensions.v1.ts'
import type { Namespace, Pod } from '../schema/types/core.v1.ts'
import { prepareServed, readServed, served } from './conversion.ts'
import { timestamp } from './object-meta.ts'
import type { DeletionOptions } from './options.ts'
import { keyOf, tableOf } from './resources.ts'
import type { Rest, WriteRequest } from './rest.ts'
import type { Selection } from './selection.ts'

/** What a deletion came to: the object as it was last, and whether it is gone now or only marked. */
export interface Deletion {
  object: KubeObject
  gone: boolean
}

const orphan = 'orphan'
const foreground = 'foregroundDeletion'

/**
 * Deletes one object as apiserver's generic registry does: with preconditions, grace (pods), and finalizers, which keep
 * a marked object until they are taken. Rejects with ApiError.
 */
export async function deleteObject(rest: Rest, request: WriteRequest, options: DeletionOptions): Promise<Deletion> {
  const { info, namespace, name } = request
  const { store } = rest
  const table = tableOf(info)
  const key = keyOf(info, namespace, name)
  for (;;) {
    const stored = store.get(table, key)
    if (!stored) throw ApiError.notFound(info, name)
    const object = await readServed(info, stored)
    checkPreconditions(info, object, options)
    await rest.admitDelete(request, object)
    if (store.get(table, key) !== stored) continue
    const next = copyOf(stored)
    const outcome = isNamespace(info)
      ? markNamespace(rest, next, options)
      : isDefinition(info) && !next.metadata.deletionTimestamp
        ? markDefinition(rest, next as CustomResourceDefinition)
        : mark(rest, info, next, options)
    if (outcome === 'pending') return { object, gone: false }
    const changed = outcome !== 'now'
    if (request.dryRun) return { object: changed ? await readServed(info, next) : object, gone: outcome !== 'wait' }
    const written = changed ? store.put(table, key, next) : stored
    if (outcome !== 'wait') store.remove(table, key)
    return { object: await readServed(info, written), gone: outcome !== 'wait' }
  }
}

/** Of a collection in one turn of the event loop. */
const deletedAtOnce = 8

/** Deletes what is selected and resolves with the objects as they were left. Rejects with the first ApiError but NotFound. */
export async function deleteCollection(
  rest: Rest,
  request: WriteRequest,
  options: DeletionOptions,
  selection: Selection,
): Promise<KubeObject[]> {
  const { info, namespace } = request
  const stored = rest.store.list(tableOf(info), info.namespaced && namespace ? namespace : undefined)
  await prepareServed(info, stored)
  const objects = stored.map((object) => served(info, object)).filter((object) => selection.matches(object))
  const deleted: KubeObject[] = []
  for (const [index, object] of objects.entries()) {
    if (index > 0 && index % deletedAtOnce === 0) await rest.clock.during(rest.clock.turn())
    const one = { ...request, name: object.metadata.name as string, namespace: object.metadata.namespace ?? '' }
    try {
      deleted.push((await deleteObject(rest, one, { ...options })).object)
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'NotFound')) throw error
    }
  }
  return deleted
}

/** The body of a successful deletion: the object for kinds that answer with it or while it waits, else a Status about it. */
export function deletionAnswer(info: ResourceInfo, { object, gone }: Deletion): KubeObject | Status {
  if (!gone || answersWithObject.has(tableOf(info))) return object
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name as string,
      ...(info.group ? { group: info.group } : {}),
      kind: info.resource,
      uid: object.metadata.uid as string,
    },
  }
}

/** Kinds whose registry upstream has ReturnDeletedObject set. */
const answersWithObject = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'namespaces',
  'persistentvolumes',
  'persistentvolumeclaims',
  'podtemplates',
  'resourcequotas',
  'storageclasses.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'volumeattributesclasses.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'resourceclaims.resource.k8s.io',
  'resourceclaimtemplates.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'deviceclasses.resource.k8s.io',
])

/** now: nothing to write, remove. write: write the mark, then remove. wait: write the mark and keep. pending: it waits already. */
type Outcome = 'now' | 'write' | 'wait' | 'pending'

function mark(rest: Rest, info: ResourceInfo, next: KubeObject, options: DeletionOptions): Outcome {
  const graceful = info.group === '' && info.resource === 'pods' ? markGraceful(rest, next as Pod, options) : 'no'
  if (graceful === 'pending') return 'pending'
  const finalizersChanged = setCollectionFinalizers(info, next, options)
  const finalizers = next.metadata.finalizers?.length ?? 0
  if (graceful === 'no') {
    if (finalizers === 0) return 'now'
    const marked = markAsDeleting(rest, next)
    return marked || finalizersChanged ? 'wait' : 'pending'
  }
  return finalizers > 0 || (next.metadata.deletionGracePeriodSeconds ?? 0) > 0 ? 'wait' : 'write'
}

/** A pod gets the time it asks for; a shorter time given later wins, a longer one doesn't. */
function markGraceful(rest: Rest, pod: Pod, options: DeletionOptions): 'yes' | 'no' | 'pending' {
  const { metadata } = pod
  const now = rest.clock.now()
  const given = options.gracePeriodSeconds
  if (metadata.deletionTimestamp) {
    const current = metadata.deletionGracePeriodSeconds ?? 0
    if (current === 0) return 'no'
    if (given === undefined) return 'pending'
    let period = given < 0 ? 1 : given
    if (period >= current) return 'pending'
    let end = Date.parse(metadata.deletionTimestamp) - current * 1000 + period * 1000
    if (end < now) {
      end = now
      if (period !== 0) period = 1
    }
    metadata.deletionTimestamp = timestamp(end)
    metadata.deletionGracePeriodSeconds = period
    return 'yes'
  }
  let period = given ?? pod.spec?.terminationGracePeriodSeconds ?? 0
  const phase = pod.status?.phase
  if (!pod.spec?.nodeName || phase === 'Failed' || phase === 'Succeeded') period = 0
  if (period < 0) period = 1
  metadata.deletionTimestamp = timestamp(now + period * 1000)
  metadata.deletionGracePeriodSeconds = period
  if (metadata.generation) metadata.generation++
  return 'yes'
}

function markAsDeleting(rest: Rest, next: KubeObject): boolean {
  const { metadata } = next
  if (metadata.deletionTimestamp && metadata.deletionGracePeriodSeconds === 0) return false
  if (!metadata.deletionTimestamp && metadata.generation) metadata.generation++
  const now = timestamp(rest.clock.now())
  if (!metadata.deletionTimestamp || metadata.deletionTimestamp > now) metadata.deletionTimestamp = now
  metadata.deletionGracePeriodSeconds = 0
  return true
}

function markNamespace(rest: Rest, next: KubeObject, options: DeletionOptions): Outcome {
  const namespace = next as Namespace
  if (namespace.metadata.deletionTimestamp) {
    if (namespace.spec?.finalizers?.length) return 'pending'
    return namespace.metadata.finalizers?.length ? 'pending' : 'now'
  }
  namespace.metadata.deletionTimestamp = timestamp(rest.clock.now())
  namespace.status = { ...namespace.status, phase: 'Terminating' }
  const policy = options.propagationPolicy
  if (policy === 'Orphan' || policy === 'Foreground') setFinalizer(namespace, policy === 'Orphan' ? orphan : foreground)
  return 'wait'
}

/** Whatever is asked for: first its objects go. */
function markDefinition(rest: Rest, definition: CustomResourceDefinition): Outcome {
  const now = timestamp(rest.clock.now())
  definition.metadata.deletionTimestamp = now
  if (!definition.metadata.finalizers?.includes(cleanupFinalizer)) setFinalizer(definition, cleanupFinalizer)
  const pending = {
    type: 'Terminating',
    status: 'True',
    lastTransitionTime: now,
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  }
  const others = definition.status?.conditions?.filter(({ type }) => type !== pending.type) ?? []
  definition.status = { ...definition.status, conditions: [...others, pending] } as NonNullable<CustomResourceDefinition['status']>
  return 'wait'
}

/** The garbage collector reads from these finalizers what is to become of dependents. */
function setCollectionFinalizers(info: ResourceInfo, next: KubeObject, options: DeletionOptions): boolean {
  // events have no dependents
  if (info.resource === 'events' && (info.group === '' || info.group === 'events.k8s.io')) return false
  const before = next.metadata.finalizers ?? []
  const policy =
    options.propagationPolicy ??
    (before.includes(orphan) ? 'Orphan' : before.includes(foreground) ? 'Foreground' : orphansByDefault(info) ? 'Orphan' : 'Background')
  const wanted = policy === 'Orphan' ? orphan : policy === 'Foreground' ? foreground : undefined
  if (before.includes(orphan) === (wanted === orphan) && before.includes(foreground) === (wanted === foreground)) return false
  next.metadata.finalizers = before.filter((name) => name !== orphan && name !== foreground)
  if (wanted) setFinalizer(next, wanted)
  if (next.metadata.finalizers.length === 0) delete next.metadata.finalizers
  return true
}

function setFinalizer(object: KubeObject, name: string): void {
  object.metadata.finalizers = [...(object.metadata.finalizers ?? []), name]
}

/** Kinds older than the garbage collector keep their dependents unless they are told otherwise. */
function orphansByDefault(info: ResourceInfo): boolean {
  return (info.group === 'batch' && info.resource === 'jobs') || (info.group === '' && info.resource === 'replicationcontrollers')
}

function checkPreconditions(info: ResourceInfo, { metadata }: KubeObject, { preconditions }: DeletionOptions): void {
  const plain = isNamespace(info) || isDefinition(info)
  const about = { group: info.storage.group, resource: plain ? info.resource : info.kind }
  if (preconditions?.uid !== undefined && preconditions.uid !== metadata.uid) {
    const why = plain
      ? `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${metadata.uid}`
      : `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`
    throw ApiError.conflict(about, metadata.name ?? '', why)
  }
  const { resourceVersion } = preconditions ?? {}
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = plain
      ? `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`
      : `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`
    throw ApiError.conflict(about, metadata.name ?? '', why)
  }
}

function isDefinition(info: ResourceInfo): boolean {
  return tableOf(info) === 'customresourcedefinitions.apiextensions.k8s.io'
}

function isNamespace(info: ResourceInfo): boolean {
  return info.group === '' && info.resource === 'namespaces'
}
