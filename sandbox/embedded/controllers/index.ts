import type { ClusterContext } from '../machinery/context.ts'
import { startAdmissionPolicyStatus } from './admission-policy-status.ts'
import type { PodUsage } from './autoscaler-metrics.ts'
import { startCertificateSigning } from './certificate-signing.ts'
import { startClusterRoleAggregation } from './cluster-role-aggregation.ts'
import { startCronJob } from './cronjob.ts'
import { startDaemonSet } from './daemonset.ts'
import { startDeployment } from './deployment.ts'
import { startDisruption } from './disruption.ts'
import { startEndpoints } from './endpoints.ts'
import { startEndpointSlice } from './endpointslice.ts'
import { startEndpointSliceMirroring } from './endpointslice-mirroring.ts'
import { startEphemeralVolume } from './ephemeral-volume.ts'
import { startGarbageCollector } from './garbage-collector.ts'
import { startHorizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts'
import { startJob } from './job.ts'
import { startNamespace } from './namespace.ts'
import { startNodeLifecycle } from './node-lifecycle.ts'
import { startPersistentVolume } from './persistent-volume.ts'
import { startPodGarbageCollector } from './pod-garbage-collector.ts'
import { startReplicaSet, startReplicationController } from './replicaset.ts'
import { startResourceQuota } from './resource-quota.ts'
import { startRootCa } from './root-ca.ts'
import { startServiceAccount } from './service-account.ts'
import { startServiceAddresses } from './service-addresses.ts'
import { startServiceCIDR } from './service-cidr.ts'
import { startStatefulSet } from './statefulset.ts'
import { startTaintEviction } from './taint-eviction.ts'
import { startTokenSecret } from './token-secret.ts'
import { startTTLAfterFinished } from './ttl-after-finished.ts'
import { startVolumeExpand } from './volume-expand.ts'
import { startVolumeProtection } from './volume-protection.ts'

const controllers = [
  startReplicaSet,
  startReplicationController,
  startDeployment,
  startStatefulSet,
  startDaemonSet,
  startJob,
  startCronJob,
  startTTLAfterFinished,
  startEndpoints,
  startEndpointSlice,
  startEndpointSliceMirroring,
  startNamespace,
  startGarbageCollector,
  startPodGarbageCollector,
  startPersistentVolume,
  startEphemeralVolume,
  startVolumeExpand,
  startVolumeProtection,
  startDisruption,
  startNodeLifecycle,
  startTaintEviction,
  startServiceAccount,
  startServiceAddresses,
  startServiceCIDR,
  startRootCa,
  startTokenSecret,
  startCertificateSigning,
  startClusterRoleAggregation,
  startResourceQuota,
  startAdmissionPolicyStatus,
]

/**
 * Starts the controllers of kube-controller-manager. Disposing ends them all.
 *
 * @param usage what the Pods' containers use, which autoscaling goes by; without it no metrics are known
 */
export function startControllers(context: ClusterContext, usage: PodUsage = () => undefined): Disposable {
  const stack = new DisposableStack()
  stack.use(startHorizontalPodAutoscaler(context, usage))
  for (const start of controllers) stack.use(start(context))
  return stack
}
