import { expect, test } from 'vitest'
import { endpointsOf, managersOf, restartsOf } from './objects.ts'

const entry = (manager: string, fieldsV1: unknown, subresource?: string) => ({
  ...{ manager, operation: 'Update', fieldsV1 },
  ...(subresource ? { subresource } : {}),
})

test('a field belongs to every manager whose entry holds it, and to no other', () => {
  const managedFields = [
    entry('helm', { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } }),
    entry('kubectl', { 'f:spec': { 'f:replicas': {} } }, 'scale'),
    entry('kube-controller-manager', { 'f:status': { 'f:replicas': {} } }, 'status'),
  ]
  const object = { metadata: { managedFields } }
  expect(managersOf(object, 'spec', 'replicas').map(({ manager, subresource }) => [manager, subresource])).toEqual([
    ['helm', ''],
    ['kubectl', 'scale'],
  ])
  expect(managersOf(object, 'spec', 'paused')).toHaveLength(1)
  expect(managersOf(object, 'spec', 'selector')).toEqual([])
  expect(managersOf(undefined, 'spec')).toEqual([])
})

test('what is missing in an object counts as nothing', () => {
  expect(endpointsOf(undefined)).toEqual([])
  expect(restartsOf({ metadata: { name: 'new' } } as Parameters<typeof restartsOf>[0])).toBe(0)
})
