import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { objectionsOf, recordedObjections } from './rules.ts'
import { Server } from './server.ts'

test('rules of definitions are estimated, compiled and refused as a real API server was seen to do', async () => {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  expect(await objectionsOf(server)).toEqual(recordedObjections())
}, 120_000)
