import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeProtobuf, encodeProtobuf, encodeWatchFrame, listPieces, ProtobufError } from './index.ts'
import { formatDuration } from './read.ts'
import { parseDuration } from './write.ts'

interface Recorded {
  path: string
  protobuf: string
  json: { apiVersion: string; kind: string }
}

const recorded = JSON.parse(readFileSync(new URL('./fixtures/answers.json', import.meta.url), 'utf8')) as Recorded[]

describe.each(recorded.map((answer) => [answer.path, answer] as const))('%s as a real API server answers it', (_, answer) => {
  const bytes = Buffer.from(answer.protobuf, 'base64')

  test('reads as its JSON', () => {
    expect(JSON.parse(JSON.stringify(decodeProtobuf(bytes)))).toEqual(answer.json)
  })

  test('is written again byte for byte', () => {
    expect(Buffer.from(encodeProtobuf(answer.json)).toString('base64')).toBe(answer.protobuf)
  })
})

test('any ConfigMap survives the way there and back', () => {
  const data = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { minKeys: 1, noNullPrototype: true })
  fc.assert(
    fc.property(data, (values) => {
      const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: values }
      expect(decodeProtobuf(encodeProtobuf(map))).toEqual(map)
    }),
    { numRuns: 50 },
  )
})

test('any port, number or name, survives the way there and back', () => {
  const port = fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.stringMatching(/^[a-z]{1,15}$/))
  fc.assert(
    fc.property(port, fc.integer({ min: -5, max: 2147483647 }), (targetPort, number) => {
      const service = { apiVersion: 'v1', kind: 'Service', metadata: {}, spec: { ports: [{ port: number, targetPort }] } }
      const { spec } = decodeProtobuf(encodeProtobuf(service)) as unknown as typeof service
      expect(spec.ports[0]?.targetPort).toBe(targetPort)
      expect(spec.ports[0]?.port ?? 0).toBe(number)
    }),
    { numRuns: 50 },
  )
})

test('durations read as Go writes them', () => {
  for (const text of ['0s', '1h0m0s', '1m30s', '500ms', '1.5s', '2h45m30.5s'])
    expect(formatDuration(BigInt(parseDuration(text)))).toBe(text)
})

test('a list put together from its items is the list as a whole, whether these are frozen or not', () => {
  const pod = (name: string, image: string) => {
    return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'main', image }] } }
  }
  const head = { apiVersion: 'v1', kind: 'PodList', metadata: { resourceVersion: '7', continue: 'more' } }
  const items = [pod('one', 'nginx'), pod('long', 'x'.repeat(5000)), pod('', '')]
  const put = (list: { apiVersion: string; kind: string }, objects: object[]) =>
    Buffer.concat([...listPieces(list, [objects.slice(0, 2), objects.slice(2)])])
  const whole = Buffer.from(encodeProtobuf({ ...head, items } as typeof head))
  expect(put(head, items)).toEqual(whole)
  const frozen = items.map((item) => Object.freeze(item))
  for (let round = 0; round < 2; round++) expect(put(head, frozen)).toEqual(whole)
  expect(put(head, [])).toEqual(Buffer.from(encodeProtobuf({ ...head, items: [] } as typeof head)))
})

test('a watch frame says how long it is', () => {
  const frame = Buffer.from(encodeWatchFrame('ADDED', { apiVersion: 'v1', kind: 'Namespace' }))
  expect(frame.readUInt32BE(0)).toBe(frame.length - 4)
})

test.each([Buffer.from('{}'), Buffer.from('k8s\0\x0a\xff\xff\xff\xff', 'latin1'), Buffer.alloc(0)])(
  'bytes that are no object are refused',
  (bytes) => {
    expect(() => decodeProtobuf(bytes)).toThrow(ProtobufError)
  },
)

test.each(['DeleteOptions', 'Status', 'Binding'])('%s has a wire form', (kind) => {
  expect(decodeProtobuf(encodeProtobuf({ apiVersion: 'v1', kind }))).toMatchObject({ apiVersion: 'v1', kind })
})

test.each([
  ['policy/v1', 'Eviction'],
  ['autoscaling/v1', 'Scale'],
  ['authentication.k8s.io/v1', 'TokenRequest'],
  ['authorization.k8s.io/v1', 'SelfSubjectAccessReview'],
])('%s %s has a wire form', (apiVersion, kind) => {
  expect(decodeProtobuf(encodeProtobuf({ apiVersion, kind }))).toMatchObject({ apiVersion, kind })
})
