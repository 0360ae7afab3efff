import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { probes, surplus } from './bad-requests.ts'
import { answersOf, knownDifferences, recorded, type Suite, suites } from './fixtures.ts'
import { Server } from './server.ts'

/**
 * What a real 1.34 API server answered to bad requests, and to every kind's specimen with single changes (record.ts asks it
 * again): this cluster answers the same. Of the many each RECORDED_SHARE-th is asked (1: all), by its title.
 */
const share = Number(process.env['RECORDED_SHARE'] ?? 5)

describe('the same answers as a real API server has given', () => {
  const errors: unknown[] = []
  let cluster: Cluster
  let server: Server

  beforeAll(async () => {
    cluster = await Cluster.open({ nodes: 0, report: (where, error) => errors.push([where, error]) })
    const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
    server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
    for (const { method, path, body } of probes) expect((await server.send(method, path, body)).status).toBe(201)
    for (const path of surplus) expect((await server.send('DELETE', path)).status).toBe(200)
  }, 60_000)

  afterAll(async () => {
    server[Symbol.dispose]()
    await cluster[Symbol.asyncDispose]()
    expect(errors).toEqual([])
  })

  test.each(Object.keys(suites) as Suite[])(
    '%s',
    async (name) => {
      const real = recorded(name)
      const known = knownDifferences(name)
      const asked = suites[name].requests().filter(({ title }) => real[title] && !known.has(title) && hash(title) % share === 0)
      expect(asked.length).toBeGreaterThan(100)
      const ours = await answersOf(server, name, asked)
      const expected = Object.fromEntries(asked.map(({ title }) => [title, real[title]]))
      const given = Object.fromEntries(asked.map(({ title }) => [title, JSON.parse(JSON.stringify(ours[title] ?? null))]))
      expect(given).toEqual(expected)
    },
    240_000,
  )
})

function hash(text: string): number {
  let value = 7
  for (let index = 0; index < text.length; index++) value = (value * 31 + text.charCodeAt(index)) >>> 0
  return value
}
