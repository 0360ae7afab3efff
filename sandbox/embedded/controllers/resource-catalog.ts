import type { Change, ClusterContext } from '../machinery/context.ts'
import { groupVersionOf, type KubeObject, type Resource, resources } from '../machinery/object.ts'
import { builtInResources, findKind } from '../registry/index.ts'
import type { CustomResourceDefinition } from '../schema/types/apiextensions.v1.ts'

/** A kind whose objects the cluster stores. */
export interface StoredKind {
  readonly resource: Resource
  readonly kind: string
  readonly namespaced: boolean
}

/** Every stored kind that can be deleted, custom ones included; not Events, which nobody owns. */
export function storedKinds(context: ClusterContext): StoredKind[] {
  const custom = context.cache
    .list<CustomResourceDefinition>(resources.customResourceDefinitions)
    .flatMap((definition) => customKind(definition) ?? [])
  return [...builtInKinds, ...custom]
}

const builtInKinds: readonly StoredKind[] = builtInResources
  .filter(({ group, version, resource, storage, verbs }) => {
    const stored = storage.group === group && storage.version === version && storage.resource === resource
    return stored && verbs.includes('delete') && verbs.includes('list') && resource !== 'events'
  })
  .map(({ storage, kind, namespaced }) => ({ resource: storage, kind, namespaced }))

function customKind({ spec }: CustomResourceDefinition): StoredKind | undefined {
  const version = spec.versions.find(({ storage }) => storage)?.name
  if (!version) return undefined
  return {
    resource: { group: spec.group, version, resource: spec.names.plural },
    kind: spec.names.kind,
    namespaced: spec.scope === 'Namespaced',
  }
}

/** The stored kind that an apiVersion and kind, as in an owner reference, speak of. */
export function kindOf(context: ClusterContext, apiVersion: string, kind: string): StoredKind | undefined {
  const { group, version } = groupVersionOf(apiVersion)
  const info = findKind(group, version, kind)
  if (info) return { resource: info.storage, kind, namespaced: info.namespaced }
  return storedKinds(context).find((stored) => stored.resource.group === group && stored.kind === kind)
}

/** Calls listener with every change of every stored kind, and follows custom kinds as they come and go. */
export function watchEverything(context: ClusterContext, listener: (kind: StoredKind, change: Change) => void): Disposable {
  const stack = new DisposableStack()
  const customs = new Map<string, Disposable>()
  const follow = (kind: StoredKind) => context.cache.watch<KubeObject>(kind.resource, (change) => listener(kind, change))
  for (const kind of builtInKinds) stack.use(follow(kind))
  stack.use(
    context.cache.watch<CustomResourceDefinition>(resources.customResourceDefinitions, ({ type, object }) => {
      const kind = customKind(object)
      const name = object.metadata.name ?? ''
      if (type === 'DELETED') {
        customs.get(name)?.[Symbol.dispose]()
        customs.delete(name)
      } else if (kind && !customs.has(name)) customs.set(name, follow(kind))
    }),
  )
  stack.defer(() => {
    for (const watch of customs.values()) watch[Symbol.dispose]()
  })
  return stack
}
