import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster.ts'
import { anyRequest, probes } from './bad-requests.ts'
import { clear, perform } from './compare.ts'
import { definitionsPath } from './custom-definition.ts'
import { refusal } from './exchange.ts'
import { gadgets, type Kind, kinds, operations } from './operations.ts'
import { oracleMissing, Server, startOracle } from './server.ts'

/**
 * Random operations on this cluster and on a real API server: each is answered alike by both. COMPARE_RUNS is how many rows
 * of operations a kind gets (8 unless given; fifty times as many requests are thrown together), COMPARE_SEED makes them the same
 * again.
 */
const missing = oracleMissing()
const runs = Number(process.env['COMPARE_RUNS'] ?? 8)
const seed = Number(process.env['COMPARE_SEED'] ?? 34)
const namespace = `compare-${process.pid}`

describe.skipIf(missing)(`the same answers as a real API server${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const errors: unknown[] = []
  let cluster: Cluster
  let ours: Server
  let theirs: Server
  let oracle: Awaited<ReturnType<typeof startOracle>>

  beforeAll(async () => {
    cluster = await Cluster.open({ nodes: 1, report: (where, error) => errors.push([where, error]) })
    const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
    ours = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
    oracle = await startOracle()
    theirs = new Server(oracle.kubeconfig)
    for (const server of [ours, theirs]) {
      await server.send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
      await server.send('POST', definitionsPath, gadgets)
    }
    for (const server of [ours, theirs])
      await vi.waitFor(
        async () => expect((await server.send('GET', `/apis/compare.example.com/v1/namespaces/${namespace}/gadgets`)).status).toBe(200),
        { timeout: 20_000 },
      )
  }, 240_000)

  afterAll(async () => {
    await theirs.send('DELETE', `/api/v1/namespaces/${namespace}`)
    ours[Symbol.dispose]()
    theirs[Symbol.dispose]()
    await oracle[Symbol.asyncDispose]()
    await cluster[Symbol.asyncDispose]()
    expect(errors).toEqual([])
  })

  test('requests thrown together', async () => {
    for (const server of [ours, theirs]) for (const { method, path, body } of probes) await server.send(method, path, body)
    const thrown = fc.asyncProperty(anyRequest, async (request) => {
      const [mine, real] = await Promise.all([refusal(ours, request), refusal(theirs, request)])
      expect({ request, ...mine }).toEqual({ request, ...real })
    })
    await fc.assert(thrown, { numRuns: 50 * runs, seed, interruptAfterTimeLimit: 240_000 })
    for (const { path } of probes) await theirs.send('DELETE', `${path}/probe`)
  }, 300_000)

  test.each(kinds.map((kind): [string, Kind] => [kind.kind, kind]))(
    '%s',
    async (_, kind) => {
      await fc.assert(
        fc.asyncProperty(operations(kind), async (row) => {
          await Promise.all([clear(ours, namespace, kind), clear(theirs, namespace, kind)])
          for (const operation of row) {
            const [mine, real] = await Promise.all([perform(ours, namespace, kind, operation), perform(theirs, namespace, kind, operation)])
            expect({ operation, ...mine }).toEqual({ operation, ...real })
          }
        }),
        { numRuns: runs, seed, endOnFailure: process.env['COMPARE_SHRINK'] === undefined, interruptAfterTimeLimit: 240_000 },
      )
    },
    300_000,
  )
})
