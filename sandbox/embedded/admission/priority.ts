import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { PriorityClass } from '../schema/types/scheduling.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, isAbout, refuse } from './admission.ts'

/** Turns a pod's priorityClassName into its priority; keeps the default class the only one. */
export function priority({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return {
    name: 'Priority',
    handles: ({ operation, subresource }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
    mutate(request) {
      if (isAbout(request, '', 'pods')) admitPod(request)
    },
    validate(request) {
      if (!isAbout(request, 'scheduling.k8s.io', 'priorityclasses')) return
      const added = request.object as PriorityClass
      const current = defaultClass()
      if (!added.globalDefault || !current || current.metadata.name === added.metadata.name) return
      throw refuse(request, `PriorityClass ${current.metadata.name} is already marked as default. Only one default can exist`)
    },
  }

  function admitPod(request: AdmissionRequest): void {
    const spec = (request.object as Pod).spec
    if (!spec) return
    if (request.operation === 'UPDATE') {
      const old = (request.oldObject as Pod).spec
      if (spec.priority === undefined && old?.priority !== undefined) spec.priority = old.priority
      if (spec.preemptionPolicy === undefined && old?.preemptionPolicy !== undefined) spec.preemptionPolicy = old.preemptionPolicy
      return
    }
    const named = spec.priorityClassName
    const chosen = named ? cache.get<PriorityClass>(resources.priorityClasses, named) : defaultClass()
    if (named && !chosen) throw refuse(request, `no PriorityClass with name ${named} was found`)
    if (!named && chosen?.metadata.name) spec.priorityClassName = chosen.metadata.name
    const value = chosen?.value ?? 0
    if (spec.priority !== undefined && spec.priority !== value) {
      const why = `the integer value of priority (${spec.priority}) must not be provided in pod spec`
      throw refuse(request, `${why}; priority admission controller computed ${value} from the given PriorityClass name`)
    }
    spec.priority = value
    const policy = chosen?.preemptionPolicy ?? 'PreemptLowerPriority'
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
      const why = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec`
      throw refuse(request, `${why}; priority admission controller computed ${policy} from the given PriorityClass name`)
    }
    spec.preemptionPolicy = policy
  }

  function defaultClass(): PriorityClass | undefined {
    const marked = cache.list<PriorityClass>(resources.priorityClasses).filter((candidate) => candidate.globalDefault)
    return marked.toSorted((a, b) => a.value - b.value)[0]
  }
}
