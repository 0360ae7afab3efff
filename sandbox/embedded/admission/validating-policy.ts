import { compile, toCel } from '../cel/index.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { ApiError, type StatusReason } from '../machinery/errors.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { builtInResources } from '../registry/index.ts'
import { selectorMatches } from '../registry/metadata.ts'
import type {
  MatchResources,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../schema/types/admissionregistration.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, refuse } from './admission.ts'
import { matches } from './matching.ts'

/** ValidatingAdmissionPolicies (KEP 3488): expressions over the request, bound to where they count. */
export function validatingAdmissionPolicy({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: () => cache.list(bindings).length > 0,
    validate(request) {
      for (const binding of cache.list<ValidatingAdmissionPolicyBinding>(bindings)) {
        const policy = cache.get<ValidatingAdmissionPolicy>(policies, binding.spec?.policyName ?? '')
        if (!policy?.spec || !matches(cache, request, matchOf(policy.spec.matchConstraints))) continue
        if (binding.spec?.matchResources && !matches(cache, request, matchOf(binding.spec.matchResources, anyRule))) continue
        for (const params of paramsOf(policy, binding, request)) judge(policy, binding, request, params)
      }
    },
  }

  function judge(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    request: AdmissionRequest,
    params: unknown,
  ): void {
    const variables = variablesOf(request, params)
    for (const failure of failuresOf(policy, variables)) {
      const actions = binding.spec?.validationActions ?? ['Deny']
      const [policyName, bindingName] = [policy.metadata.name, binding.metadata.name]
      if (actions.includes('Warn')) {
        request.warn(`Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${failure.message}`)
      }
      if (!actions.includes('Deny')) continue
      const why = `ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}' denied request: ${failure.message}`
      const { message, body } = refuse(request, why)
      throw new ApiError(codes[failure.reason] ?? 422, failure.reason, message, { ...body.details, causes: [{ message: why }] })
    }
  }

  function variablesOf(request: AdmissionRequest, params: unknown): Record<string, unknown> {
    const { operation, kind, resource, subresource, namespace, name, object, oldObject, user, dryRun, options } = request
    const about = {
      kind,
      resource,
      subResource: subresource,
      requestKind: kind,
      requestResource: resource,
      name,
      namespace,
      operation,
      dryRun,
      options,
    }
    return {
      object: object === undefined ? null : toCel(object),
      oldObject: oldObject === undefined ? null : toCel(oldObject),
      request: toCel({ ...about, userInfo: user }),
      params: params === undefined ? null : toCel(params),
      namespaceObject: toCel(namespace ? (cache.get(resources.namespaces, namespace) ?? null) : null),
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
    if (found.length > 0 || reference.parameterNotFoundAction === 'Allow') return found
    const why = 'no params found for policy binding with `Deny` parameterNotFoundAction'
    const message = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: failed to configure binding: ${why}`
    throw refuse(request, message)
  }

  function findParams(
    { apiVersion = '', kind }: ParamKind,
    { name, namespace, selector }: ParamRef,
    requested: string,
  ): readonly KubeObject[] {
    const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    const info =
      builtInResources.find((one) => one.group === group && one.version === version && one.kind === kind) ?? customOf(group, version, kind)
    if (!info) return []
    const at = info.namespaced ? namespace || requested : undefined
    const one = name ? cache.get<KubeObject>(info.storage, name, at) : undefined
    if (name) return one ? [one] : []
    return cache.list<KubeObject>(info.storage, at).filter(({ metadata }) => selectorMatches(selector, metadata.labels))
  }

  function customOf(group: string, version: string, kind: string | undefined) {
    const definitions = cache.list<KubeObject & { spec: { group: string; scope: string; names: { kind: string; plural: string } } }>(
      resources.customResourceDefinitions,
    )
    const found = definitions.find(({ spec }) => spec.group === group && spec.names.kind === kind)
    return found && { namespaced: found.spec.scope === 'Namespaced', storage: { group, version, resource: found.spec.names.plural } }
  }
}

interface Failure {
  message: string
  reason: StatusReason
}

const policies = { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicies' }
const bindings = { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicybindings' }
const anyRule = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*', '*/*'] }
const codes: Partial<Record<StatusReason, number>> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413, Invalid: 422 }

function matchOf(constraints: MatchResources | undefined, otherwise?: typeof anyRule) {
  const { namespaceSelector, objectSelector, resourceRules, excludeResourceRules } = constraints ?? {}
  return {
    rules: resourceRules?.length ? resourceRules : otherwise ? [otherwise] : [],
    excluded: excludeResourceRules ?? [],
    ...(namespaceSelector ? { namespaceSelector } : {}),
    ...(objectSelector ? { objectSelector } : {}),
  }
}

/** An expression that cannot be evaluated fails the request, or is passed over, as failurePolicy says. */
function* failuresOf({ spec }: ValidatingAdmissionPolicy, base: Record<string, unknown>): Generator<Failure> {
  const lenient = spec?.failurePolicy === 'Ignore'
  const variables = { ...base, variables: lazy(spec?.variables ?? [], base) }
  try {
    for (const { expression } of spec?.matchConditions ?? []) if (compile(expression)(variables) !== true) return
  } catch (error) {
    if (!lenient) yield { message: `failed to evaluate match conditions: ${textOf(error)}`, reason: 'Forbidden' }
    return
  }
  for (const { expression, message, messageExpression, reason } of spec?.validations ?? []) {
    try {
      if (compile(expression)(variables) === true) continue
    } catch (error) {
      if (!lenient) yield { message: `expression '${expression}' resulted in error: ${textOf(error)}`, reason: 'Invalid' }
      continue
    }
    const told = messageExpression ? evaluated(messageExpression, variables) : undefined
    yield { message: told ?? message?.trim() ?? `failed expression: ${expression.trim()}`, reason: (reason as StatusReason) ?? 'Invalid' }
  }
}

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
    return typeof text === 'string' && text.trim() !== '' ? text.trim() : undefined
  } catch {
    return undefined
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
