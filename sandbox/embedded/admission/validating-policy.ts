import type { ServedResources } from '../api/resources.ts'
import type { Authorizer } from '../auth/rbac.ts'
import { runtimeBudget } from '../cel/budget.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { ApiError, type StatusReason } from '../machinery/errors.ts'
import { groupVersionOf, type KubeObject } from '../machinery/object.ts'
import { selectorMatches } from '../registry/metadata.ts'
import type {
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../schema/types/admissionregistration.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, refuse } from './admission.ts'
import { conversions } from './equivalents.ts'
import { variablesOf } from './expression-variables.ts'
import { anyRule, conditionsHold, matchOf, seenBy } from './policy-match.ts'
import { type Outcome, OutOfBudget, PolicyEvaluation, programOf, type Variables } from './policy-program.ts'

export interface PolicyContext extends Pick<ClusterContext, 'cache'> {
  authorizer: Pick<Authorizer, 'authorize'>
  resources: Pick<ServedResources, 'all'>
}

/**
 * ValidatingAdmissionPolicies (KEP 3488): expressions over the request,
 * bound to where they count. Source: policy/validating/dispatcher.go.
 */
export function validatingAdmissionPolicy(context: PolicyContext): AdmissionPlugin {
  const { cache } = context
  const equivalents = conversions(context.resources)
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: () => cache.list(bindings).length > 0,
    async validate(request) {
      const denials: Denial[] = []
      const all = cache.list<ValidatingAdmissionPolicyBinding>(bindings)
      const names = new Set(all.map(({ spec }) => spec?.policyName ?? ''))
      for (const name of names) {
        const policy = cache.get<ValidatingAdmissionPolicy>(policies, name)
        const constraints = policy?.spec?.matchConstraints
        const seen = constraints && (await seenBy(cache, equivalents, request, matchOf(constraints), constraints.matchPolicy))
        if (!policy || !seen) continue
        const annotations = new Map<string, Set<string>>()
        for (const binding of all.filter(({ spec }) => spec?.policyName === name)) {
          const narrowed = binding.spec?.matchResources
          if (narrowed && !(await seenBy(cache, equivalents, request, matchOf(narrowed, anyRule), narrowed.matchPolicy))) continue
          const found = paramsOf(policy, binding, request)
          if ('fault' in found) denials.push({ policy, binding, message: found.fault })
          else for (const params of found.params) judge(policy, binding, { seen, request, params, denials, annotations })
        }
        for (const [key, values] of annotations) request.annotate(`${name}/${key}`, [...values].join(', '))
      }
      const [first] = denials
      if (first) throw refusal(first, request)
    },
  }

  function judge(policy: ValidatingAdmissionPolicy, binding: ValidatingAdmissionPolicyBinding, one: Judgement): void {
    const { seen, request, params, denials, annotations } = one
    const verdict = verdictOf(policy, variablesOf(seen, request, context, params))
    const [policyName = '', bindingName = ''] = [policy.metadata.name, binding.metadata.name]
    const actions = binding.spec?.validationActions ?? []
    for (const { message, reason, index } of verdict.failures) {
      for (const action of actions) {
        if (action === 'Deny') denials.push({ policy, binding, message, ...(reason ? { reason } : {}) })
        else if (action === 'Warn') {
          request.warn(`Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${message}`)
        } else {
          const failure = { message, policy: policyName, binding: bindingName, expressionIndex: index, validationActions: actions }
          request.annotate('validation.policy.admission.k8s.io/validation_failure', JSON.stringify([failure]))
        }
      }
    }
    for (const { key, value, error } of verdict.annotations) {
      if (error !== undefined) denials.push({ policy, binding, message: error })
      else annotations.set(key, (annotations.get(key) ?? new Set()).add(Buffer.from(value).subarray(0, longestAnnotation).toString()))
    }
  }

  /** Each stands for a judgement of its own; none where a failure to find them is to be passed over. */
  function paramsOf(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    request: AdmissionRequest,
  ): { params: readonly unknown[] } | { fault: string } {
    const kind = policy.spec?.paramKind
    const reference = binding.spec?.paramRef
    if (!kind || !reference) return { params: [undefined] }
    const found = findParams(kind, reference, request.namespace)
    const isMissing = typeof found !== 'string' && found.length === 0 && reference.parameterNotFoundAction === 'Deny'
    if (typeof found !== 'string' && !isMissing) return { params: found }
    if (policy.spec?.failurePolicy === 'Ignore') return { params: [] }
    const why = typeof found === 'string' ? found : 'no params found for policy binding with `Deny` parameterNotFoundAction'
    return { fault: `failed to configure binding: ${why}` }
  }

  /** The parameters, or why they cannot be looked for. */
  function findParams(
    { apiVersion = '', kind }: ParamKind,
    { name, namespace, selector }: ParamRef,
    requested: string,
  ): readonly KubeObject[] | string {
    const { group, version } = groupVersionOf(apiVersion)
    const info = context.resources.all().find((one) => one.group === group && one.version === version && one.kind === kind)
    if (!info) return `failed to find resource referenced by paramKind: '${group ? `${group}/` : ''}${version}, Kind=${kind}'`
    if (!info.namespaced && namespace) return 'paramRef.namespace must not be provided for a cluster-scoped `paramKind`'
    if (info.namespaced && !namespace && !requested)
      return 'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources'
    const at = info.namespaced ? namespace || requested : undefined
    if (name) {
      const one = cache.get<KubeObject>(info.storage, name, at)
      return one ? [one] : []
    }
    return cache.list<KubeObject>(info.storage, at).filter(({ metadata }) => selectorMatches(selector, metadata.labels))
  }
}

