import type { ServedResources } from '../api/resources.ts'
import type { Authorizer } from '../auth/rbac.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { AdmissionChain, type AdmissionPlugin } from './admission.ts'
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts'
import { defaultIngressClass } from './default-ingress-class.ts'
import { defaultTolerationSeconds } from './default-toleration-seconds.ts'
import { limitRanger } from './limit-ranger.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { nodeRestriction } from './node-restriction.ts'
import { taintNodesByCondition } from './node-taint.ts'
import { podSecurity } from './pod-security.ts'
import { priority } from './priority.ts'
import { resourceQuota } from './resource-quota.ts'
import { roleEscalation } from './role-escalation.ts'
import { runtimeClass } from './runtime-class.ts'
import { serviceAccount } from './service-account.ts'
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from './storage.ts'
import { validatingAdmissionPolicy } from './validating-policy.ts'

export type { AdmissionRequest } from './admission.ts'
export { AdmissionChain } from './admission.ts'

/** What admission plugins need of their cluster. */
export type AdmissionContext = Pick<ClusterContext, 'cache' | 'clock' | 'random'>

/** The plugins of a kubeadm cluster in kube-apiserver's order. `late` come after them, before the quota (webhooks). */
export function defaultAdmission(
  context: AdmissionContext,
  authorizer: Authorizer,
  served: Pick<ServedResources, 'all'>,
  late: readonly AdmissionPlugin[] = [],
): AdmissionChain {
  return new AdmissionChain([
    namespaceLifecycle(context),
    limitRanger(context),
    serviceAccount(context),
    nodeRestriction(context),
    taintNodesByCondition(),
    podSecurity(context),
    priority(context),
    defaultTolerationSeconds(),
    defaultStorageClass(context),
    storageObjectInUseProtection(),
    persistentVolumeClaimResize(context),
    runtimeClass(context),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    certificateSubjectRestriction(),
    defaultIngressClass(context),
    ...late,
    validatingAdmissionPolicy({ cache: context.cache, authorizer, resources: served }),
    roleEscalation(authorizer),
    resourceQuota(context),
  ])
}
