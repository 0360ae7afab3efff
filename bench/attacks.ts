import { gzipSync } from 'node:zlib'
import type { Asked, HttpApi } from './api-client.ts'

/** One thing that a cluster can be asked for, or made to run, which is work in one piece. */
export interface Attack {
  /** For a row: "while a neighbour ...". */
  name: string
  /** Once; whatever is answered is right. */
  strike(api: HttpApi): Promise<unknown>
}

const core = '/api/v1/namespaces/default'
const configMaps = `${core}/configmaps`
const yaml = { 'content-type': 'application/yaml' }
const patching = (type: string) => ({ 'content-type': `application/${type}` })
let count = 0
const fresh = (kind: string) => `${kind}-${count++}`

const keys = (many: number, value: (index: number) => unknown = () => 'v') =>
  Object.fromEntries(Array.from({ length: many }, (_, index) => [`key-${index}`, value(index)]))
const configMap = (fields: object, name = fresh('map')) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...fields })
const post = (body: unknown, headers?: Asked['headers'], path = configMaps) => ({ method: 'POST', path, body, headers })

/** A request each; made when its turn comes, since some are of MiBs. */
const requests: Record<string, (api: HttpApi) => Promise<unknown>> = {
  'creates 20,000 keys': (api) => api.send(post(configMap({ data: keys(20_000) }))),
  'creates 150,000 keys': (api) => api.send(post(configMap({ data: keys(150_000) }))),
  'creates a text of 1 MB': (api) => api.send(post(configMap({ data: { text: 'x'.repeat(1_040_000) } }))),
  'sends 3 MB of empty objects': (api) => api.send(post(configMap({ metadata: { labels: Array(1_000_000).fill({}) } }))),
  'sends fields that nobody knows': (api) => api.send(post(configMap(keys(100_000)), {}, `${configMaps}?fieldValidation=Strict`)),
  'repeats a field': (api) =>
    api.send(post(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{${'"a":"1",'.repeat(300_000)}"a":"1"}}`)),
  'sends wrong types': (api) => api.send(post(configMap({ data: keys(100_000, (index) => index) }))),
  'sends invalid keys': (api) =>
    api.send(post(configMap({ data: Object.fromEntries(Object.entries(keys(50_000)).map(([key]) => [`${key}/!`, 'v'])) }))),
  'sends labels that are none': (api) => api.send(post(configMap({ metadata: { name: 'a', labels: keys(50_000, () => '!!') } }))),
  'sends annotations of 3 MB': (api) =>
    api.send(post(configMap({ metadata: { name: 'a', annotations: keys(40_000, () => 'x'.repeat(50)) } }))),
  'sends 1 MB of YAML': (api) => api.send(post(yamlOf(30_000), yaml)),
  'sends 3 MB of YAML': (api) => api.send(post(yamlOf(120_000), yaml)),
  'sends YAML in flow style': (api) => api.send(post(`{apiVersion: v1, kind: ConfigMap, x: [${'[],'.repeat(250_000)}]}`, yaml)),
  'sends YAML full of aliases': (api) =>
    api.send(post(`apiVersion: v1\nkind: ConfigMap\na: &a [${'x,'.repeat(50)}]\nb: [${'*a,'.repeat(100_000)}]\n`, yaml)),
  'sends a long YAML block': (api) =>
    api.send(
      post(
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${fresh('block')}}\ndata:\n  a: |\n${'    some line\n'.repeat(60_000)}`,
        yaml,
      ),
    ),
  'sends deep JSON': (api) => api.send(post(`{"data":${'['.repeat(1_000_000)}`)),
  'breaks JSON at its end': (api) => api.send(post(`${JSON.stringify(configMap({ data: keys(150_000) })).slice(0, -2)}]`)),
  'sends protobuf of empty fields': (api) =>
    api.send(post(protobufOf(Buffer.alloc(2_900_000, Buffer.from([0x12, 0]))), patching('vnd.kubernetes.protobuf'))),
  'sends a gzip bomb': (api) =>
    api.send(post(gzipSync(Buffer.alloc(200_000_000, 0x20)), { 'content-type': 'application/json', 'content-encoding': 'gzip' })),
  'creates a Pod of 2,000 containers': (api) =>
    api.send(post(podOf(Array.from({ length: 2_000 }, (_, index) => ({ name: `c${index}`, image: 'nginx' }))), {}, `${core}/pods`)),
  'creates a Pod with 20,000 variables': (api) =>
    api.send(post(podOf([{ name: 'a', image: 'busybox', command: ['sleep', '1'], env: list(20_000) }]), {}, `${core}/pods`)),
  'merges 20,000 list items': async (api) => {
    const name = fresh('merged')
    const first = { ...podOf([{ name: 'a', image: 'busybox', command: ['sleep', '1'] }]).spec, nodeSelector: { none: 'x' } }
    const template = { metadata: { labels: { a: 'b' } }, spec: first }
    const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template }
    const path = '/apis/apps/v1/namespaces/default/deployments'
    await api.send(post({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec }, {}, path))
    const env = (value: string) => ({ spec: { template: { spec: { containers: [{ name: 'a', env: list(10_000, value) }] } } } })
    const headers = patching('strategic-merge-patch+json')
    await api.send({ method: 'PATCH', path: `${path}/${name}`, body: env('1'), headers })
    await api.send({ method: 'PATCH', path: `${path}/${name}`, body: env('2'), headers })
  },
  'applies 20,000 fields': async (api) => {
    const name = fresh('applied')
    for (const [manager, value] of [
      ['one', 'a'],
      ['one', 'b'],
      ['two', 'b'],
      ['two', 'c'],
    ]) {
      const body = configMap({ data: keys(20_000, () => value) }, name)
      await api.send({
        method: 'PATCH',
        path: `${configMaps}/${name}?fieldManager=${manager}`,
        body,
        headers: patching('apply-patch+yaml'),
      })
    }
  },
  'applies 20,000 fields in YAML': async (api) => {
    const name = fresh('applied')
    const body = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n${Array.from({ length: 20_000 }, (_, i) => `  key-${i}: v`).join('\n')}`
    await api.send({ method: 'PATCH', path: `${configMaps}/${name}?fieldManager=one`, body, headers: patching('apply-patch+yaml') })
  },
  'patches with 10,000 operations': async (api) => {
    const name = fresh('patched')
    await api.send(post(configMap({ data: keys(10_000) }, name)))
    const body = Array.from({ length: 10_000 }, (_, index) => ({ op: 'replace', path: `/data/key-${index}`, value: 'w' }))
    await api.send({ method: 'PATCH', path: `${configMaps}/${name}`, body, headers: patching('json-patch+json') })
  },
  'patches a list at its beginning 10,000 times': async (api) => {
    const name = fresh('patched')
    await api.send(post(configMap({ metadata: { name, finalizers: ['a/b'] } }, name)))
    const body = Array.from({ length: 10_000 }, (_, index) => ({ op: 'add', path: '/metadata/finalizers/0', value: `a/b${index}` }))
    await api.send({ method: 'PATCH', path: `${configMaps}/${name}`, body, headers: patching('json-patch+json') })
    await api.send({
      method: 'PATCH',
      path: `${configMaps}/${name}`,
      body: { metadata: { finalizers: null } },
      headers: patching('merge-patch+json'),
    })
  },
  'copies a copy of a copy': async (api) => {
    const name = fresh('patched')
    await api.send(post(configMap({ data: { a: 'x'.repeat(1_000) } }, name)))
    const body = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/data', path: '/data/b' }))
    await api.send({ method: 'PATCH', path: `${configMaps}/${name}`, body, headers: patching('json-patch+json') })
  },
  'asks by a selector as long as a URL may be': (api) =>
    api.send({
      method: 'GET',
      path: `${configMaps}?labelSelector=${encodeURIComponent(`a in (${list(9_000).map(({ name }) => name)})`).slice(0, 14_000)})`,
    }),
  'deletes by a selector in its options': (api) =>
    api.send({ method: 'DELETE', path: `${configMaps}?labelSelector=a=b`, body: keys(100_000) }),
  'defines a resource of 2 MB': async (api) => {
    await define(api, fresh('wides'), {
      spec: {
        type: 'object',
        properties: keys(15_000, (index) => ({
          type: 'string',
          description: `What number ${index} is for, and a few words more.`,
          maxLength: 100,
        })),
      },
    })
  },
  'matches a pattern that backtracks': async (api) => {
    const path = await define(api, 'patterns', { spec: { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+$' } } } })
    await api.send(
      post(
        { apiVersion: 'attack.example.com/v1', kind: 'Patterns', metadata: { name: fresh('p') }, spec: { text: `${'a'.repeat(40)}!` } },
        {},
        path,
      ),
    )
  },
  'matches a pattern on 200 kB': async (api) => {
    const path = await define(api, 'longs', { spec: { type: 'object', properties: { text: { type: 'string', pattern: '^.*a.*b.*c$' } } } })
    await api.send(
      post(
        { apiVersion: 'attack.example.com/v1', kind: 'Longs', metadata: { name: fresh('p') }, spec: { text: 'ab'.repeat(100_000) } },
        {},
        path,
      ),
    )
  },
  'creates a custom resource of 1 MB': async (api) => {
    const path = await define(api, 'bags', { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } })
    await api.send(
      post({ apiVersion: 'attack.example.com/v1', kind: 'Bags', metadata: { name: fresh('p') }, spec: { list: list(40_000) } }, {}, path),
    )
  },
  'creates a set of 10,000 items': async (api) => {
    const set = { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' }
    const path = await define(api, 'sets', { spec: { type: 'object', properties: { list: set } } })
    await api.send(
      post(
        { apiVersion: 'attack.example.com/v1', kind: 'Sets', metadata: { name: fresh('p') }, spec: { list: Object.keys(keys(10_000)) } },
        {},
        path,
      ),
    )
  },
  'has rules computed over lists': async (api) => {
    const rule = 'self.all(a, self.all(b, a + b >= 0))'
    const numbers = { type: 'array', maxItems: 800, items: { type: 'integer' }, 'x-kubernetes-validations': [{ rule }] }
    const path = await define(api, 'ruleds', { spec: { type: 'object', properties: { list: numbers } } })
    await api.send(
      post(
        { apiVersion: 'attack.example.com/v1', kind: 'Ruleds', metadata: { name: fresh('p') }, spec: { list: Array(800).fill(1) } },
        {},
        path,
      ),
    )
  },
  'lists everything': async (api) => {
    for (let index = 0; index < 30; index++) await api.send(post(configMap({ data: { text: 'x'.repeat(500_000) } })))
    await Promise.all(
      ['application/json', 'application/yaml', 'application/json;as=Table;g=meta.k8s.io;v=v1'].map((accept) =>
        api.send({ method: 'GET', path: configMaps, headers: { accept } }),
      ),
    )
  },
  'reads 20,000 keys as YAML': async (api) => {
    const name = fresh('large')
    await api.send(post(configMap({ data: keys(20_000) }, name)))
    await api.send({ method: 'GET', path: `${configMaps}/${name}`, headers: { accept: 'application/yaml' } })
    await api.send({ method: 'GET', path: `${configMaps}/${name}`, headers: { accept: 'application/vnd.kubernetes.protobuf' } })
    await api.send({ method: 'GET', path: `${configMaps}/${name}?pretty=true` })
  },
  'asks for 100,000 replicas': async (api) => {
    const spec = {
      replicas: 100_000,
      selector: { matchLabels: { a: 'many' } },
      template: { metadata: { labels: { a: 'many' } }, spec: podOf([{ name: 'a', image: 'busybox', command: ['sleep', '99'] }]).spec },
    }
    const path = '/apis/apps/v1/namespaces/default/deployments'
    const name = fresh('many')
    await api.send(post({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec }, {}, path))
    await new Promise((resolve) => setTimeout(resolve, 8_000))
    await api.send({ method: 'DELETE', path: `${path}/${name}?propagationPolicy=Background` })
  },
  'creates 2,000 Events': async (api) => {
    const involvedObject = { kind: 'Pod', namespace: 'default', name: 'a' }
    for (let round = 0; round < 40; round++) {
      await Promise.all(
        Array.from({ length: 50 }, () =>
          api.send(
            post({ metadata: { name: fresh('event') }, involvedObject, reason: 'Noise', message: 'x'.repeat(900) }, {}, `${core}/events`),
          ),
        ),
      )
    }
    await api.send({ method: 'DELETE', path: `${core}/events` })
  },
}

/** What a container runs for some seconds. */
const commands: Record<string, { command: string; replicas?: number; after?(api: HttpApi, pod: string): Promise<unknown> }> = {
  'runs 20 endless loops': { command: 'while :; do :; done', replicas: 20 },
  'runs seq 1 100000000': { command: 'seq 1 100000000 > /dev/null' },
  'captures seq 1 10000000': { command: 'x=$(seq 1 10000000); echo $x | wc' },
  'prints without end': { command: 'yes some text that is printed again and again' },
  'greps with a pattern that backtracks': { command: `echo ${'a'.repeat(40)}! | grep -E '^(a+)+$'` },
  'greps with back references': { command: `echo ${'a'.repeat(5_000)} | grep '^\\(a*\\)*\\1b$'` },
  'edits with a pattern that backtracks': { command: `echo ${'a'.repeat(40)}! | sed -E 's/^(a|aa)+$/b/'` },
  'scans with awk and a pattern that backtracks': { command: `echo ${'a'.repeat(40)}! | awk '/^(a|a?)+$/'` },
  'computes in awk': { command: `awk 'BEGIN { for (;;) i++ }'` },
  'sorts a large file': { command: 'seq 1 500000 > /tmp/a; sort -r /tmp/a > /tmp/b; sort -u /tmp/b | wc -l' },
  'doubles a text': { command: 'x=a; while :; do x=$x$x; done' },
  'expands braces and patterns': { command: `x=${'a'.repeat(30_000)}; while :; do y=\${x##*b*c}; y=\${x//a*a*a*b/}; done` },
  'writes a here-document of 1 MB': { command: `cat > /tmp/a <<E\n${'some line $HOME\n'.repeat(60_000)}E\nwc /tmp/a` },
  'tars and compresses': { command: 'seq 1 2000000 > /tmp/a; tar czf /tmp/b.tgz /tmp/a; gzip -9 /tmp/a; md5sum /tmp/b.tgz' },
  'forks without end': { command: 'f() { f | f & }; f; sleep 20' },
  'looks names up without end': {
    command: 'while :; do for i in 1 2 3 4 5 6 7 8 9; do nslookup nowhere.example.com >/dev/null 2>&1 & done; wait; done',
  },
  'has a log of many MB read': {
    command: 'seq 1 1500000; sleep 60',
    after: (api, pod) => api.send({ method: 'GET', path: `${core}/pods/${pod}/log` }),
  },
}

