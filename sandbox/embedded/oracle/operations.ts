import fc from 'fast-check'

/** What is done to both servers. Names are few, so that operations meet. */
export type Operation =
  | { do: 'create'; name: string; body: Fields }
  | { do: 'update'; name: string; body: Fields; stale: boolean }
  | { do: 'patch'; name: string; type: 'json' | 'merge' | 'strategic'; body: unknown }
  | { do: 'apply'; name: string; body: Fields; manager: string; force: boolean }
  | { do: 'delete'; name: string; body: Fields }

export type Fields = Record<string, unknown>

export interface Kind {
  /** /api/v1, /apis/batch/v1 ... */
  root: string
  resource: string
  apiVersion: string
  kind: string
  /** All but type and metadata. */
  fields: fc.Arbitrary<Fields>
}

const word = fc.constantFrom('a', 'b', 'c')
const few = { minLength: 1, maxLength: 3 }

/** Mostly what belongs there, now and then something that does not. */
function mostly<T>(right: fc.Arbitrary<T>, ...wrong: unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: fc.constantFrom(...wrong) })
}

function some(model: Record<string, fc.Arbitrary<unknown>>, ...required: string[]): fc.Arbitrary<Fields> {
  return fc.record(model, { requiredKeys: required, noNullPrototype: true })
}

function dictionary(values: fc.Arbitrary<unknown>): fc.Arbitrary<Fields> {
  return fc.dictionary(word, values, { maxKeys: 3, noNullPrototype: true })
}

function named(more: Record<string, fc.Arbitrary<unknown>>, ...required: string[]): fc.Arbitrary<unknown> {
  return fc.uniqueArray(some({ name: word, ...more }, 'name', ...required), { ...few, selector: (item) => item['name'] })
}

const labels = dictionary(mostly(fc.constantFrom('x', 'y', ''), 'not a label!', 7))

const metadata = some({
  labels,
  annotations: dictionary(mostly(fc.constantFrom('x', 'long enough'), 3)),
  finalizers: fc.uniqueArray(fc.constantFrom('example.com/one', 'example.com/two'), few),
})

const quantity = mostly(fc.constantFrom('100m', '1', '64Mi', '1Gi', 2, '0.5'), '-1')

const probe = some({
  httpGet: some({ path: fc.constantFrom('/', '/ready'), port: mostly(fc.constantFrom(80, 'http'), 0, 70_000, 'Not A Port') }, 'port'),
  periodSeconds: mostly(fc.constantFrom(1, 5, 10), -1, '5'),
  failureThreshold: fc.constantFrom(1, 3),
})

const container = {
  image: mostly(fc.constantFrom('nginx:1.27', 'busybox:1.36'), ''),
  command: fc.array(fc.constantFrom('sh', '-c', 'true'), few),
  env: named({ value: fc.constantFrom('1', '2', '') }),
  ports: fc.uniqueArray(
    some(
      {
        containerPort: mostly(fc.constantFrom(80, 443, 8080), 0, 99_999),
        protocol: mostly(fc.constantFrom('TCP', 'UDP'), 'ICMP'),
        name: mostly(fc.constantFrom('http', 'https'), 'much-too-long-a-name'),
      },
      'containerPort',
    ),
    { ...few, selector: (port) => `${port['containerPort']}/${port['protocol'] ?? 'TCP'}` },
  ),
  resources: some({
    requests: fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity, { noNullPrototype: true }),
    limits: fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity, { noNullPrototype: true }),
  }),
  readinessProbe: probe,
  imagePullPolicy: mostly(fc.constantFrom('Always', 'IfNotPresent'), 'Sometimes'),
  volumeMounts: fc.array(some({ name: word, mountPath: fc.constantFrom('/a', '/b') }, 'name', 'mountPath'), { minLength: 1, maxLength: 2 }),
}

