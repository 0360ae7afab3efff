import { composedType, policyEnvironment } from '../../admission/policy-environment.ts'
import { compiled } from '../../cel/compiled.ts'
import type { Environment } from '../../cel/environment.ts'
import { type CelType, types } from '../../cel/types.ts'
import type {
  AuditAnnotation,
  MatchCondition,
  MatchResources,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  RuleWithOperations,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
  Validation,
  Variable,
} from '../../schema/types/admissionregistration.v1.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, Path, required, specPath, tooMany } from '../field.ts'
import { validateLabelSelector, validateSubdomain } from '../metadata.ts'
import { isDns1035Label, isDns1123Subdomain, isQualifiedName } from '../names.ts'
import { validateConditions } from '../status-conditions.ts'
import { serviceErrors, urlErrors } from './webhook-client.ts'

/** pkg/apis/admissionregistration: defaults and validation of webhooks and policies, and of the expressions in them. */
export const validatingWebhookRules: Partial<Definition<ValidatingWebhookConfiguration>> = {
  default: ({ webhooks }) => webhooks?.forEach(defaultWebhook),
  validate: ({ webhooks }) => webhookErrors(webhooks ?? []),
}

export const mutatingWebhookRules: Partial<Definition<MutatingWebhookConfiguration>> = {
  default({ webhooks }) {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook)
      webhook.reinvocationPolicy ??= 'Never'
    }
  },
  validate: ({ webhooks }) => webhookErrors(webhooks ?? []),
}

export const admissionPolicyRules: Partial<Definition<ValidatingAdmissionPolicy>> = {
  validateStatus({ status }) {
    const path = new Path('status')
    const warnings = (status?.typeChecking?.expressionWarnings ?? []).flatMap(({ fieldRef = '', warning = '' }, index) => {
      const at = path.child('typeChecking', 'expressionWarnings').index(index)
      return [
        ...(warning === '' ? [required(at.child('warning'))] : []),
        ...(fieldRef.trim() === '' ? [required(at.child('fieldRef'))] : []),
      ]
    })
    return [...warnings, ...validateConditions(status?.conditions, path.child('conditions'))]
  },
  default({ spec }) {
    if (!spec) return
    spec.failurePolicy ??= 'Fail'
    if (spec.matchConstraints) defaultMatch(spec.matchConstraints)
  },
  validate: policyErrors,
}

export const admissionPolicyBindingRules: Partial<Definition<ValidatingAdmissionPolicyBinding>> = {
  default({ spec }) {
    if (spec?.matchResources) defaultMatch(spec.matchResources)
  },
  validate({ spec }) {
    const { policyName, paramRef, matchResources, validationActions } = spec ?? {}
    const path = specPath.child('policyName')
    return [
      ...(policyName ? validateSubdomain(policyName, path) : [required(path)]),
      ...paramRefErrors(paramRef, specPath.child('paramRef')),
      ...(matchResources ? matchErrors(matchResources, specPath.child('matchResources')) : []),
      ...actionErrors(validationActions ?? [], specPath.child('validationActions')),
    ]
  },
}

type Webhook = ValidatingWebhook | MutatingWebhook

function defaultWebhook(webhook: Webhook): void {
  webhook.failurePolicy ??= 'Fail'
  webhook.matchPolicy ??= 'Equivalent'
  webhook.namespaceSelector ??= {}
  webhook.objectSelector ??= {}
  webhook.timeoutSeconds ??= 10
  for (const rule of webhook.rules ?? []) rule.scope ??= '*'
  if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443
}

function defaultMatch(match: MatchResources): void {
  match.matchPolicy ??= 'Equivalent'
  match.namespaceSelector ??= {}
  match.objectSelector ??= {}
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*'
}

const ofConditions = () => policyEnvironment({ params: false, authorizer: true })

function webhookErrors(webhooks: readonly Webhook[]): FieldError[] {
  const names = new Set<string>()
  return webhooks.flatMap((webhook, index) => {
    const path = new Path('webhooks').index(index)
    const errors = [
      ...oneWebhook(webhook, path),
      ...versionErrors(webhook.admissionReviewVersions ?? [], path.child('admissionReviewVersions')),
    ]
    if (names.has(webhook.name)) errors.push(duplicate(path.child('name'), webhook.name))
    names.add(webhook.name)
    return errors
  })
}

