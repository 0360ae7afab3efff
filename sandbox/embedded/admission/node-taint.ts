import type { Node } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, isAbout } from './admission.ts'

/** A new node takes no pods until it has been seen to be ready. */
export function taintNodesByCondition(): AdmissionPlugin {
  return {
    name: 'TaintNodesByCondition',
    handles: (request) => request.operation === 'CREATE' && isAbout(request, '', 'nodes'),
    mutate(request) {
      const node = request.object as Node
      const spec = (node.spec ??= {})
      if (spec.taints?.some((taint) => taint.key === key && taint.effect === 'NoSchedule')) return
      spec.taints = [...(spec.taints ?? []), { key, effect: 'NoSchedule' }]
    },
  }
}

const key = 'node.kubernetes.io/not-ready'
