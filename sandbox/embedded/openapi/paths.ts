import type { ResourceInfo, Verb } from '../registry/index.ts'
import { schemaName } from '../schema/index.ts'

type Kind = Pick<ResourceInfo, 'group' | 'version' | 'kind' | 'listKind' | 'resource' | 'namespaced' | 'verbs' | 'subresources'>
type SchemaName = (group: string, version: string, kind: string) => string | undefined

interface Target {
  group: string
  version: string
  kind: string
}

const query = {
  pretty: parameter('pretty', 'string', 'If set to true, the answer is indented for people.'),
  dryRun: parameter('dryRun', 'string', 'All: every stage runs and nothing is stored.'),
  fieldManager: parameter('fieldManager', 'string', 'The name of the actor that makes the change; at most 128 printable characters.'),
  fieldValidation: parameter(
    'fieldValidation',
    'string',
    'What becomes of unknown and duplicate fields: Ignore drops them, Warn (the default) says so in a warning header, Strict refuses the request.',
  ),
  force: parameter('force', 'boolean', 'Take over fields that another manager owns. Only for apply patches.'),
  labelSelector: parameter('labelSelector', 'string', 'Only objects with these labels.'),
  fieldSelector: parameter('fieldSelector', 'string', 'Only objects with these fields.'),
  limit: parameter('limit', 'integer', 'The most objects to answer with at once.'),
  continue: parameter('continue', 'string', 'Where an earlier, limited list stopped.'),
  resourceVersion: parameter('resourceVersion', 'string', 'Which version of the data to answer from.'),
  resourceVersionMatch: parameter('resourceVersionMatch', 'string', 'How resourceVersion is understood: Exact or NotOlderThan.'),
  sendInitialEvents: parameter('sendInitialEvents', 'boolean', 'A watch begins with the objects that there are.'),
  timeoutSeconds: parameter('timeoutSeconds', 'integer', 'How long a list or watch may take.'),
  watch: parameter('watch', 'boolean', 'Answer with changes as they happen.'),
  allowWatchBookmarks: parameter('allowWatchBookmarks', 'boolean', 'A watch may send BOOKMARK events.'),
  gracePeriodSeconds: parameter('gracePeriodSeconds', 'integer', 'Seconds until the object is gone; 0 is at once.'),
  propagationPolicy: parameter('propagationPolicy', 'string', 'Orphan, Background or Foreground: what becomes of dependents.'),
}
const selection = [
  query.allowWatchBookmarks,
  query.continue,
  query.fieldSelector,
  query.labelSelector,
  query.limit,
  query.resourceVersion,
  query.resourceVersionMatch,
  query.sendInitialEvents,
  query.timeoutSeconds,
  query.watch,
]
const writing = [query.dryRun, query.fieldManager, query.fieldValidation]

/** The OpenAPI v3 paths of a kind with their operations, as far as clients read them: kind, action, parameters, bodies. */
export function pathsOf(info: Kind, nameOf: SchemaName): Record<string, unknown> {
  const root = info.group === '' ? `/api/${info.version}` : `/apis/${info.group}/${info.version}`
  const collection = `${root}${info.namespaced ? '/namespaces/{namespace}' : ''}/${info.resource}`
  const self: Target = info
  const list: Target = { ...self, kind: info.listKind }
  const can = (verb: Verb) => info.verbs.includes(verb)
  const operation = (action: string, body: Target | undefined, answer: Target, parameters: object[]) => ({
    tags: [`${info.group.split('.')[0] || 'core'}_${info.version}`],
    description: `${action} ${info.kind}`,
    operationId: `${action}${info.group === '' ? 'Core' : upper(info.group.split('.')[0] ?? '')}${upper(info.version)}${info.namespaced ? 'Namespaced' : ''}${info.kind}`,
    parameters,
    ...(body && { requestBody: { required: true, content: content(body, nameOf, action === 'patch' ? patchTypesOf(info) : undefined) } }),
    responses: { '200': { description: 'OK', content: content(answer, nameOf) }, '401': { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: info.group, version: info.version, kind: info.kind },
  })
  const paths: Record<string, unknown> = {}
  const place = (path: string, operations: Record<string, unknown>) => {
    if (Object.keys(operations).length > 0) paths[path] = { ...operations, parameters: [...pathParameters(path), query.pretty] }
  }
  place(collection, {
    ...(can('list') && { get: operation('list', undefined, list, selection) }),
    ...(can('create') && { post: operation('post', self, self, writing) }),
    ...(can('deletecollection') && { delete: operation('deletecollection', undefined, status, selection) }),
  })
  place(`${collection}/{name}`, {
    ...(can('get') && { get: operation('get', undefined, self, []) }),
    ...(can('update') && { put: operation('put', self, self, writing) }),
    ...(can('delete') && {
      delete: operation('delete', undefined, status, [query.dryRun, query.gracePeriodSeconds, query.propagationPolicy]),
    }),
    ...(can('patch') && { patch: operation('patch', self, self, [...writing, query.force]) }),
  })
  if (info.namespaced && can('list')) place(`${root}/${info.resource}`, { get: operation('list', undefined, list, selection) })
  for (const sub of info.subresources) {
    const target = { group: sub.group ?? info.group, version: sub.version ?? info.version, kind: sub.kind }
    const of = (action: string, body: Target | undefined, parameters: object[]) => ({
      ...operation(action, body, target, parameters),
      'x-kubernetes-group-version-kind': target,
    })
    place(`${collection}/{name}/${sub.name}`, {
      ...(sub.verbs.includes('get') && { get: of('get', undefined, []) }),
      ...(sub.verbs.includes('create') && { post: of('post', target, writing) }),
      ...(sub.verbs.includes('update') && { put: of('put', target, writing) }),
      ...(sub.verbs.includes('patch') && { patch: of('patch', target, [...writing, query.force]) }),
    })
  }
  return paths
}

const status: Target = { group: '', version: 'v1', kind: 'Status' }
const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]

/** Clients read from here whether a kind takes strategic patches: only built-in ones do. */
function patchTypesOf({ group, version, kind }: Kind): string[] {
  const builtIn = schemaName(group, version, kind) !== undefined
  return builtIn ? patchTypes : patchTypes.filter((type) => !type.includes('strategic'))
}

function content(target: Target, nameOf: SchemaName, patch: string[] | undefined = undefined): Record<string, unknown> {
  const name = patch ? 'io.k8s.apimachinery.pkg.apis.meta.v1.Patch' : nameOf(target.group, target.version, target.kind)
  const schema = name ? { $ref: `#/components/schemas/${name}` } : { type: 'string' }
  const types = patch ?? ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
  return Object.fromEntries(types.map((type) => [type, { schema }]))
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    description: name === 'name' ? 'name of the object' : 'object name and auth scope, such as for teams and projects',
    required: true,
    schema: { type: 'string', uniqueItems: true },
  }))
}

function parameter(name: string, type: string, description: string): object {
  return { name, in: 'query', description, schema: { type, uniqueItems: true } }
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
