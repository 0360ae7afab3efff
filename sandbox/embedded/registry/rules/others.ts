import { shown } from '../../crd/definition.ts'
import { someSchema } from '../../crd/schema.ts'
import type { CustomResourceDefinition } from '../../schema/types/apiextensions.v1.ts'
import type { APIService } from '../../schema/types/apiregistration.v1.ts'
import type { Lease } from '../../schema/types/coordination.v1.ts'
import type { PodDisruptionBudget } from '../../schema/types/policy.v1.ts'
import type { PriorityClass } from '../../schema/types/scheduling.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, metadataPath, Path, required, specPath } from '../field.ts'
import { goShape } from '../go-shape.ts'
import { validateEnum, validateImmutable, validateLabelSelector, validateSubdomain } from '../metadata.ts'
import { dnsSubdomain, isDns1035Label, isDns1123Subdomain, isPortNumber } from '../names.ts'
import { validateConditions } from '../status-conditions.ts'
import { notBelowZero } from './workload-status.ts'
import { validateAmount } from './workloads.ts'

export const podDisruptionBudgetRules: Partial<Definition<PodDisruptionBudget>> = {
  validateStatus: ({ status }) => [
    ...validateConditions(status?.conditions, new Path('status').child('conditions')),
    ...notBelowZero(status ?? {}, ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']),
  ],
  validate({ spec }) {
    if (!spec) return []
    const errors = validateLabelSelector(spec.selector, specPath.child('selector'))
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
      errors.push(
        invalid(specPath, goShape(spec, 'policy.v1.PodDisruptionBudgetSpec'), 'minAvailable and maxUnavailable cannot be both set'),
      )
    }
    const policies = ['AlwaysAllow', 'IfHealthyBudget']
    return [
      ...errors,
      ...validateAmount(spec.minAvailable, specPath.child('minAvailable')),
      ...validateAmount(spec.maxUnavailable, specPath.child('maxUnavailable')),
      ...validateEnum(spec.unhealthyPodEvictionPolicy, policies, specPath.child('unhealthyPodEvictionPolicy')),
    ]
  },
}

export const priorityClassRules: Partial<Definition<PriorityClass>> = {
  default(object) {
    object.preemptionPolicy ??= 'PreemptLowerPriority'
  },
  validate({ metadata, value, preemptionPolicy }) {
    const policyPath = new Path('preemptionPolicy')
    const errors =
      preemptionPolicy === '' ? [required(policyPath)] : validateEnum(preemptionPolicy, ['PreemptLowerPriority', 'Never'], policyPath)
    const system = metadata.name === 'system-cluster-critical' || metadata.name === 'system-node-critical'
    if (metadata.name?.startsWith('system-') && !system) {
      errors.push(
        forbidden(
          metadataPath.child('name'),
          `priority class names with 'system-' prefix are reserved for system use only. error: ${metadata.name} is not a known system priority class`,
        ),
      )
    } else if (!system && value > 1000000000) {
      errors.push(forbidden(new Path('value'), 'maximum allowed value of a user defined priority is 1000000000'))
    }
    return errors
  },
  validateUpdate: (object, old) => [
    ...(object.value === old.value ? [] : [forbidden(new Path('value'), 'may not be changed in an update.')]),
    ...validateImmutable(object.preemptionPolicy, old.preemptionPolicy, new Path('preemptionPolicy')),
  ],
}

export const leaseRules: Partial<Definition<Lease>> = {
  // of CoordinatedLeaderElection, which is switched off
  prepareForCreate: dropCoordination,
  prepareForUpdate: dropCoordination,
  validate({ spec }) {
    const { leaseDurationSeconds: seconds, leaseTransitions: transitions = 0 } = spec ?? {}
    const errors: FieldError[] = []
    if (seconds !== undefined && seconds <= 0)
      errors.push(invalid(specPath.child('leaseDurationSeconds'), seconds, 'must be greater than 0'))
    if (transitions < 0) errors.push(invalid(specPath.child('leaseTransitions'), transitions, 'must be greater than or equal to 0'))
    return errors
  },
}

