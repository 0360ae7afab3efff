import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../machinery/object.ts'

/**
 * Takes owner references off that stand in an object twice, and warns of them. `admitted` tells whether mutating admission has had
 * its turn. Changes the object.
 */
export function withoutRepeatedOwners({ metadata }: KubeObject, warn: (text: string) => void, admitted: boolean): void {
  const references = metadata?.ownerReferences
  if (!references || references.length < 2) return
  const isRepeated = references.map((one, index) => references.findIndex((other) => isDeepStrictEqual(other, one)) < index)
  if (!isRepeated.includes(true)) return
  const uids = references.filter((_, index) => isRepeated[index]).map(({ uid }) => uid)
  const when = admitted ? ' after mutating admission happens' : ''
  warn(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${uids.join(', ')}`,
  )
  metadata.ownerReferences = references.filter((_, index) => !isRepeated[index])
}