function oneWebhook(webhook: Webhook, path: Path): FieldError[] {
  const { name, rules = [], failurePolicy, matchPolicy, sideEffects, timeoutSeconds, clientConfig, matchConditions = [] } = webhook
  const { reinvocationPolicy } = webhook as MutatingWebhook
  const effects = ['None', 'NoneOnDryRun']
  const isUnsaid = sideEffects === undefined || sideEffects === null
  const sideEffectErrors = isUnsaid
    ? [required(path.child('sideEffects'), `must specify one of ${effects.join(', ')}`)]
    : oneOf(sideEffects, effects, path.child('sideEffects'))
  const { url, service } = clientConfig ?? {}
  const config = path.child('clientConfig')
  return [
    ...fullyQualified(name, path.child('name')),
    ...rules.flatMap((rule, index) => ruleErrors(rule, path.child('rules').index(index))),
    ...oneOf(failurePolicy, ['Fail', 'Ignore'], path.child('failurePolicy')),
    ...oneOf(matchPolicy, ['Equivalent', 'Exact'], path.child('matchPolicy')),
    ...sideEffectErrors,
    ...(timeoutSeconds !== undefined && (timeoutSeconds > 30 || timeoutSeconds < 1)
      ? [invalid(path.child('timeoutSeconds'), timeoutSeconds, 'the timeout value must be between 1 and 30 seconds')]
      : []),
    ...validateLabelSelector(webhook.namespaceSelector, path.child('namespaceSelector')),
    ...validateLabelSelector(webhook.objectSelector, path.child('objectSelector')),
    ...oneOf(reinvocationPolicy, ['IfNeeded', 'Never'], path.child('reinvocationPolicy')),
    ...((url === undefined) === (service === undefined)
      ? [required(config, 'exactly one of url or service is required')]
      : service
        ? // the real server takes the one name for the other here
          serviceErrors({ ...service, name: service.namespace, namespace: service.name }, config.child('service'))
        : urlErrors(url as string, config.child('url'))),
    ...conditionErrors(matchConditions, ofConditions(), path.child('matchConditions')),
  ]
}

function fullyQualified(name: string, path: Path): FieldError[] {
  if (!name) return [required(path)]
  const problems = isDns1123Subdomain(name)
  if (problems.length > 0) return [invalid(path, name, problems.join(','))]
  return name.split('.').length < 3 ? [invalid(path, name, 'should be a domain with at least three segments separated by dots')] : []
}

function versionErrors(versions: readonly string[], path: Path): FieldError[] {
  const accepted = ['v1', 'v1beta1']
  if (versions.length === 0) return [required(path, `must specify one of ${accepted.join(', ')}`)]
  const errors = versions.flatMap((version, index) =>
    versions.indexOf(version) < index
      ? [invalid(path.index(index), version, 'duplicate version')]
      : isDns1035Label(version).map((text) => invalid(path.index(index), version, text)),
  )
  if (versions.some((version) => accepted.includes(version))) return errors
  return [...errors, invalid(path, versions, `must include at least one of ${accepted.join(', ')}`)]
}

function oneOf(value: string | undefined, allowed: readonly string[], path: Path): FieldError[] {
  return value === undefined || allowed.includes(value) ? [] : [notSupported(path, value, allowed)]
}

function ruleErrors(rule: RuleWithOperations, path: Path): FieldError[] {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule
  const supported = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
  const alone = (values: readonly string[], name: string, what: string) =>
    values.length > 1 && values.includes('*')
      ? [invalid(path.child(name), values, `if '*' is present, must not specify other ${what}`)]
      : []
  return [
    ...(operations.length === 0 ? [required(path.child('operations'))] : alone(operations, 'operations', 'operations')),
    ...operations.flatMap((operation, index) => oneOf(operation, supported, path.child('operations').index(index))),
    ...(apiGroups.length === 0 ? [required(path.child('apiGroups'))] : alone(apiGroups, 'apiGroups', 'API groups')),
    ...(apiVersions.length === 0 ? [required(path.child('apiVersions'))] : alone(apiVersions, 'apiVersions', 'API versions')),
    ...apiVersions.flatMap((version, index) => (version === '' ? [required(path.child('apiVersions').index(index))] : [])),
    ...resourceErrors(resources, path.child('resources')),
    ...oneOf(scope, ['*', 'Cluster', 'Namespaced'], path.child('scope')),
  ]
}

function resourceErrors(resources: readonly string[], path: Path): FieldError[] {
  if (resources.length === 0) return [required(path)]
  const errors: FieldError[] = []
  const whole = new Set<string>()
  const anywhere = new Set<string>()
  for (const [index, text] of resources.entries()) {
    const at = path.index(index)
    if (text === '') errors.push(required(at))
    const slash = text.indexOf('/')
    if (slash < 0) continue
    const [resource, subresource] = [text.slice(0, slash), text.slice(slash + 1)]
    if (whole.has(resource)) errors.push(invalid(at, text, `if '${resource}/*' is present, must not specify ${text}`))
    if (anywhere.has(subresource)) errors.push(invalid(at, text, `if '*/${subresource}' is present, must not specify ${text}`))
    if (subresource === '*') whole.add(resource)
    if (resource === '*') anywhere.add(subresource)
  }
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
  if (resources.includes('*') && resources.some((text) => text !== '*' && !text.includes('/'))) {
    errors.push(invalid(path, resources, "if '*' is present, must not specify other resources without subresources"))
  }
  return errors
}

