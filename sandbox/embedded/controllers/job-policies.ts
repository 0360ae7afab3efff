import type { PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, SuccessPolicy } from '../schema/types/batch.v1.ts'
import type { ContainerStatus, Pod } from '../schema/types/core.v1.ts'
import { parseIndexes } from './job-indexes.ts'

/** What a Job's podFailurePolicy and successPolicy make of its Pods (pkg/controller/job/pod_failure_policy.go, success_policy.go). */

/** What a Pod's failure means to its Job. */
export interface FailureVerdict {
  action?: 'Ignore' | 'FailIndex' | 'Count' | 'FailJob'
  /** Counts towards the back-off limits. */
  counted: boolean
  /** Why the whole Job fails. */
  message?: string
}

/** The first rule that matches decides; without one the failure counts. */
export function judgeFailure(policy: PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [index, { action, onExitCodes, onPodConditions }] of (policy?.rules ?? []).entries()) {
    const reason = onExitCodes ? exitCodeReason(pod, onExitCodes) : conditionReason(pod, onPodConditions ?? [])
    if (reason === undefined) continue
    if (action === 'Ignore') return { action, counted: false }
    if (action === 'FailIndex' || action === 'Count') return { action, counted: true }
    if (action === 'FailJob') return { action, counted: true, message: `${reason} matching FailJob rule at index ${index}` }
  }
  return { counted: true }
}

function exitCodeReason(pod: Pod, requirement: PodFailurePolicyOnExitCodesRequirement): string | undefined {
  const status = pod.status?.containerStatuses?.find(matches) ?? pod.status?.initContainerStatuses?.find(matches)
  if (!status) return undefined
  const { namespace, name } = pod.metadata
  return `Container ${status.name} for pod ${namespace}/${name} failed with exit code ${status.state?.terminated?.exitCode}`

  function matches({ name: container, state }: ContainerStatus): boolean {
    const code = state?.terminated?.exitCode
    if (!code || (requirement.containerName !== undefined && requirement.containerName !== container)) return false
    return requirement.values.includes(code) === (requirement.operator === 'In')
  }
}

function conditionReason(pod: Pod, patterns: readonly { type: string; status: string }[]): string | undefined {
  const condition = pod.status?.conditions?.find(({ type, status }) =>
    patterns.some((pattern) => pattern.type === type && pattern.status === status),
  )
  return condition && `Pod ${pod.metadata.namespace}/${pod.metadata.name} has condition ${condition.type}`
}

/** The sentence that says which rule the succeeded indexes satisfy, if they do. */
export function successPolicyMet(
  policy: SuccessPolicy | undefined,
  completions: number,
  succeeded: ReadonlySet<number>,
): string | undefined {
  if (succeeded.size === 0) return undefined
  for (const [index, { succeededIndexes, succeededCount }] of (policy?.rules ?? []).entries()) {
    const message = `Matched rules at index ${index}`
    if (succeededIndexes === undefined) {
      if (succeededCount !== undefined && succeeded.size >= succeededCount) return message
      continue
    }
    const required = parseIndexes(succeededIndexes, completions)
    const reached = [...required].filter((one) => succeeded.has(one)).length
    if (required.size === 0) continue
    if (reached === required.size || (succeededCount !== undefined && reached >= succeededCount)) return message
  }
  return undefined
}
