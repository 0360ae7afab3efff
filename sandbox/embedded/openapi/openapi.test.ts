import { expect, test } from 'vitest'
import type { Schema } from '../schema/index.ts'
import { openApiDocument, openApiIndex, openApiVersion2 } from './index.ts'

interface Document {
  paths: Record<string, Record<string, { parameters: { name: string }[]; 'x-kubernetes-group-version-kind': unknown }>>
  components: { schemas: Record<string, unknown> }
}

const read = (path: string, ...custom: Parameters<typeof openApiDocument>[1][]) =>
  JSON.parse(openApiDocument(path, ...custom)?.bytes.toString() ?? '') as Document

test('the index lists a document for every group and version with its hash', () => {
  const { paths } = openApiIndex()
  expect(paths['apis/apps/v1']?.serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/)
  expect(Object.keys(paths)).toContain('api/v1')
})

test('a patch says that the server validates fields, which is what kubectl looks for', () => {
  const { paths } = read('apis/apps/v1')
  const patch = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch']
  expect(patch?.['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' })
  expect(patch?.parameters.map(({ name }) => name)).toEqual(expect.arrayContaining(['fieldValidation', 'dryRun', 'force']))
})

test('every reference in a document leads somewhere in it', () => {
  const document = read('api/v1')
  const wanted = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name)
  expect(wanted.filter((name) => !((name ?? '') in document.components.schemas))).toEqual([])
})

test('a custom resource has a document of its own', () => {
  const info = {
    group: 'stable.example.com',
    version: 'v1',
    kind: 'CronTab',
    listKind: 'CronTabList',
    resource: 'crontabs',
    namespaced: true,
    verbs: ['get', 'list', 'create'] as const,
    subresources: [],
  }
  const schema = { type: 'object', properties: { spec: { type: 'object' } } }
  const { components } = read('apis/stable.example.com/v1', [{ info, schema }])
  expect(components.schemas).toHaveProperty(['com.example.stable.v1.CronTab'])
  expect(openApiIndex([{ info, schema }]).paths).toHaveProperty(['apis/stable.example.com/v1'])
})

test('version 2 of a custom resource leaves out what kubectl would refuse unknown fields for', () => {
  const info = {
    group: 'stable.example.com',
    version: 'v1',
    kind: 'CronTab',
    listKind: 'CronTabList',
    resource: 'crontabs',
    namespaced: true,
    verbs: ['get', 'list', 'create'] as const,
    subresources: [],
  }
  const open = { 'x-kubernetes-preserve-unknown-fields': true, type: 'object', properties: { a: { type: 'string' } } }
  const shown = (schema: Schema) => {
    const whole = JSON.parse(Buffer.from(openApiVersion2([{ info, schema }]).bytes).toString()) as { definitions: Record<string, Schema> }
    return whole.definitions['com.example.stable.v1.CronTab']
  }
  expect(shown(open)).toEqual({ type: 'object', 'x-kubernetes-group-version-kind': [expect.anything()] })
  const nested = shown({ type: 'object', properties: { spec: open } })?.properties
  expect(nested?.['spec']).toEqual({ 'x-kubernetes-preserve-unknown-fields': true })
  expect(nested?.['metadata']?.$ref).toBe('#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
})

test('version 2 has definitions instead of components', () => {
  const text = Buffer.from(openApiVersion2().bytes).toString()
  expect(text).toContain('#/definitions/io.k8s.api.apps.v1.Deployment')
  expect(text).not.toContain('#/components/')
})
