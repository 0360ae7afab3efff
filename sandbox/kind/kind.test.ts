import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { EmbeddedEngine } from '../embedded/engine/engine.ts'
import type { Sandbox, SandboxSpec, WatchEvent } from '../engine.ts'
import { prepareTools } from '../terminal/tools.ts'
import { KindEngine, type KindOptions } from './engine.ts'
import type { KindSandbox } from './sandbox.ts'
import { findGround } from './testing.ts'
import { kindToolboxes } from './toolbox/toolbox.ts'

const cache = join(import.meta.dirname, '..', '..', '.cache')
const ground = await findGround(cache)
const missing = 'missing' in ground ? ground.missing : ''

const pods = { group: '', version: 'v1', resource: 'pods', namespace: 'default' }
const twoPods = ['worker', 'worker2']
  .map(
    (node) => `apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: probe } }
spec:
  nodeName: labernetes-${node}
  terminationGracePeriodSeconds: 0
  containers:
    - { name: main, image: 'busybox:1.36', command: [sh, -c, 'echo "$HOSTNAME" > /tmp/index.html; exec httpd -f -p 80 -h /tmp'] }
`,
  )
  .join('---\n')

describe.skipIf(missing)(`kind${missing ? ` (${missing})` : ''}`, { timeout: 400_000 }, () => {
  const { docker, nodeImages } = ground as Exclude<typeof ground, { missing: string }>
  let dir: string
  let plainDir: string
  /** Makes every cluster by kind itself. */
  let plain: KindEngine
  /** Has one that waits, and templates. */
  let engine: KindEngine
  const faults: string[] = []
  const open = (folder: string, more: Partial<KindOptions> = {}) =>
    KindEngine.start({
      dir: folder,
      cache,
      nodeImages,
      subnets: '10.202.0.0/16',
      toolboxes: null,
      budget: { memory: 0.95, load: Number.POSITIVE_INFINITY, disk: 0 },
      onFault: (fault) => faults.push(fault),
      ...more,
    })
  const oneWaits = { images: ['labapp:v1'], toolboxes: kindToolboxes({ egress: 'none', image: {} }), pool: [{ nodes: 1, size: 1 }] }
  const reopen = () => open(dir, oneWaits)
  /** Everything on this Docker that belongs to an installation. */
  const leftOf = async (folder: string) => {
    const owner = await readFile(join(folder, 'owner'), 'utf8')
    const kinds = ['container', 'network', 'volume', 'image'] as const
    return (await Promise.all(kinds.map((kind) => docker.list(kind, { 'labernetes.owner': owner })))).flat()
  }
  const create = async (on: KindEngine, spec: Omit<SandboxSpec, 'nodes'> & { nodes?: number }) => {
    const steps: string[] = []
    const sandbox = await on.create({ nodes: 1, ...spec }, ({ step }) => steps.push(step))
    return { sandbox, steps }
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kind-test-'))
    plainDir = await mkdtemp(join(tmpdir(), 'kind-test-'))
    engine = await open(dir, oneWaits)
    plain = await open(plainDir, { templates: 0 })
  })

  afterAll(async () => {
    for (const [each, folder] of [
      [engine, dir],
      [plain, plainDir],
    ] as const) {
      await each.removeAll()
      expect(await leftOf(folder)).toEqual([])
      await rm(folder, { recursive: true, force: true })
    }
  }, 120_000)

  describe('three nodes with flannel', () => {
    let sandbox: Sandbox

    test('are made step by step, under the names that every learner sees', async () => {
      const shape = { cni: 'flannel' as const, featureGates: { ContainerStopSignals: true }, images: ['labapp:v2'] }
      const made = await create(plain, { id: 'flannel', nodes: 3, shape, manifests: twoPods })
      sandbox = made.sandbox
      const names = ['labernetes-control-plane', 'labernetes-worker', 'labernetes-worker2']
      expect(await sandbox.nodes()).toEqual(names)
      const { body } = await sandbox.api({ method: 'GET', path: '/api/v1/nodes' })
      expect((body as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name).sort()).toEqual(names)
      for (const step of ['nodes', 'control plane', 'pod network', 'workers', 'waiting', 'objects', 'ready'])
        expect(made.steps).toContain(step)
      expect(await sandbox.exec(['hostname'], { node: 'worker2' })).toMatchObject({ exitCode: 0, stdout: 'labernetes-worker2\n' })
    })

    test('have what the lab asked for: feature gates, images out of this machine, and no port besides the API', async () => {
      const metrics = 'kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /metrics | grep ContainerStopSignals'
      const { stdout } = await sandbox.exec(['sh', '-c', metrics], { node: 'control-plane', timeout: 60_000 })
      expect(stdout).toBe('kubernetes_feature_enabled{name="ContainerStopSignals",stage="ALPHA"} 1\n')
      for (const node of ['control-plane', 'worker', 'worker2'])
        expect((await sandbox.exec(['ctr', '-n', 'k8s.io', 'images', 'list', '-q'], { node })).stdout).toContain('/labapp:v2\n')
      const containers = await docker.inspect(
        'container',
        (sandbox as KindSandbox).record.nodes.map(({ container }) => container),
      )
      expect(containers.map(({ NetworkSettings: { Ports } }) => Object.entries(Ports ?? {}).filter(([, bindings]) => bindings))).toEqual([
        [['6443/tcp', [{ HostIp: '127.0.0.1', HostPort: expect.stringMatching(/^\d+$/) }]]],
        [],
        [],
      ])
    })

    test('carry packets from a Pod on one to a Pod on another', async () => {
      const addresses = new Map<string, string>()
      const stop = new AbortController()
      await new Promise<void>((resolve) => {
        const see = ({ object }: WatchEvent) => {
          const status = object['status'] as { phase: string; podIP?: string }
          if (status.phase === 'Running' && status.podIP) addresses.set(object.metadata.name, status.podIP)
          if (addresses.size === 2) resolve()
        }
        void sandbox.watch(pods, see, stop.signal)
      })
      stop.abort()
      const answer = await sandbox.execInPod('default', 'on-worker', ['wget', '-qO-', `http://${addresses.get('on-worker2')}/`])
      expect(answer).toEqual({ exitCode: 0, stdout: 'on-worker2\n', stderr: '' })
      expect((await sandbox.execInPod('default', 'on-worker', ['sh', '-c', 'exit 3'])).exitCode).toBe(3)
      expect((await sandbox.execInPod('default', 'on-worker', ['sleep', '60'], { timeout: 500 })).exitCode).toBe(124)
      expect((await sandbox.execInPod('default', 'nobody', ['true'])).stderr).toContain('pods "nobody" not found')
      expect((await sandbox.exec(['bridge', 'fdb', 'show', 'dev', 'flannel.1'], { node: 'worker' })).stdout).toContain('dst 10.202.')
    })

    test('leave a snapshot that opens as an embedded cluster', async () => {
      const snapshot = await sandbox.snapshot()
      expect(snapshot).toMatchObject({ format: 1, engine: 'kind' })
      const folder = await mkdtemp(join(tmpdir(), 'kind-snapshot-'))
      const embedded = await EmbeddedEngine.start({
        dir: folder,
        tools: (await prepareTools(cache)).folder,
        allowNoJail: true,
        processes: 1,
        onFault: (fault) => faults.push(fault),
      })
      try {
        const opened = await embedded.openSnapshot('opened', snapshot)
        const { body } = await opened.api({ method: 'GET', path: '/api/v1/namespaces/default/pods?labelSelector=app%3Dprobe' })
        const found = (body as { items: { metadata: { name: string; uid: string }; status: { podIP: string } }[] }).items
        expect(found.map(({ metadata, status }) => [metadata.name, status.podIP])).toEqual(
          snapshot.objects
            .filter(({ kind, metadata }) => kind === 'Pod' && metadata.namespace === 'default')
            .map(({ metadata, ...rest }) => [metadata.name, (rest['status'] as { podIP: string }).podIP]),
        )
      } finally {
        await embedded[Symbol.asyncDispose]()
        await rm(folder, { recursive: true, force: true })
      }
    })

    test('are gone afterwards, with all they had', async () => {
      const { name } = (sandbox as KindSandbox).record
      await plain.destroy('flannel')
      await plain.destroy('flannel')
      expect(await docker.list('container', { 'labernetes.cluster': name })).toEqual([])
      expect(await docker.list('network', { 'labernetes.cluster': name })).toEqual([])
      expect(await docker.list('volume', { 'labernetes.cluster': name })).toEqual([])
    })
  })

  describe('one node', () => {
    let first: Sandbox
    let second: Sandbox

    test('is claimed from those that wait, with everything of its own', async () => {
      engine.pool.refill()
      await engine.settled()
      expect(engine.pool.sizes()).toMatchObject([{ size: 1, target: 1 }])
      const claimed = await create(engine, { id: 'first', manifests: 'apiVersion: v1\nkind: Namespace\nmetadata: { name: lab }\n' })
      expect(claimed.steps).toEqual(['toolbox', 'objects', 'ready'])
      first = claimed.sandbox
      expect(await first.exec(['kubectl', 'get', 'namespace', 'lab', '-o', 'name'])).toMatchObject({ stdout: 'namespace/lab\n' })
      expect((await first.exec(['kubectl', 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])).stdout).toBe(
        'kubernetes-admin',
      )
      second = (await create(engine, { id: 'second' })).sandbox
      expect((await second.exec(['kubectl', 'get', 'namespace', 'lab'])).stderr).toContain('not found')
    })

    test('shares no key, certificate or token with another', async () => {
      const secrets = async (sandbox: Sandbox) => {
        const script = 'cd /etc/kubernetes; sha256sum pki/*.key pki/*.crt pki/etcd/* pki/sa.pub *.conf | cut -c1-64'
        return (await sandbox.exec(['bash', '-c', script], { node: 'control-plane' })).stdout.trim().split('\n')
      }
      const [mine, theirs] = await Promise.all([secrets(first), secrets(second)])
      expect(mine?.length).toBeGreaterThan(20)
      expect(mine?.filter((digest) => theirs?.includes(digest))).toEqual([])
      const authority = async (sandbox: Sandbox) => {
        const { clusters, users } = parse(await sandbox.kubeconfig()) as {
          clusters: { cluster: Record<string, string> }[]
          users: { user: Record<string, string> }[]
        }
        const pem = (text: string | undefined) => new X509Certificate(Buffer.from(text ?? '', 'base64'))
        return {
          ca: pem(clusters[0]?.cluster['certificate-authority-data']),
          client: pem(users[0]?.user['client-certificate-data']),
        }
      }
      const [here, there] = await Promise.all([authority(first), authority(second)])
      expect(here.client.verify(here.ca.publicKey)).toBe(true)
      expect(here.client.verify(there.ca.publicKey)).toBe(false)
      const trusted = (
        await first.api({ method: 'GET', path: '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication' })
      ).body as { data: Record<string, string> }
      expect(trusted.data['requestheader-client-ca-file']?.match(/BEGIN CERTIFICATE/g)).toHaveLength(1)
      const token = { method: 'POST', path: '/api/v1/namespaces/default/serviceaccounts/default/token', body: { spec: {} } } as const
      const issued = ((await first.api(token)).body as { status: { token: string } }).status.token
      const review = (
        await second.api({
          method: 'POST',
          path: '/apis/authentication.k8s.io/v1/tokenreviews',
          body: { spec: { token: issued } },
        })
      ).body as { status: { authenticated?: boolean } }
      expect(review.status.authenticated ?? false).toBe(false)
      const bootstrap = (await first.api({ method: 'GET', path: '/api/v1/namespaces/kube-system/secrets' })).body as { items: unknown[] }
      expect(bootstrap.items).toEqual([])
    })

    test('runs Pods that find each other by name', async () => {
      const web = `apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: web, image: 'labapp:v1' }], terminationGracePeriodSeconds: 0 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: client }
spec: { containers: [{ name: main, image: 'busybox:1.36', command: [sleep, '3600'] }], terminationGracePeriodSeconds: 0 }
`
      await second.apply(web)
      await expect
        .poll(async () => (await second.execInPod('default', 'client', ['wget', '-qO-', 'http://web'])).stdout, {
          timeout: 120_000,
          interval: 1_000,
        })
        .toBe('labapp v1 on web\n')
      expect((await second.exec(['kubectl', 'logs', 'web', '--tail=1'])).stdout).toContain('"GET / HTTP/1.1" 200')
    })

    test('answers while more is watched than it has connections for requests', async () => {
      const stop = new AbortController()
      const maps = { group: '', version: 'v1', resource: 'configmaps', namespace: 'kube-system' }
      for (let watch = 0; watch < 20; watch++) await first.watch(maps, () => undefined, stop.signal)
      expect((await first.api({ method: 'GET', path: '/version' })).status).toBe(200)
      stop.abort()
    })

    test('stands still while it is paused and goes on after', async () => {
      const seen: string[] = []
      const stop = new AbortController()
      const maps = { group: '', version: 'v1', resource: 'configmaps', namespace: 'lab' }
      await first.watch(maps, ({ type, object }) => seen.push(`${type} ${object.metadata.name}`), stop.signal)
      const map = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: lab }\n`
      await first.apply(map('before'))
      await first.pause()
      const [state] = await docker.inspect('container', [(first as KindSandbox).record.nodes[0]?.container ?? ''])
      expect(state?.State.Status).toBe('paused')
      await first.resume()
      await first.apply(map('after'))
      await expect.poll(() => seen, { timeout: 30_000 }).toEqual(expect.arrayContaining(['ADDED before', 'ADDED after']))
      stop.abort()
      expect((await first.exec(['kubectl', 'get', 'cm', 'before', '-n', 'lab', '-o', 'name'])).stdout).toBe('configmap/before\n')
    })

    test('comes back healthy for another process, also when it was stopped or paused for its memory', async () => {
      await second.pause()
      expect(await (second as KindSandbox).giveMemoryBack()).toBe(true)
      await engine[Symbol.asyncDispose]()
      const nodes = (first as KindSandbox).record.nodes
      await docker.call(['kill', ...nodes.map(({ container }) => container)])
      engine = await open(dir, oneWaits)
      const adopted = await engine.adopt(['first', 'second'])
      expect(adopted.map(({ id }) => id).sort()).toEqual(['first', 'second'])
      first = adopted.find(({ id }) => id === 'first') as Sandbox
      second = adopted.find(({ id }) => id === 'second') as Sandbox
      expect((await first.exec(['kubectl', 'get', 'cm', 'after', '-n', 'lab', '-o', 'name'])).stdout).toBe('configmap/after\n')
      const { stdout } = await first.exec(['ip', '-4', '-o', 'addr', 'show', 'eth0'], { node: 'control-plane' })
      expect(stdout).toContain(nodes[0]?.ip)
    })

    test('reaches neither a neighbour nor this machine nor what is beyond, from shell, node and Pod', async () => {
      const { record } = second as KindSandbox
      const [node] = record.nodes
      const [mine] = (first as KindSandbox).record.nodes
      const [toolbox] = await docker.inspect('container', [`${record.name}-toolbox`])
      const beside = Object.values(toolbox?.NetworkSettings.Networks ?? {})[0]
      const published = await docker.publishedPort(node?.container ?? '', 6443)
      await using server = await listenEverywhere()
      const own = (await docker.inspect('container', [mine?.container ?? '']))[0]
      const gateways = [beside?.Gateway, Object.values(own?.NetworkSettings.Networks ?? {})[0]?.Gateway]
      const here = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).filter((one) => one.family === 'IPv4' && !one.internal))
      const addresses = [...new Set([...gateways, ...here.map(({ address }) => address)])]
      const targets = [
        ...[`${node?.ip}:6443`, `${node?.ip}:10250`, `${beside?.IPAddress}:22`, '169.254.169.254:80', '1.1.1.1:443'],
        ...addresses.flatMap((address) => [`${address}:${server.port}`, `${address}:${published}`, `${address}:22`]),
      ]
      // bash opens the connection itself: what stands behind it need not speak anything
      const knock = (list: readonly string[]) => [
        'bash',
        '-c',
        list.map((target) => `timeout 2 bash -c '</dev/tcp/${target.replace(':', '/')}' 2>/dev/null && echo ${target}`).join('\n'),
      ]
      expect((await second.exec(knock([`${node?.ip}:6443`, `${node?.ip}:10250`]))).stdout).toBe(`${node?.ip}:6443\n${node?.ip}:10250\n`)
      expect((await first.exec(knock([`${mine?.ip}:6443`]))).stdout).toBe(`${mine?.ip}:6443\n`)
      expect((await first.exec(knock(targets), { timeout: 120_000 })).stdout).toBe('')
      expect((await first.exec(knock(targets), { node: 'control-plane', timeout: 120_000 })).stdout).toBe('')
      await first.apply(`apiVersion: v1
kind: Pod
metadata: { name: knocker }
spec: { hostNetwork: false, terminationGracePeriodSeconds: 0, containers: [{ name: main, image: 'busybox:1.36', command: [sleep, '3600'] }] }
`)
      // what is open answers an empty line, if only with a refusal, and hangs up
      const knockInPod = (target: string) => `echo | timeout 4 nc -w 2 ${target.replace(':', ' ')} >/dev/null 2>&1 && echo ${target}`
      const asked = async (lines: readonly string[]) =>
        (await first.execInPod('default', 'knocker', ['sh', '-c', [...lines, 'true'].join('\n')], { timeout: 120_000 })).stdout
      const open = `${mine?.ip}:6443`
      await expect.poll(() => asked([knockInPod(open)]).catch(() => ''), { timeout: 60_000 }).toBe(`${open}\n`)
      expect(await asked(targets.map(knockInPod))).toBe('')
      expect(server.visits).toBe(0)
      // nor does Docker's own socket lie in reach of the shell
      expect((await first.exec(['ls', '/var/run/docker.sock', '/run/docker.sock'])).exitCode).not.toBe(0)
    })

    test('has shells, also on its node, that go on while the platform is away', async () => {
      const open = (sandbox: Sandbox, seq: number, node?: string) =>
        sandbox.openTerminal({ cols: 80, rows: 24, held: { id: node ?? 'shell', seq }, ...(node ? { node } : {}) })
      const seen = { shell: '', node: '' }
      const shell = await open(first, 0)
      const onNode = await open(first, 0, 'control-plane')
      shell.onData((bytes) => (seen.shell += Buffer.from(bytes).toString('latin1')))
      onNode.onData((bytes) => (seen.node += Buffer.from(bytes).toString('latin1')))
      const loop = (word: string) => `for i in $(seq 40); do echo "${word}-$i."; sleep 0.2; done\r`
      shell.write(loop('shell'))
      onNode.write(`crictl ps --name etcd -q | wc -l; ${loop('node')}`)
      await expect.poll(() => seen.shell.includes('shell-3.') && seen.node.includes('node-3.'), { timeout: 20_000 }).toBe(true)
      await engine[Symbol.asyncDispose]()
      engine = await reopen()
      const adopted = await engine.adopt(['first', 'second'])
      first = adopted.find(({ id }) => id === 'first') as Sandbox
      second = adopted.find(({ id }) => id === 'second') as Sandbox
      const again = await open(first, seen.shell.length)
      const nodeAgain = await open(first, seen.node.length, 'control-plane')
      expect([again.continuesAt, nodeAgain.continuesAt]).toEqual([seen.shell.length, seen.node.length])
      again.onData((bytes) => (seen.shell += Buffer.from(bytes).toString('latin1')))
      nodeAgain.onData((bytes) => (seen.node += Buffer.from(bytes).toString('latin1')))
      await expect.poll(() => seen.shell.includes('shell-40.') && seen.node.includes('node-40.'), { timeout: 30_000 }).toBe(true)
      for (const [word, text] of Object.entries(seen)) {
        const numbers = [...text.matchAll(new RegExp(`^${word}-(\\d+)\\.`, 'gm'))].map((match) => Number(match[1]))
        expect(numbers).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
      }
    })
  })

  test.each(['network', 'nodes', 'control plane', 'images', 'toolbox', 'ready'])(
    'killed at "%s", it leaves a sandbox that is adopted or nothing',
    async (stage) => {
      const folder = await mkdtemp(join(tmpdir(), 'kind-killed-'))
      const fixture = join(import.meta.dirname, 'kill.fixture.ts')
      const child = spawn(process.execPath, [fixture, folder, [...nodeImages.values()][0] ?? ''], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(child, 'exit')
      for await (const line of createInterface(child.stdout)) if (line === stage) break
      // somewhere within the step, not at its begin; once it is ready a template is being made
      await sleep(stage === 'ready' ? 5_000 : stage === 'nodes' ? 1_000 : 100)
      child.kill('SIGKILL')
      await exited
      const next = await open(folder)
      try {
        const adopted = await next.adopt(['killed'])
        expect(adopted.map(({ id }) => id)).toEqual(stage === 'ready' ? ['killed'] : [])
        if (stage === 'ready') expect(await adopted[0]?.exec(['hostname'], { node: 'control-plane' })).toMatchObject({ exitCode: 0 })
        await next.destroy('killed')
        // what Docker was still doing for the one that was killed is swept as well
        const left = async () => {
          await next.adopt([])
          return leftOf(folder)
        }
        await expect.poll(left, { timeout: 60_000, interval: 2_000 }).toEqual([])
      } finally {
        await next[Symbol.asyncDispose]()
        await rm(folder, { recursive: true, force: true })
      }
    },
  )

  test('without room nothing is made, for a learner or ahead, and the reason has the figures', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kind-full-'))
    const attempt = async (budget: KindOptions['budget']) => {
      await using full = await open(folder, { ...oneWaits, ...(budget ? { budget } : {}) })
      full.pool.refill()
      await full.settled()
      expect(full.pool.sizes()).toMatchObject([{ size: 0, target: 1 }])
      return create(full, { id: 'full' }).then(
        () => '',
        (error: Error) => error.message,
      )
    }
    const size = '\\d+\\.\\d GiB'
    expect(await attempt({ memory: 0.001, load: 100, disk: 0 })).toMatch(
      new RegExp(`^Kind clusters use ${size} of the 0\\.0 GiB they may have together; another one needs ${size}\\.$`),
    )
    expect(await attempt({ memory: 1, load: 100, disk: 2 ** 60 })).toMatch(
      new RegExp(`^${size} of disk are free where Docker keeps its data; 1073741824\\.0 GiB are to stay free\\.$`),
    )
    // a busy machine makes nothing ahead of need
    await using busy = await open(folder, { ...oneWaits, budget: { memory: 1, load: 0, disk: 0 } })
    busy.pool.refill()
    await busy.settled()
    expect(busy.pool.sizes()).toMatchObject([{ size: 0, target: 1 }])
    expect(await leftOf(folder)).toEqual([])
    await rm(folder, { recursive: true, force: true })
  })

  test('what cannot be made says why and leaves nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kind-none-'))
    const other = await open(folder, { nodeImages: new Map([['1.34', 'labernetes/no-such-image:1']]) })
    await expect(other.create({ id: 'none', nodes: 1 }, () => undefined)).rejects.toThrow(
      /labernetes\/no-such-image:1 is not here and could not be pulled/,
    )
    await expect(other.create({ id: 'none', nodes: 9 }, () => undefined)).rejects.toThrow('1 to 6 nodes')
    await expect(other.create({ id: 'none', nodes: 1, shape: { kubernetesVersion: '1.20' } }, () => undefined)).rejects.toThrow('1.34')
    expect(await leftOf(folder)).toEqual([])
    await other[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  test('nothing went wrong in the background', () => expect(faults).toEqual([]))
})

/** A server on every address of this machine, as the platform might be. */
async function listenEverywhere(): Promise<AsyncDisposable & { port: number; visits: number }> {
  const found = { port: 0, visits: 0, [Symbol.asyncDispose]: async () => void server.close() }
  const server = createServer((socket) => {
    found.visits++
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '::', resolve))
  found.port = (server.address() as AddressInfo).port
  return found
}
