import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { acceptAnswers, recordedAccepts } from './accepts.ts'
import { Server } from './server.ts'

test('answers and refusals come in the form that a real API server was seen to choose among what is accepted', async () => {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  const recorded = recordedAccepts()
  expect(Object.keys(recorded).length).toBeGreaterThan(2000)
  expect(await acceptAnswers(server)).toEqual(recorded)
}, 120_000)
