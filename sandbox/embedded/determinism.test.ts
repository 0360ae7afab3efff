import { expect, test } from 'vitest'
import { Cluster } from './cluster.ts'

const start = Date.parse('2026-01-01T00:00:00Z')

/** Everything that happened in a cluster to which this and that was done, but for the keys that are drawn for each cluster. */
async function events(seed: number): Promise<string> {
  await using cluster = await Cluster.open({ nodes: 3, seed, clock: { start, rate: 0 } })
  const make = async (group: string, resource: string, body: { metadata: { name: string } }) => {
    const { status, body: answer } = await cluster.request({ method: 'POST', path: `${group}/namespaces/default/${resource}`, body })
    expect(status, JSON.stringify(answer)).toBe(201)
  }
  const deployment = (name: string, replicas: number, container: object) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', ...container }] } },
    },
  })
  await cluster.advance(20_000)
  const probe = { httpGet: { path: '/', port: 80 }, periodSeconds: 5 }
  await make('/apis/apps/v1', 'deployments', deployment('web', 6, { image: 'nginx:1.27', readinessProbe: probe, livenessProbe: probe }))
  await make('/api/v1', 'services', { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } } as never)
  const loop = 'for i in 1 2 3; do wget -qO- http://web > /dev/null && echo $RANDOM; sleep 1; done; exit 1'
  await make('/apis/apps/v1', 'deployments', deployment('client', 3, { image: 'busybox:1.36', command: ['sh', '-c', loop] }))
  await cluster.advance(90_000)
  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods' })
  await cluster.advance(120_000)
  const changes = await cluster.history()
  return changes.map((change) => withoutKeys(JSON.stringify(change))).join('\n')
}

function withoutKeys(text: string): string {
  return text
    .replaceAll(/LS0tLS1CRUdJTi[\w+/=]*/g, 'KEY')
    .replaceAll(/-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----/g, 'KEY')
    .replaceAll(/"caBundle":"[^"]*"/g, '"caBundle":"KEY"')
}

test('the same seed gives the same run, another seed another one', async () => {
  const [one, two, other] = [await events(7), await events(7), await events(8)]
  expect(one.length).toBeGreaterThan(100_000)
  const at = [...one].findIndex((letter, index) => letter !== two[index])
  expect(at < 0 ? '' : `${one.slice(Math.max(0, at - 300), at + 200)}\n instead of \n${two.slice(Math.max(0, at - 300), at + 200)}`).toBe(
    '',
  )
  expect(two === one).toBe(true)
  expect(other === one).toBe(false)
}, 120_000)
