import type { Pod } from '../schema/types/core.v1.ts'

/** Indexers of Pods (Cache.indexed): what the parts of a cluster look for again and again, however many Pods there are. */

/** By the uid of the controller that manages it; a Pod without one by `orphanIn` its namespace. */
export function podController({ metadata }: Pod): readonly string[] {
  return [metadata.ownerReferences?.find(({ controller }) => controller)?.uid ?? orphanIn(metadata.namespace)]
}

export function orphanIn(namespace = ''): string {
  return `${namespace}/`
}

/** By the node it is bound to. */
export function podNode({ spec }: Pod): readonly string[] {
  return spec?.nodeName ? [spec.nodeName] : none
}

/** By the node for which room was made for it, while it is not bound. */
export function podNominated({ spec, status }: Pod): readonly string[] {
  return status?.nominatedNodeName && !spec?.nodeName ? everyNomination : none
}

/** The one key of all nominated Pods. */
export const nominated = 'nominated'

/** By each label, as `labelIn` writes it. */
export function podLabel({ metadata }: Pod): readonly string[] {
  const { labels, namespace } = metadata
  if (!labels) return none
  const known = keysOfLabels.get(labels)
  if (known && known.namespace === namespace) return known.keys
  const keys = Object.entries(labels).map(([name, value]) => labelIn(namespace, name, value))
  if (Object.isFrozen(labels)) keysOfLabels.set(labels, { namespace, keys })
  return keys
}

/** The versions of a stored Pod share their labels. */
const keysOfLabels = new WeakMap<object, { namespace: string | undefined; keys: readonly string[] }>()

export function labelIn(namespace: string | undefined, name: string, value: string): string {
  return `${namespace}/${name}=${value}`
}

const none: readonly string[] = []
const everyNomination: readonly string[] = [nominated]
