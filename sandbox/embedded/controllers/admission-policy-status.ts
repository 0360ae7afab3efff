import { typeWarnings } from '../admission/policy-type-check.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { ValidatingAdmissionPolicy } from '../schema/types/admissionregistration.v1.ts'
import type { CustomResourceDefinition } from '../schema/types/apiextensions.v1.ts'
import { WorkQueue } from './queue.ts'

const policies = { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicies' }
const fieldManager = 'validatingadmissionpolicy-status'

/**
 * Tells in a policy's status what its expressions get wrong about the
 * kinds that it names: pkg/controller/validatingadmissionpolicystatus.
 */
export function startAdmissionPolicyStatus(context: ClusterContext): Disposable {
  const { cache, client } = context
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, sync, { name: fieldManager }))
  stack.use(
    cache.watch<ValidatingAdmissionPolicy>(policies, ({ type, object }) => {
      if (type !== 'DELETED') queue.add(object.metadata.name as string)
    }),
  )
  return stack

  async function sync(name: string): Promise<void> {
    const policy = cache.get<ValidatingAdmissionPolicy>(policies, name)
    const generation = policy?.metadata.generation ?? 0
    if (!policy || generation <= (policy.status?.observedGeneration ?? 0)) return
    const definitions = cache.list<CustomResourceDefinition>(resources.customResourceDefinitions)
    const expressionWarnings = typeWarnings(policy, definitions, () => context.random())
    const status = { observedGeneration: generation, typeChecking: expressionWarnings.length > 0 ? { expressionWarnings } : {} }
    const applied = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata: { name }, status }
    try {
      await client.patch(policies, name, applied, 'apply', { subresource: 'status', fieldManager, force: true })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}
