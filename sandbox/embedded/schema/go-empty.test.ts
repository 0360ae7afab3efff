import { expect, test } from 'vitest'
import { asJson, asStored, isNone, partAsJson } from './go-empty.ts'

const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'one', labels: {} }, rules: [] }

test('JSON keeps a list without anything in it where its field always stands, and no other', () => {
  expect(asJson(role)).toEqual({ ...role, metadata: { name: 'one' } })
})

test('what has been stored has no list without anything in it', () => {
  expect(asStored(role)).toEqual({ ...role, metadata: { name: 'one' }, rules: null })
})

test('structures without anything in them stay', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    spec: {
      containers: [{ name: 'main', resources: { limits: {} }, env: [] }],
      volumes: [{ name: 'a', emptyDir: {} }],
      securityContext: {},
    },
  }
  expect(asStored(pod).spec).toEqual({
    containers: [{ name: 'main', resources: {} }],
    volumes: [{ name: 'a', emptyDir: {} }],
    securityContext: {},
  })
})

test('what has nothing to lose is the same object', () => {
  const full = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: { a: '' } }
  expect(asStored(full)).toBe(full)
})

test('schemas are looked through wherever they may stand', () => {
  const items = { type: 'array', items: { type: 'object', required: [] }, additionalProperties: { enum: [], type: 'string' } }
  expect(partAsJson(items, 'apiextensions.v1.JSONSchemaProps')).toEqual({
    type: 'array',
    items: { type: 'object' },
    additionalProperties: { type: 'string' },
  })
  expect(isNone({})).toBe(true)
})
