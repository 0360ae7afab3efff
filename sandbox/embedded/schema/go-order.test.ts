import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { goJson, inGoOrder } from './go-order.ts'
import { hasNumberedKeys, jsonWithNumberedKeys } from './numbered-keys.ts'

it.each([
  [
    'a built-in object, at all depths',
    {
      spec: {
        restartPolicy: 'Always',
        containers: [{ resources: {}, ports: [{ protocol: 'TCP', containerPort: 80, name: 'web' }], image: 'i', name: 'c' }],
        volumes: [{ emptyDir: {}, name: 'v' }],
      },
      apiVersion: 'v1',
      metadata: { labels: { z: '1', a: '2' }, resourceVersion: '7', namespace: 'n', uid: 'u', name: 'p' },
      kind: 'Pod',
      status: { phase: 'Pending' },
    },
    '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"u","resourceVersion":"7","labels":{"a":"2","z":"1"}},' +
      '"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","image":"i",' +
      '"ports":[{"name":"web","containerPort":80,"protocol":"TCP"}],"resources":{}}],"restartPolicy":"Always"},"status":{"phase":"Pending"}}',
  ],
  [
    'a custom resource by names',
    { kind: 'Gizmo', apiVersion: 'example.com/v1', spec: { b: [{ z: 1, a: 2 }], a: {} }, metadata: { uid: 'u', name: 'g' }, also: 1 },
    '{"also":1,"apiVersion":"example.com/v1","kind":"Gizmo","metadata":{"name":"g","uid":"u"},"spec":{"a":{},"b":[{"a":2,"z":1}]}}',
  ],
  [
    'a kind within a kind',
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      spec: { volumeClaimTemplates: [{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec: { volumeMode: 'Block', accessModes: [] } }] },
    },
    '{"kind":"StatefulSet","apiVersion":"apps/v1","spec":{"volumeClaimTemplates":[{"kind":"PersistentVolumeClaim","apiVersion":"v1",' +
      '"spec":{"accessModes":[],"volumeMode":"Block"}}]}}',
  ],
  [
    'what is kept as it was sent',
    { apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: 1, data: { z: 1, a: 2 } },
    '{"kind":"ControllerRevision","apiVersion":"apps/v1","data":{"z":1,"a":2},"revision":1}',
  ],
  [
    'schemas in schemas',
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      spec: {
        versions: [
          {
            schema: {
              openAPIV3Schema: {
                properties: {
                  b: { items: { maxLength: 1, type: 'string' } },
                  a: { additionalProperties: { format: 'int32', type: 'integer' } },
                },
                type: 'object',
              },
            },
            name: 'v1',
          },
        ],
      },
    },
    '{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"versions":[{"name":"v1","schema":{"openAPIV3Schema":' +
      '{"type":"object","properties":{"a":{"additionalProperties":{"type":"integer","format":"int32"}},"b":{"items":{"type":"string","maxLength":1}}}}}}]}}',
  ],
  [
    'a failure',
    {
      apiVersion: 'v1',
      kind: 'Status',
      code: 404,
      reason: 'NotFound',
      details: { kind: 'pods', name: 'x' },
      message: 'no',
      status: 'Failure',
      metadata: {},
    },
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"no","reason":"NotFound","details":{"name":"x","kind":"pods"},"code":404}',
  ],
  [
    'metadata alone',
    { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { uid: 'u', name: 'p' } },
    '{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"p","uid":"u"}}',
  ],
])('puts %s into the order of the API server', (_what, object, text) => {
  expect(goJson(object)).toBe(text)
  expect(JSON.parse(text)).toEqual(object)
})

it('leaves what is in order as it is', () => {
  const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'c', labels: { a: '1', b: '2' } }, data: { a: 'x', b: 'y' } }
  expect(inGoOrder(object)).toBe(object)
  const custom = { apiVersion: 'example.com/v1', kind: 'Gizmo', metadata: { name: 'g' }, spec: { a: [{ b: 1 }] } }
  expect(inGoOrder(custom)).toBe(custom)
})

it('changes nothing that it is given', () => {
  const object = Object.freeze({ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: Object.freeze({ uid: 'u', name: 's' }) })
  expect(Object.keys(inGoOrder(object))).toEqual(['kind', 'apiVersion', 'metadata', 'type'])
  expect(Object.keys(object)).toEqual(['apiVersion', 'kind', 'type', 'metadata'])
})

describe('keys that are whole numbers', () => {
  const data = { 9: 'nine', a: 'A', '-': 'dash', 10: 'ten', '010': 'padded' }
  const text = '"data":{"-":"dash","010":"padded","10":"ten","9":"nine","a":"A"}'

  it.each([
    ['in a map', { kind: 'ConfigMap', apiVersion: 'v1', data }, `{"kind":"ConfigMap","apiVersion":"v1",${text}}`],
    [
      'in a custom resource',
      { kind: 'G', apiVersion: 'a.b/v1', spec: [{ data }] },
      `{"apiVersion":"a.b/v1","kind":"G","spec":[{${text}}]}`,
    ],
    [
      'of labels alone',
      { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { labels: { 2: '', 10: '' }, name: 'x' } },
      '{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"x","labels":{"10":"","2":""}}}',
    ],
  ])('are sorted as the texts that they are %s', (_where, object, json) => {
    expect(goJson(object)).toBe(json)
    expect(JSON.parse(json)).toEqual(object)
  })

  it('are so for people too, in an object and in an item of a list', () => {
    const labels = '    "labels": {\n      "10": "b",\n      "9": "<"\n    }'.replace('<', '\\u003c')
    const metadata = { labels: { 9: '<', 10: 'b' }, annotations: {}, finalizers: [] }
    const rest = ',\n    "annotations": {},\n    "finalizers": []\n  }\n}'
    expect(goJson({ metadata }, 2)).toBe(`{\n  "metadata": {\n${labels}${rest}`)
    expect(goJson({ kind: 'Pod', apiVersion: 'v1', metadata }, 2)).toBe(
      `{\n  "kind": "Pod",\n  "apiVersion": "v1",\n  "metadata": {\n${labels}${rest}`,
    )
  })

  it('change nothing about how anything else is written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        expect(JSON.parse(jsonWithNumberedKeys(value, indent))).toEqual(JSON.parse(JSON.stringify(value)))
        const unnumbered = JSON.parse(JSON.stringify(value, (_key, part) => (wholeNumbers(part) ? undefined : part)) ?? 'null') as unknown
        expect(jsonWithNumberedKeys(unnumbered, indent)).toBe(JSON.stringify(unnumbered, null, indent))
      }),
    )
  })
})

function wholeNumbers(part: unknown): boolean {
  return typeof part === 'object' && part !== null && !Array.isArray(part) && hasNumberedKeys(part)
}

it('escapes what HTML and JavaScript give a meaning', () => {
  const object = { kind: 'ConfigMap', apiVersion: 'v1', data: { a: 'a && <b>\u2028' } }
  expect(goJson(object)).toBe('{"kind":"ConfigMap","apiVersion":"v1","data":{"a":"a \\u0026\\u0026 \\u003cb\\u003e\\u2028"}}')
})
