import { deepEqual } from '../../machinery/freeze.ts'
import { type FieldError, forbidden, invalid, specPath } from '../../registry/field.ts'
import { defaultPod } from '../../registry/pod-defaults.ts'
import { validatePod } from '../../registry/pod-validation.ts'
import { qosClass } from '../../registry/qos.ts'
import type { Container, Pod, ResourceRequirements } from '../../schema/types/core.v1.ts'
import type { UpdateRules } from '../rest.ts'

const mirror = 'kubernetes.io/config.mirror'

/** pods/NAME/resize: CPU and memory of containers that run (KEP 1287; ValidatePodResize in pkg/apis/core/validation). */
export const resizeRules: UpdateRules = {
  prepare: (object, old) => {
    const pod = object as Pod
    const before = old as Pod
    // What is added, removed or named anew is left for validation to refuse.
    if (disordered(pod, before).length > 0) return
    const spec = structuredClone(before.spec)
    for (const field of lists) {
      for (const [index, container] of (spec?.[field] ?? []).entries()) {
        const wanted = pod.spec?.[field]?.[index]
        if (field === 'initContainers' && container.restartPolicy !== 'Always') continue
        if (wanted) Object.assign(container, { resources: wanted.resources ?? {} })
        if (wanted?.resizePolicy) container.resizePolicy = wanted.resizePolicy
      }
    }
    Object.assign(pod, { spec, status: structuredClone(before.status) })
    // A limit without a request asks for as much.
    defaultPod(pod)
  },
  validate: (object, old) => {
    const pod = object as Pod
    const before = old as Pod
    const errors = validatePod(pod)
    if (before.metadata.annotations?.[mirror]) return [forbidden(specPath, 'static pods cannot be resized')]
    if (!pod.spec || !before.spec) return errors
    if (qosClass(pod.spec) !== qosClass(before.spec)) {
      errors.push(invalid(specPath, qosClass(before.spec), 'Pod QOS Class may not change as a result of resizing'))
    }
    const disorder = disordered(pod, before)
    if (disorder.length > 0) return [...errors, ...disorder]
    for (const field of ['initContainers', 'containers'] as const) {
      for (const [index, container] of (before.spec[field] ?? []).entries()) {
        const at = specPath.child(field).index(index).child('resources')
        const after = pod.spec[field]?.[index]
        if (after && (field === 'containers' || container.restartPolicy === 'Always')) errors.push(...removed(after, container, at))
      }
    }
    const others = (container: Container) => [withoutMutable(container.resources?.requests), withoutMutable(container.resources?.limits)]
    const changed = (pod.spec.containers ?? []).some((container, index) => {
      const same = before.spec?.containers[index]
      return same && !deepEqual(others(container), others(same))
    })
    if (changed) errors.push(forbidden(specPath, 'only cpu and memory resources are mutable'))
    return errors
  },
}

const lists = ['containers', 'initContainers'] as const

/** Source: validatePodResizeContainerOrdering. */
function disordered(after: Pod, before: Pod): FieldError[] {
  return lists.flatMap((field) => {
    const [now = [], then = []] = [after.spec?.[field], before.spec?.[field]]
    if (now.length !== then.length) return [forbidden(specPath.child(field), `${field} may not be added or removed on resize`)]
    return then.flatMap(({ name }, index) => {
      const at = specPath.child(field).index(index).child('name')
      return now[index]?.name === name ? [] : [forbidden(at, `${field} may not be renamed or reordered on resize`)]
    })
  })
}

function removed(after: Container, before: Container, at: ReturnType<typeof specPath.child>): FieldError[] {
  const gone = (kind: keyof Pick<ResourceRequirements, 'requests' | 'limits'>) =>
    Object.keys(before.resources?.[kind] ?? {}).some((name) => after.resources?.[kind]?.[name] === undefined)
  return [
    ...(gone('requests') ? [forbidden(at.child('requests'), 'resource requests cannot be removed')] : []),
    ...(gone('limits') ? [forbidden(at.child('limits'), 'resource limits cannot be removed')] : []),
  ]
}

function withoutMutable(amounts: Record<string, string | number> = {}): Record<string, string | number> {
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => name !== 'cpu' && name !== 'memory'))
}
