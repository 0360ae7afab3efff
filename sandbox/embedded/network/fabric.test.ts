import { expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { Stacks } from './stacks.ts'

const start = Date.parse('2030-01-01T00:00:00Z')

test("kindnet's routes lead to the other nodes' pods and come back when somebody takes them away", async () => {
  const cluster = await Cluster.open({ nodes: 3, clock: { start, rate: 0 } })
  onTestFinished(() => cluster[Symbol.asyncDispose]())
  await cluster.advance(5000)
  const stacks = stacksOf(cluster.context)
  expect(stacks.node('labernetes-worker')?.state.routes).toEqual([
    { to: '172.18.0.0/16', dev: 'eth0', protocol: 'kernel', scope: 'link', source: '172.18.0.3' },
    { to: 'default', via: '172.18.0.1', dev: 'eth0' },
    { to: '10.244.0.0/24', via: '172.18.0.2', dev: 'eth0' },
    { to: '10.244.2.0/24', via: '172.18.0.4', dev: 'eth0' },
    ...podRoutes(stacks, 'labernetes-worker'),
  ])
})

/** What the records hold, read as another process would after a restart. */
function stacksOf(context: ClusterContext): Stacks {
  return new Stacks(context)
}

function podRoutes(stacks: Stacks, node: string) {
  return (stacks.node(node)?.links ?? []).flatMap(({ name, pod }) => (pod ? [{ to: `${pod.ip}/32`, dev: name, scope: 'host' }] : []))
}