function conditionErrors(conditions: readonly MatchCondition[], environment: Environment, path: Path): FieldError[] {
  const errors = conditions.length > 64 ? [tooMany(path, conditions.length, 64)] : []
  for (const [index, { name, expression }] of conditions.entries()) {
    const at = path.index(index)
    errors.push(...expressionErrors(expression.trim(), environment, ['bool'], at.child('expression'), ''))
    if (!name) errors.push(required(at.child('name')))
    else errors.push(...isQualifiedName(name).map((text) => invalid(at.child('name'), name, text)))
    if (name && conditions.findIndex((one) => one.name === name) < index) errors.push(duplicate(at.child('name'), name))
  }
  return errors
}

function expressionErrors(
  text: string,
  environment: Environment,
  returns: readonly string[] | undefined,
  path: Path,
  missing: string,
): FieldError[] {
  if (!text.trim()) return [required(path, missing)]
  const { problem } = compiled(environment, text, returns)
  return problem === undefined ? [] : [invalid(path, text, problem)]
}

function policyErrors({ metadata, spec }: ValidatingAdmissionPolicy): FieldError[] {
  const { failurePolicy, paramKind, matchConstraints, matchConditions = [], validations = [], auditAnnotations = [] } = spec ?? {}
  const given = { params: paramKind !== undefined && paramKind !== null, authorizer: true }
  const constraints = specPath.child('matchConstraints')
  const errors = [
    ...oneOf(failurePolicy, ['Fail', 'Ignore'], specPath.child('failurePolicy')),
    ...(paramKind ? paramKindErrors(paramKind, specPath.child('paramKind')) : []),
    ...(matchConstraints ? matchErrors(matchConstraints, constraints) : [required(constraints)]),
    ...(matchConstraints && !matchConstraints.resourceRules?.length ? [required(constraints.child('resourceRules'))] : []),
    ...conditionErrors(matchConditions, policyEnvironment(given), specPath.child('matchConditions')),
  ]
  const { composed, faults } = variableErrors(spec?.variables ?? [], given)
  errors.push(...faults)
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const why = 'validations or auditAnnotations must contain at least one item'
    return [...errors, required(specPath.child('validations'), why), required(specPath.child('auditAnnotations'), why)]
  }
  const whole = policyEnvironment({ ...given, composed })
  const forMessages = policyEnvironment({ ...given, authorizer: false, composed })
  return [
    ...errors,
    ...validations.flatMap((one, index) => validationErrors(one, whole, forMessages, specPath.child('validations').index(index))),
    ...annotationErrors(metadata.name ?? '', auditAnnotations, whole, specPath.child('auditAnnotations')),
  ]
}

/** What is wrong with a policy's variables, and their types; each may use those before it. Without variables nothing is composed. */
function variableErrors(
  variables: readonly Variable[],
  given: { params: boolean; authorizer: boolean },
): { composed: ReadonlyMap<string, CelType> | undefined; faults: FieldError[] } {
  const composed = new Map<string, CelType>()
  const faults: FieldError[] = []
  for (const [index, { name, expression }] of variables.entries()) {
    const at = specPath.child('variables').index(index)
    const isNamed = /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name ?? '')
    if (!name?.trim()) faults.push(required(at.child('name'), 'name is not specified'))
    else if (!isNamed) faults.push(invalid(at.child('name'), name, 'must be a valid CEL identifier'))
    if (!expression?.trim()) {
      faults.push(required(at.child('expression'), 'expression is not specified'))
      continue
    }
    const before = composed.size > 0 ? new Map(composed) : undefined
    const { program, problem } = compiled(policyEnvironment({ ...given, composed: before }), expression)
    if (problem !== undefined) faults.push(invalid(at.child('expression'), expression, problem))
    if (isNamed) composed.set(name, program ? composedType(program) : types.dyn)
  }
  return { composed: variables.length > 0 ? composed : undefined, faults }
}

function validationErrors(one: Validation, environment: Environment, forMessages: Environment, path: Path): FieldError[] {
  const { expression, message, messageExpression, reason } = one
  const errors = expressionErrors(expression ?? '', environment, ['bool'], path.child('expression'), 'expression is not specified')
  const at = path.child('messageExpression')
  if (messageExpression && !messageExpression.trim()) errors.push(invalid(at, messageExpression, 'must be non-empty if specified'))
  else if (messageExpression) errors.push(...expressionErrors(messageExpression, forMessages, ['string'], at, ''))
  if (message && !message.trim()) errors.push(invalid(path.child('message'), message, 'must be non-empty if specified'))
  else if (/[\n\r]/.test(message?.trim() ?? '')) errors.push(invalid(path.child('message'), message, 'must not contain line breaks'))
  return [...errors, ...oneOf(reason, ['Forbidden', 'Invalid', 'RequestEntityTooLarge'], path.child('reason'))]
}

