import type { ClusterContext } from '../machinery/context.ts'
import { groupVersionOf, type KubeObject, type Resource, resources } from '../machinery/object.ts'
import type { CustomResourceDefinition } from '../schema/types/apiextensions.v1.ts'
import type { Scale } from '../schema/types/autoscaling.v1.ts'

/** The kinds of Kubernetes itself that have a scale. */
const builtIn: Record<string, Resource> = {
  'apps/Deployment': resources.deployments,
  'apps/ReplicaSet': resources.replicaSets,
  'apps/StatefulSet': resources.statefulSets,
  '/ReplicationController': resources.replicationControllers,
}

/** The resource of a kind that has a scale, or may have one. Throws the sentence of a RESTMapper that knows none. */
export function scalableResource({ cache }: Pick<ClusterContext, 'cache'>, apiVersion: string, kind: string): Resource {
  const { group } = groupVersionOf(apiVersion)
  const known = builtIn[`${group}/${kind}`]
  if (known) return known
  const definitions = cache.list<CustomResourceDefinition>(resources.customResourceDefinitions)
  const definition = definitions.find(({ spec }) => spec.group === group && spec.names.kind === kind)
  const version = definition?.spec.versions.find(({ storage }) => storage)?.name
  if (definition && version) return { group, version, resource: definition.spec.names.plural }
  throw new Error(`no matches for kind "${kind}" in group "${group}"`)
}

/** The Scale of an object: a patch that changes nothing is answered with it. Rejects with ApiError. */
export async function readScale(context: ClusterContext, resource: Resource, name: string, namespace: string | undefined): Promise<Scale> {
  return await context.client.patch<Scale & KubeObject>(resource, name, {}, 'merge', { namespace, subresource: 'scale' })
}
