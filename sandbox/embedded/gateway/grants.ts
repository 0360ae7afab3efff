import type { ClusterContext } from '../machinery/context.ts'
import { gatewayGroup, gatewayResources, type ReferenceGrant } from './types.ts'

/** Whether a kind of a namespace may refer to an object of another one: it may within its own, and where a ReferenceGrant says so. */
export function mayRefer(
  { cache }: Pick<ClusterContext, 'cache'>,
  from: { kind: string; namespace: string },
  to: { group: string; kind: string; namespace: string; name: string },
): boolean {
  if (from.namespace === to.namespace) return true
  return cache
    .list<ReferenceGrant>(gatewayResources.referenceGrants, to.namespace)
    .some(
      ({ spec }) =>
        spec.from.some(({ group, kind, namespace }) => group === gatewayGroup && kind === from.kind && namespace === from.namespace) &&
        spec.to.some(({ group, kind, name }) => group === to.group && kind === to.kind && (!name || name === to.name)),
    )
}
