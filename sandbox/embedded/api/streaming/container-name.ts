import { ApiError } from '../../machinery/errors.ts'
import type { Pod } from '../../schema/types/core.v1.ts'

/** The container that a log, exec or attach request means. Throws ApiError BadRequest as the API server does. */
export function containerName(pod: Pod, wanted: string | null): string {
  const { spec, metadata } = pod
  const containers = (spec?.containers ?? []).map(({ name }) => name)
  const init = (spec?.initContainers ?? []).map(({ name }) => name)
  const ephemeral = (spec?.ephemeralContainers ?? []).map(({ name }) => name)
  if (wanted) {
    if ([...containers, ...init, ...ephemeral].includes(wanted)) return wanted
    throw ApiError.badRequest(`container ${wanted} is not valid for pod ${metadata.name}`)
  }
  if (containers.length === 1) return containers[0] as string
  if (containers.length === 0) throw ApiError.badRequest(`a container name must be specified for pod ${metadata.name}`)
  const annotated = metadata.annotations?.['kubectl.kubernetes.io/default-container']
  if (annotated && containers.includes(annotated)) return annotated
  const choice = `choose one of: [${containers.join(' ')}]`
  const more = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : ''
  throw ApiError.badRequest(`a container name must be specified for pod ${metadata.name}, ${choice}${more}`)
}

/** Throws ApiError BadRequest for a pod that no node has yet. */
export function requireNode(pod: Pod): void {
  if (!pod.spec?.nodeName) throw ApiError.badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
}
