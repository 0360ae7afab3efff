import { expect, test, vi } from 'vitest'
import { Cluster } from '../cluster.ts'

test('requests are counted under the labels that kube-apiserver gives them', async () => {
  await using cluster = await Cluster.open({ nodes: 1, only: 'api', clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 } })
  const ask = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object, contentType?: string) =>
    cluster.request({ method, path, ...(body ? { body } : {}), ...(contentType ? { contentType } : {}) })
  const lines = async () => String((await ask('GET', '/metrics')).body).split('\n')
  await ask('DELETE', '/metrics')
  const maps = '/api/v1/namespaces/default/configmaps'
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' } }
  await ask('POST', maps, map)
  await ask('POST', `${maps}?dryRun=All`, { ...map, metadata: { name: 'two' } })
  await ask('POST', maps, map)
  await ask('GET', `${maps}/one`)
  await ask('GET', maps)
  await ask('GET', '/api/v1/configmaps')
  await ask('PATCH', `${maps}/one?fieldManager=me`, map, 'application/apply-patch+yaml')
  await ask('GET', '/api/v1/namespaces/default/endpoints')
  await ask('GET', '/api/v1/namespaces/default/nothings')
  await ask('GET', '/readyz/ping')
  await ask('GET', '/apis')
  await ask('GET', '/version')
  const shown = await lines()
  const requests = shown.filter((line) => line.startsWith('apiserver_request_total')).sort()
  const of = (code: number, resource: string, scope: string, verb: string, dryRun = '') =>
    `apiserver_request_total{code="${code}",component="apiserver",dry_run="${dryRun}",group="",resource="${resource}",scope="${scope}",subresource="",verb="${verb}",version="v1"} 1`
  expect(requests).toEqual(
    [
      'apiserver_request_total{code="200",component="",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 1',
      'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="",scope="",subresource="apis",verb="GET",version=""} 1',
      of(200, 'configmaps', 'cluster', 'LIST'),
      of(200, 'configmaps', 'namespace', 'LIST'),
      of(200, 'configmaps', 'resource', 'APPLY'),
      of(200, 'configmaps', 'resource', 'GET'),
      of(200, 'endpoints', 'namespace', 'LIST'),
      of(201, 'configmaps', 'resource', 'POST'),
      of(201, 'configmaps', 'resource', 'POST', 'All'),
      of(409, 'configmaps', 'resource', 'POST'),
    ].sort(),
  )
  expect(shown).toContain(
    'apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1',
  )
  expect(shown).toContain(
    'apiserver_request_duration_seconds_bucket{component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="POST",version="v1",le="+Inf"} 2',
  )
  expect(shown).toContain('apiserver_current_inflight_requests{request_kind="mutating"} 0')
  expect(shown.join('\n')).toMatch(/^apiserver_resource_objects\{group="",resource="configmaps"\} \d+$/m)
})

test('a watch runs until it is left, and is counted then', async () => {
  await using cluster = await Cluster.open({ nodes: 1, only: 'api', clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 } })
  const lines = async () => String((await cluster.request({ method: 'GET', path: '/metrics' })).body).split('\n')
  const labels = 'component="apiserver",group="",resource="secrets",scope="cluster",subresource="",verb="WATCH",version="v1"'
  const leave = new AbortController()
  const watching = cluster.watch({ group: '', version: 'v1', resource: 'secrets' }, () => {}, leave.signal)
  await vi.waitFor(async () => expect(await lines()).toContain(`apiserver_longrunning_requests{${labels}} 1`))
  leave.abort()
  await watching
  expect(await lines()).toContain(`apiserver_longrunning_requests{${labels}} 0`)
  expect((await lines()).some((line) => line.startsWith('apiserver_request_total{code="200"') && line.includes('"WATCH"'))).toBe(true)
})
