import { expect, test } from 'vitest'
import { Cluster } from '../../cluster.ts'
import type { ObjectMeta } from '../../schema/types/meta.v1.ts'

/** Recorded on a real 1.34.4: kubectl scale from 3 to 1, to 0 and to 2, and who owned .spec.replicas after each. */
test('a scale is owned by who scaled, but a zero by nobody, and so is what follows it', async () => {
  await using cluster = await Cluster.open({ nodes: 1, clock: { rate: 0 } })
  const path = '/apis/apps/v1/namespaces/default/deployments'
  const labels = { app: 'd' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'd', image: 'nginx:1.27' }] } }
  const body = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: { replicas: 3, selector: { matchLabels: labels }, template },
  }
  await cluster.request({ method: 'POST', path: `${path}?fieldManager=kubectl-create`, body })
  const scaled = async (replicas: number) => {
    const answer = await cluster.request({ method: 'PATCH', path: `${path}/d/scale?fieldManager=kubectl`, body: { spec: { replicas } } })
    expect(answer.status).toBe(200)
    const { metadata, spec } = (await cluster.request({ method: 'GET', path: `${path}/d` })).body as {
      metadata: ObjectMeta
      spec: { replicas: number }
    }
    const owners = (metadata.managedFields ?? []).filter(
      ({ fieldsV1 }) =>
        JSON.stringify(fieldsV1).includes('"f:spec":{"f:replicas"') || JSON.stringify(fieldsV1).includes('"f:replicas":{},"f:selector"'),
    )
    return [spec.replicas, owners.map(({ manager, subresource }) => `${manager} ${subresource}`)]
  }
  expect(await scaled(1)).toEqual([1, ['kubectl scale']])
  expect(await scaled(0)).toEqual([0, []])
  expect(await scaled(2)).toEqual([2, []])
})
