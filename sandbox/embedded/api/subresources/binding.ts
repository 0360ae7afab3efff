import { copyOf } from '../../machinery/copy.ts'
import { ApiError, type Status } from '../../machinery/errors.ts'
import type { KubeObject } from '../../machinery/object.ts'
import type { Binding, Pod } from '../../schema/types/core.v1.ts'
import { type Outcome, objectOutcome, type ResourceCall } from '../call.ts'
import { timestamp } from '../object-meta.ts'
import { writeOptions } from '../options.ts'
import type { ResourceHandler } from '../resource-handler.ts'
import type { ServedResources } from '../resources.ts'
import type { UpdateRules } from '../rest.ts'

const bindingKind = { group: '', version: 'v1', kind: 'Binding' }

/** What the scheduler does last: POST of a Binding to `pods/NAME/binding` or to `bindings`. */
export function bindingHandler(generic: ResourceHandler, resources: ServedResources) {
  return async (call: ResourceCall): Promise<Outcome> => {
    if (call.request.verb !== 'create') throw ApiError.methodNotSupported()
    const options = writeOptions(call.request.query, 'CreateOptions')
    const binding = generic.body(call, bindingKind, options) as Binding
    const name = call.path.name || (binding.metadata.name ?? '')
    const pods = resources.find('', 'v1', 'pods')
    if (!pods) throw ApiError.unknownPath()
    if ((binding.metadata.name ?? '') !== name) throw ApiError.badRequest('name in URL does not match name in Binding object')
    const wrong = bindingErrors(binding)
    if (wrong.length > 0) throw new ApiError(500, undefined, wrong.length > 1 ? `[${wrong.join(', ')}]` : (wrong[0] ?? ''))
    const write = { ...generic.writeRequest(call, options, 'CreateOptions'), info: pods, name, subresource: 'binding' }
    await generic.rest.admitBody(write, 'CREATE', binding)
    const produce = (existing: KubeObject | undefined) => {
      const old = existing as Pod
      const refuse = (why: string) => ApiError.conflict({ group: '', resource: 'pods/binding' }, name, why)
      if (old.metadata.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`)
      if (old.spec?.nodeName) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(old.spec.nodeName)}`)
      if (old.spec?.schedulingGates?.length) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`)
      const pod = copyOf(old) as Pod
      if (pod.spec) pod.spec.nodeName = binding.target.name
      if (binding.metadata.annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations }
      const conditions = pod.status?.conditions ?? []
      const scheduled = {
        type: 'PodScheduled',
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: timestamp(generic.rest.clock.now()),
      }
      const observed = pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}
      const others = conditions.filter((condition) => condition.type !== 'PodScheduled')
      pod.status = { ...pod.status, conditions: [...others, { ...scheduled, ...observed } as never] }
      delete pod.status.nominatedNodeName
      return pod
    }
    await generic.rest.update(write, produce, { rules: unchecked, admit: false })
    const success: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }
    return objectOutcome(success, undefined, 201)
  }
}

/** What is wrong with a binding, which is no client's error on the real server. Source: ValidatePodBinding in pkg/apis/core/validation. */
function bindingErrors({ target }: Binding): string[] {
  const { kind = '', name = '' } = target ?? {}
  const wrongKind = `target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`
  return [...(['', 'Node'].includes(kind) ? [] : [wrongKind]), ...(name ? [] : ['target.name: Required value'])]
}

/** The handler has made the whole change itself. */
const unchecked: UpdateRules = { prepare: () => {}, validate: () => [] }
