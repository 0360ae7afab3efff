import type { Story } from '../story.ts'
import { deploymentStories } from './deployments.ts'
import { jobStories } from './jobs.ts'
import { podStories } from './pods.ts'

export const stories: readonly Story[] = [...podStories, ...deploymentStories, ...jobStories]