const podSpec = some(
  {
    containers: fc.uniqueArray(some({ name: word, ...container }, 'name', 'image'), {
      minLength: 1,
      maxLength: 2,
      selector: (item) => item['name'],
    }),
    restartPolicy: mostly(fc.constantFrom('Always', 'Never'), 'Perhaps'),
    nodeSelector: labels,
    tolerations: fc.array(
      some({ key: word, operator: mostly(fc.constantFrom('Exists', 'Equal'), 'Like'), effect: fc.constantFrom('NoSchedule', 'NoExecute') }),
      few,
    ),
    volumes: named({ emptyDir: fc.constant({}) }, 'emptyDir'),
    terminationGracePeriodSeconds: mostly(fc.constantFrom(0, 30), -5),
    hostAliases: fc.uniqueArray(
      some({ ip: mostly(fc.constantFrom('10.0.0.1', '10.0.0.2'), 'nowhere'), hostnames: fc.array(word, few) }, 'ip'),
      {
        ...few,
        selector: (alias) => alias['ip'],
      },
    ),
  },
  'containers',
)

const peers = fc.array(
  some({
    podSelector: some({ matchLabels: labels }),
    ipBlock: some({ cidr: mostly(fc.constantFrom('10.0.0.0/8', '0.0.0.0/0'), '10.0.0.0') }, 'cidr'),
  }),
  { minLength: 1, maxLength: 2 },
)

/** Kinds that no controller touches, so that both servers are left alone with what is sent. */
export const kinds: readonly Kind[] = [
  {
    root: '/api/v1',
    resource: 'configmaps',
    apiVersion: 'v1',
    kind: 'ConfigMap',
    fields: some({
      data: dictionary(mostly(fc.constantFrom('x', 'y\nz', ''), 5, null)),
      binaryData: fc.dictionary(fc.constantFrom('d', 'e'), mostly(fc.constantFrom('aGk=', ''), '!!!'), { noNullPrototype: true }),
      immutable: mostly(fc.constant(false), 'no'),
      unknown: fc.constant(1),
    }),
  },
  {
    root: '/api/v1',
    resource: 'podtemplates',
    apiVersion: 'v1',
    kind: 'PodTemplate',
    fields: some({ template: some({ metadata: some({ labels }), spec: podSpec }, 'spec') }, 'template'),
  },
  {
    root: '/api/v1',
    resource: 'limitranges',
    apiVersion: 'v1',
    kind: 'LimitRange',
    fields: some({
      spec: some(
        {
          limits: fc.array(
            some(
              {
                type: mostly(fc.constantFrom('Container', 'Pod'), ''),
                max: fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity, { noNullPrototype: true }),
                default: fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity, { noNullPrototype: true }),
              },
              'type',
            ),
            few,
          ),
        },
        'limits',
      ),
    }),
  },
  {
    root: '/apis/networking.k8s.io/v1',
    resource: 'networkpolicies',
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    fields: some(
      {
        spec: some(
          {
            podSelector: some({ matchLabels: labels }),
            policyTypes: fc.uniqueArray(mostly(fc.constantFrom('Ingress', 'Egress'), 'Sideways'), few),
            ingress: fc.array(
              some({
                from: peers,
                ports: fc.array(some({ port: mostly(fc.constantFrom(80, 'http'), 0), protocol: fc.constantFrom('TCP', 'UDP') }), few),
              }),
              { minLength: 1, maxLength: 2 },
            ),
          },
          'podSelector',
        ),
      },
      'spec',
    ),
  },
  {
    root: '/apis/networking.k8s.io/v1',
    resource: 'ingresses',
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    fields: some(
      {
        spec: some({
          ingressClassName: mostly(word, 'Not A Class'),
          rules: fc.array(
            some({
              host: mostly(fc.constantFrom('a.example.com', '*.example.com'), 'not a host', '10.0.0.1'),
              http: some(
                {
                  paths: fc.array(
                    some(
                      {
                        path: mostly(fc.constantFrom('/', '/a'), 'relative'),
                        pathType: mostly(fc.constantFrom('Prefix', 'Exact'), 'Guess'),
                        backend: some({
                          service: some({ name: word, port: some({ number: mostly(fc.constantFrom(80, 443), 0) }) }, 'name'),
                        }),
                      },
                      'pathType',
                      'backend',
                    ),
                    { minLength: 1, maxLength: 2 },
                  ),
                },
                'paths',
              ),
            }),
            { minLength: 1, maxLength: 2 },
          ),
        }),
      },
      'spec',
    ),
  },
  {
    root: '/apis/rbac.authorization.k8s.io/v1',
    resource: 'roles',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    fields: some({
      rules: fc.array(
        some({
          apiGroups: fc.array(fc.constantFrom('', 'apps'), few),
          resources: fc.array(fc.constantFrom('pods', 'deployments'), few),
          verbs: fc.array(mostly(fc.constantFrom('get', 'list', '*'), 7), few),
          nonResourceURLs: fc.constantFrom([], ['/healthz']),
        }),
        few,
      ),
    }),
  },
  {
    root: '/apis/compare.example.com/v1',
    resource: 'gadgets',
    apiVersion: 'compare.example.com/v1',
    kind: 'Gadget',
    fields: some({
      spec: some({
        size: mostly(fc.integer({ min: 0, max: 5 }), 'large', 99, null),
        color: mostly(fc.constantFrom('red', 'blue'), 'beige'),
        parts: fc.uniqueArray(some({ name: word, count: fc.integer({ min: 0, max: 3 }) }, 'name'), {
          ...few,
          selector: (part) => part['name'],
        }),
        tags: fc.uniqueArray(word, few),
        free: dictionary(fc.constantFrom(1, 'x', true)),
        lost: fc.constant('pruned'),
      }),
      status: some({ phase: word }),
    }),
  },
]

