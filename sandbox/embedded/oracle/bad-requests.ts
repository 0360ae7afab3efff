import fc from 'fast-check'
import type { Exchange } from './exchange.ts'

/** What is there on both servers before the requests come: two objects, which none of them changes. */
export const probes: readonly Exchange[] = [
  {
    title: 'probe',
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps',
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'probe', labels: { a: 'b' } }, data: { a: '1' } },
  },
  {
    title: 'probe',
    method: 'POST',
    path: '/apis/apps/v1/namespaces/default/deployments',
    body: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'probe' },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'probe' } },
        template: { metadata: { labels: { app: 'probe' } }, spec: { containers: [{ name: 'main', image: 'nginx:1.27' }] } },
      },
    },
  },
]

/** What a cluster of this kind has and a bare API server has not. */
export const surplus = ['/apis/storage.k8s.io/v1/storageclasses/standard']

const maps = '/api/v1/namespaces/default/configmaps'
const map = `${maps}/probe`
/** What is said to be deleted: nothing is there, since a body decides alone whether it is a dry run. */
const nothing = `${maps}/none`
const empty = '/api/v1/namespaces/default/podtemplates'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const deployment = `${deployments}/probe`
const valid = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new' } }
const text = (value: unknown) => JSON.stringify(value)
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
const types = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
  jsonPatch: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** Every bad request that is told by name. Whatever would write is a dry run. */
export function badRequests(): Exchange[] {
  return [...bodies(), ...contentTypes(), ...accepts(), ...paths(), ...queries(), ...patches(), ...preconditions(), ...names(), ...sizes()]
}

/** Requests thrown together: any method on any path with any option, body and type. Shrinks. */
export const anyRequest: fc.Arbitrary<Exchange> = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'),
    path: fc.constantFrom(
      map,
      maps,
      deployment,
      `${deployment}/scale`,
      `${deployment}/status`,
      '/api/v1/nodes',
      '/api/v1/nodes/none',
      `${map}/none`,
    ),
    options: fc.uniqueArray(fc.constantFrom(...badOptions()), { maxLength: 2 }),
    body: fc.constantFrom(
      undefined,
      '',
      '{',
      '[]',
      'null',
      '{}',
      text(valid),
      text({ ...valid, kind: 'Secret' }),
      'a: b',
      '[{"op":"add"}]',
    ),
    type: fc.constantFrom(...Object.values(types), 'text/plain'),
  })
  .map(({ method, path, options, body, type }) => {
    const query = ['dryRun=All', ...options.map(encode)].join('&')
    const carries = body !== undefined && method !== 'GET' && method !== 'HEAD' && method !== 'DELETE'
    return {
      title: `${method} ${path}?${query} ${carries ? `${type} ${body}` : ''}`,
      method,
      path: `${path}?${query}`,
      headers: { 'content-type': type },
      ...(carries ? { body } : {}),
    }
  })

