import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster.ts'
import { Server } from '../oracle/server.ts'

/** Bytes as a real 1.34 API server was seen to send them, but for times, uids and versions. */
const maps = '/api/v1/namespaces/default/configmaps'
const gizmos = '/apis/example.com/v1/namespaces/default/gizmos'
const definition = {
  metadata: { name: 'gizmos.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'gizmos', kind: 'Gizmo' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}
const map =
  '"metadata":{"name":"m","namespace":"default","uid":"U","resourceVersion":"N","creationTimestamp":"T","managedFields":[' +
  '{"manager":"compare","operation":"Update","apiVersion":"v1","time":"T","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:a":{},"f:z":{}}}}]}'
const data = '"data":{"a":"2","z":"\\u003c1\\u003e"}'
const gizmo =
  '{"also":1,"apiVersion":"example.com/v1","kind":"Gizmo","metadata":{"creationTimestamp":"T","generation":1,"managedFields":[' +
  '{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:also":{},"f:spec":{".":{},"f:a":{},"f:z":{}}},"manager":"compare","operation":"Update","time":"T"}],' +
  '"name":"g","namespace":"default","resourceVersion":"N","uid":"U"},"spec":{"a":2,"z":1}}'
const versions = '"metadata":{"resourceVersion":"N"}'
const ended = '"annotations":{"k8s.io/initial-events-end":"true"}'
const watched = 'watch=1&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan'

let cluster: Cluster
let server: Server

beforeAll(async () => {
  cluster = await Cluster.open({ nodes: 0, only: 'api' })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  await server.send('POST', maps, { data: { z: '<1>', a: '2' }, metadata: { name: 'm' } })
  await server.send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
  await vi.waitFor(async () => expect((await server.send('GET', gizmos)).status).toBe(200))
  await server.send('POST', gizmos, { spec: { z: 1, a: 2 }, apiVersion: 'example.com/v1', also: 1, metadata: { name: 'g' }, kind: 'Gizmo' })
})

afterAll(async () => {
  server[Symbol.dispose]()
  await cluster[Symbol.asyncDispose]()
})

async function fetched(path: string, headers: Record<string, string> = {}): Promise<string> {
  const text = (await server.fetch(path, headers)).body.toString()
  const without = (name: string, value: string) => (whole: string) =>
    whole.replaceAll(new RegExp(`("${name}": ?)"[^"]*"`, 'g'), `$1"${value}"`)
  return [without('creationTimestamp', 'T'), without('time', 'T'), without('uid', 'U'), without('resourceVersion', 'N')].reduce(
    (rest, next) => next(rest),
    text,
  )
}

const accepting = (as: string) => ({ accept: `application/json;as=${as};v=v1;g=meta.k8s.io` })

test.concurrent.each([
  ['an object', `${maps}/m`, {}, `{"kind":"ConfigMap","apiVersion":"v1",${map},${data}}\n`],
  ['a list', maps, {}, `{"kind":"ConfigMapList","apiVersion":"v1",${versions},"items":[{${map},${data}}]}\n`],
  [
    'a list of metadata',
    maps,
    accepting('PartialObjectMetadataList'),
    `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",${versions},"items":[{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",${map}}]}\n`,
  ],
  ['a custom resource', `${gizmos}/g`, {}, `${gizmo}\n`],
  ['a list of them', gizmos, {}, `{"apiVersion":"example.com/v1","items":[${gizmo}],"kind":"GizmoList",${versions}}\n`],
  [
    'a refusal',
    `${maps}/none`,
    {},
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \\"none\\" not found","reason":"NotFound","details":{"name":"none","kind":"configmaps"},"code":404}\n',
  ],
  [
    'events and a bookmark',
    `${maps}?${watched}`,
    {},
    `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1",${map},${data}}}\n` +
      `{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"N",${ended}}}}\n`,
  ],
  [
    'a bookmark of a custom kind',
    `${gizmos}?${watched}&fieldSelector=metadata.name%3Dx`,
    {},
    `{"type":"BOOKMARK","object":{"apiVersion":"example.com/v1","kind":"Gizmo","metadata":{${ended},"resourceVersion":"N"}}}\n`,
  ],
  [
    'a bookmark of a kind with a spec',
    `/apis/apps/v1/namespaces/default/deployments?${watched}`,
    {},
    `{"type":"BOOKMARK","object":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"resourceVersion":"N",${ended}},` +
      '"spec":{"replicas":0,"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}}}\n',
  ],
])('the fields of %s come in the order of the real server', async (_what, path, headers, expected) => {
  expect(await fetched(path, headers)).toBe(expected)
})

test('so do those of a row, and of a list for people', async () => {
  expect(await fetched(maps, accepting('Table'))).toContain(
    `"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",${map}}}]}\n`,
  )
  const shown = await fetched(maps, { 'user-agent': 'curl/8' })
  expect(shown.replace(/\n */g, '').replaceAll('": ', '":')).toBe(
    `{"kind":"ConfigMapList","apiVersion":"v1",${versions},"items":[{${map},${data}}]}`,
  )
})
