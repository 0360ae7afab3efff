import type { ServedResources } from '../api/resources.ts'
import type { Authorizer } from '../auth/rbac.ts'
import { faultOf } from '../cel/fault.ts'
import { compile } from '../cel/index.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { ApiError, type StatusReason } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
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

export interface PolicyContext extends Pick<ClusterContext, 'cache'> {
  authorizer: Pick<Authorizer, 'authorize'>
  resources: Pick<ServedResources, 'all'>
}

/** ValidatingAdmissionPolicies (KEP 3488): expressions over the request, bound to where they count. */
export function validatingAdmissionPolicy(context: PolicyContext): AdmissionPlugin {
  const { cache } = context
  const equivalents = conversions(context.resources)
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: () => cache.list(bindings).length > 0,
    async validate(request) {
      const audited: AuditedFailure[] = []
      for (const binding of cache.list<ValidatingAdmissionPolicyBinding>(bindings)) {
        const policy = cache.get<ValidatingAdmissionPolicy>(policies, binding.spec?.policyName ?? '')
        const constraints = policy?.spec?.matchConstraints
        const seen = constraints && (await seenBy(cache, equivalents, request, matchOf(constraints), constraints.matchPolicy))
        if (!policy || !seen) continue
        const narrowed = binding.spec?.matchResources
        if (narrowed && !(await seenBy(cache, equivalents, request, matchOf(narrowed, anyRule), narrowed.matchPolicy))) continue
        for (const params of paramsOf(policy, binding, request)) judge(policy, binding, seen, request, params, audited)
      }
      if (audited.length > 0) request.annotate('validation.policy.admission.k8s.io/validation_failure', JSON.stringify(audited))
    },
  }

  function judge(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    seen: AdmissionRequest,
    request: AdmissionRequest,
    params: unknown,
    audited: AuditedFailure[],
  ): void {
    const variables = variablesOf(seen, request, context, params)
    const [policyName = '', bindingName = ''] = [policy.metadata.name, binding.metadata.name]
    const actions = binding.spec?.validationActions ?? ['Deny']
    for (const failure of failuresOf(policy, variables, request)) {
      if (actions.includes('Warn')) {
        request.warn(`Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${failure.message}`)
      }
      if (actions.includes('Audit')) {
        audited.push({
          message: failure.message,
          policy: policyName,
          binding: bindingName,
          expressionIndex: failure.index,
          validationActions: actions,
        })
      }
      if (!actions.includes('Deny')) continue
      const why = `ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}' denied request: ${failure.message}`
      const { message, body } = refuse(request, why)
      throw new ApiError(codes[failure.reason] ?? 422, failure.reason, message, { ...body.details, causes: [{ message: why }] })
    }
  }

  function paramsOf(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    request: AdmissionRequest,
  ): readonly unknown[] {
    const kind = policy.spec?.paramKind
    const reference = binding.spec?.paramRef
    if (!kind || !reference) return [undefined]
    const found = findParams(kind, reference, request.namespace)
    if (typeof found !== 'string' && (found.length > 0 || reference.parameterNotFoundAction === 'Allow')) return found
    if (typeof found === 'string' && policy.spec?.failurePolicy === 'Ignore') return []
    const why = typeof found === 'string' ? found : 'no params found for policy binding with `Deny` parameterNotFoundAction'
    const message = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: failed to configure binding: ${why}`
    throw refuse(request, message)
  }

  /** The parameters, or why they cannot be looked for. */
  function findParams(
    { apiVersion = '', kind }: ParamKind,
    { name, namespace, selector }: ParamRef,
    requested: string,
  ): readonly KubeObject[] | string {
    const slash = apiVersion.indexOf('/')
    const group = slash < 0 ? '' : apiVersion.slice(0, slash)
    const version = apiVersion.slice(slash + 1)
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

interface Failure {
  message: string
  reason: StatusReason
  index: number
}

interface AuditedFailure {
  message: string
  policy: string
  binding: string
  expressionIndex: number
  validationActions: readonly string[]
}

const policies = { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicies' }
const bindings = { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicybindings' }
const codes: Partial<Record<StatusReason, number>> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413, Invalid: 422 }

/** An expression that cannot be evaluated fails the request, or is passed over, as failurePolicy says. */
function* failuresOf(
  { metadata, spec }: ValidatingAdmissionPolicy,
  base: Record<string, unknown>,
  request: AdmissionRequest,
): Generator<Failure> {
  const lenient = spec?.failurePolicy === 'Ignore'
  const { hold, faults } = conditionsHold(spec?.matchConditions ?? [], base)
  if (faults.length > 0 && !lenient)
    yield { message: faults.length === 1 ? (faults[0] as string) : `[${faults.join(', ')}]`, reason: 'Invalid', index: 0 }
  if (!hold) return
  const variables = { ...base, variables: lazy(spec?.variables ?? [], base) }
  for (const [index, { expression, message, messageExpression, reason }] of (spec?.validations ?? []).entries()) {
    try {
      if (compile(expression)(variables) === true) continue
    } catch (error) {
      if (!lenient) yield { message: `expression '${expression}' resulted in error: ${faultOf(error)}`, reason: 'Invalid', index }
      continue
    }
    const told = messageExpression ? evaluated(messageExpression, variables) : undefined
    yield {
      message: told ?? (message?.trim() || `failed expression: ${expression.trim()}`),
      reason: (reason as StatusReason) ?? 'Invalid',
      index,
    }
  }
  for (const [index, { key, valueExpression }] of (spec?.auditAnnotations ?? []).entries()) {
    try {
      const value = compile(valueExpression)(variables)
      if (typeof value === 'string' && value.trim() !== '') request.annotate(`${metadata.name}/${key}`, value.slice(0, longestAnnotation))
    } catch (error) {
      if (!lenient) yield { message: `expression '${valueExpression}' resulted in error: ${faultOf(error)}`, reason: 'Invalid', index }
    }
  }
}

const longestAnnotation = 10 * 1024

/** Each variable is computed when first used, and may use those before it. */
function lazy(definitions: readonly { name: string; expression: string }[], base: Record<string, unknown>): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const { name, expression } of definitions) {
    let known: { value: unknown } | undefined
    Object.defineProperty(values, name, {
      enumerable: true,
      get: () => (known ??= { value: compile(expression)({ ...base, variables: values }) }).value,
    })
  }
  return values
}

/** A messageExpression that fails leaves the plain message, as upstream. */
function evaluated(expression: string, variables: Record<string, unknown>): string | undefined {
  try {
    const text = compile(expression)(variables)
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text.trim() : undefined
  } catch {
    return undefined
  }
}
