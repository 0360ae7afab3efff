import type { Change, ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import type { KubeObject, Resource } from '../machinery/object.ts'
import type { OwnerReference } from '../schema/types/meta.v1.ts'
import { semanticEqual } from './equality.ts'
import { WorkQueue } from './queue.ts'
import { kindOf, type StoredKind, watchEverything } from './resource-catalog.ts'

const component = 'garbage-collector-controller'
const foreground = 'foregroundDeletion'
const orphan = 'orphan'

/** Where an object lies. */
interface Place {
  readonly uid: string
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string
  readonly owners: readonly string[]
}

/** Deletes what has no owner left, lets go of what is to be orphaned, and makes owners wait for their dependents. */
export function startGarbageCollector(context: ClusterContext): Disposable {
  const collector = new GarbageCollector(context)
  return collector
}

class GarbageCollector implements Disposable {
  private readonly context: ClusterContext
  private readonly queue: WorkQueue
  private readonly stack = new DisposableStack()
  private readonly places = new Map<string, Place>()
  /** By the owner's uid. */
  private readonly dependents = new Map<string, Set<string>>()

  constructor(context: ClusterContext) {
    this.context = context
    this.queue = this.stack.use(new WorkQueue(context, (uid) => this.sync(uid), { name: component, workers: 20 }))
    this.stack.use(watchEverything(context, (kind, change) => this.observe(kind, change)))
  }

  [Symbol.dispose](): void {
    this.stack[Symbol.dispose]()
  }

  private observe({ resource, namespaced }: StoredKind, { type, object, previous }: Change): void {
    const { uid = '', namespace, name = '', ownerReferences = [], finalizers = [], deletionTimestamp } = object.metadata
    if (type === 'DELETED') {
      this.forget(uid)
      for (const dependent of this.dependents.get(uid) ?? []) this.queue.add(dependent)
      // An owner that waits for this one may go now.
      for (const owner of ownerReferences) if (this.places.has(owner.uid)) this.queue.add(owner.uid)
      return
    }
    if (type === 'ADDED' || !semanticEqual(ownerReferences, previous?.metadata.ownerReferences)) {
      this.forget(uid)
      const owners = ownerReferences.map((owner) => owner.uid)
      this.places.set(uid, { uid, resource, namespace: namespaced ? namespace : undefined, name, owners })
      for (const owner of owners) {
        const set = this.dependents.get(owner) ?? new Set()
        this.dependents.set(owner, set.add(uid))
      }
      if (owners.length > 0) this.queue.add(uid)
      for (const owner of previous?.metadata.ownerReferences ?? []) if (this.places.has(owner.uid)) this.queue.add(owner.uid)
    }
    const changed = deletionTimestamp !== previous?.metadata.deletionTimestamp || !semanticEqual(finalizers, previous?.metadata.finalizers)
    if (deletionTimestamp && changed && (finalizers.includes(foreground) || finalizers.includes(orphan))) this.queue.add(uid)
  }

  private forget(uid: string): void {
    for (const owner of this.places.get(uid)?.owners ?? []) {
      const set = this.dependents.get(owner)
      set?.delete(uid)
      if (set?.size === 0) this.dependents.delete(owner)
    }
    this.places.delete(uid)
  }

  private read(uid: string): { place: Place; object: KubeObject } | undefined {
    const place = this.places.get(uid)
    const object = place && this.context.cache.get<KubeObject>(place.resource, place.name, place.namespace)
    return place && object?.metadata.uid === uid ? { place, object } : undefined
  }

  private dependentsOf(uid: string): { place: Place; object: KubeObject }[] {
    return [...(this.dependents.get(uid) ?? [])].map((dependent) => this.read(dependent)).filter((found) => found !== undefined)
  }

  private async sync(uid: string): Promise<void> {
    const found = this.read(uid)
    if (!found) return
    const { deletionTimestamp, finalizers = [] } = found.object.metadata
    try {
      if (!deletionTimestamp) await this.collect(found.place, found.object)
      else if (finalizers.includes(orphan)) await this.orphanDependents(found.place, found.object)
      else if (finalizers.includes(foreground)) await this.deleteDependents(found.place, found.object)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  /** Deletes an object whose owners are all gone or going; from one that still has an owner, takes the references to the others. */
  private async collect(place: Place, object: KubeObject): Promise<void> {
    const references = object.metadata.ownerReferences ?? []
    if (references.length === 0) return
    const solid: OwnerReference[] = []
    const waiting: OwnerReference[] = []
    for (const reference of references) {
      const owner = this.ownerOf(reference, place)
      if (!owner) continue
      ;(waitsForDependents(owner) && reference.blockOwnerDeletion ? waiting : solid).push(reference)
    }
    if (solid.length > 0) {
      if (solid.length < references.length) await this.patch(place, object, { ownerReferences: solid })
      return
    }
    const { finalizers = [], uid, resourceVersion } = object.metadata
    const dependents = waiting.length > 0 ? this.dependentsOf(place.uid) : []
    const inForeground = finalizers.includes(foreground) || dependents.length > 0
    // Who waits for its own dependents to go may be a dependent of this one: in a circle nobody would ever be the first.
    if (dependents.some(({ object: dependent }) => waitsForDependents(dependent))) {
      const unblocked = references.map((reference) =>
        reference.blockOwnerDeletion ? { ...reference, blockOwnerDeletion: false } : reference,
      )
      await this.patch(place, object, { ownerReferences: unblocked })
    }
    const propagationPolicy = finalizers.includes(orphan) ? 'Orphan' : inForeground ? 'Foreground' : 'Background'
    // The version makes sure that no owner has come meanwhile.
    const preconditions = waiting.length > 0 ? { uid } : { uid, resourceVersion }
    await this.context.client.delete(place.resource, place.name, place.namespace, { propagationPolicy, preconditions })
  }

  private ownerOf(reference: OwnerReference, dependent: Place): KubeObject | undefined {
    const kind = kindOf(this.context, reference.apiVersion, reference.kind)
    if (!kind || (kind.namespaced && dependent.namespace === undefined)) return undefined
    const owner = this.context.cache.get<KubeObject>(kind.resource, reference.name, kind.namespaced ? dependent.namespace : undefined)
    return owner?.metadata.uid === reference.uid ? owner : undefined
  }

  private async orphanDependents(place: Place, object: KubeObject): Promise<void> {
    for (const dependent of this.dependentsOf(place.uid)) {
      const ownerReferences = dependent.object.metadata.ownerReferences?.filter((reference) => reference.uid !== place.uid)
      await this.patch(dependent.place, dependent.object, { ownerReferences: ownerReferences?.length ? ownerReferences : null })
    }
    await this.removeFinalizer(place, object, orphan)
  }

  /** Deletion in the foreground: the owner goes after the last dependent that blocks it. */
  private async deleteDependents(place: Place, object: KubeObject): Promise<void> {
    const blocking = this.dependentsOf(place.uid).filter(({ object: { metadata } }) => {
      return metadata.ownerReferences?.some((reference) => reference.uid === place.uid && reference.blockOwnerDeletion)
    })
    if (blocking.length === 0) await this.removeFinalizer(place, object, foreground)
    else for (const dependent of this.dependentsOf(place.uid)) this.queue.add(dependent.place.uid)
  }

  private async removeFinalizer(place: Place, object: KubeObject, finalizer: string): Promise<void> {
    const finalizers = object.metadata.finalizers?.filter((other) => other !== finalizer)
    await this.patch(place, object, { finalizers: finalizers?.length ? finalizers : null })
  }

  private async patch(place: Place, object: KubeObject, metadata: Record<string, unknown>): Promise<void> {
    const { uid, resourceVersion } = object.metadata
    const patch = { metadata: { uid, resourceVersion, ...metadata } }
    await this.context.client.patch(place.resource, place.name, patch, 'merge', { namespace: place.namespace })
  }
}

function waitsForDependents({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && !!metadata.finalizers?.includes(foreground)
}
