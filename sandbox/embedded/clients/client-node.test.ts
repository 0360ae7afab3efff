import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import {
  ApiException,
  Attach,
  CoreV1Api,
  Exec,
  type Informer,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  makeInformer,
  type ObjectCache,
  PatchStrategy,
  PortForward,
  type V1ConfigMap,
  type V1Status,
} from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { create, type EmbeddedCluster } from '../index.ts'

/** The JavaScript client at a controller's work: informers, and the streams of a Pod. */
const patience = { timeout: 30_000 }

function configOf(cluster: EmbeddedCluster): KubeConfig {
  const config = new KubeConfig()
  config.loadFromString(cluster.kubeconfig())
  return config
}

describe('an informer', () => {
  let folder: string
  let cluster: EmbeddedCluster
  let core: CoreV1Api
  let port: number
  let informer: Informer<V1ConfigMap> & ObjectCache<V1ConfigMap>
  const errors: unknown[] = []
  const heard: string[] = []
  let lists = 0
  const labels = { seen: 'by-informer' }
  const make = (name: string) =>
    core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name, labels }, data: { a: '1' } } })
  const names = () =>
    informer
      .list('default')
      .map(({ metadata }) => metadata?.name)
      .sort()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'informer-'))
    cluster = await create({ dir: folder })
    port = Number(new URL(cluster.server).port)
    const config = configOf(cluster)
    core = config.makeApiClient(CoreV1Api)
    const labelSelector = 'seen=by-informer'
    const list = () => {
      lists++
      return core.listNamespacedConfigMap({ namespace: 'default', labelSelector })
    }
    informer = makeInformer(config, '/api/v1/namespaces/default/configmaps', list, labelSelector)
    informer.on('error', (error) => errors.push(error))
    for (const verb of ['add', 'update', 'delete'] as const) informer.on(verb, ({ metadata }) => heard.push(`${verb} ${metadata?.name}`))
  })
  afterAll(async () => {
    await informer.stop()
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  test('lists what is there and hears every change after it, of its selector alone', async () => {
    await make('one')
    await core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'other' } } })
    await informer.start()
    await make('two')
    const one = await core.readNamespacedConfigMap({ namespace: 'default', name: 'one' })
    await core.replaceNamespacedConfigMap({ namespace: 'default', name: 'one', body: { ...one, data: { a: '2' } } })
    await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'two' })
    await expect.poll(() => heard, patience).toEqual(['add one', 'add two', 'update one', 'delete two'])
    expect(informer.get('one', 'default')?.data).toEqual({ a: '2' })
  })

  test('goes on where it stood when the cluster comes back', async () => {
    heard.length = 0
    await cluster[Symbol.asyncDispose]()
    await expect.poll(() => errors.length, patience).toBeGreaterThan(0)
    cluster = await create({ dir: folder, port })
    await make('three')
    await informer.start()
    await make('four')
    await expect.poll(() => heard, patience).toEqual(['add three', 'add four'])
    expect(lists).toBe(1)
  })

  test('lists anew when what it stood at has been forgotten (410 Gone)', async () => {
    heard.length = 0
    await informer.stop()
    await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'four' })
    const path = '/api/v1/namespaces/kube-public/configmaps'
    const others = Array.from({ length: 5100 }, (_, number) => ({ metadata: { name: `other-${number}` } }))
    const made = await Promise.all(others.map((body) => cluster.request({ method: 'POST', path, body })))
    expect(new Set(made.map(({ status }) => status))).toEqual(new Set([201]))
    await make('five')
    await informer.start()
    await expect.poll(names, patience).toEqual(['five', 'one', 'three'])
    expect([lists, heard.sort()]).toEqual([2, ['add five', 'delete four']])
  })
})

describe('objects and the streams of a Pod', () => {
  let cluster: EmbeddedCluster
  let config: KubeConfig
  let core: CoreV1Api

  beforeAll(async () => {
    cluster = await create()
    config = configOf(cluster)
    core = config.makeApiClient(CoreV1Api)
    const loop = 'while read line; do echo "heard $line"; done'
    const containers = [
      { name: 'web', image: 'nginx:1.27', ports: [{ containerPort: 80 }] },
      { name: 'echo', image: 'busybox:1.36', stdin: true, command: ['sh', '-c', loop] },
    ]
    await core.createNamespacedPod({ namespace: 'default', body: { metadata: { name: 'app' }, spec: { containers } } })
    const phase = async () => (await core.readNamespacedPod({ namespace: 'default', name: 'app' })).status?.phase
    await vi.waitFor(async () => expect(await phase()).toBe('Running'), patience)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  test('any kind is applied, patched and deleted, and a conflict names the other manager', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const settings = (colour: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
      data: { colour },
    })
    const apply = (colour: string, manager: string) =>
      objects.patch(settings(colour), undefined, undefined, manager, undefined, PatchStrategy.ServerSideApply)
    await apply('blue', 'first')
    const refused = await apply('green', 'second').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ApiException)
    expect(refused).toMatchObject({ code: 409 })
    expect(String((refused as ApiException<unknown>).body)).toContain('conflict with \\"first\\": .data.colour')
    expect((await objects.read(settings(''))) as V1ConfigMap).toMatchObject({ data: { colour: 'blue' } })
    expect(await objects.delete(settings(''))).toMatchObject({ kind: 'Status', status: 'Success' })
  })

  test('exec carries input, both outputs and the exit code', async () => {
    const stdout = new PassThrough()
    const stderr = new PassThrough()
    const stdin = new PassThrough()
    const status = new Promise<V1Status>((resolve, reject) => {
      const command = ['sh', '-c', 'read name; echo "hello $name"; echo oops >&2; exit 3']
      new Exec(config).exec('default', 'app', 'echo', command, stdout, stderr, stdin, false, resolve).catch(reject)
    })
    stdin.write('world\n')
    expect(await status).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode' })
    expect((await status).details?.causes).toEqual([{ reason: 'ExitCode', message: '3' }])
    expect([String(stdout.read()), String(stderr.read())]).toEqual(['hello world\n', 'oops\n'])
  })

  test('attach speaks with the main process, and the log has what it said', async () => {
    const stdout = new PassThrough()
    const stdin = new PassThrough()
    const socket = await new Attach(config).attach('default', 'app', 'echo', stdout, null, stdin, false)
    stdin.write('me\n')
    const [said] = (await once(stdout, 'data')) as [Buffer]
    expect(String(said)).toBe('heard me\n')
    socket.close()
    const log = new PassThrough()
    await new Log(config).log('default', 'app', 'echo', log, { tailLines: 1 })
    expect(await text(log)).toBe('heard me\n')
  })

  test('port-forward carries bytes to a port', async () => {
    const forward = new PortForward(config)
    const server = createServer((socket) => void forward.portForward('default', 'app', [80], socket, null, socket))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    const client = connect((address as { port: number }).port, '127.0.0.1')
    let answer = ''
    client.on('data', (data) => (answer += data))
    client.write('GET / HTTP/1.0\r\nHost: app\r\n\r\n')
    await expect.poll(() => answer, patience).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Welcome to nginx!/s)
    client.destroy()
    server.close()
  })
})
