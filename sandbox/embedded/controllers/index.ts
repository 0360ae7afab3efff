import type { ClusterContext } from '../machinery/context.ts'
import { startDaemonSet } from './daemonset.ts'
import { startDeployment } from './deployment.ts'
import { startEndpoints } from './endpoints.ts'
import { startEndpointSlice } from './endpointslice.ts'
import { startGarbageCollector } from './garbage-collector.ts'
import { startNamespace } from './namespace.ts'
import { startPodGarbageCollector } from './pod-garbage-collector.ts'
import { startReplicaSet } from './replicaset.ts'
import { startStatefulSet } from './statefulset.ts'

const controllers = [
  startReplicaSet,
  startDeployment,
  startStatefulSet,
  startDaemonSet,
  startEndpoints,
  startEndpointSlice,
  startNamespace,
  startGarbageCollector,
  startPodGarbageCollector,
]

/** Starts the controllers of kube-controller-manager. Disposing ends them all. */
export function startControllers(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  for (const start of controllers) stack.use(start(context))
  return stack
}
