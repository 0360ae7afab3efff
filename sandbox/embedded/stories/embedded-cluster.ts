import type { Cluster } from '../cluster.ts'
import type { StoryCluster } from './story.ts'

/** How long a write over a network takes, ms: what follows it finds a cluster that has seen it. */
const latency = 20

/** An embedded cluster whose clock stands still, for stories. */
export function embeddedCluster(cluster: Cluster): StoryCluster {
  return {
    async request(request) {
      const answer = await cluster.request(request)
      if (request.method !== 'GET') await cluster.advance(latency)
      return answer
    },
    watch: async (selector, onEvent, signal) => ({ ended: cluster.watch(selector, onEvent, signal) }),
    async logs(namespace, pod, options = {}) {
      const parts: Uint8Array[] = []
      for await (const part of await cluster.nodeApi.logs(namespace, pod, options, new AbortController().signal)) parts.push(part)
      return Buffer.concat(parts).toString()
    },
    async followLogs(namespace, pod, options, onText, signal) {
      const stream = await cluster.nodeApi.logs(namespace, pod, { ...options, follow: true }, signal)
      for await (const part of stream) onText(Buffer.from(part).toString())
    },
    async onNode(node, line) {
      const process = cluster.nodeShell(node, ['bash', '-c', line], { tty: false, stdin: false })
      let output = ''
      process.onOutput((_stream, data) => {
        output += Buffer.from(data).toString()
      })
      let over = false
      void process.exited.then(() => {
        over = true
      })
      while (!over) await cluster.advance(latency)
      return output
    },
    wait: (ms) => cluster.advance(ms),
  }
}
