import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'

const start = Date.parse('2026-01-01T00:00:00Z')

async function policyOf(seed: number, at = start) {
  await using cluster = await Cluster.open({ nodes: 1, seed, clock: { start: at, rate: 0 } })
  return cluster.snapshot().objects.filter(({ apiVersion }) => apiVersion.startsWith('rbac.authorization.k8s.io/'))
}

test('the first cluster of a process and those that share its policy are the same by the same seed', async () => {
  const first = await policyOf(7)
  expect(first.length).toBeGreaterThan(50)
  expect(await policyOf(7)).toEqual(first)
})

test('clusters that share their policy have identities and times of their own', async () => {
  const [one, other] = [await policyOf(1), await policyOf(2, start + 86_400_000)]
  const names = (objects: typeof one) => objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
  expect(names(other)).toEqual(names(one))
  const uids = new Set([...one, ...other].map(({ metadata }) => metadata['uid']))
  expect(uids.size).toBe(one.length + other.length)
  for (const { metadata } of other) {
    expect(metadata['creationTimestamp']).toBe('2026-01-02T00:00:00Z')
    expect(metadata['managedFields']).toEqual([expect.objectContaining({ time: '2026-01-02T00:00:00Z' })])
  }
})
