import type { Cluster } from '../cluster.ts'
import type { StoryCluster } from './story.ts'

/** An embedded cluster whose clock stands still, for stories. */
export function embeddedCluster(cluster: Cluster): StoryCluster {
  return {
    request: (request) => cluster.request(request),
    watch: async (selector, onEvent, signal) => ({ ended: cluster.watch(selector, onEvent, signal) }),
    wait: (ms) => cluster.advance(ms),
  }
}
