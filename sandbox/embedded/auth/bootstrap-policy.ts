import type { KubeObject } from '../machinery/object.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '../schema/types/rbac.v1.ts'
import policy from './bootstrap-policy.json' with { type: 'json' }

/**
 * The Roles, ClusterRoles and bindings that a cluster is born with: what kube-apiserver 1.34 reconciles at its start and
 * what kubeadm adds. They stand in bootstrap-policy.json, recorded from a running cluster, a rule being
 * `verbs|groups|resources[|names]` or `verbs|paths`.
 */
export function bootstrapPolicy(): KubeObject[] {
  const clusterRoles = policy.clusterroles.map(
    (entry): ClusterRole => ({
      apiVersion,
      kind: 'ClusterRole',
      metadata: metadata(entry),
      ...('aggregates' in entry ? { aggregationRule: { clusterRoleSelectors: (entry.aggregates as string[]).map(selector) } } : {}),
      rules: entry.rules.map(rule),
    }),
  )
  const roles = policy.roles.map((entry): Role => ({ apiVersion, kind: 'Role', metadata: metadata(entry), rules: entry.rules.map(rule) }))
  const clusterRoleBindings = policy.clusterrolebindings.map(
    (entry): ClusterRoleBinding => ({
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: metadata(entry),
      roleRef: roleRef(entry.role),
      ...subjects(entry.subjects),
    }),
  )
  const roleBindings = policy.rolebindings.map(
    (entry): RoleBinding => ({
      apiVersion,
      kind: 'RoleBinding',
      metadata: metadata(entry),
      roleRef: roleRef(entry.role),
      ...subjects(entry.subjects),
    }),
  )
  return [...clusterRoles, ...clusterRoleBindings, ...roles, ...roleBindings]
}

/** The rules of one bootstrap ClusterRole, whatever has become of the stored one. Throws for an unknown name. */
export function bootstrapRules(clusterRole: string): readonly PolicyRule[] {
  const known = expanded.get(clusterRole)
  if (known) return known
  const entry = policy.clusterroles.find((candidate) => candidate.name === clusterRole)
  if (!entry) throw new Error(`no bootstrap ClusterRole "${clusterRole}"`)
  const rules = entry.rules.map(rule)
  expanded.set(clusterRole, rules)
  return rules
}

const apiVersion = 'rbac.authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'
const expanded = new Map<string, PolicyRule[]>()

interface Entry {
  name: string
  namespace?: string
  labels?: string[]
  addedBy?: string
}

function metadata({ name, namespace, labels = [], addedBy }: Entry): KubeObject['metadata'] {
  if (addedBy) return namespace ? { name, namespace } : { name }
  return {
    name,
    ...(namespace ? { namespace } : {}),
    labels: {
      'kubernetes.io/bootstrapping': 'rbac-defaults',
      ...Object.fromEntries(labels.map((label) => [`${apiGroup}/${label}`, 'true'])),
    },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  }
}

function selector(label: string) {
  return { matchLabels: { [`${apiGroup}/${label}`]: 'true' } }
}

function rule(text: string): PolicyRule {
  const [verbs = [], second = [], resources, resourceNames] = text.split('|').map((part) => part.split(','))
  if (!resources) return { nonResourceURLs: second, verbs }
  return { apiGroups: second, ...(resourceNames ? { resourceNames } : {}), resources, verbs }
}

function roleRef(text: string): RoleRef {
  const [kind = '', name = ''] = text.split(' ')
  return { apiGroup, kind, name }
}

function subjects(texts: string[]): { subjects?: Subject[] } {
  if (texts.length === 0) return {}
  return {
    subjects: texts.map((text) => {
      const [kind = '', name = ''] = text.split(' ')
      if (kind !== 'ServiceAccount') return { apiGroup, kind, name }
      const [namespace, account = ''] = name.split('/')
      return { kind, name: account, namespace }
    }),
  }
}
