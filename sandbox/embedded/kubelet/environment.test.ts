import { describe, expect, test } from 'vitest'
import type { Cache } from '../machinery/context.ts'
import type { KubeObject, Resource } from '../machinery/object.ts'
import type { Container, Pod } from '../schema/types/core.v1.ts'
import { environmentOf, expand } from './environment.ts'

const node = { name: 'n1', ip: '172.18.0.2', allocatable: { cpu: '4', memory: '8Gi' } }

test.each([
  ['$(A)', 'a'],
  ['x$(A)y$(B)z', 'xay$(B)z'],
  ['$$(A)', '$(A)'],
  ['$A', '$A'],
  ['$(A', '$(A'],
])('%s expands to %s', (text, expected) => {
  expect(expand(text, (name) => (name === 'A' ? 'a' : undefined))).toBe(expected)
})

describe('the environment of a container', () => {
  const objects: KubeObject[] = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm', namespace: 'default' }, data: { color: 'blue' } } as KubeObject,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'my-db', namespace: 'default' },
      spec: { clusterIP: '10.96.1.1', ports: [{ name: 'sql', port: 5432 }] },
    } as KubeObject,
  ]
  const cache = {
    get: (resource: Resource, name: string) =>
      objects.find((object) => `${object.kind.toLowerCase()}s` === resource.resource && object.metadata.name === name),
    list: () => objects.filter(({ kind }) => kind === 'Service'),
  } as unknown as Cache
  const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default', labels: { app: 'x' } } }
  const of = (container: Partial<Container>) =>
    Object.fromEntries(environmentOf(cache, pod, { name: 'c', ...container }, '10.244.0.2', node).map(({ name, value }) => [name, value]))

  test('has the Services of its namespace', () => {
    expect(of({})).toMatchObject({
      MY_DB_SERVICE_HOST: '10.96.1.1',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_SERVICE_PORT_SQL: '5432',
      MY_DB_PORT: 'tcp://10.96.1.1:5432',
      MY_DB_PORT_5432_TCP_ADDR: '10.96.1.1',
    })
  })

  test('has fields, resources and keys', () => {
    const env = of({
      resources: { limits: { cpu: '500m' } },
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'cm' } }],
      env: [
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'BOTH', value: '$(IP) $(P_color) $(MY_DB_SERVICE_HOST)' },
      ],
    })
    expect(env).toMatchObject({ P_color: 'blue', IP: '10.244.0.2', APP: 'x', CPU: '1', MEM: '8192', BOTH: '10.244.0.2 blue 10.96.1.1' })
  })

  test.each([
    [{ configMapKeyRef: { name: 'nope', key: 'k' } }, 'configmap "nope" not found'],
    [{ configMapKeyRef: { name: 'cm', key: 'k' } }, "couldn't find key k in ConfigMap default/cm"],
    [{ secretKeyRef: { name: 'nope', key: 'k' } }, 'secret "nope" not found'],
  ])('%j cannot be had', (valueFrom, message) => {
    expect(() => of({ env: [{ name: 'X', valueFrom }] })).toThrow(message)
  })

  test('leaves optional keys out', () => {
    expect(of({ env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'nope', key: 'k', optional: true } } }] })).not.toHaveProperty('X')
  })
})
