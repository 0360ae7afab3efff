import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { parse } from 'yaml'
import { decodeProtobuf } from '../protobuf/index.ts'
import { customDefinition, definitionsPath, onlyVersion, record } from './custom-definition.ts'
import type { Server } from './server.ts'

const file = new URL('./fixtures/accepts.json.gz', import.meta.url)

/** In what form which question was answered: status and type, how the body was written, and what kind it is or says. */
export type AcceptAnswers = Record<string, string>

const group = 'accepts.example.com'
const customs = `/apis/${group}/v1/namespaces/default/things`
const maps = '/api/v1/namespaces/default/configmaps'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const protobuf = 'application/vnd.kubernetes.protobuf'
const meta = 'v=v1;g=meta.k8s.io'

const workload = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'accepts' },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'accepts' } },
    template: { metadata: { labels: { app: 'accepts' } }, spec: { containers: [{ name: 'main', image: 'nginx:1.27' }] } },
  },
}
const thing = { apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'accepts' }, spec: { replicas: 1 } }

/** What is there while the questions are asked. */
const made = [
  { path: deployments, body: workload },
  { path: maps, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'accepts' }, data: { a: '1' } } },
  {
    path: definitionsPath,
    body: customDefinition(group, { plural: 'things', kind: 'Thing' }, [
      onlyVersion(record({ spec: record({ replicas: { type: 'integer' } }) }), {
        subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
      }),
    ]),
  },
]
/** What clients say, well and badly. */
const headers = [
  `${protobuf},application/json`,
  `${protobuf}, */*`,
  `application/json, ${protobuf}`,
  `application/yaml, ${protobuf}`,
  `*/*, ${protobuf}`,
  `application/*, ${protobuf}`,
  `text/html, ${protobuf};q=0.5, application/yaml;q=0.4`,
  `application/json;q=0.5, ${protobuf};q=0.9`,
  `${protobuf};q=0.5, application/json;q=0.9`,
  `application/json;q=0.1, */*;q=0.9, application/yaml;q=0.5`,
  `application/json;q=0, ${protobuf}`,
  `${protobuf};q=x, application/yaml;q=0.2`,
  `application/yaml;q=0.2, application/json;q=0.2`,
  `application/yaml; q=0.2, application/json; q = 0.4`,
  protobuf,
  `${protobuf};stream=watch`,
  `${protobuf};stream=other, application/yaml`,
  `${protobuf};sv=v1, application/yaml`,
  `${protobuf};sv=v2, application/yaml`,
  `${protobuf};charset=utf-8`,
  'application/json;pretty=1',
  'application/json;pretty=0',
  'application/json;charset=utf-8;pretty=1',
  'APPLICATION/JSON',
  'Application/Yaml, application/json',
  'application/yaml',
  'text/html',
  'text/html, application/*',
  'application/cbor, application/json',
  'application/cbor',
  '*',
  '* , application/yaml',
  'a/b/c, application/yaml',
  'json, application/yaml',
  `application/json;as=Table;${meta}, ${protobuf}`,
  `${protobuf};as=Table;${meta}, application/json`,
  `${protobuf};as=Table;${meta}`,
  `application/yaml;as=Table;${meta}`,
  `${protobuf};as=PartialObjectMetadata;${meta}, application/json`,
  `${protobuf};as=PartialObjectMetadata;${meta}`,
  `${protobuf};as=PartialObjectMetadataList;${meta}, application/json;as=PartialObjectMetadataList;${meta}, application/json`,
  `${protobuf};as=PartialObjectMetadataList;v=v1beta1;g=meta.k8s.io`,
  `application/yaml;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io, application/json`,
  `application/json;as=Table;${meta},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`,
  `application/json;as=Table;v=v3;g=meta.k8s.io, ${protobuf}`,
  `application/json;as=Thing;${meta}, ${protobuf}`,
  `application/json;g=meta.k8s.io, ${protobuf}`,
  `*/*;as=Table;${meta}`,
  `application/*;as=PartialObjectMetadata;${meta}`,
  `application/json;as;g=;v, application/yaml`,
  `application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json`,
  `${protobuf};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,${protobuf}`,
  `application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`,
  `${protobuf},application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io`,
  `application/yaml;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io`,
  `application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/yaml`,
  `application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList`,
  `*/*;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io`,
]

