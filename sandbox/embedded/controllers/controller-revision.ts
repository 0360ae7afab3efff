import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isAlreadyExists } from '../machinery/errors.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { sortedJson } from '../machinery/sorted-json.ts'
import type { ControllerRevision } from '../schema/types/apps.v1.ts'
import type { Pod, PodTemplateSpec } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { claim, controllerReference } from './owner.ts'
import { fnv1, safeEncode } from './pod-template-hash.ts'
import { matchesSelector } from './selector.ts'

/** Names the revision (StatefulSet) or its hash (DaemonSet) on Pods; on a DaemonSet's revisions: the hash. */
export const revisionHashLabel = 'controller-revision-hash'

/** On a StatefulSet's revisions: the hash that their names end with. */
const hashLabel = 'controller.kubernetes.io/hash'

/** A set whose templates are kept as ControllerRevisions. */
export interface RevisionedSet extends KubeObject {
  spec?: { selector: Parameters<typeof matchesSelector>[0]; template: PodTemplateSpec; revisionHistoryLimit?: number }
  status?: { collisionCount?: number }
}

/** The set's revisions, oldest first, after taking on orphans that it selects. */
export async function listRevisions(context: ClusterContext, set: RevisionedSet): Promise<ControllerRevision[]> {
  const candidates = context.cache.list<ControllerRevision>(resources.controllerRevisions, set.metadata.namespace)
  const owned = await claim(context, set, resources.controllerRevisions, candidates, ({ metadata }) => {
    return matchesSelector(set.spec?.selector, metadata.labels)
  })
  return owned.sort((a, b) => a.revision - b.revision)
}

/** The revision of the set's present template: the newest if it has it, an older one moved to the top, or a new one. */
export async function updateRevision(
  context: ClusterContext,
  set: RevisionedSet,
  revisions: readonly ControllerRevision[],
  hashOf: (collisions: number) => string = (collisions) => safeEncode(String(fnv1(sortedJson(dataOf(set)) + String(collisions)))),
  label: string = hashLabel,
): Promise<ControllerRevision> {
  const data = dataOf(set)
  const next = (revisions.at(-1)?.revision ?? 0) + 1
  const equal = revisions.findLast((revision) => semanticEqual(revision.data, data))
  if (equal && equal === revisions.at(-1)) return equal
  if (equal) return await context.client.update<ControllerRevision>(resources.controllerRevisions, { ...copyOf(equal), revision: next })
  const { labels, annotations } = set.metadata
  for (let probe = set.status?.collisionCount ?? 0; ; probe++) {
    const hash = hashOf(probe)
    const revision: ControllerRevision = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${set.metadata.name?.slice(0, 223)}-${hash}`,
        namespace: set.metadata.namespace,
        labels: { ...(set.spec?.template.metadata.labels ?? labels), [label]: hash },
        ...(annotations && { annotations: { ...annotations } }),
        ownerReferences: [controllerReference(set)],
      },
      data,
      revision: next,
    }
    try {
      return await context.client.create(resources.controllerRevisions, revision, { namespace: set.metadata.namespace })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const existing = context.cache.get<ControllerRevision>(
        resources.controllerRevisions,
        revision.metadata.name ?? '',
        set.metadata.namespace,
      )
      if (existing && semanticEqual(existing.data, data)) return existing
    }
  }
}

/** The template that a revision holds. */
export function templateOf(revision: ControllerRevision, fallback: PodTemplateSpec): PodTemplateSpec {
  const spec = revision.data?.['spec'] as { template?: PodTemplateSpec & { $patch?: string } } | undefined
  if (!spec?.template) return fallback
  const { $patch: _patch, ...template } = copyOf(spec.template)
  return template
}

/** Deletes the oldest revisions that neither the set nor a Pod of it uses, down to its revisionHistoryLimit. */
export async function truncateHistory(
  context: ClusterContext,
  set: RevisionedSet,
  revisions: readonly ControllerRevision[],
  live: ReadonlySet<string | undefined>,
): Promise<void> {
  const unused = revisions.filter(({ metadata }) => !live.has(metadata.name) && !live.has(metadata.labels?.[revisionHashLabel]))
  const excess = unused.length - (set.spec?.revisionHistoryLimit ?? 10)
  for (const { metadata } of unused.slice(0, Math.max(0, excess))) {
    await context.client.delete(resources.controllerRevisions, metadata.name ?? '', metadata.namespace)
  }
}

export function revisionOf(pod: Pod): string | undefined {
  return pod.metadata.labels?.[revisionHashLabel]
}

/** A patch that brings the template back. Clients compare its bytes, so its keys are in the order in which Go writes a map's. */
function dataOf(set: RevisionedSet): Record<string, unknown> {
  return JSON.parse(sortedJson({ spec: { template: { ...set.spec?.template, $patch: 'replace' } } })) as Record<string, unknown>
}
