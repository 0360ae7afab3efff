import { describe, expect, test } from 'vitest'
import { decodeObject, resolve, schemaOf, schemaOfField, schemaOfItems, TypeMismatch } from './index.ts'
import { canonicalQuantity, compareQuantities, QuantityError } from './quantity.ts'

describe('decoding', () => {
  const decode = (spec: unknown) => decodeObject({ apiVersion: 'apps/v1', kind: 'Deployment', spec }, 'apps.v1.Deployment')

  test('names unknown fields by their path and drops them', () => {
    const { object, unknown } = decode({ foo: 1, template: { spec: { containers: [{ name: 'a', bar: 1 }] } } })
    expect(unknown).toEqual(['unknown field "spec.foo"', 'unknown field "spec.template.spec.containers[0].bar"'])
    expect(JSON.stringify(object)).not.toContain('bar')
  })

  test('leaves the object as Go has it', () => {
    const { object } = decode({ replicas: 0, template: { metadata: { labels: {} }, spec: { containers: [{ name: 'a', env: [] }] } } })
    expect(object).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {},
      spec: {
        replicas: 0,
        selector: null,
        template: { metadata: { labels: {} }, spec: { containers: [{ name: 'a', env: [], resources: {} }] } },
        strategy: {},
      },
      status: {},
    })
  })

  test.each([
    [{ replicas: 'two' }, 'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [{ replicas: 1.5 }, 'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [
      { template: { spec: { containers: {} } } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
  ])('refuses %j in the words of Go', (spec, message) => {
    expect(() => decode(spec)).toThrow(new TypeMismatch(message))
  })
})

test.each([
  ['1000m', '1'],
  ['0.5', '500m'],
  [2, '2'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['1e3', '1e3'],
  ['100M', '100M'],
  ['0', '0'],
  ['-5', '-5'],
  ['0.1Mi', '104857600m'],
])('the quantity %s is written %s', (text, canonical) => {
  expect(canonicalQuantity(text)).toBe(canonical)
})

test('quantities compare by amount, not by text', () => {
  expect(compareQuantities('1Gi', '1024Mi')).toBe(0)
  expect(compareQuantities('999m', 1)).toBe(-1)
  expect(() => canonicalQuantity('1x')).toThrow(QuantityError)
})

test('schemas tell how lists merge', () => {
  const pod = schemaOf('', 'v1', 'Pod')!
  const containers = schemaOfField(schemaOfField(pod, 'spec'), 'containers')!
  expect(containers['x-kubernetes-patch-merge-key']).toBe('name')
  const port = schemaOfItems(schemaOfField(schemaOfItems(containers), 'ports'))!
  expect(resolve(port.properties!['protocol']!).default).toBe('TCP')
})