/** What a binding says against a request. */
interface Denial {
  policy: ValidatingAdmissionPolicy
  binding: ValidatingAdmissionPolicyBinding
  message: string
  reason?: StatusReason
}

interface Judgement {
  /** The request as the policy is to see it. */
  seen: AdmissionRequest
  request: AdmissionRequest
  params: unknown
  denials: Denial[]
  /** Values by key, each once. */
  annotations: Map<string, Set<string>>
}

interface Verdict {
  failures: { message: string; reason?: StatusReason; index: number }[]
  annotations: { key: string; value: string; error?: string }[]
}

const policies = { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicies' }
const bindings = { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicybindings' }
const codes: Partial<Record<StatusReason, number>> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413, Invalid: 422 }

/** Bytes. */
const longestAnnotation = 10 * 1024
const longestMessage = 5 * 1024

function refusal({ policy, binding, message, reason = 'Invalid' }: Denial, request: AdmissionRequest): ApiError {
  const why = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${message}`
  const refused = refuse(request, why)
  return new ApiError(codes[reason] ?? 422, reason, refused.message, { ...refused.body.details, causes: [{ message: why }] })
}

/**
 * An expression that cannot be evaluated fails the request, or is passed
 * over, as failurePolicy says. Source: policy/validating/validator.go.
 */
function verdictOf(policy: ValidatingAdmissionPolicy, given: Variables): Verdict {
  const { failurePolicy, validations = [], auditAnnotations = [] } = policy.spec ?? {}
  const lenient = failurePolicy === 'Ignore'
  const verdict: Verdict = { failures: [], annotations: [] }
  const program = programOf(policy)
  const { hold, fault } = conditionsHold(program.conditions, given, program.variables)
  if (fault !== undefined && !lenient) verdict.failures.push({ message: fault, index: 0 })
  if (!hold) return verdict
  const withoutAuthorizer: Variables = (name) => (name.startsWith('authorizer') ? undefined : given(name))
  try {
    const evaluation = new PolicyEvaluation(given, program.variables, runtimeBudget)
    const outcomes = program.validations.map((validation) => evaluation.outcome(validation))
    const messages = new PolicyEvaluation(withoutAuthorizer, program.variables, evaluation.budget)
    let exhausted: string | undefined
    const told = program.messages.map((message) => {
      if (!message || exhausted !== undefined) return undefined
      try {
        return messages.outcome(message)
      } catch (error) {
        if (!(error instanceof OutOfBudget)) throw error
        exhausted = error.message
        return undefined
      }
    })
    for (const [index, outcome] of outcomes.entries()) {
      const { expression, message, reason } = validations[index] ?? { expression: '' }
      if ('error' in outcome) verdict.failures.push(...(lenient ? [] : [{ message: outcome.error, index }]))
      else if (exhausted !== undefined)
        verdict.failures.push(...(lenient ? [] : [{ message: `failed messageExpression: ${exhausted}`, index }]))
      else if (outcome.value !== true) {
        const text = messageText(told[index]) || message?.trim() || `failed expression: ${expression.trim()}`
        verdict.failures.push({ message: text, reason: (reason as StatusReason | undefined) ?? 'Invalid', index })
      }
    }
    const annotating = new PolicyEvaluation(withoutAuthorizer, program.variables, runtimeBudget)
    for (const [index, annotation] of program.annotations.entries()) {
      const outcome = annotating.outcome(annotation)
      const { key = '' } = auditAnnotations[index] ?? {}
      if ('error' in outcome) verdict.annotations.push(...(lenient ? [] : [{ key, value: '', error: outcome.error }]))
      else if (typeof outcome.value === 'string' && outcome.value.trim() !== '')
        verdict.annotations.push({ key, value: outcome.value.trim() })
    }
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error
    return { failures: lenient ? [] : [{ message: error.message, index: 0 }], annotations: [] }
  }
  return verdict
}

/** '' where the plain message is to be taken. */
function messageText(outcome: Outcome | undefined): string {
  if (!outcome || 'error' in outcome || typeof outcome.value !== 'string') return ''
  const text = outcome.value.trim()
  return text.includes('\n') || Buffer.byteLength(text) > longestMessage ? '' : text
}
