import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { recordedVerdicts, verdictsOf } from './ratcheting.ts'
import { Server } from './server.ts'

test('what a stricter schema lets be is what a real API server was seen to let be', async () => {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  expect(await verdictsOf(server)).toEqual(recordedVerdicts())
}, 240_000)
