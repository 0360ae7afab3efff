import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import type { Namespace, NamespaceCondition, Pod } from '../schema/types/core.v1.ts'
import { messageOf } from './failure.ts'
import { WorkQueue } from './queue.ts'
import { storedKinds } from './resource-catalog.ts'
import { timestamp } from './time.ts'

const component = 'namespace-controller'
const finalizer = 'kubernetes'

/** Longest wait for what has finalizers but no grace period, seconds. */
const finalizerEstimate = 15

/** In one turn of the event loop. */
const deletedAtOnce = 8

interface Remains {
  errors: string[]
  /** Objects left, by "pods." as the condition names them. */
  resources: Map<string, number>
  finalizers: Map<string, number>
  /** Seconds that the rest may take. */
  estimate: number
}

/** Empties namespaces that are being deleted, then lets them go. */
export function startNamespace(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (name) => syncNamespace(context, queue, name), { name: component }))
  stack.use(
    context.cache.watch<Namespace>(resources.namespaces, ({ type, object }) => {
      if (type !== 'DELETED' && object.metadata.deletionTimestamp) queue.add(object.metadata.name ?? '')
    }),
  )
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      if (type !== 'DELETED') return
      const namespace = context.cache.get<Namespace>(resources.namespaces, object.metadata.namespace ?? '')
      if (namespace?.metadata.deletionTimestamp) queue.add(namespace.metadata.name ?? '')
    }),
  )
  return stack
}

async function syncNamespace(context: ClusterContext, queue: WorkQueue, name: string): Promise<void> {
  const namespace = context.cache.get<Namespace>(resources.namespaces, name)
  if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(finalizer)) return
  const remains: Remains = { errors: [], resources: new Map(), finalizers: new Map(), estimate: 0 }
  // Pods first: what they use must last as long as they run.
  await deleteContent(context, name, remains, (resource) => resource === 'pods')
  if (remains.estimate === 0) await deleteContent(context, name, remains, (resource) => resource !== 'pods')
  const current = await updateConditions(context, name, remains)
  if (!current) return
  if (remains.errors.length > 0) throw new Error(remains.errors.join(', '))
  if (remains.estimate > 0) {
    queue.addAfter(name, (Math.floor(remains.estimate / 2) + 1) * 1000)
    return
  }
  const copy = copyOf(current)
  copy.spec = { ...copy.spec, finalizers: copy.spec?.finalizers?.filter((other) => other !== finalizer) }
  await context.client.update<Namespace>(resources.namespaces, copy, { subresource: 'finalize' })
}

async function deleteContent(
  context: ClusterContext,
  namespace: string,
  remains: Remains,
  include: (resource: string) => boolean,
): Promise<void> {
  const kinds = storedKinds(context).filter((kind) => kind.namespaced && include(kind.resource.resource))
  const events = include('events') ? [{ resource: resources.events }] : []
  let deleted = 0
  for (const { resource } of [...kinds, ...events]) {
    for (const { metadata } of context.cache.list<KubeObject>(resource, namespace)) {
      if (metadata.deletionTimestamp) continue
      if (++deleted % deletedAtOnce === 0) await context.clock.turn()
      try {
        await context.client.delete(resource, metadata.name ?? '', namespace, { propagationPolicy: 'Background' })
      } catch (error) {
        if (!isNotFound(error)) remains.errors.push(messageOf(error))
      }
    }
    const left = context.cache.list<KubeObject>(resource, namespace)
    if (left.length === 0) continue
    count(remains.resources, `${resource.resource}.${resource.group}`, left.length)
    for (const object of left) {
      for (const held of object.metadata.finalizers ?? []) count(remains.finalizers, held, 1)
      const grace = resource === resources.pods ? ((object as Pod).spec?.terminationGracePeriodSeconds ?? 0) : 0
      remains.estimate = Math.max(remains.estimate, grace || finalizerEstimate)
    }
  }
}

function count(counts: Map<string, number>, key: string, number: number): void {
  counts.set(key, (counts.get(key) ?? 0) + number)
}

/** Writes what remains into the namespace's conditions; undefined when it is gone. */
async function updateConditions(context: ClusterContext, name: string, remains: Remains): Promise<Namespace | undefined> {
  const namespace = context.cache.get<Namespace>(resources.namespaces, name)
  if (!namespace) return undefined
  const conditions = conditionsOf(remains).map((wanted): NamespaceCondition => {
    const old = namespace.status?.conditions?.find(({ type }) => type === wanted.type)
    return { ...wanted, lastTransitionTime: old?.status === wanted.status ? old.lastTransitionTime : timestamp(context) }
  })
  const others = (namespace.status?.conditions ?? []).filter(({ type }) => !conditions.some((one) => one.type === type))
  const status = { ...namespace.status, phase: 'Terminating', conditions: [...others, ...conditions] }
  return await context.client.update<Namespace>(resources.namespaces, { ...copyOf(namespace), status }, { subresource: 'status' })
}

function conditionsOf({ errors, resources: left, finalizers }: Remains): Omit<NamespaceCondition, 'lastTransitionTime'>[] {
  const list = (counts: Map<string, number>, text: (key: string, number: number) => string) => {
    return [...counts]
      .map(([key, number]) => text(key, number))
      .sort()
      .join(', ')
  }
  const condition = (type: string, failed: boolean, reason: string, message: string) => ({
    type,
    status: failed ? 'True' : 'False',
    reason,
    message,
  })
  return [
    condition('NamespaceDeletionDiscoveryFailure', false, 'ResourcesDiscovered', 'All resources successfully discovered'),
    condition('NamespaceDeletionGroupVersionParsingFailure', false, 'ParsedGroupVersions', 'All legacy kube types successfully parsed'),
    errors.length > 0
      ? condition(
          'NamespaceDeletionContentFailure',
          true,
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${errors.length} remaining: ${[...errors].sort().join(', ')}`,
        )
      : condition(
          'NamespaceDeletionContentFailure',
          false,
          'ContentDeleted',
          'All content successfully deleted, may be waiting on finalization',
        ),
    left.size > 0
      ? condition(
          'NamespaceContentRemaining',
          true,
          'SomeResourcesRemain',
          `Some resources are remaining: ${list(left, (key, number) => `${key} has ${number} resource instances`)}`,
        )
      : condition('NamespaceContentRemaining', false, 'ContentRemoved', 'All content successfully removed'),
    finalizers.size > 0
      ? condition(
          'NamespaceFinalizersRemaining',
          true,
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${list(finalizers, (key, number) => `${key} in ${number} resource instances`)}`,
        )
      : condition('NamespaceFinalizersRemaining', false, 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'),
  ]
}
