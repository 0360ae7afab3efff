import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { expressionVerdicts, recordedExpressions } from './expressions.ts'
import { Server } from './server.ts'

test('expressions are compiled, and come to, what a real API server was seen to make of them', async () => {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  const recorded = recordedExpressions()
  expect(Object.keys(recorded).length).toBeGreaterThan(600)
  expect(await expressionVerdicts(server)).toEqual(recorded)
}, 240_000)