/** The definition behind the last kind: defaults, limits, lists by key and as sets, a rule about two states. */
export const gadgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.compare.example.com' },
  spec: {
    group: 'compare.example.com',
    scope: 'Namespaced',
    names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', shortNames: ['gg'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                'x-kubernetes-validations': [
                  { rule: '!has(self.size) || !has(oldSelf.size) || self.size >= oldSelf.size', message: 'size only grows' },
                ],
                properties: {
                  size: { type: 'integer', minimum: 0, maximum: 10, default: 1 },
                  color: { type: 'string', enum: ['red', 'blue'] },
                  parts: {
                    type: 'array',
                    maxItems: 5,
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, count: { type: 'integer', default: 1 } },
                    },
                  },
                  tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
                  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                },
              },
              status: { type: 'object', properties: { phase: { type: 'string' } } },
            },
          },
        },
      },
    ],
  },
}

/** A few operations in a row on one kind. */
export function operations(kind: Kind): fc.Arbitrary<Operation[]> {
  const name = fc.constantFrom('one', 'two')
  const body = fc.tuple(metadata, kind.fields).map(([meta, fields]): Fields => ({ metadata: meta, ...fields }))
  const pointer = fc.constantFrom(
    '/metadata/labels',
    '/metadata/labels/a',
    '/metadata/annotations/b',
    '/data/a',
    '/spec',
    '/template/spec/containers/0/image',
    '/rules/-',
  )
  const jsonPatch = fc.array(
    fc.record(
      {
        op: fc.constantFrom('add', 'remove', 'replace', 'test', 'copy'),
        path: pointer,
        from: pointer,
        value: fc.constantFrom('x', 1, {}, { a: 'y' }, null),
      },
      { requiredKeys: ['op', 'path'], noNullPrototype: true },
    ),
    { minLength: 1, maxLength: 2 },
  )
  const partial = body.map((whole) => withNulls(whole))
  const one: fc.Arbitrary<Operation> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const), name, body }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('update' as const), name, body, stale: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('patch' as const), name, type: fc.constant('json' as const), body: jsonPatch }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('patch' as const),
        name,
        type: fc.constantFrom('merge' as const, 'strategic' as const),
        body: partial,
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('apply' as const), name, body, manager: fc.constantFrom('ann', 'bob'), force: fc.boolean() }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('delete' as const),
        name,
        body: some({
          propagationPolicy: mostly(fc.constantFrom('Background', 'Orphan'), 'Never'),
          preconditions: fc.constant({ resourceVersion: '1' }),
        }),
      }),
    },
  )
  return fc.array(one, { minLength: 3, maxLength: 9 })
}

/** Some of the leaves become null, which deletes them in a merge patch. */
function withNulls(value: Fields, depth = 0): Fields {
  return Object.fromEntries(
    Object.entries(value).map(([key, inner], index) => {
      if (inner !== null && typeof inner === 'object' && !Array.isArray(inner)) return [key, withNulls(inner as Fields, depth + 1)]
      return [key, (index + depth) % 4 === 3 ? null : inner]
    }),
  )
}
