import type { Story } from '../story.ts'
import { autoscalingStories } from './autoscaling.ts'
import { changeStories } from './changes.ts'
import { containerStories } from './containers.ts'
import { controllerStories } from './controllers.ts'
import { debuggingStories } from './debugging.ts'
import { deploymentStories } from './deployments.ts'
import { disruptionStories } from './disruptions.ts'
import { drainStories } from './drains.ts'
import { imageStories } from './images.ts'
import { jobStories } from './jobs.ts'
import { localStorageStories } from './local-storage.ts'
import { logRotationStories } from './log-rotation.ts'
import { logStories } from './logs.ts'
import { mistakeStories } from './mistakes.ts'
import { networkStories } from './network.ts'
import { nodeDebuggingStories } from './node-debugging.ts'
import { nodeNetworkStories } from './node-network.ts'
import { oneNodeStories } from './one-node.ts'
import { podStories } from './pods.ts'
import { probeStories } from './probes.ts'
import { ruleStories } from './rules.ts'
import { schedulingStories } from './scheduling.ts'
import { sidecarStories } from './sidecars.ts'
import { statefulSetStories } from './statefulsets.ts'
import { staticPodStories } from './static-pods.ts'
import { storageStories } from './storage.ts'
import { workloadStories } from './workloads.ts'

export const stories: readonly Story[] = [
  ...podStories,
  ...imageStories,
  ...deploymentStories,
  ...statefulSetStories,
  ...jobStories,
  ...controllerStories,
  ...schedulingStories,
  ...storageStories,
  ...networkStories,
  ...autoscalingStories,
  ...changeStories,
  ...disruptionStories,
  ...mistakeStories,
  ...sidecarStories,
  ...workloadStories,
  ...ruleStories,
  ...probeStories,
  ...oneNodeStories,
  ...containerStories,
  ...localStorageStories,
  ...logStories,
  ...logRotationStories,
  ...staticPodStories,
  ...debuggingStories,
  ...drainStories,
  ...nodeNetworkStories,
  ...nodeDebuggingStories,
]