function dropCoordination({ spec }: Lease): void {
  delete spec?.strategy
  delete spec?.preferredHolder
}

export const apiServiceRules: Partial<Definition<APIService>> = {
  // The core group's is called v1. with the dot.
  nameOf({ spec }) {
    const expected = `${spec?.version ?? ''}.${spec?.group ?? ''}`
    return (name) => (name === expected ? [] : [wrongName(expected)])
  },
  validateChange({ metadata, spec }) {
    const expected = `${spec?.version ?? ''}.${spec?.group ?? ''}`
    return metadata.name === expected ? [] : [invalid(metadataPath.child('name'), metadata.name, wrongName(expected))]
  },
  prepareForCreate(object, { now }) {
    const local = { type: 'Available', status: 'True', reason: 'Local', message: 'Local APIServices are always available' }
    object.status = object.spec?.service ? {} : { conditions: [{ ...local, lastTransitionTime: now }] }
  },
  default({ spec }) {
    if (spec?.service) spec.service.port ??= 443
  },
  validate({ spec }) {
    const { group = '', version = '', groupPriorityMinimum, versionPriority, service, insecureSkipTLSVerify, caBundle } = spec ?? {}
    const at = (name: string) => specPath.child(name)
    const errors: FieldError[] = []
    if (group) errors.push(...validateSubdomain(group, at('group')))
    else if (version !== 'v1') errors.push(required(at('group'), 'only v1 may have an empty group and it better be legacy kube'))
    errors.push(...isDns1035Label(version).map((text) => invalid(at('version'), version, text)))
    const between = (value: number | undefined, most: number, path: Path) =>
      value === undefined || value <= 0 || value > most ? [invalid(path, value ?? 0, `must be positive and less than ${most}`)] : []
    errors.push(
      ...between(groupPriorityMinimum, 20_000, at('groupPriorityMinimum')),
      ...between(versionPriority, 1000, at('versionPriority')),
    )
    if (!service) {
      if (caBundle) errors.push(invalid(at('caBundle'), `${caBundle.length} bytes`, 'local APIServices may not have a caBundle'))
      if (insecureSkipTLSVerify)
        errors.push(invalid(at('insecureSkipTLSVerify'), true, 'local APIServices may not have insecureSkipTLSVerify'))
      return errors
    }
    if (!service.namespace) errors.push(required(at('service').child('namespace')))
    if (!service.name) errors.push(required(at('service').child('name')))
    const problems = isPortNumber(service.port ?? 443)
    if (problems.length > 0) errors.push(invalid(at('service').child('port'), service.port, `port is not valid: ${problems.join(', ')}`))
    if (insecureSkipTLSVerify && caBundle) errors.push(invalid(at('insecureSkipTLSVerify'), true, 'may not be true if caBundle is present'))
    return errors
  },
}

function wrongName(expected: string): string {
  return `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(expected)}`
}