interface Place {
  title: string
  method?: string
  path: string
  body?: unknown
  type?: string
  /** Who asks: somebody who may do nothing. */
  stranger?: true
}

const watched = '?watch=1&timeoutSeconds=1&resourceVersion=0&fieldSelector=metadata.name%3Daccepts'
const few = `?fieldSelector=metadata.name%3Daccepts`
const merge = 'application/merge-patch+json'

/** Each is asked with each of the headers. Whatever would write is a dry run. */
const places: readonly Place[] = [
  { title: 'get', path: `${maps}/accepts` },
  { title: 'list', path: `${maps}${few}` },
  { title: 'empty list', path: `${maps}?labelSelector=none%3Dnone` },
  { title: 'missing', path: `${maps}/none` },
  { title: 'watch', path: `${maps}${watched}` },
  { title: 'watch too old', path: `${maps}?watch=1&resourceVersion=x` },
  { title: 'create', method: 'POST', path: `${maps}?dryRun=All`, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new' } } },
  { title: 'create invalid', method: 'POST', path: `${maps}?dryRun=All`, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} } },
  { title: 'create garbage', method: 'POST', path: `${maps}?dryRun=All`, body: '{' },
  { title: 'patch', method: 'PATCH', path: `${maps}/accepts?dryRun=All`, body: {}, type: merge },
  { title: 'delete', method: 'DELETE', path: `${maps}/accepts?dryRun=All` },
  { title: 'delete pods', method: 'DELETE', path: '/api/v1/namespaces/default/pods?dryRun=All' },
  {
    title: 'review',
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { nonResourceAttributes: { path: '/', verb: 'get' } },
    },
  },
  { title: 'log', path: '/api/v1/namespaces/default/pods/none/log' },
  { title: 'forbidden', path: `${maps}/accepts`, stranger: true },
  { title: 'no such resource', path: '/api/v1/nothing' },
  { title: 'no such method', method: 'PUT', path: maps, body: {} },
  { title: 'custom get', path: `${customs}/accepts` },
  { title: 'custom list', path: `${customs}${few}` },
  { title: 'custom missing', path: `${customs}/none` },
  { title: 'custom watch', path: `${customs}${watched}` },
  { title: 'custom scale', path: `${customs}/accepts/scale` },
  { title: 'custom create', method: 'POST', path: `${customs}?dryRun=All`, body: { ...thing, metadata: { name: 'new' } } },
  { title: 'custom create invalid', method: 'POST', path: `${customs}?dryRun=All`, body: { ...thing, spec: 1 } },
  { title: 'custom delete', method: 'DELETE', path: `${customs}/accepts?dryRun=All` },
  { title: 'custom forbidden', path: `${customs}/accepts`, stranger: true },
  { title: 'scale', path: `${deployments}/accepts/scale` },
  { title: 'scale patch', method: 'PATCH', path: `${deployments}/accepts/scale?dryRun=All`, body: {}, type: merge },
  { title: 'token', method: 'POST', path: '/api/v1/namespaces/default/serviceaccounts/none/token', body: {} },
  { title: 'no such custom', path: `/apis/${group}/v1/namespaces/default/nothing` },
  { title: 'core', path: '/api' },
  { title: 'core version', path: '/api/v1' },
  { title: 'groups', path: '/apis' },
  { title: 'group', path: '/apis/apps' },
  { title: 'version', path: '/apis/apps/v1' },
  { title: 'custom group', path: `/apis/${group}` },
  { title: 'custom version', path: `/apis/${group}/v1` },
  { title: 'no such group', path: '/apis/none.example.com/v1' },
  { title: 'server version', path: '/version' },
  { title: 'version forbidden', path: '/metrics', stranger: true },
]

