import type { ClusterContext } from '../machinery/context.ts'
import { deepEqual } from '../machinery/freeze.ts'
import { resources } from '../machinery/object.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { Pod, Toleration } from '../schema/types/core.v1.ts'
import type { RuntimeClass } from '../schema/types/node.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, isAbout, refuse } from './admission.ts'

/** Gives a pod the overhead and the nodes of its RuntimeClass, and refuses one whose class is not there. */
export function runtimeClass({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  const classOf = (request: AdmissionRequest): RuntimeClass | undefined => {
    const name = (request.object as Pod).spec?.runtimeClassName
    if (name === undefined) return undefined
    const found = cache.get<RuntimeClass>(resources.runtimeClasses, name)
    if (!found) throw refuse(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`)
    return found
  }
  return {
    name: 'RuntimeClass',
    handles: (request) => request.operation === 'CREATE' && isAbout(request, '', 'pods'),
    mutate(request) {
      const { overhead, scheduling } = classOf(request) ?? {}
      const { spec } = request.object as Pod
      if (!spec) return
      if (overhead) {
        if (Object.keys(spec.overhead ?? {}).length > 0 && !sameAmounts(overhead.podFixed, spec.overhead)) throw refuse(request, mismatch)
        spec.overhead = { ...overhead.podFixed }
      }
      if (!scheduling) return
      for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
        const wanted = spec.nodeSelector?.[key]
        if (wanted !== undefined && wanted !== value) {
          const sides = `runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${wanted}`
          throw refuse(request, `conflict: ${sides}`)
        }
        spec.nodeSelector = { ...spec.nodeSelector, [key]: value }
      }
      spec.tolerations = merged(spec.tolerations, scheduling.tolerations)
    },
    validate(request) {
      const { overhead } = classOf(request) ?? {}
      const own = (request.object as Pod).spec?.overhead
      if (overhead && !sameAmounts(overhead.podFixed, own)) throw refuse(request, mismatch)
      if (!overhead && own) throw refuse(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead')
    },
  }
}

const mismatch = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"

type Amounts = Record<string, string | number> | undefined

function sameAmounts(a: Amounts, b: Amounts): boolean {
  const amounts = (list: Amounts) =>
    Object.entries(list ?? {})
      .map(([name, value]) => `${name}=${parseQuantity(value).nano}`)
      .sort()
  return deepEqual(amounts(a), amounts(b))
}

/** Both lists, each toleration once. */
function merged(first: Toleration[] = [], second: Toleration[] = []): Toleration[] | undefined {
  const all = [...first, ...second.filter((toleration) => !first.some((known) => deepEqual(known, toleration)))]
  return all.length > 0 ? all : undefined
}