function bodies(): Exchange[] {
  const json = [
    ...[
      '',
      ' ',
      'null',
      '[]',
      '"x"',
      '1',
      'true',
      '{',
      '}',
      '{"a"',
      '{"a":}',
      '{"a":1,}',
      "{'a':1}",
      '{"a":1} x',
      '{"a":1}{"b":2}',
      'NaN',
      '\u0000',
    ],
    ...['{"kind":"ConfigMap"}', '{"apiVersion":"v1"}', '{"kind":1,"apiVersion":"v1"}', '{"kind":"ConfigMap","apiVersion":["v1"]}', '{}'],
    text({ ...valid, kind: 'Secret' }),
    text({ ...valid, kind: 'configmap' }),
    text({ ...valid, kind: 'Nothing' }),
    text({ ...valid, apiVersion: 'v2' }),
    text({ ...valid, apiVersion: 'apps/v1' }),
    text({ ...valid, apiVersion: 'a/b/c' }),
    text({ ...valid, apiVersion: 'example.com/v1' }),
    text({ ...valid, metadata: [] }),
    text({ ...valid, metadata: 'x' }),
    text({ ...valid, metadata: { name: 7 } }),
    text({ ...valid, metadata: { name: 'new', labels: ['a'] } }),
    text({ ...valid, metadata: { name: 'new', creationTimestamp: 'yesterday' } }),
    text({ ...valid, metadata: { name: 'new', namespace: 'elsewhere' } }),
    text({ ...valid, metadata: { name: 'new', resourceVersion: '5' } }),
    text({ ...valid, metadata: { name: 'new', uid: 'mine' } }),
    text({ ...valid, metadata: {} }),
    text({ ...valid, data: 7 }),
    text({ ...valid, data: { a: { b: 'c' } } }),
    text({ ...valid, binaryData: { a: 'not base64!' } }),
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"new"},"data":{"a":"\ud800"}}',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"new"},"data":{"a":"x\ny"}}',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"new"},"data":{"a":"\\q"}}',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"new","generation":1e400}}',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"new","generation":99999999999999999999}}',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"new","name":"again"},"bogus":1,"data":{"a":"1","a":"2"}}',
    nested(50),
    nested(9_999),
    nested(10_001),
    '['.repeat(20_000),
  ]
  const yaml = [
    '',
    '{',
    'a: b: c',
    '\ta: b',
    'a: [',
    '- a',
    'a: &x b\nc: *y',
    'kind: ConfigMap',
    '"x',
    '--- {}\n---\n{}',
    '!!binary x',
    'a: 1\na: 2',
    '%YAML 9.9\n---\na: b',
  ]
  const protobuf = ['', 'k8s', 'k8s\u0000', 'k8s\u0000\n', 'k8s\u0000garbage', text(valid), '\u0001\u0002\u0003']
  const send = (method: string, path: string, type: string) => (body: string) => ({
    title: `body: ${method} ${path} ${type} ${brief(body)}`,
    method,
    path,
    headers: { 'content-type': type },
    body,
  })
  return [
    ...json.map(send('POST', `${maps}?dryRun=All`, types.json)),
    ...json.slice(-10, -4).map(send('POST', `${maps}?dryRun=All&fieldValidation=Strict`, types.json)),
    ...json.map(send('PUT', `${map}?dryRun=All`, types.json)),
    ...json.slice(0, 24).map(send('POST', `${deployments}?dryRun=All`, types.json)),
    ...json.slice(0, 24).map(send('DELETE', nothing, types.json)),
    ...json.slice(0, 24).map(send('DELETE', empty, types.json)),
    ...json.slice(0, 12).map(send('PUT', `${deployment}/scale?dryRun=All`, types.json)),
    ...json.slice(0, 12).map(send('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', types.json)),
    ...yaml.map(send('POST', `${maps}?dryRun=All`, types.yaml)),
    ...protobuf.map(send('POST', `${maps}?dryRun=All`, types.protobuf)),
    ...protobuf.map(send('PUT', `${deployment}?dryRun=All`, types.protobuf)),
  ]
}

function contentTypes(): Exchange[] {
  const given = [
    ...[
      '',
      'text/plain',
      'text/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/cbor',
      'json',
      '*/*',
      'application/*',
    ],
    ...[
      'application/json; charset=utf-8',
      'application/json;charset=utf-16',
      'APPLICATION/JSON',
      'application/json;',
      'application/json; =',
      ';',
    ],
    ...Object.values(types),
    'application/apply-patch+cbor',
    'application/json-patch',
  ]
  const tries: [string, string][] = [
    ['POST', maps],
    ['PUT', map],
    ['PATCH', map],
    ['DELETE', nothing],
    ['PATCH', deployment],
    ['PATCH', `${deployment}/scale`],
  ]
  return tries.flatMap(([method, path]) =>
    given.map((type) => ({
      title: `content type: ${method} ${path} ${type}`,
      method,
      path: `${path}?dryRun=All`,
      headers: { 'content-type': type },
      body: method === 'DELETE' ? '{}' : text(valid),
    })),
  )
}

