import type { EndpointSlice } from '../schema/types/discovery.v1.ts'

export const serviceNameLabel = 'kubernetes.io/service-name'

/** Indexer of EndpointSlices (Cache.indexed): by the Service they are of, `namespace/name`. */
export function sliceService({ metadata }: EndpointSlice): readonly string[] {
  const service = metadata.labels?.[serviceNameLabel]
  return service === undefined ? [] : [`${metadata.namespace}/${service}`]
}
