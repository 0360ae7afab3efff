import { builtInSchemas, type Schema } from '../schema/index.ts'
import { definitionsOf, withDefinitions } from './components.ts'
import type { RemoteVersion2, Sections } from './merge.ts'
import { builtInPaths, type Operation, type Parameter, type PathItem, type Paths } from './paths.ts'
import { definitionsOfVersion2, pathsOfVersion2, type SharedParameters } from './version2.ts'

const group = 'metrics.k8s.io'
const version = 'v1beta1'
const root = `/apis/${group}/${version}`
const info = { title: 'Kubernetes metrics-server', version: 'v0.9.0' }

/** What metrics-server tells of metrics.k8s.io in OpenAPI v3, by the paths of the documents. Its own kinds are described in our words. */
export function metricsDocuments(): Readonly<Record<string, object>> {
  return (documents ??= {
    [`apis/${group}`]: documentOf(groupPaths(), {}),
    [`apis/${group}/${version}`]: documentOf(kindsPaths(), kindsSchemas()),
  })
}

/** The same in version 2, to be merged with the API server's own. Always the same object. */
export function metricsVersion2(): RemoteVersion2 {
  return (version2 ??= { prefix: `/apis/${group}/`, document: sectionsOf({ ...groupPaths(), ...kindsPaths() }) })
}

let documents: Record<string, object> | undefined
let version2: RemoteVersion2 | undefined

function documentOf(paths: Paths, own: Record<string, Schema>): object {
  const known = { ...builtInSchemas(), ...own }
  return {
    openapi: '3.0.0',
    info,
    paths,
    components: { schemas: sorted({ ...definitionsOf(paths, known), ...withDefinitions(own, known) }) },
  }
}

function sectionsOf(paths: Paths): Sections {
  const shared: SharedParameters = new Map()
  const definitions = definitionsOfVersion2(definitionsOf(paths, { ...builtInSchemas(), ...kindsSchemas() }))
  return { paths: pathsOfVersion2(paths, shared), definitions, parameters: Object.fromEntries(shared) }
}

function groupPaths(): Paths {
  return { [`/apis/${group}/`]: { get: discovery('metrics', 'get information of a group', 'getMetricsAPIGroup', 'APIGroup') } }
}

/** In the words of the built-in paths of nodes and pods, from which they differ in what is read there. */
function kindsPaths(): Paths {
  const nodes = builtInPaths('api/v1')?.['/api/v1/nodes']
  const pod = builtInPaths('api/v1')?.['/api/v1/namespaces/{namespace}/pods/{name}']
  const named = (wanted: string, all: readonly Parameter[] = []) => all.filter(({ name }) => name === wanted)
  const pretty = named('pretty', pod?.parameters)
  const namespace = named('namespace', pod?.parameters)
  const list = [...(nodes?.get?.parameters ?? []), ...pretty]
  const name = (kind: string) => named('name', pod?.parameters).map((parameter) => ({ ...parameter, description: `name of the ${kind}` }))
  const item = (get: Operation, parameters: Parameter[]): PathItem => ({
    get,
    parameters: parameters.sort((a, b) => (a.name < b.name ? -1 : 1)),
  })
  return {
    [`${root}/`]: { get: discovery('metrics_v1beta1', 'get available resources', 'getMetricsV1beta1APIResources', 'APIResourceList') },
    [`${root}/namespaces/{namespace}/pods`]: item(listed('PodMetrics', 'NamespacedPodMetrics'), [...list, ...namespace]),
    [`${root}/namespaces/{namespace}/pods/{name}`]: item(read('PodMetrics', 'NamespacedPodMetrics'), [
      ...name('PodMetrics'),
      ...namespace,
      ...pretty,
    ]),
    [`${root}/nodes`]: item(listed('NodeMetrics', 'NodeMetrics'), list),
    [`${root}/nodes/{name}`]: item(read('NodeMetrics', 'NodeMetrics'), [...name('NodeMetrics'), ...pretty]),
    [`${root}/pods`]: item(listed('PodMetrics', 'PodMetricsForAllNamespaces'), [...list]),
  }
}

