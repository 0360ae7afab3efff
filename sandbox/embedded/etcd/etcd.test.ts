import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { readBolt, writeBolt } from './bolt.ts'

const etcdctl = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'etcdctl'))
  .find((file) => existsSync(file))

test('a database of any buckets is read as it was written', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 9_000 }).map((array) => Buffer.from(array))
  const entries = fc.uniqueArray(fc.record({ key: bytes, value: bytes }), { selector: ({ key }) => key.toString('hex'), maxLength: 60 })
  fc.assert(
    fc.property(entries, entries, (some, others) => {
      const read = readBolt(
        writeBolt(
          new Map([
            ['some', some],
            ['others', others],
          ]),
        ),
      )
      const sorted = (list: typeof some) => list.toSorted((a, b) => Buffer.compare(a.key, b.key))
      expect(read).toEqual(
        new Map([
          ['others', sorted(others)],
          ['some', sorted(some)],
        ]),
      )
    }),
    { numRuns: 30 },
  )
})

test('a file that is no database is refused with a sentence', () => {
  expect(() => readBolt(Buffer.alloc(8192))).toThrow('This is no etcd database')
})

describe.skipIf(!etcdctl)('real etcdctl (skipped where it is not installed)', () => {
  const errors: unknown[] = []
  let folder: string
  let cluster: Cluster
  let flags: string[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-'))
    cluster = await Cluster.open({ nodes: 2, report: (where, error) => errors.push([where, error]) })
    const port = await cluster.listenEtcd('127.0.0.1:0')
    const { ca, certificate, key } = cluster.etcdCredentials()
    for (const [name, text] of Object.entries({ ca, certificate, key })) await writeFile(join(folder, name), text)
    flags = [
      '--endpoints',
      `127.0.0.1:${port}`,
      '--cacert',
      join(folder, 'ca'),
      '--cert',
      join(folder, 'certificate'),
      '--key',
      join(folder, 'key'),
    ]
  }, 60_000)

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
    expect(errors).toEqual([])
  })

  const environment = { ...process.env, ETCDCTL_API: '3' }

  async function ctl(...args: string[]): Promise<string> {
    // etcdctl 3.6 writes to stderr what it thinks of the environment that 3.4 needs
    const { stdout, stderr } = await promisify(execFile)(etcdctl as string, [...flags, ...args], { env: environment, timeout: 30_000 })
    return args[0] === 'endpoint' ? `${stdout}${stderr}` : stdout
  }

  test('finds the member and its health', async () => {
    expect(await ctl('member', 'list')).toContain('started, labernetes-control-plane, https://172.18.0.2:2380, https://172.18.0.2:2379')
    expect(await ctl('endpoint', 'status')).toMatch(/, 3\.6\.5, (3\.6\.0, )?[\d.]+ [kM]B, .*true/)
    expect(await ctl('endpoint', 'health')).toContain('is healthy: successfully committed proposal')
    await expect(
      promisify(execFile)(etcdctl as string, [...flags.slice(0, 4), 'get', '/'], { env: environment, timeout: 30_000 }),
    ).rejects.toThrow()
  })

  test('reads what Kubernetes keeps where Kubernetes keeps it', async () => {
    const keys = (await ctl('get', '/registry', '--prefix', '--keys-only')).split('\n').filter(Boolean)
    expect(keys).toEqual([...keys].sort())
    for (const key of [
      '/registry/minions/labernetes-worker',
      '/registry/services/specs/default/kubernetes',
      '/registry/services/endpoints/kube-system/kube-dns',
      '/registry/deployments/kube-system/coredns',
      '/registry/apiregistration.k8s.io/apiservices/v1.',
      '/registry/clusterroles/cluster-admin',
    ])
      expect(keys).toContain(key)
    expect(await ctl('get', '/registry/namespaces/default', '--print-value-only')).toMatch(/^k8s\0\n\u000f\n\u0002v1\u0012\tNamespace/)
    const { kvs } = JSON.parse(await ctl('get', '/registry/configmaps/kube-system/coredns', '-w', 'json')) as {
      kvs: { mod_revision: number }[]
    }
    const { body } = await cluster.request({ method: 'GET', path: '/api/v1/namespaces/kube-system/configmaps/coredns' })
    expect((body as { metadata: { resourceVersion: string } }).metadata.resourceVersion).toBe(String(kvs[0]?.mod_revision))
  })

  test('writes, deletes, compares and leases plain keys', async () => {
    await ctl('put', 'greeting', 'hello')
    await ctl('put', 'greeting', 'hello again')
    expect(await ctl('get', 'greeting')).toBe('greeting\nhello again\n')
    expect(JSON.parse(await ctl('get', 'greeting', '-w', 'json'))).toMatchObject({ kvs: [{ version: 2 }] })
    const revision = (JSON.parse(await ctl('get', 'greeting', '-w', 'json')) as { kvs: { mod_revision: number }[] }).kvs[0]?.mod_revision
    expect(await ctl('get', 'greeting', '--rev', String((revision ?? 0) - 1))).toBe('greeting\nhello\n')
    const id = /lease (\w+) granted/.exec(await ctl('lease', 'grant', '2'))?.[1] as string
    await ctl('put', '--lease', id, 'fading', 'soon')
    expect(await ctl('get', 'fading')).toBe('fading\nsoon\n')
    await cluster.advance(3_000)
    expect(await ctl('get', 'fading')).toBe('')
    expect(await ctl('del', 'greeting')).toBe('1\n')
    await expect(ctl('put', '/registry/pods/default/x', 'nonsense')).rejects.toThrow('only Kubernetes objects are kept')
  })

  test('a transaction, a deletion of a range and the end of a lease have one revision each', async () => {
    const transaction = execFile(etcdctl as string, [...flags, 'txn'], { env: environment, timeout: 30_000 })
    transaction.stdin?.end('\nput pair/a 1\nput pair/b 2\n\n\n')
    await once(transaction, 'close')
    const { kvs } = JSON.parse(await ctl('get', 'pair/', '--prefix', '-w', 'json')) as { kvs: Record<string, unknown>[] }
    const [{ mod_revision: made } = {}, second] = kvs
    expect(kvs).toHaveLength(2)
    expect(second).toMatchObject({ mod_revision: made, create_revision: made, version: 1 })
    expect(await ctl('get', 'pair/', '--prefix', '--rev', String(Number(made) - 1))).toBe('')
    expect(await ctl('del', 'pair/', '--prefix')).toBe('2\n')
    const id = /lease (\w+) granted/.exec(await ctl('lease', 'grant', '600'))?.[1] as string
    for (const key of ['pair/c', 'pair/d']) await ctl('put', '--lease', id, key, 'x')
    await ctl('lease', 'revoke', id)
    const watch = spawn(etcdctl as string, [...flags, 'watch', 'pair/', '--prefix', '--rev', String(made), '-w', 'json'], {
      env: environment,
    })
    const [line] = (await once(createInterface({ input: watch.stdout }), 'line')) as [string]
    watch.kill()
    const { Events: events } = JSON.parse(line) as { Events: { type?: number; kv: { key: string; mod_revision: number } }[] }
    const shown = events.map(({ type = 0, kv }) => `${type ? 'delete' : 'put'} ${Buffer.from(kv.key, 'base64')}`)
    expect(shown).toEqual([
      ...['put pair/a', 'put pair/b', 'delete pair/a', 'delete pair/b'],
      ...['put pair/c', 'put pair/d', 'delete pair/c', 'delete pair/d'],
    ])
    const revisions = events.map(({ kv }) => kv.mod_revision)
    expect(new Set([revisions.slice(0, 2), revisions.slice(2, 4), revisions.slice(6)].map((some) => new Set(some).size))).toEqual(
      new Set([1]),
    )
    expect(new Set(revisions).size).toBe(5)
  })

  test('sees what the API server writes as it happens, and deletes under it', async () => {
    const child = spawn(etcdctl as string, [...flags, 'watch', '/registry/configmaps/default/', '--prefix'], { env: environment })
    const lines = createInterface({ input: child.stdout })
    const seen: string[] = []
    const arrived = (count: number) =>
      new Promise<void>((resolve) =>
        lines.on('line', (line) => seen.push(line) && seen.filter((one) => /^(PUT|DELETE)$/.test(one)).length >= count && resolve()),
      )
    const both = arrived(2)
    // the watch has no sign of being open: write until it shows something
    const path = '/api/v1/namespaces/default/configmaps'
    await cluster.request({ method: 'POST', path, body: map('watched') })
    let turn = 0
    const again = () => cluster.request({ method: 'PATCH', path: `${path}/watched`, body: { data: { turn: String(++turn) } } })
    const write = setInterval(() => void again(), 300)
    await once(lines, 'line')
    clearInterval(write)
    await ctl('del', '/registry/configmaps/default/watched')
    await both
    child.kill()
    expect(seen).toContain('/registry/configmaps/default/watched')
    expect(seen).toContain('DELETE')
    expect((await cluster.request({ method: 'GET', path: '/api/v1/namespaces/default/configmaps/watched' })).status).toBe(404)
  })

  test('takes a snapshot that etcd restores, and that opens as a cluster with everything in it', async () => {
    const file = join(folder, 'snapshot.db')
    const kept = await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/configmaps', body: map('kept') })
    await cluster.request({ method: 'POST', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', body: definition })
    await expect
      .poll(
        async () =>
          (await cluster.request({ method: 'POST', path: '/apis/stable.example.com/v1/namespaces/default/crontabs', body: cronTab }))
            .status,
      )
      .toBe(201)
    await ctl('snapshot', 'save', file)
    expect(await ctl('get', '/registry/stable.example.com/crontabs/default/mine', '--print-value-only')).toContain(
      '"cronSpec":"* * * * */5"',
    )
    await promisify(execFile)(etcdctl as string, ['snapshot', 'restore', file, '--data-dir', join(folder, 'data')], {
      env: environment,
    }).catch((error) => {
      // etcdctl 3.6 has given this to etcdutl
      if (!/unknown (command|flag)/.test(String(error))) throw error
    })
    await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/configmaps/kept' })
    for (const source of [file, join(folder, 'data/member/snap/db')]) {
      if (!existsSync(source)) continue
      await using restored = await Cluster.fromEtcd(await readFile(source), { report: (where, error) => errors.push([where, error]) })
      const found = await restored.request({ method: 'GET', path: '/api/v1/namespaces/default/configmaps/kept' })
      expect(found.body).toEqual(kept.body)
      expect((await restored.request({ method: 'GET', path: '/apis/stable.example.com/v1/namespaces/default/crontabs/mine' })).status).toBe(
        200,
      )
      const nodes = (await restored.request({ method: 'GET', path: '/api/v1/nodes' })).body as { items: { metadata: { name: string } }[] }
      expect(nodes.items.map(({ metadata }) => metadata.name)).toEqual(['labernetes-control-plane', 'labernetes-worker'])
    }
  }, 60_000)
})

function map(name: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text: 'x' } }
}

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { cronSpec: { type: 'string' } } } } },
        },
      },
    ],
  },
}

const cronTab = { apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: { name: 'mine' }, spec: { cronSpec: '* * * * */5' } }
