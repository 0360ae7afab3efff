import { checkEscalation } from '../auth/escalation.ts'
import { type Authorizer, rbacGroup } from '../auth/rbac.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { AdmissionPlugin } from './admission.ts'

/**
 * Refuses roles and bindings that give more than their author has. Upstream's registry does this before a role is
 * validated; here it is the last of the mutating phase, which is the same moment.
 */
export function roleEscalation(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'RoleEscalation',
    handles: ({ operation, resource }) => resource.group === rbacGroup && (operation === 'CREATE' || operation === 'UPDATE'),
    mutate({ user, resource, namespace, name, object, oldObject }) {
      const write = { user, resource, namespace, name, object: object as KubeObject }
      checkEscalation(authorizer, oldObject ? { ...write, oldObject } : write)
    },
  }
}
