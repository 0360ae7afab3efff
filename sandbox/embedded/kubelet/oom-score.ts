import { nodeMemory } from '../containers/vfs/proc.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { Container, Pod } from '../schema/types/core.v1.ts'
import { qosClassOf } from './qos.ts'

const systemCritical = 2_000_000_000
const guaranteed = -997

/** How soon a container's processes go when the node has no memory left (pkg/kubelet/qos/policy.go). */
export function oomScoreAdjOf(pod: Pod, { resources = {} }: Container): number {
  const qos = qosClassOf(pod)
  if ((pod.spec?.priority ?? 0) >= systemCritical || qos === 'Guaranteed') return guaranteed
  if (qos === 'BestEffort') return 1000
  const request = Number(parseQuantity(resources.requests?.['memory'] ?? resources.limits?.['memory'] ?? 0).nano / 1_000_000_000n)
  return Math.min(999, Math.max(3, 1000 - Math.floor((1000 * request) / nodeMemory)))
}
