import { expect, test, vi } from 'vitest'
import { Cluster } from '../cluster.ts'
import { discoveryOf, type Found, published, recordedDiscovery } from './discovery.ts'
import { Server } from './server.ts'

/** What this cluster serves and a bare API server does not. */
const metrics = 'metrics.k8s.io'

test('every discovery document is what a real API server with the same definitions and APIServices was seen to answer', async () => {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  for (const { path, body } of published) expect((await server.send('POST', path, body)).status).toBe(201)
  const real = recordedDiscovery()
  expect(Object.keys(real).length).toBeGreaterThan(50)
  await vi.waitFor(async () => expect(withoutMetrics(await discoveryOf(server))).toEqual(real), { timeout: 30_000, interval: 500 })
}, 60_000)

function withoutMetrics(found: Found): unknown {
  const documents = Object.entries(found).filter(([path]) => !path.includes(metrics))
  const kept = (value: unknown): boolean => !JSON.stringify(value).includes(metrics)
  return Object.fromEntries(
    documents.map(([path, document]) => [
      path,
      JSON.parse(JSON.stringify(document), (key, value) =>
        (key === 'groups' || key === 'items' || key === 'paths') && Array.isArray(value) ? value.filter(kept) : value,
      ),
    ]),
  )
}
