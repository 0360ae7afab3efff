import type { ResourceInfo } from '../registry/index.ts'
import { schemaName } from '../schema/index.ts'
import { customName } from './custom.ts'
import { builtInPaths, type Operation, type Parameter, type PathItem } from './paths.ts'

type Kind = Pick<ResourceInfo, 'group' | 'version' | 'kind' | 'listKind' | 'resource' | 'namespaced' | 'subresources'>

/** The OpenAPI v3 paths of a custom kind (apiextensions-apiserver, openapi/builder/builder.go), sorted. */
export function customPaths(info: Kind): Record<string, PathItem> {
  const { group, version, kind, listKind, resource, namespaced, subresources } = info
  const root = `/apis/${group}/${version}`
  const collection = namespaced ? `${root}/namespaces/{namespace}/${resource}` : `${root}/${resource}`
  const scope = namespaced ? `Namespaced${kind}` : kind
  const one = customName(group, version, kind)
  const many = customName(group, version, listKind)
  const scale = schemaName('autoscaling', 'v1', 'Scale') ?? ''
  const options = builtInOptions()

  const operation = (verb: string, action: string, name: string, description: string, answer: string, more: Partial<Operation>) => ({
    tags: [`${identifier(group, false)}_${identifier(version, false)}`],
    description,
    operationId: `${verb}${identifier(group)}${identifier(version)}${name}`,
    ...more,
    responses: responses(action, answer),
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
  })
  const list = (name: string, parameters: Parameter[]) =>
    operation('list', 'list', name, `list objects of kind ${kind}`, many, parameters.length > 0 ? { parameters } : {})
  const object = (sub: string, schema: string): PathItem => {
    const [of, name] = sub ? [`${sub} of `, `${scope}${upper(sub)}`] : ['', scope]
    return {
      get: operation('read', 'get', name, `read ${of}the specified ${kind}`, schema, { parameters: options.get }),
      put: operation('replace', 'put', name, `replace ${of}the specified ${kind}`, schema, {
        parameters: options.put,
        requestBody: { content: content(bodies, schema), required: true },
      }),
      ...(!sub && {
        delete: operation('delete', 'delete', name, `delete${article(kind)}${kind}`, status, {
          parameters: options.delete,
          requestBody: { content: content(bodies, `${meta}DeleteOptions`) },
        }),
      }),
      patch: operation('patch', 'patch', name, `partially update ${of}the specified ${kind}`, schema, {
        parameters: options.patch,
        requestBody: { content: content(patches, `${meta}Patch`), required: true },
      }),
      parameters: [{ ...options.name, description: `name of the ${kind}` }, ...(namespaced ? [options.namespace] : []), options.pretty],
    }
  }
  const paths: Record<string, PathItem> = {
    [collection]: {
      get: list(scope, options.list),
      post: operation('create', 'post', scope, `create${article(kind)}${kind}`, one, {
        parameters: options.post,
        requestBody: { content: content(bodies, one), required: true },
      }),
      delete: operation('delete', 'deletecollection', `Collection${scope}`, `delete collection of ${kind}`, status, {
        parameters: options.list,
      }),
      parameters: [...(namespaced ? [options.namespace] : []), options.pretty],
    },
    [`${collection}/{name}`]: object('', one),
  }
  if (namespaced) {
    paths[`${root}/${resource}`] = { get: list(`${kind}ForAllNamespaces`, []), parameters: byName([...options.list, options.pretty]) }
  }
  for (const { name } of subresources) paths[`${collection}/{name}/${name}`] = object(name, name === 'scale' ? scale : one)
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const status = `${meta}Status`
const bodies = ['application/json', 'application/yaml']
const patches = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json']

/** The parameters that requests for any kind have: ConfigMaps' are such. */
function builtInOptions() {
  return (known ??= readOptions())
}

let known: ReturnType<typeof readOptions> | undefined

function readOptions() {
  const paths = builtInPaths('api/v1') ?? {}
  const configMaps = paths['/api/v1/namespaces/{namespace}/configmaps']
  const configMap = paths['/api/v1/namespaces/{namespace}/configmaps/{name}']
  const named = (name: string, all: readonly Parameter[] = []) => {
    const found = all.find((parameter) => parameter.name === name)
    if (!found) throw new Error(`no built-in path has the parameter ${name}`)
    return found
  }
  const list = configMaps?.get?.parameters ?? []
  return {
    list,
    get: [named('resourceVersion', list)],
    post: configMaps?.post?.parameters ?? [],
    put: configMap?.put?.parameters ?? [],
    patch: configMap?.patch?.parameters ?? [],
    delete: configMap?.delete?.parameters ?? [],
    name: named('name', configMap?.parameters),
    namespace: named('namespace', configMap?.parameters),
    pretty: named('pretty', configMap?.parameters),
  }
}

function responses(action: string, schema: string): Operation['responses'] {
  const answer = (description: string) => ({ description, content: content(bodies, schema) })
  return {
    '200': answer('OK'),
    ...((action === 'post' || action === 'put') && { '201': answer('Created') }),
    ...((action === 'post' || action === 'delete') && { '202': answer('Accepted') }),
    '401': { description: 'Unauthorized' },
  }
}

function content(types: readonly string[], schema: string) {
  return Object.fromEntries(types.map((type) => [type, { schema: { $ref: `#/components/schemas/${schema}` } }]))
}

/** A name as part of an operation's id: `drawExampleCom`; what ends in .k8s.io goes without. */
function identifier(name: string, capital = true): string {
  const parts = name
    .replace(/\.k8s\.io$/, '')
    .split(/[^A-Za-z0-9_]+/)
    .filter(Boolean)
  return parts.map((part, index) => (index > 0 || capital ? upper(part) : part)).join('')
}

/** With the spaces around it; plurals have none. */
function article(noun: string): string {
  if (/(?:^|[^s])s$/.test(noun)) return ' '
  return /^[aeiou]/i.test(noun) ? ' an ' : ' a '
}

function byName(parameters: Parameter[]): Parameter[] {
  return parameters.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