/** k8s.io/apiextensions-apiserver: defaults and the rules of names and versions. */
export const customResourceDefinitionRules: Partial<Definition<CustomResourceDefinition>> = {
  nameOf({ spec }) {
    const expected = `${spec.names?.plural ?? ''}.${spec.group ?? ''}`
    return (name, prefix) => [...dnsSubdomain(name, prefix), ...(name === expected ? [] : ['must be spec.names.plural+"."+spec.group'])]
  },
  default({ spec }) {
    if (!spec?.names) return
    if (spec.names.kind) {
      spec.names.singular ||= spec.names.kind.toLowerCase()
      spec.names.listKind ||= `${spec.names.kind}List`
    }
    spec.conversion ??= { strategy: 'None' }
    // the server's own type has no place for one that says nothing
    if (!spec.conversion.webhook?.clientConfig && !spec.conversion.webhook?.conversionReviewVersions) delete spec.conversion.webhook
  },
  prepareForCreate(definition) {
    const stored = definition.spec.versions?.find(({ storage }) => storage)?.name
    definition.status = {
      conditions: null as never,
      acceptedNames: { plural: '', kind: '' },
      storedVersions: stored === undefined ? [] : [stored],
    }
  },
  prepareForUpdate(definition) {
    // From now on objects are stored in another version too.
    const stored = definition.spec.versions?.find(({ storage }) => storage)?.name
    const known = definition.status?.storedVersions ?? []
    if (stored && definition.status && !known.includes(stored))
      definition.status = { ...definition.status, storedVersions: [...known, stored] }
  },
  validate({ spec, status }) {
    const errors: FieldError[] = []
    const { plural, singular, kind, listKind, shortNames = [], categories = [] } = spec.names ?? {}
    if (!spec.group) errors.push(required(specPath.child('group')))
    else {
      const problems = isDns1123Subdomain(spec.group)
      if (problems.length === 0 && !spec.group.includes('.')) problems.push('should be a domain with at least one dot')
      errors.push(...problems.map((text) => invalid(specPath.child('group'), spec.group, text)))
    }
    const names = specPath.child('names')
    const label = (value: string, path: Path) => isDns1035Label(value).map((text) => invalid(path, value, text))
    const mixed = (value: string, path: Path) =>
      isDns1035Label(value.toLowerCase()).map((text) => invalid(path, value, `may have mixed case, but should otherwise match: ${text}`))
    errors.push(...(plural ? label(plural, names.child('plural')) : [required(names.child('plural'))]))
    errors.push(...(singular ? label(singular, names.child('singular')) : [required(names.child('singular'))]))
    errors.push(...(kind ? mixed(kind, names.child('kind')) : [required(names.child('kind'))]))
    errors.push(...(listKind ? mixed(listKind, names.child('listKind')) : [required(names.child('listKind'))]))
    for (const [index, name] of shortNames.entries()) errors.push(...label(name, names.child('shortNames').index(index)))
    if (kind && kind === listKind) errors.push(invalid(names.child('listKind'), listKind, 'kind and listKind may not be the same'))
    for (const [index, name] of categories.entries()) errors.push(...label(name, names.child('categories').index(index)))
    if (!spec.scope) errors.push(required(specPath.child('scope')))
    else errors.push(...validateEnum(spec.scope, ['Cluster', 'Namespaced'], specPath.child('scope')))
    if (spec.preserveUnknownFields) {
      const why = 'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead'
      errors.push(invalid(specPath.child('preserveUnknownFields'), true, why))
      const hasDefaults = spec.versions?.some(({ schema }) => someSchema(schema?.openAPIV3Schema, (part) => part.default !== undefined))
      const otherwise = 'must be false in order to use defaults in the schema'
      if (hasDefaults) errors.push(invalid(specPath.child('preserveUnknownFields'), true, otherwise))
      const { strategy = 'None' } = spec.conversion ?? {}
      if (strategy !== 'None')
        errors.push(invalid(specPath.child('conversion', 'strategy'), strategy, 'must be None if spec.preserveUnknownFields is true'))
    }
    const versions = spec.versions ?? []
    const storing = versions.filter(({ storage }) => storage)
    if (storing.length !== 1) {
      errors.push(invalid(specPath.child('versions'), shown(spec.versions), 'must have exactly one version marked as storage version'))
    }
    const stored = status?.storedVersions ?? []
    const storedPath = new Path('status.storedVersions')
    if (stored.length === 0) errors.push(invalid(storedPath, null, 'must have at least one stored version'))
    else {
      const known = new Set(stored)
      for (const { name, storage } of versions) {
        if (storage && !known.has(name)) errors.push(invalid(storedPath, stored, `must have the storage version ${name}`))
        // a second version of the name is no stored one
        known.delete(name)
      }
    }
    for (const [index, name] of stored.entries()) {
      if (!versions.some((version) => version.name === name))
        errors.push(
          invalid(
            storedPath.index(index),
            name,
            `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
          ),
        )
    }
    return errors
  },
  validateChange: ({ spec }, old) => [
    ...validateImmutable(spec.group, old.spec.group, specPath.child('group')),
    ...validateImmutable(spec.scope, old.spec.scope, specPath.child('scope')),
    ...validateImmutable(spec.names.kind, old.spec.names.kind, specPath.child('names', 'kind')),
    ...validateImmutable(spec.names.plural, old.spec.names.plural, specPath.child('names', 'plural')),
  ],
}
