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

test('a cluster asks for what is its own, whatever the first one of the process has asked for', async () => {
  const caOf = async (name: string) => {
    await using cluster = await Cluster.open({ nodes: 1, name, clock: { start, rate: 0 } })
    const { objects } = cluster.snapshot()
    const find = (kind: string, wanted: string) => objects.find((object) => object.kind === kind && object.metadata.name === wanted)
    const published = find('ConfigMap', 'extension-apiserver-authentication') as unknown as { data: Record<string, string> }
    const kindnet = find('DaemonSet', 'kindnet')
    return { ca: published.data['client-ca-file'], kindnet: JSON.stringify(kindnet), own: cluster.kubeconfig({ server: '' }) }
  }
  const [one, other] = [await caOf('one'), await caOf('other')]
  for (const { ca = '', own } of [one, other]) expect(own).toContain(Buffer.from(ca).toString('base64'))
  expect(one.ca).not.toBe(other.ca)
  expect(other.kindnet).toContain('other-control-plane')
  expect(other.kindnet).not.toContain('one-control-plane')
})
