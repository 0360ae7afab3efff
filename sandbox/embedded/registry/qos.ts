import { compareQuantities } from '../schema/quantity.ts'
import type { PodSpec } from '../schema/types/core.v1.ts'

/** A pod's quality of service by its CPU and memory (pkg/apis/core/v1/helper/qos). */
export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = spec.resources ? [{ resources: spec.resources }] : [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  const names = ['cpu', 'memory'] as const
  const set = (value: string | number | undefined) => value !== undefined && compareQuantities(value, 0) !== 0
  const any = containers.some(({ resources }) => names.some((name) => set(resources?.requests?.[name]) || set(resources?.limits?.[name])))
  if (!any) return 'BestEffort'
  const guaranteed = containers.every(({ resources }) =>
    names.every((name) => {
      const limit = resources?.limits?.[name]
      const request = resources?.requests?.[name] ?? limit
      return limit !== undefined && request !== undefined && set(limit) && compareQuantities(limit, request) === 0
    }),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
