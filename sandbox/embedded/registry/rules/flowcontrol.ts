import type { FlowSchema, FlowSchemaSpec, PriorityLevelConfiguration } from '../../schema/types/flowcontrol.v1.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, Path, required, specPath } from '../field.ts'
import { isDns1123Label, isDns1123Subdomain, type NameRule } from '../names.ts'

/** pkg/apis/flowcontrol: defaults and validation. */
export const flowSchemaRules: Partial<Definition<FlowSchema>> = {
  default({ spec }) {
    if (spec) spec.matchingPrecedence ||= 1000
  },
  validate({ spec }) {
    const { priorityLevelConfiguration, matchingPrecedence = 0, distinguisherMethod, rules = [] } = spec ?? {}
    const errors: FieldError[] = []
    const precedence = specPath.child('matchingPrecedence')
    if (matchingPrecedence <= 0) errors.push(invalid(precedence, matchingPrecedence, 'must be a positive value'))
    if (matchingPrecedence > 10_000) errors.push(invalid(precedence, matchingPrecedence, 'must not be greater than 10000'))
    if (distinguisherMethod && !['ByNamespace', 'ByUser'].includes(distinguisherMethod.type)) {
      errors.push(
        notSupported(specPath.child('distinguisherMethod', 'type'), { Type: distinguisherMethod.type }, ['ByNamespace', 'ByUser']),
      )
    }
    if (!priorityLevelConfiguration?.name) {
      errors.push(required(specPath.child('priorityLevelConfiguration', 'name'), 'must reference a priority level'))
    } else errors.push(...named(isDns1123Subdomain, priorityLevelConfiguration.name, specPath.child('priorityLevelConfiguration', 'name')))
    return [...errors, ...rules.flatMap((rule, index) => ruleErrors(rule, specPath.child('rules').index(index)))]
  },
}

type Rule = NonNullable<FlowSchemaSpec['rules']>[number]

function ruleErrors(rule: Rule, path: Path): FieldError[] {
  // An empty list has come as null through Go's eyes.
  const [subjects, resourceRules, nonResourceRules] = [rule.subjects ?? [], rule.resourceRules ?? [], rule.nonResourceRules ?? []]
  const errors = subjects.flatMap((subject, index) => subjectErrors(subject, path.child('subjects').index(index)))
  if (subjects.length === 0) errors.push(required(path.child('subjects'), 'subjects must contain at least one value'))
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'))
  }
  for (const [index, { verbs: given, apiGroups, resources, namespaces, clusterScope }] of resourceRules.entries()) {
    const at = path.child('resourceRules').index(index)
    errors.push(...verbErrors(given ?? [], at.child('verbs')))
    if (!apiGroups?.length) errors.push(required(at.child('apiGroups'), 'resource rules must supply at least one api group'))
    else errors.push(...alone(apiGroups, at.child('apiGroups'), 'api groups'))
    if (!resources?.length) errors.push(required(at.child('resources'), 'resource rules must supply at least one resource'))
    else errors.push(...alone(resources, at.child('resources'), 'resources'))
    if (!namespaces?.length && !clusterScope) {
      errors.push(required(at.child('namespaces'), 'resource rules that are not cluster scoped must supply at least one namespace'))
    } else if (namespaces?.includes('*')) errors.push(...alone(namespaces, at.child('namespaces'), 'namespaces'))
    else {
      const why = "each member of this list must be '*' or a DNS-1123 label; "
      for (const [place, name] of (namespaces ?? []).entries())
        errors.push(...isDns1123Label(name).map((text) => invalid(at.child('namespaces').index(place), name, why + text)))
    }
  }
  for (const [index, { verbs: given, nonResourceURLs }] of nonResourceRules.entries()) {
    const at = path.child('nonResourceRules').index(index)
    errors.push(...verbErrors(given ?? [], at.child('verbs')))
    const urls = at.child('nonResourceURLs')
    if (!nonResourceURLs?.length) errors.push(required(urls, 'nonResourceURLs must contain at least one value'))
    const list = nonResourceURLs ?? []
    if (list.includes('*')) errors.push(...alone(list, urls, 'non-resource URLs'))
    else errors.push(...list.flatMap((url, place) => urlErrors(url, urls.index(place))))
  }
  return errors
}

function urlErrors(url: string, path: Path): FieldError[] {
  if (url === '') return [invalid(path, url, 'must not be empty')]
  if (url === '/') return []
  if (!url.startsWith('/')) return [invalid(path, url, 'must start with slash')]
  if (url.includes(' ')) return [invalid(path, url, 'must not contain white-space')]
  if (url.includes('//')) return [invalid(path, url, 'must not contain double slash')]
  return /^[^*]*(\/\*)?$/.test(url) ? [] : [invalid(path, url, 'wildcard can only do suffix matching')]
}

function named(check: NameRule, name: string, path: Path): FieldError[] {
  return check(name).map((text) => invalid(path, name, text))
}