function accepts(): Exchange[] {
  const given = [
    ...[
      '',
      'text/plain',
      'text/html',
      'image/png',
      'application/cbor',
      'application/xml',
      'application/*',
      '*/*',
      'json',
      'a/b/c',
      'text/*',
    ],
    ...['application/json;q=0', 'text/html, application/json;q=0.1', 'application/json;as=Table;v=v1;g=meta.k8s.io'],
    ...['application/json;as=Table;v=v2;g=meta.k8s.io', 'application/json;as=Table', 'application/json;as=Nothing;v=v1;g=meta.k8s.io'],
    ...['application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'],
    ...[
      'application/cbor;as=Table;v=v1;g=meta.k8s.io',
      'application/json;v=v1',
      'application/json;stream=watch',
      ',',
      ';',
      'application/json-seq',
    ],
  ]
  return [map, maps, '/api', '/apis', '/apis/apps/v1', '/version', '/openapi/v2', '/openapi/v3', '/healthz', `${map}/none`].flatMap(
    (path) => given.map((accept) => ({ title: `accept: ${path} ${accept}`, method: 'GET', path, headers: { accept } })),
  )
}

function paths(): Exchange[] {
  const known = [
    ...[
      '/',
      '/api',
      '/api/',
      '/apis',
      '/apis/',
      '/api/v1',
      '/api/v1/',
      '/apis/apps',
      '/apis/apps/v1',
      '/version',
      '/version/',
      '/healthz',
      '/livez/none',
    ],
    ...[
      '/readyz/ping',
      '/healthz/none',
      '/metrics/none',
      '/nothing',
      '/api/v2',
      '/api/v2/pods',
      '/apis/none',
      '/apis/none/v1',
      '/apis/apps/v9',
    ],
    ...[
      '/apis/apps/v9/deployments',
      '/apis/apps/v1beta1/deployments',
      '/apis/apps/v1/nothing',
      '/api/v1/nothing',
      '/api/v1/namespaces/default',
    ],
    ...[
      '/api/v1/namespaces/none',
      '/api/v1/namespaces/default/nothing',
      '/api/v1/namespaces/default/nodes',
      '/api/v1/configmaps',
      '/api/v1/configmaps/probe',
    ],
    ...[
      `${maps}/`,
      `${maps}/none`,
      `${map}/`,
      `${map}/status`,
      `${map}/nothing`,
      `${map}/a/b`,
      `${maps}//probe`,
      '//api/v1',
      '/api//v1/pods',
    ],
    ...['/api/v1/namespaces//configmaps', '/api/v1/namespaces/none/configmaps', '/api/v1/namespaces/none/configmaps/one', '/api/v1/watch'],
    ...['/api/v1/watch/nothing', '/api/v1/namespaces/default/pods/none/log', '/api/v1/namespaces/default/pods/none/exec'],
    ...['/api/v1/namespaces/default/pods/none/eviction', '/api/v1/namespaces/default/pods/none/binding', '/api/v1/nodes/none/proxy'],
    ...['/api/v1/namespaces/default/services/none/proxy', '/api/v1/namespaces/default/serviceaccounts/none/token', `${deployment}/scale`],
    ...[
      `${deployment}/status`,
      `${deployments}/none/scale`,
      `${deployment}/rollback`,
      '/api/v1/componentstatuses',
      '/api/v1/componentstatuses/none',
    ],
    ...[
      '/api/v1/bindings',
      '/api/v1/namespaces/default/bindings',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      '/openapi/v4',
      '/openapi/v3/none',
    ],
    ...[
      '/apis/authentication.k8s.io/v1/tokenreviews/x',
      '/api/v1/%6eodes',
      '/api/v1/nodes/%2e%2e',
      '/api/v1/nodes/a%2Fb',
      '/api/v1/NODES',
      '/API/v1/nodes',
    ],
    ...[
      '/api/v1/namespaces/default/finalize',
      '/api/v1/namespaces/default/status',
      '/api/v1/pods/none',
      '/logs',
      '/debug/pprof',
      '/debug/none',
      '/swagger.json',
    ],
  ]
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']
  return known.flatMap((path) =>
    methods.map((method) => ({
      title: `path: ${method} ${path}`,
      method,
      path: method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? path : `${path}?dryRun=All`,
      headers: { 'content-type': method === 'PATCH' ? types.merge : types.json },
      ...(method === 'POST' || method === 'PUT' || method === 'PATCH' ? { body: '{}' } : {}),
    })),
  )
}

