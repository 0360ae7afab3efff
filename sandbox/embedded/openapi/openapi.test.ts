import { expect, test } from 'vitest'
import type { Schema } from '../schema/index.ts'
import { jsonFieldsOf } from '../schema/wire.ts'
import { metricsVersion2, metricsVersion3, openApiDocument, openApiIndex, openApiVersion2 } from './index.ts'

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

const metricsGroup = 'apis/metrics.k8s.io/v1beta1'
const prefixOf = (name: string) => `io.k8s.metrics.pkg.apis.metrics.v1beta1.${name}`

test('the index has the documents of metrics.k8s.io beside its own', () => {
  const { paths } = openApiIndex([], metricsVersion3())
  expect(paths[metricsGroup]?.serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/metrics\.k8s\.io\/v1beta1\?hash=[0-9A-F]{128}$/)
  expect(paths).toHaveProperty(['apis/metrics.k8s.io'])
})

test.each(['NodeMetrics', 'PodMetrics'])('the schema of %s has the fields of its Go type, and all that it refers to', (kind) => {
  const text = metricsVersion3().get(metricsGroup)?.bytes.toString() ?? ''
  const { schemas } = (JSON.parse(text) as Document).components as { schemas: Record<string, Schema> }
  const fields = (type: string) => Object.keys(schemas[prefixOf(type)]?.properties ?? {}).sort()
  expect(fields(kind)).toEqual(['apiVersion', 'kind', ...jsonFieldsOf(`metrics.v1beta1.${kind}`).keys()].sort())
  expect(fields('ContainerMetrics')).toEqual([...jsonFieldsOf('metrics.v1beta1.ContainerMetrics').keys()].sort())
  expect(schemas[prefixOf(kind)]?.['x-kubernetes-group-version-kind']).toEqual([{ group: 'metrics.k8s.io', kind, version: 'v1beta1' }])
  const wanted = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name = '']) => name)
  expect(wanted.filter((name) => !(name in schemas))).toEqual([])
})

test('version 2 takes in metrics.k8s.io, once for all clusters', () => {
  const others = [metricsVersion2()]
  const document = JSON.parse(Buffer.from(openApiVersion2([], 'json', others).bytes).toString()) as Record<'paths' | 'definitions', object>
  expect(document.paths).toHaveProperty(['/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{name}', 'get', 'operationId'])
  expect(document.definitions).toHaveProperty([prefixOf('NodeMetrics'), 'properties', 'usage'])
  const wanted = [...JSON.stringify(document).matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, name = '']) => name)
  expect(wanted.filter((name) => !(name in document.definitions))).toEqual([])
  expect(openApiVersion2([], 'json', [...others])).toBe(openApiVersion2([], 'json', others))
})
