import type { Pod, Toleration } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, isAbout } from './admission.ts'

/** A pod stays five minutes on a node that is not ready or not to be reached, unless it says otherwise. */
export function defaultTolerationSeconds(): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    handles: (request) => (request.operation === 'CREATE' || request.operation === 'UPDATE') && isAbout(request, '', 'pods'),
    mutate(request) {
      const spec = (request.object as Pod).spec
      if (!spec) return
      const missing = taints.filter((taint) => !spec.tolerations?.some((toleration) => tolerates(toleration, taint)))
      if (missing.length === 0) return
      const added = missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))
      spec.tolerations = [...(spec.tolerations ?? []), ...added]
    },
  }
}

const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']

function tolerates({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === 'NoExecute')
}