function alone(values: readonly string[], path: Path, what: string): FieldError[] {
  return values.length > 1 && values.includes('*') ? [invalid(path, values, `if '*' is present, must not specify other ${what}`)] : []
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']

function verbErrors(given: readonly string[], path: Path): FieldError[] {
  if (given.length === 0) return [required(path, 'verbs must contain at least one value')]
  if (given.includes('*')) return alone(given, path, 'verbs')
  return given.every((verb) => verbs.includes(verb)) ? [] : [notSupported(path, given, verbs)]
}

const subjectFields = { User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' } as const

function subjectErrors(subject: Rule['subjects'][number], path: Path): FieldError[] {
  const { kind } = subject
  const field = Object.hasOwn(subjectFields, kind) ? subjectFields[kind as keyof typeof subjectFields] : undefined
  if (!field) return [notSupported(path.child('kind'), kind, ['Group', 'ServiceAccount', 'User'])]
  const others = Object.entries(subjectFields).filter(([, other]) => other !== field && subject[other])
  return [
    ...nameErrors(subject, field, path.child(field)),
    ...others.map(([other, one]) => forbidden(path.child(one), `${one} is forbidden when subject kind is not '${other}'`)),
  ]
}

function nameErrors(subject: Rule['subjects'][number], field: 'user' | 'group' | 'serviceAccount', path: Path): FieldError[] {
  const value = subject[field]
  if (!value) return [required(path, `${field} is required when subject kind is '${subject.kind}'`)]
  const errors = value.name ? [] : [required(path.child('name'))]
  if (field !== 'serviceAccount') return errors
  const { name, namespace } = subject.serviceAccount ?? { name: '', namespace: '' }
  if (name && name !== '*') errors.push(...named(isDns1123Subdomain, name, path.child('name')))
  const at = path.child('namespace')
  const placed = namespace ? named(isDns1123Label, namespace, at) : [required(at, 'must specify namespace for service account')]
  return [...errors, ...placed]
}

export const priorityLevelRules: Partial<Definition<PriorityLevelConfiguration>> = {
  validateStatus({ status }) {
    const types = (status?.conditions ?? []).map(({ type = '' }) => type)
    return types.flatMap((type, index) => {
      const at = new Path('status').child('conditions').index(index).child('type')
      return [...(types.indexOf(type) < index ? [duplicate(at, type)] : []), ...(type === '' ? [required(at)] : [])]
    })
  },
  default({ spec }) {
    const { limited, exempt } = spec ?? {}
    if (exempt) {
      exempt.nominalConcurrencyShares ??= 0
      exempt.lendablePercent ??= 0
    }
    if (!limited) return
    limited.nominalConcurrencyShares ??= 30
    limited.lendablePercent ??= 0
    const queuing = limited.limitResponse?.queuing
    if (!queuing) return
    queuing.queues ||= 64
    queuing.handSize ||= 8
    queuing.queueLengthLimit ||= 50
  },
  validate({ metadata, spec }) {
    const { type = '', limited, exempt } = spec ?? {}
    const errors: FieldError[] = []
    if ((metadata.name === 'exempt') !== (type === 'Exempt') && ['Exempt', 'Limited'].includes(type)) {
      errors.push(invalid(specPath.child('type'), type, "must be 'Exempt' if and only if `name` is 'exempt'"))
    }
    const at = specPath.child('limited')
    switch (type) {
      case 'Exempt':
        if (limited) errors.push(forbidden(at, 'must be nil if the type is not Limited'))
        if (exempt) errors.push(...shareErrors(exempt, specPath.child('exempt')))
        break
      case 'Limited':
        if (exempt) errors.push(forbidden(specPath.child('exempt'), 'must be nil if the type is Limited'))
        errors.push(...(limited ? limitedErrors(limited, at) : [required(at, 'must not be empty when type is Limited')]))
        break
      default:
        errors.push(notSupported(specPath.child('type'), type, ['Exempt', 'Limited']))
    }
    return errors
  },
}

type Limited = NonNullable<NonNullable<PriorityLevelConfiguration['spec']>['limited']>

function shareErrors({ nominalConcurrencyShares, lendablePercent }: Partial<Limited>, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (nominalConcurrencyShares !== undefined && nominalConcurrencyShares < 0) {
    errors.push(invalid(path.child('nominalConcurrencyShares'), nominalConcurrencyShares, 'must be a non-negative integer'))
  }
  if (lendablePercent !== undefined && (lendablePercent < 0 || lendablePercent > 100)) {
    errors.push(invalid(path.child('lendablePercent'), lendablePercent, 'must be between 0 and 100, inclusive'))
  }
  return errors
}

const mostQueues = 10_000_000
const mostHashBits = 60

function limitedErrors(limited: Limited, path: Path): FieldError[] {
  const { limitResponse, borrowingLimitPercent } = limited
  const errors = shareErrors(limited, path)
  const at = path.child('limitResponse')
  const { type = '', queuing } = limitResponse ?? {}
  if (type === 'Reject' && queuing) {
    errors.push(forbidden(at.child('queuing'), 'must be nil if limited.limitResponse.type is not Limited'))
  } else if (type === 'Queue') {
    if (!queuing) errors.push(required(at.child('queuing'), 'must not be empty if limited.limitResponse.type is Limited'))
    else {
      const { queueLengthLimit = 0, queues = 0, handSize = 0 } = queuing
      const positive = (value: number, name: string) => (value <= 0 ? [invalid(at.child('queuing', name), value, 'must be positive')] : [])
      errors.push(...positive(queueLengthLimit, 'queueLengthLimit'))
      if (queues <= 0) errors.push(...positive(queues, 'queues'))
      else if (queues > mostQueues) errors.push(invalid(at.child('queuing', 'queues'), queues, `must not be greater than ${mostQueues}`))
      if (handSize <= 0) errors.push(...positive(handSize, 'handSize'))
      else if (handSize > queues) {
        errors.push(invalid(at.child('queuing', 'handSize'), handSize, `should not be greater than queues (${queues})`))
      } else if (Math.ceil(Math.log2(queues) * handSize) > mostHashBits) {
        const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${mostHashBits}`
        errors.push(invalid(at.child('queuing', 'handSize'), handSize, why))
      }
    }
  } else if (type !== 'Reject') errors.push(notSupported(at.child('type'), type, ['Queue', 'Reject']))
  if (borrowingLimitPercent !== undefined && borrowingLimitPercent < 0) {
    errors.push(invalid(path.child('borrowingLimitPercent'), borrowingLimitPercent, 'if specified, must be a non-negative integer'))
  }
  return errors
}
