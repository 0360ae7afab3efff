import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../schema/types/rbac.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { clusterRoleBindingRules, clusterRoleRules, roleBindingRules, roleRules } from './rules/rbac.ts'

const group = 'rbac.authorization.k8s.io'
const version = 'v1'

export const rbac: readonly ResourceInfo[] = [
  define<ClusterRoleBinding>(group, version, {
    kind: 'ClusterRoleBinding',
    resource: 'clusterrolebindings',
    namespaced: false,
    allowCreateOnUpdate: true,
    ...clusterRoleBindingRules,
  }),
  define<ClusterRole>(group, version, {
    kind: 'ClusterRole',
    resource: 'clusterroles',
    namespaced: false,
    allowCreateOnUpdate: true,
    ...clusterRoleRules,
  }),
  define<RoleBinding>(group, version, { kind: 'RoleBinding', resource: 'rolebindings', allowCreateOnUpdate: true, ...roleBindingRules }),
  define<Role>(group, version, { kind: 'Role', resource: 'roles', allowCreateOnUpdate: true, ...roleRules }),
]
