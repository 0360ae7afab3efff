import { parseQuantity } from '../schema/quantity.ts'
import type { Pod } from '../schema/types/core.v1.ts'

/** Guaranteed, Burstable or BestEffort, from the requests and limits of cpu and memory. */
export function qosClassOf(pod: Pod): string {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
  let any = false
  let guaranteed = true
  for (const { resources = {} } of containers) {
    for (const name of ['cpu', 'memory']) {
      const limit = nano(resources.limits?.[name])
      const request = nano(resources.requests?.[name] ?? resources.limits?.[name])
      if (limit > 0n || request > 0n) any = true
      if (limit === 0n || limit !== request) guaranteed = false
    }
  }
  if (!any) return 'BestEffort'
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

function nano(quantity: string | number | undefined): bigint {
  return quantity === undefined ? 0n : parseQuantity(quantity).nano
}