function badOptions(): string[] {
  const of = (name: string, ...values: string[]) => values.map((value) => `${name}=${value}`)
  return [
    ...of('limit', '', '0', '-1', 'x', '1.5', '99999999999999999999', '0x10', '%20'),
    ...of('continue', '', 'x', 'e30', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTF9', 'eyJ2IjoieCJ9', '%00'),
    ...of('resourceVersion', '', '0', '-1', 'x', '1.5', '999999999', '99999999999999999999'),
    ...of('resourceVersionMatch', '', 'Exact', 'NotOlderThan', 'Newest', 'exact'),
    ...of(
      'fieldSelector',
      '',
      'x',
      'metadata.name',
      'metadata.name=',
      'metadata.name=probe',
      'metadata.name%3D%3Dprobe',
      'metadata.name!=probe',
    ),
    ...of(
      'fieldSelector',
      'spec.x=1',
      'metadata.labels=1',
      'metadata.name=a,metadata.namespace=b',
      '=x',
      ',',
      'metadata.name>1',
      'data.a=1',
    ),
    ...of(
      'labelSelector',
      '',
      'x',
      '!x',
      'a=b',
      'a==b',
      'a!=b',
      'a in (b,c)',
      'a notin (b)',
      'a in',
      'a in (',
      'a in ()',
      'a=b=c',
      '=b',
      'a,',
      ',',
      'a>1',
      'a>x',
    ),
    ...of(
      'labelSelector',
      'Not A Key!',
      'a=Not A Value!',
      '!',
      '!!a',
      '(a)',
      'a in b',
      'a exists',
      '/a',
      'a/',
      'a/b/c=1',
      'in',
      'a=%20',
      'x'.repeat(70),
    ),
    ...of('timeoutSeconds', 'x', '-1', '1.5', '0', ''),
    ...of('dryRun', 'All', 'all', 'None', 'true', 'All&dryRun=x'),
    ...of('fieldManager', '', 'x'.repeat(128), 'x'.repeat(129), '%00', '%0A', 'a b', '%C3%A9'),
    ...of('fieldValidation', '', 'Ignore', 'Warn', 'Strict', 'strict', 'x'),
    ...of('propagationPolicy', '', 'Orphan', 'Foreground', 'Background', 'background', 'x'),
    ...of('orphanDependents', 'true', 'false', 'x'),
    ...of('gracePeriodSeconds', '0', '-1', 'x', '1.5', ''),
    ...of('force', 'true', 'false', 'x', ''),
    ...of('pretty', 'true', 'x'),
    ...of('sendInitialEvents', 'true', 'false', 'x'),
    ...of('allowWatchBookmarks', 'x'),
    ...of('includeObject', 'None', 'Metadata', 'Object', 'x'),
    ...of('unknown', 'x'),
  ]
}

function queries(): Exchange[] {
  const asked = (path: string) => (option: string) => ({
    title: `query: GET ${path} ${brief(option)}`,
    method: 'GET',
    path: `${path}?${encode(option)}`,
  })
  const write = (method: string, path: string, type: string, body?: unknown) => (option: string) => ({
    title: `query: ${method} ${path} ${type} ${brief(option)}`,
    method,
    path: `${path}?dryRun=All&${encode(option)}`,
    headers: { 'content-type': type },
    ...(body === undefined ? {} : { body }),
  })
  const options = badOptions()
  const watches = options.filter((option) => !/^(timeoutSeconds|pretty|includeObject)/.test(option))
  const matched = ['Exact', 'NotOlderThan', 'x'].flatMap((match) =>
    ['resourceVersion=0', 'resourceVersion=1', 'resourceVersion=', 'continue=x', 'limit=1', 'sendInitialEvents=true'].map(
      (other) => `resourceVersionMatch=${match}&${other}`,
    ),
  )
  // how long a server knows its first version is a matter of its age
  const lasting = matched.filter((option) => option !== 'resourceVersionMatch=Exact&resourceVersion=1')
  return [
    ...[...options, ...lasting].map(asked(maps)),
    ...options.map(asked(map)),
    ...options.filter((option) => option.startsWith('fieldSelector')).map(asked(deployments)),
    ...watches.map((option) => asked(maps)(`watch=true&timeoutSeconds=1&${option}`)).filter(({ path }) => refusesWatch(path)),
    ...options.map(write('POST', maps, types.json, valid)),
    ...options.map(write('PUT', map, types.json, { ...valid, metadata: { name: 'probe' } })),
    ...options.map(write('PATCH', map, types.merge, {})),
    ...options.map(write('PATCH', map, types.apply, { ...valid, metadata: { name: 'probe' } })),
    ...options.map(write('DELETE', map, types.json)),
    ...options.map(write('DELETE', empty, types.json)),
  ]
}

/** A watch that is taken lasts; only what is refused is compared. */
function refusesWatch(path: string): boolean {
  return (
    /resourceVersionMatch|sendInitialEvents|continue=\w|resourceVersion=(-1|x|1\.5|9{20})|Selector=/.test(path) &&
    !/sendInitialEvents=true/.test(path)
  )
}

function patches(): Exchange[] {
  const send = (type: string, path: string) => (body: unknown) => ({
    title: `patch: ${path} ${type} ${brief(typeof body === 'string' ? body : text(body))}`,
    method: 'PATCH',
    path: `${path}?dryRun=All&fieldManager=ann`,
    headers: { 'content-type': type },
    body,
  })
  const raw = ['', ' ', 'null', '[]', '{}', '"x"', '1', '{', '[', '{"a"', 'x', '[1]', '[null]', '[{}]', 'a: b']
  const operation = (op: string, path: string, more: object = {}) => [{ op, path, ...more }]
  const json = [
    ...['add', 'replace', 'remove', 'test', 'copy', 'move', 'ADD', '', 'nothing'].map((op) => operation(op, '/data/a')),
    ...[
      '',
      '/',
      'data',
      '/data',
      '/data/none',
      '/data/none/deep',
      '/none/deep',
      '/data/~',
      '/data/~2',
      '/metadata/finalizers/-',
      '/metadata/finalizers/0',
    ].flatMap((path) => ['add', 'replace', 'remove', 'test'].map((op) => operation(op, path, { value: 'x' }))),
    operation('copy', '/data/b', { from: '/data/none' }),
    operation('move', '/data/b', { from: '/none' }),
    operation('move', '/data', { from: '/data/a' }),
    operation('replace', '/kind', { value: 'Secret' }),
    operation('replace', '/apiVersion', { value: 'v2' }),
    operation('replace', '/metadata/name', { value: 'other' }),
    operation('replace', '/metadata/namespace', { value: 'other' }),
    operation('replace', '/metadata', { value: 7 }),
    operation('replace', '/data', { value: 7 }),
    operation('add', '/data/c', { value: 7 }),
    operation('add', '/bogus', { value: 7 }),
    operation('test', '/data/a', { value: '2' }),
    operation('test', '/data/a', { value: '1' }),
    operation('add', '/data/a', { value: null }),
    [{ path: '/data/a', value: 1 }],
    [{ op: 'add', value: 1 }],
    [{ op: 1, path: '/data/a' }],
    [{ op: 'add', path: 1 }],
  ]
  const merge = [
    { data: 7 },
    { data: [] },
    { data: { a: 7 } },
    { data: { a: null } },
    { metadata: null },
    { metadata: { name: 'other' } },
    { metadata: { name: null } },
    { metadata: { namespace: 'other' } },
    { metadata: { uid: 'other' } },
    { metadata: { resourceVersion: '1' } },
    { metadata: { resourceVersion: 'x' } },
    { metadata: { labels: { 'Not A Key!': 'x' } } },
    { metadata: { finalizers: ['Not Valid!'] } },
    { metadata: { ownerReferences: [{}] } },
    { metadata: { creationTimestamp: null } },
    { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
    { metadata: { managedFields: [{}] } },
    { metadata: { managedFields: [{ operation: 'Nothing' }] } },
    { kind: 'Secret' },
    { apiVersion: 'v2' },
    { bogus: 1 },
    { immutable: 'yes' },
  ]
  const container = (more: object) => ({ spec: { template: { spec: { containers: [more] } } } })
  const strategic = [
    container({ image: 'x' }),
    container({ name: 'main', $patch: 'nothing' }),
    container({ name: 'main', $patch: 'delete' }),
    container({ name: 'none', $patch: 'delete' }),
    container({ $patch: 'replace' }),
    container({ name: 7 }),
    { spec: { template: { spec: { containers: 'x' } } } },
    { spec: { template: { spec: { containers: { name: 'main' } } } } },
    { spec: { template: { spec: { containers: [7] } } } },
    { spec: { template: { spec: { $setElementOrder: 'x' } } } },
    { spec: { template: { spec: { '$setElementOrder/containers': [{ name: 'none' }] } } } },
    { spec: { template: { spec: { '$deleteFromPrimitiveList/containers': ['x'] } } } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['none'] } },
    { metadata: { $retainKeys: ['name'] } },
    { metadata: { $retainKeys: 'name' } },
    { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    { spec: { strategy: { type: 'Recreate' } } },
    { $patch: 'replace' },
    { $patch: 'delete' },
    { spec: { $patch: 'replace' } },
    { spec: { replicas: 'two' } },
    { spec: { replicas: -1 } },
    { spec: { selector: { matchLabels: { app: 'other' } } } },
    { spec: null },
  ]
  const applied = [
    {},
    { kind: 'ConfigMap' },
    { apiVersion: 'v1' },
    { ...valid, metadata: {} },
    { ...valid, metadata: { name: 'other' } },
    { ...valid, metadata: { name: 'probe', namespace: 'other' } },
    { ...valid, kind: 'Secret', metadata: { name: 'probe' } },
    { ...valid, apiVersion: 'v2', metadata: { name: 'probe' } },
    { ...valid, metadata: { name: 'probe', managedFields: [] } },
    { ...valid, metadata: { name: 'probe', managedFields: [{ manager: 'x' }] } },
    { ...valid, metadata: { name: 'probe', resourceVersion: '1' } },
    { ...valid, metadata: { name: 'probe', uid: 'x' } },
    { ...valid, metadata: { name: 'probe' }, bogus: 1 },
    { ...valid, metadata: { name: 'probe' }, data: 7 },
    { ...valid, metadata: { name: 'probe' }, data: { a: 7 } },
    { ...valid, metadata: { name: 'probe' }, data: { a: '2' } },
    { ...valid, metadata: { name: 'probe' }, data: { a: null } },
    'a: b: c',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: probe\n  name: probe\n',
  ]
  const status = [
    { spec: { replicas: 1 } },
    { spec: { replicas: -1 } },
    { spec: { replicas: 'x' } },
    { metadata: { name: 'x' } },
    { kind: 'Nothing' },
  ]
  return [
    ...raw.flatMap((body) =>
      Object.values(types)
        .slice(3)
        .map((type) => send(type, map)(body)),
    ),
    ...json.map(send(types.jsonPatch, map)),
    ...merge.flatMap((body) => [send(types.merge, map)(body), send(types.strategic, map)(body)]),
    ...strategic.flatMap((body) => [send(types.strategic, deployment)(body), send(types.merge, deployment)(body)]),
    ...applied.map(send(types.apply, map)),
    ...applied.slice(0, 8).map(send(types.apply, `${maps}/fresh`)),
    ...status.flatMap((body) => [send(types.merge, `${deployment}/scale`)(body), send(types.strategic, `${deployment}/scale`)(body)]),
    ...merge.slice(0, 8).map(send(types.merge, `${maps}/none`)),
  ]
}

function preconditions(): Exchange[] {
  const options = [
    { preconditions: { uid: 'other' } },
    { preconditions: { resourceVersion: '1' } },
    { preconditions: { resourceVersion: 'x' } },
    { preconditions: {} },
    { preconditions: 'x' },
    { gracePeriodSeconds: -1 },
    { gracePeriodSeconds: 'x' },
    { propagationPolicy: 'Never' },
    { propagationPolicy: 'Orphan', orphanDependents: true },
    { orphanDependents: 'x' },
    { dryRun: ['x'] },
    { dryRun: 'All' },
    { kind: 'Pod', apiVersion: 'v1' },
    { kind: 'DeleteOptions', apiVersion: 'v9' },
    { kind: 'DeleteOptions', apiVersion: 'apps/v1' },
    { bogus: 1 },
  ]
  const versions = ['', '1', 'x', '-1', '0', '999999999', '99999999999999999999']
  return [
    ...[nothing, empty].flatMap((path) =>
      options.map((body) => ({ title: `delete: ${path} ${text(body)}`, method: 'DELETE', path, body })),
    ),
    ...options.slice(0, 4).map((body) => ({
      title: `delete: ${map} ${text(body)}`,
      method: 'DELETE',
      path: map,
      body: { ...body, dryRun: ['All'] },
    })),
    ...versions.map((resourceVersion) => ({
      title: `update: resourceVersion ${resourceVersion}`,
      method: 'PUT',
      path: `${map}?dryRun=All`,
      body: { ...valid, metadata: { name: 'probe', resourceVersion } },
    })),
    ...[
      { uid: 'x' },
      { name: 'other' },
      { namespace: 'other' },
      { name: '' },
      { generateName: 'x' },
      { creationTimestamp: '2020-01-01T00:00:00Z' },
    ].map((metadata) => ({
      title: `update: ${text(metadata)}`,
      method: 'PUT',
      path: `${map}?dryRun=All`,
      body: { ...valid, metadata: { name: 'probe', ...metadata } },
    })),
  ]
}

function names(): Exchange[] {
  const bad = [
    '',
    '.',
    '..',
    'UPPER',
    'a b',
    'a/b',
    'a%b',
    '-a',
    'a-',
    'a..b',
    'a_b',
    'x'.repeat(253),
    'x'.repeat(254),
    'é',
    '1',
    'a.b',
    '*',
    'a:b',
  ]
  const kinds: [string, string, string][] = [
    ['ConfigMap', 'v1', maps],
    ['Service', 'v1', '/api/v1/namespaces/default/services'],
    ['Namespace', 'v1', '/api/v1/namespaces'],
    ['Role', 'rbac.authorization.k8s.io/v1', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles'],
    ['Lease', 'coordination.k8s.io/v1', '/apis/coordination.k8s.io/v1/namespaces/default/leases'],
    ['ServiceAccount', 'v1', '/api/v1/namespaces/default/serviceaccounts'],
    ['LimitRange', 'v1', '/api/v1/namespaces/default/limitranges'],
  ]
  return kinds.flatMap(([kind, apiVersion, path]) =>
    bad.flatMap((name) => [
      { title: `name: ${kind} ${brief(name)}`, method: 'POST', path: `${path}?dryRun=All`, body: { kind, apiVersion, metadata: { name } } },
      {
        title: `generateName: ${kind} ${brief(name)}`,
        method: 'POST',
        path: `${path}?dryRun=All`,
        body: { kind, apiVersion, metadata: { generateName: name, name: 'given' } },
      },
    ]),
  )
}

function sizes(): Exchange[] {
  const big = (size: number) => 'x'.repeat(size)
  const kilo = 1024
  const made = (title: string, body: unknown) => ({ title: `size: ${title}`, method: 'POST', path: `${maps}?dryRun=All`, body })
  return [
    made('data of a megabyte', { ...valid, data: { a: big(kilo * kilo) } }),
    made('data of more than a megabyte', { ...valid, data: { a: big(kilo * kilo + 1) } }),
    made('data and binary data together', {
      ...valid,
      data: { a: big(600 * kilo) },
      binaryData: { b: Buffer.alloc(600 * kilo).toString('base64') },
    }),
    made('annotations of 256 KiB', { ...valid, metadata: { name: 'new', annotations: { a: big(256 * kilo) } } }),
    made('a body of more than three megabytes', { ...valid, data: { a: big(3 * kilo * kilo) } }),
    made('a label of 64 characters', { ...valid, metadata: { name: 'new', labels: { a: big(64) } } }),
    made('a label key of 64 characters', { ...valid, metadata: { name: 'new', labels: { [big(64)]: 'a' } } }),
    {
      title: 'size: a patch of ten thousand operations',
      method: 'PATCH',
      path: `${map}?dryRun=All`,
      headers: { 'content-type': types.jsonPatch },
      body: Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/a', value: '1' })),
    },
  ]
}

function encode(option: string): string {
  return option.replace(/[ !()<>,/]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
}

function brief(value: string): string {
  return value.length > 90 ? `${value.slice(0, 60)}... (${value.length})` : JSON.stringify(value)
}