function listed(kind: string, name: string): Operation {
  const types = ['application/json', 'application/json;stream=watch', protobuf, `${protobuf};stream=watch`, 'application/yaml']
  return operation(kind, 'list', `list objects of kind ${kind}`, `listMetricsV1beta1${name}`, types, `${kind}List`)
}

function read(kind: string, name: string): Operation {
  return operation(kind, 'get', `read the specified ${kind}`, `readMetricsV1beta1${name}`, objects, kind)
}

function operation(
  kind: string,
  action: string,
  description: string,
  operationId: string,
  types: readonly string[],
  answer: string,
): Operation {
  return {
    tags: ['metrics_v1beta1'],
    description,
    operationId,
    responses: answered(types, `${own}${answer}`),
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
  }
}

function discovery(tag: string, description: string, operationId: string, answer: string): Operation {
  return { tags: [tag], description, operationId, responses: answered(objects, `${meta}${answer}`) }
}

function answered(types: readonly string[], schema: string): Operation['responses'] {
  return {
    '200': { description: 'OK', content: Object.fromEntries(types.map((type) => [type, { schema: { $ref: `${components}${schema}` } }])) },
  }
}

const protobuf = 'application/vnd.kubernetes.protobuf'
const objects = ['application/json', protobuf, 'application/yaml']
const components = '#/components/schemas/'
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const own = 'io.k8s.metrics.pkg.apis.metrics.v1beta1.'
const duration = `${meta}Duration`

function kindsSchemas(): Record<string, Schema> {
  const usage: Schema = {
    description: 'How much is in use, by resource: cpu is an average over the window, memory is the working set at its end.',
    type: 'object',
    additionalProperties: { $ref: `${components}io.k8s.apimachinery.pkg.api.resource.Quantity` },
  }
  const containers: Schema = {
    description: 'What each container of the pod uses; all are measured over the same window.',
    type: 'array',
    items: { $ref: `${components}${own}ContainerMetrics` },
    'x-kubernetes-list-type': 'atomic',
  }
  return {
    [duration]: { description: 'A length of time as Go writes it, with a unit after each number: "1h2m3.5s".', type: 'string' },
    [`${own}ContainerMetrics`]: {
      description: 'ContainerMetrics tells how much a container uses.',
      type: 'object',
      required: ['name', 'usage'],
      properties: { name: { description: 'The name that the container has in the spec of its pod.', type: 'string', default: '' }, usage },
    },
    ...kindSchemas('NodeMetrics', 'NodeMetrics tells how much a node uses.', { usage }),
    ...kindSchemas('PodMetrics', 'PodMetrics tells how much the containers of a pod use.', { containers }),
  }
}

/** Of a kind and its list. */
function kindSchemas(kind: string, description: string, figures: Record<string, Schema>): Record<string, Schema> {
  const list = `${kind}List`
  const { apiVersion = {}, kind: ofKind = {}, metadata = {} } = builtInSchemas()['io.k8s.api.core.v1.ConfigMap']?.properties ?? {}
  const listMetadata = builtInSchemas()['io.k8s.api.core.v1.NodeList']?.properties?.['metadata'] ?? {}
  const gvk = (of: string) => ({ 'x-kubernetes-group-version-kind': [{ group, kind: of, version }] })
  const timed: Record<string, Schema> = {
    timestamp: { description: 'The end of the window.', allOf: [{ $ref: `${components}${meta}Time` }] },
    window: { description: 'How long was measured, up to the timestamp.', allOf: [{ $ref: `${components}${duration}` }] },
  }
  return {
    [`${own}${kind}`]: {
      description,
      type: 'object',
      required: ['timestamp', 'window', ...Object.keys(figures)],
      properties: sorted({ apiVersion, kind: ofKind, metadata, ...timed, ...figures }),
      ...gvk(kind),
    },
    [`${own}${list}`]: {
      description: `${list} is a list of ${kind}.`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion,
        items: { description: 'What was measured, by name.', type: 'array', items: { $ref: `${components}${own}${kind}` } },
        kind: ofKind,
        metadata: listMetadata,
      },
      ...gvk(list),
    },
  }
}

function sorted<T>(entries: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)))
}