export const attacks: Attack[] = [
  ...Object.entries(requests).map(([name, strike]): Attack => ({ name, strike })),
  ...Object.entries(commands).map(
    ([name, { command, replicas = 1, after }]): Attack => ({
      name,
      async strike(api) {
        const pods = Array.from({ length: replicas }, () => fresh('attacker'))
        const spec = { ...podOf([{ name: 'a', image: 'busybox:1.36', command: ['sh', '-c', command] }]).spec, restartPolicy: 'Never' }
        await Promise.all(
          pods.map((name) => api.send(post({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }, {}, `${core}/pods`))),
        )
        await new Promise((resolve) => setTimeout(resolve, 6_000))
        await after?.(api, pods[0] as string)
        await Promise.all(pods.map((name) => api.send({ method: 'DELETE', path: `${core}/pods/${name}?gracePeriodSeconds=0` })))
      },
    }),
  ),
]

function yamlOf(lines: number): string {
  const data = Array.from({ length: lines }, (_, index) => `  key-${index}: "some value"`).join('\n')
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${fresh('yaml')}}\ndata:\n${data}\n`
}

function podOf(containers: object[]) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: fresh('pod') }, spec: { containers } }
}

function list(many: number, value = 'v') {
  return Array.from({ length: many }, (_, index) => ({ name: `N${index}`, value }))
}

/** Magic bytes, and a runtime.Unknown whose type is a ConfigMap and whose object are these bytes. */
function protobufOf(raw: Buffer): Buffer {
  const field = (number: number, bytes: Buffer) => Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes])
  const type = Buffer.concat([field(1, Buffer.from('v1')), field(2, Buffer.from('ConfigMap'))])
  return Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, raw)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return Buffer.from([...bytes, left])
    bytes.push((left & 0x7f) | 0x80)
  }
}

/** Defines a resource and gives the path where it is served. */
async function define(api: HttpApi, plural: string, properties: object): Promise<string> {
  const group = 'attack.example.com'
  const kind = `${plural[0]?.toUpperCase()}${plural.slice(1).replace(/-/g, '')}`
  const names = { plural, singular: plural, kind, listKind: `${kind}List` }
  const schema = { openAPIV3Schema: { type: 'object', properties } }
  const spec = { group, scope: 'Namespaced', names, versions: [{ name: 'v1', served: true, storage: true, schema }] }
  const body = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}` }, spec }
  await api.send(post(body, {}, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'))
  const path = `/apis/${group}/v1/namespaces/default/${plural}`
  for (let round = 0; round < 50; round++) {
    if ((await api.send({ method: 'GET', path })).status === 200) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return path
}