/** Asks a server all of it, with what is asked for there meanwhile. */
export async function acceptAnswers(server: Server): Promise<AcceptAnswers> {
  for (const { path, body } of made) await server.send('POST', path, body)
  try {
    await until(async () => (await server.send('POST', customs, thing)).status === 201)
    await until(async () => (await server.send('GET', `/apis/${group}/v1`)).status === 200)
    const answers: AcceptAnswers = {}
    const waiting = places.flatMap((place) => headers.map((accept) => ({ ...place, title: `${place.title}: ${accept}`, accept })))
    const lane = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) answers[next.title] = await answerTo(server, next)
    }
    await Promise.all(Array.from({ length: 8 }, lane))
    return answers
  } finally {
    for (const { path, body } of made.toReversed()) await server.send('DELETE', `${path}/${body.metadata.name}`)
  }
}

async function answerTo(
  server: Server,
  { method = 'GET', path, body, type, stranger, accept }: Place & { accept: string },
): Promise<string> {
  const who: Record<string, string> = stranger
    ? { 'impersonate-user': 'ann' }
    : { 'impersonate-user': 'ann', 'impersonate-group': 'system:masters' }
  const headers = { ...who, accept, 'user-agent': 'compare', ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }) }
  const answer = await server.fetch(path, headers, method, body)
  return `${answer.status} ${answer.headers['content-type'] ?? ''}: ${shown(answer.body)}`
}

function shown(body: Buffer): string {
  if (body.subarray(0, 4).toString() === 'k8s\0') return `protobuf, ${described(decodeProtobuf(body))}`
  if (body.length > 8 && body.readUInt32BE(0) === body.length - 4) return `a frame of protobuf, ${framed(body)}`
  const text = body.toString()
  if (text.startsWith('{')) {
    const [first = ''] = text.split('\n')
    return `${first === '{' ? 'indented' : 'one line'}${text.endsWith('\n') ? ', ended' : ''}, ${described(JSON.parse(first === '{' ? text : first))}`
  }
  if (/^[a-zA-Z]+: /.test(text)) return `yaml, ${described(parse(text))}`
  return text.slice(0, 200)
}

/** Of a watch event in protobuf: the type and the envelope of its object. */
function framed(body: Buffer): string {
  const at = body.indexOf('k8s\0')
  return described(decodeProtobuf(body.subarray(at)))
}

function described(value: unknown): string {
  const { apiVersion, kind, message, reason, code, type, object } = value as Record<string, string> & { object?: unknown }
  if (type && object) return `${type} ${described(object)}`
  const table = kind === 'Table' ? describedTable(value as TableForm) : undefined
  return [apiVersion, kind, code, reason, message, table].filter((part) => part !== undefined).join(' ')
}

interface TableForm {
  columnDefinitions: { name: string; priority: number }[]
  rows: { cells: unknown[] }[]
}

/** Its columns and rows; ages and times pass. */
function describedTable({ columnDefinitions, rows }: TableForm): string {
  const shownCell = (cell: unknown) => String(cell).replace(/^(\d+[smhd])+$|^\d{4}-.*Z$/, '<time>')
  const columns = columnDefinitions.map(({ name, priority }) => `${name}${priority || ''}`)
  return [columns, ...rows.map(({ cells }) => cells.map(shownCell))].map((line) => `(${line.join('|')})`).join(' ')
}

async function until(look: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await look()) return
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error('the server did not serve what was made in time')
}

export function recordedAccepts(): AcceptAnswers {
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as AcceptAnswers
}

export function recordAccepts(answers: AcceptAnswers): void {
  const sorted = Object.fromEntries(Object.entries(answers).sort(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(file, gzipSync(JSON.stringify(sorted), { level: 9 }))
}
