import { isDeepStrictEqual } from 'node:util'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '../../schema/types/rbac.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, notSupported, Path, required } from '../field.ts'
import { validateLabelSelector, validateSubdomain } from '../metadata.ts'
import { pathSegment, rbacName } from '../names.ts'

const rbacGroup = 'rbac.authorization.k8s.io'
const rulesPath = new Path('rules')

/** pkg/apis/rbac/validation. */
export const roleRules: Partial<Definition<Role>> = {
  name: rbacName,
  validate: ({ rules }) => (rules ?? []).flatMap((rule, index) => validateRule(rule, true, rulesPath.index(index))),
}

export const clusterRoleRules: Partial<Definition<ClusterRole>> = {
  name: rbacName,
  validate({ rules, aggregationRule }) {
    const selectors = aggregationRule?.clusterRoleSelectors ?? []
    const path = new Path('aggregationRule').child('clusterRoleSelectors')
    const errors = (rules ?? []).flatMap((rule, index) => validateRule(rule, false, rulesPath.index(index)))
    if (aggregationRule && selectors.length === 0)
      errors.push(required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil'))
    for (const [index, selector] of selectors.entries()) {
      const problems = validateLabelSelector(selector, path.index(index))
      errors.push(...problems, ...(problems.length > 0 ? [invalid(path.index(index), null, 'invalid label selector.')] : []))
    }
    return errors
  },
}

export const roleBindingRules: Partial<Definition<RoleBinding>> = bindingRules(true)
export const clusterRoleBindingRules: Partial<Definition<ClusterRoleBinding>> = bindingRules(false)

function bindingRules(namespaced: boolean): Partial<Definition<RoleBinding | ClusterRoleBinding>> {
  return {
    name: rbacName,
    default({ roleRef, subjects }) {
      if (roleRef) roleRef.apiGroup ||= rbacGroup
      for (const subject of subjects ?? []) if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ??= rbacGroup
    },
    validate: ({ roleRef, subjects }) => [
      ...validateRoleRef(roleRef, namespaced),
      ...(subjects ?? []).flatMap((subject, index) => validateSubject(subject, namespaced, new Path('subjects').index(index))),
    ],
    validateChange: ({ roleRef }, old) => {
      if (isDeepStrictEqual({ ...roleRef }, { ...old.roleRef })) return []
      return [invalid(new Path('roleRef'), { APIGroup: roleRef.apiGroup, Kind: roleRef.kind, Name: roleRef.name }, 'cannot change roleRef')]
    },
  }
}

function validateRule(rule: PolicyRule, namespaced: boolean, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (!rule.verbs?.length) errors.push(required(path.child('verbs'), 'verbs must contain at least one value'))
  if (rule.nonResourceURLs?.length) {
    if (namespaced)
      errors.push(invalid(path.child('nonResourceURLs'), rule.nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'))
    if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length) {
      errors.push(
        invalid(path.child('nonResourceURLs'), rule.nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'),
      )
    }
    return errors
  }
  if (!rule.apiGroups?.length) errors.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'))
  if (!rule.resources?.length) errors.push(required(path.child('resources'), 'resource rules must supply at least one resource'))
  return errors
}

function validateRoleRef(reference: RoleRef, namespaced: boolean): FieldError[] {
  const path = new Path('roleRef')
  const { apiGroup = '', kind = '', name = '' } = reference ?? {}
  const errors: FieldError[] = []
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  if (apiGroup !== rbacGroup) errors.push(notSupported(path.child('apiGroup'), apiGroup, [rbacGroup]))
  if (!kinds.includes(kind)) errors.push(notSupported(path.child('kind'), kind, kinds))
  if (!name) errors.push(required(path.child('name')))
  else errors.push(...pathSegment(name).map((text) => invalid(path.child('name'), name, text)))
  return errors
}

function validateSubject(subject: Subject, namespaced: boolean, path: Path): FieldError[] {
  const errors: FieldError[] = subject.name ? [] : [required(path.child('name'))]
  const apiGroup = subject.apiGroup ?? ''
  switch (subject.kind) {
    case 'ServiceAccount':
      if (subject.name) errors.push(...validateSubdomain(subject.name, path.child('name')))
      if (apiGroup !== '') errors.push(notSupported(path.child('apiGroup'), apiGroup, ['']))
      if (!namespaced && !subject.namespace) errors.push(required(path.child('namespace')))
      return errors
    case 'User':
    case 'Group':
      return apiGroup === rbacGroup ? errors : [...errors, notSupported(path.child('apiGroup'), apiGroup, [rbacGroup])]
    default:
      return [...errors, notSupported(path.child('kind'), subject.kind ?? '', ['ServiceAccount', 'User', 'Group'])]
  }
}
