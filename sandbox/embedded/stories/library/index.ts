import type { Story } from '../story.ts'
import { controllerStories } from './controllers.ts'
import { deploymentStories } from './deployments.ts'
import { imageStories } from './images.ts'
import { jobStories } from './jobs.ts'
import { networkStories } from './network.ts'
import { podStories } from './pods.ts'
import { schedulingStories } from './scheduling.ts'
import { statefulSetStories } from './statefulsets.ts'
import { storageStories } from './storage.ts'

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
]
