import { uuid } from '../api/object-meta.ts'
import { WorkQueue } from '../controllers/queue.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isConflict, isNotFound } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/resource-info.ts'
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '../schema/types/apiextensions.v1.ts'
import { type ConversionConnector, conversionWebhook } from './conversion.ts'
import { customResources, definitions } from './resource.ts'

/** Finalizer under which the instances of a definition go before it does. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

/** Where the kinds of definitions are served from (api/resources.ts). */
export interface CustomResourceTable {
  setCustom(definition: string, infos: readonly ResourceInfo[]): void
}

/**
 * Serves what CustomResourceDefinitions define: accepts their names, says so in their status, and deletes all instances
 * before a definition goes. A kind is served from the moment its definition is stored, so nobody need wait for it.
 */
export function startCustomResources(context: ClusterContext, served: CustomResourceTable, connect: ConversionConnector): Disposable {
  const { cache, client, clock, random } = context
  const kindsOf = (definition: CustomResourceDefinition) =>
    customResources(
      definition,
      conversionWebhook(definition, connect, () => uuid(random)),
    )
  const queue = new WorkQueue(context, sync, { name: 'customresourcedefinitions' })
  const watch = cache.watch<CustomResourceDefinition>(definitions, ({ type, object }) => {
    const name = object.metadata.name as string
    if (type === 'DELETED') served.setCustom(name, [])
    else {
      if (!conflict(object)) served.setCustom(name, kindsOf(object))
      queue.add(name)
    }
  })
  return {
    [Symbol.dispose]() {
      watch[Symbol.dispose]()
      queue[Symbol.dispose]()
    },
  }

  async function sync(name: string): Promise<void> {
    const definition = cache.get<CustomResourceDefinition>(definitions, name)
    if (!definition) return
    try {
      if (definition.metadata.deletionTimestamp) await finalize(definition)
      else await establish(definition)
    } catch (error) {
      if (isNotFound(error)) return
      if (isConflict(error)) queue.add(name)
      else throw error
    }
  }

  async function establish(definition: CustomResourceDefinition): Promise<void> {
    const { spec, status } = definition
    const why = conflict(definition)
    const storage = spec.versions.find((version) => version.storage)?.name ?? ''
    const storedVersions = [...new Set([...(status?.storedVersions ?? []), storage])]
    const accepted = why
      ? { type: 'NamesAccepted', status: 'False', ...why }
      : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
    const established = why
      ? { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
      : { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
    const conditions = [accepted, established].reduce(withCondition, status?.conditions ?? [])
    const next = {
      ...status,
      conditions,
      acceptedNames: why ? (status?.acceptedNames ?? { plural: '', kind: '' }) : spec.names,
      storedVersions,
    }
    if (JSON.stringify(next) === JSON.stringify(status)) return
    await client.update(definitions, { ...definition, status: next } as CustomResourceDefinition, { subresource: 'status' })
  }

  async function finalize(definition: CustomResourceDefinition): Promise<void> {
    if (!definition.metadata.finalizers?.includes(cleanupFinalizer)) return
    const [info] = customResources({
      ...definition,
      spec: { ...definition.spec, versions: definition.spec.versions.map((one) => ({ ...one, served: true })) },
    })
    const left = info ? cache.list<KubeObject>(info.storage) : []
    const progress = {
      type: 'Terminating',
      status: 'True',
      reason: 'InstanceDeletionInProgress',
      message: 'CustomResource deletion is in progress',
    }
    let current = definition
    if (!definition.status?.conditions?.some(({ type, reason }) => type === progress.type && reason === progress.reason)) {
      const conditions = withCondition(definition.status?.conditions ?? [], progress)
      current = await client.update(
        definitions,
        { ...definition, status: { ...definition.status, conditions } } as CustomResourceDefinition,
        { subresource: 'status' },
      )
    }
    for (const { metadata } of left) {
      if (info && !metadata.deletionTimestamp) await client.delete(info, metadata.name as string, metadata.namespace)
    }
    if (info && cache.list(info.storage).length > 0) {
      queue.addAfter(definition.metadata.name as string, 200)
      return
    }
    const done = { type: 'Terminating', status: 'False', reason: 'InstanceDeletionCompleted', message: 'removed all instances' }
    const conditions = withCondition(current.status?.conditions ?? [], done)
    current = await client.update(definitions, { ...current, status: { ...current.status, conditions } } as CustomResourceDefinition, {
      subresource: 'status',
    })
    const finalizers = current.metadata.finalizers?.filter((finalizer) => finalizer !== cleanupFinalizer) ?? []
    await client.update(definitions, { ...current, metadata: { ...current.metadata, finalizers } })
  }

  /** The first name that another definition of the group has taken already. */
  function conflict({ metadata, spec }: CustomResourceDefinition): { reason: string; message: string } | undefined {
    const others = cache
      .list<CustomResourceDefinition>(definitions)
      .filter((other) => other.spec.group === spec.group && other.metadata.name !== metadata.name && other.status?.acceptedNames?.plural)
    const taken = new Set(
      others.flatMap(({ status }) => [
        status?.acceptedNames.plural,
        status?.acceptedNames.singular,
        ...(status?.acceptedNames.shortNames ?? []),
      ]),
    )
    const kinds = new Set(others.flatMap(({ status }) => [status?.acceptedNames.kind, status?.acceptedNames.listKind]))
    const { plural, singular, shortNames = [], kind, listKind } = spec.names
    const checks: [reason: string, name: string | undefined, among: Set<string | undefined>][] = [
      ['PluralConflict', plural, taken],
      ['SingularConflict', singular, taken],
      ...shortNames.map((name): [string, string, Set<string | undefined>] => ['ShortNamesConflict', name, taken]),
      ['KindConflict', kind, kinds],
      ['ListKindConflict', listKind, kinds],
    ]
    for (const [reason, name, among] of checks) {
      if (name && among.has(name)) return { reason, message: `${JSON.stringify(name)} is already in use` }
    }
    return undefined
  }

  function withCondition(conditions: CustomResourceDefinitionCondition[], condition: CustomResourceDefinitionCondition) {
    const old = conditions.find(({ type }) => type === condition.type)
    if (old?.status === condition.status && old.reason === condition.reason) return conditions
    const lastTransitionTime =
      old?.status === condition.status ? old.lastTransitionTime : new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const next = { ...(lastTransitionTime ? { lastTransitionTime } : {}), ...condition }
    return old ? conditions.map((one) => (one === old ? next : one)) : [...conditions, next]
  }
}
