import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { policyVerdicts, recordedPolicies } from './policies.ts'
import { Server } from './server.ts'

test('policies say of a request what those of a real API server were seen to say', async () => {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  expect(await policyVerdicts(server)).toEqual(recordedPolicies())
}, 120_000)