const mostAnnotations = 20
const longestAnnotation = 5 * 1024

function annotationErrors(policy: string, annotations: readonly AuditAnnotation[], environment: Environment, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (annotations.length > mostAnnotations)
    errors.push(invalid(path, annotations, `must not have more than ${mostAnnotations} auditAnnotations`))
  for (const [index, { key, valueExpression }] of annotations.entries()) {
    const at = path.index(index)
    const full = `${policy}/${key}`
    if (policy === '') errors.push(invalid(at.child('key'), key, 'requires metadata.name be non-empty'))
    else errors.push(...isQualifiedName(full).map((text) => invalid(at.child('key'), full, text)))
    const text = valueExpression?.trim() ?? ''
    if (text.length > longestAnnotation)
      errors.push(required(at.child('valueExpression'), `must not exceed ${longestAnnotation} bytes in length`))
    else
      errors.push(
        ...expressionErrors(text, environment, ['string', 'null_type'], at.child('valueExpression'), 'valueExpression is not specified'),
      )
    if (annotations.findIndex((one) => one.key === key) < index) errors.push(duplicate(at.child('key'), key))
  }
  return errors
}

function matchErrors(match: MatchResources, path: Path): FieldError[] {
  const named = (rules: readonly NamedRuleWithOperations[] = [], name: string) =>
    rules.flatMap((rule, index) => {
      const at = path.child(name).index(index)
      const names = rule.resourceNames ?? []
      const repeated = names.flatMap((one, place) =>
        names.indexOf(one) < place ? [duplicate(at.child('resourceNames').index(place), one)] : [],
      )
      return [...repeated, ...ruleErrors(rule, at)]
    })
  return [
    ...oneOf(match.matchPolicy, ['Equivalent', 'Exact'], path.child('matchPolicy')),
    ...validateLabelSelector(match.namespaceSelector, path.child('namespaceSelector')),
    ...validateLabelSelector(match.objectSelector, path.child('objectSelector')),
    ...named(match.resourceRules, 'resourceRules'),
    ...named(match.excludeResourceRules, 'excludeResourceRules'),
  ]
}

function paramKindErrors({ apiVersion, kind }: ParamKind, path: Path): FieldError[] {
  const errors: FieldError[] = []
  const parts = apiVersion?.split('/') ?? []
  const [group = '', version = ''] = parts.length === 1 ? ['', parts[0]] : parts
  const at = path.child('apiVersion')
  if (!apiVersion) errors.push(required(at))
  else if (parts.length > 2) errors.push(invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  else {
    if (group && isDns1123Subdomain(group).length > 0) errors.push(invalid(at, group, isDns1123Subdomain(group).join(',')))
    if (!version) errors.push(invalid(at, apiVersion, 'version must be specified'))
    else if (isDns1035Label(version).length > 0) errors.push(invalid(at, version, isDns1035Label(version).join(',')))
  }
  if (!kind) return [...errors, required(path.child('kind'))]
  const problems = isDns1035Label(kind.toLowerCase())
  if (problems.length === 0) return errors
  return [...errors, invalid(path.child('kind'), kind, `may have mixed case, but should otherwise match: ${problems.join(',')}`)]
}

function paramRefErrors(reference: ParamRef | undefined, path: Path): FieldError[] {
  if (!reference) return []
  const { name, selector, parameterNotFoundAction } = reference
  const errors: FieldError[] = []
  const exclusive = 'name and selector are mutually exclusive'
  if (name && selector) errors.push(forbidden(path.child('name'), exclusive))
  if (selector) errors.push(...validateLabelSelector(selector, path.child('selector')))
  if (name && selector) errors.push(forbidden(path.child('selector'), exclusive))
  if (!name && !selector) errors.push(required(path, 'one of name or selector must be specified'))
  if (!parameterNotFoundAction) return [...errors, required(path.child('parameterNotFoundAction'))]
  return [...errors, ...oneOf(parameterNotFoundAction, ['Deny', 'Allow'], path.child('parameterNotFoundAction'))]
}

function actionErrors(actions: readonly string[], path: Path): FieldError[] {
  if (actions.length === 0) return [required(path, 'at least one validation action is required')]
  const errors = actions.flatMap((action, index) => [
    ...oneOf(action, ['Audit', 'Deny', 'Warn'], path.index(index)),
    ...(actions.indexOf(action) < index ? [duplicate(path.index(index), action)] : []),
  ])
  if (!actions.includes('Deny') || !actions.includes('Warn')) return errors
  const why =
    'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)'
  return [...errors, invalid(path, actions, why)]
}
