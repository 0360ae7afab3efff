import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareTools } from '../../terminal/tools.ts'
import { create, type EmbeddedCluster, type StandIn, standInProcess } from '../index.ts'

const run = promisify(execFile)
const source = join(import.meta.dirname, 'operator')
const cache = join(import.meta.dirname, '../../../.cache')
const operator = await buildOperator()
const patience = { timeout: 40_000, interval: 100 }

/** An operator of controller-runtime: as a process beside the cluster, and as what runs in a Pod of it. */
describe.skipIf(operator.missing)(`an operator${operator.missing ? ` (skipped: ${operator.missing})` : ''}`, { timeout: 90_000 }, () => {
  let cluster: EmbeddedCluster
  let folder: string
  let kubeconfig: string
  let kubectl: string
  /** The processes of those that stand in for its image, oldest first. */
  const played: { pod: string; pid: () => Promise<number>; done: Promise<number> }[] = []

  const standIn: StandIn = (container) => {
    const pidFile = join(folder, `${container.pod.name}-${played.length}.pid`)
    const done = (async () => {
      const [health, webhook] = [await freePort(), await freePort()]
      container.forward(8081, health)
      container.forward(9443, webhook)
      const args = container.args.map((arg) => arg.replace('=:8081', `=127.0.0.1:${health}`).replace('=9443', `=${webhook}`))
      const script = 'echo $$ > "$PID_FILE"; exec "$0" "$@"'
      return await standInProcess(container, 'sh', ['-c', script, operator.program, ...args], { PID_FILE: pidFile })
    })()
    played.push({ pod: container.pod.name, pid: async () => Number(await readFile(pidFile, 'utf8')), done })
    return done
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'operator-'))
    kubectl = (await prepareTools(cache)).kubectl
    cluster = await create({ nodes: 2, standIns: { 'example.com/site-operator:*': standIn } })
    kubeconfig = join(folder, 'kubeconfig')
    await writeFile(kubeconfig, cluster.kubeconfig())
    await run(kubectl, ['--kubeconfig', kubeconfig, 'create', '-f', join(source, 'crd.yaml')])
    await run(kubectl, ['--kubeconfig', kubeconfig, 'wait', '--for=condition=Established', 'crd/sites.demo.example.com'])
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await Promise.all(played.map(({ done }) => done))
    await rm(folder, { recursive: true, force: true })
  })

  const k = async (...args: string[]) => (await run(kubectl, ['--kubeconfig', kubeconfig, ...args])).stdout
  const refused = async (...args: string[]) => {
    const failure = await run(kubectl, ['--kubeconfig', kubeconfig, ...args]).catch((error: { stderr: string }) => error)
    return failure.stderr
  }
  const sites = '/apis/demo.example.com/v1/namespaces'
  const get = async (path: string) => (await cluster.request({ method: 'GET', path })).body as Found
  const site = (image: string, replicas?: number) => ({
    apiVersion: 'demo.example.com/v1',
    kind: 'Site',
    metadata: { name: 'shop' },
    spec: { image, ...(replicas === undefined ? {} : { replicas }) },
  })
  const ready = async (namespace: string) => {
    const { status } = await get(`${sites}/${namespace}/sites/shop`)
    const condition = status?.conditions?.find(({ type }) => type === 'Ready')
    return `${condition?.status} ${condition?.reason}: ${condition?.message}`
  }
  const holder = async (namespace: string) =>
    (await get(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/site-operator`)).spec?.holderIdentity

  test('works from outside: children, status, events, and another instance that takes over', async () => {
    await k('create', 'namespace', 'outside')
    const args = ['--namespace=outside', '--leader-election-namespace=outside']
    const start = () =>
      spawn(operator.program, args, {
        env: { ...process.env, KUBECONFIG: kubeconfig } as unknown as NodeJS.ProcessEnv,
        stdio: ['ignore', 'ignore', 'ignore'],
      })
    await using first = ended(start())
    await expect.poll(() => holder('outside'), patience).toBeTruthy()
    const leader = await holder('outside')
    await using second = ended(start())

    expect((await cluster.request({ method: 'POST', path: `${sites}/outside/sites`, body: site('nginx:1.26') })).status).toBe(201)
    await expect.poll(() => ready('outside'), patience).toBe('True AllServing: 2 of 2 servers are ready')
    expect(await k('get', 'sites', '-n', 'outside', '-o', 'wide')).toMatch(
      /^NAME +IMAGE +WANTED +READY +WHY *\nshop +nginx:1\.26 +2 +True +AllServing *\n$/,
    )
    const deployment = await get('/apis/apps/v1/namespaces/outside/deployments/shop')
    expect(deployment.metadata.ownerReferences).toMatchObject([{ kind: 'Site', name: 'shop', controller: true }])
    const events = await k(
      'get',
      'events',
      '-n',
      'outside',
      '--field-selector=involvedObject.kind=Site',
      '-o',
      'jsonpath={.items[*].reason}',
    )
    expect(events.split(' ').sort()).toEqual(['AllServing', 'Deployed'])

    expect(await refused('patch', 'site', 'shop', '-n', 'outside', '--type=merge', '-p', '{"spec":{"image":"httpd:2.4"}}')).toContain(
      'an image may change its version alone',
    )
    first.process.kill('SIGTERM')
    await once(first.process, 'exit')
    expect(first.process.exitCode).toBe(0)
    await expect.poll(() => holder('outside'), patience).not.toSatisfy((now: string) => !now || now === leader)
    const body = { spec: { image: 'nginx:1.27', replicas: 3 } }
    await cluster.request({ method: 'PATCH', path: `${sites}/outside/sites/shop`, body })
    await expect.poll(() => ready('outside'), patience).toBe('True AllServing: 3 of 3 servers are ready')
    expect((await get('/api/v1/namespaces/outside/configmaps/sites')).data).toEqual({ shop: 'nginx:1.27' })

    // the finalizer's work is done before it goes, and what it owned goes after it
    await k('delete', 'site', 'shop', '-n', 'outside', '--timeout=30s')
    expect((await get('/api/v1/namespaces/outside/configmaps/sites')).data ?? {}).toEqual({})
    await expect.poll(() => k('get', 'pods', '-n', 'outside', '-o', 'name'), patience).toBe('')
    second.process.kill('SIGTERM')
    await once(second.process, 'exit')
  })

  test('works as what a Pod runs: its ServiceAccount, probes, webhook, log', async () => {
    await k('create', '-f', join(source, 'deploy.yaml'))
    await k('rollout', 'status', '-n', 'operators', 'deployment/site-operator', '--timeout=60s')
    expect(await k('logs', '-n', 'operators', 'deployment/site-operator')).toContain('successfully acquired lease operators/site-operator')

    const make = async (image: string, replicas: number) => {
      const file = join(folder, 'site.json')
      await writeFile(file, JSON.stringify(site(image, replicas)))
      return run(kubectl, ['--kubeconfig', kubeconfig, 'apply', '-n', 'inside', '-f', file]).catch(
        (error: { stdout: string; stderr: string }) => error,
      )
    }
    expect((await make('nginx:latest', 2)).stderr).toContain(
      'admission webhook "sites.demo.example.com" denied the request: image "nginx:latest" moves: name a version',
    )
    expect((await make('httpd:2.4', 6)).stderr).toContain('more than five servers are for nginx alone')
    expect(await make('nginx:1.27', 1)).toMatchObject({
      stdout: 'site.demo.example.com/shop created\n',
      stderr: 'Warning: one server alone has nobody to stand in for it\n',
    })
    await expect.poll(() => ready('inside'), patience).toBe('True AllServing: 1 of 1 servers are ready')
    const managed = (await get(`${sites}/inside/sites/shop`)).metadata.managedFields?.map(({ manager }) => manager)
    expect(managed).toContain(basename(operator.program))
  })

  test('is no more than its RBAC lets it be', async () => {
    await k('delete', 'clusterrolebinding', 'site-operator')
    await cluster.request({ method: 'PATCH', path: `${sites}/inside/sites/shop`, body: { spec: { replicas: 2 } } })
    const log = () => k('logs', '-n', 'operators', 'deployment/site-operator')
    await expect
      .poll(log, patience)
      .toContain('is forbidden: User \\"system:serviceaccount:operators:site-operator\\" cannot update resource')
    await k('create', '-f', join(source, 'deploy.yaml')).catch(() => '')
    await expect.poll(() => ready('inside'), patience).toBe('True AllServing: 2 of 2 servers are ready')
  })

  test('is restarted when its process dies, and told to end when its Pod is deleted', async () => {
    const before = played.at(-1)
    const leader = await holder('operators')
    process.kill((await before?.pid()) as number, 'SIGKILL')
    expect(await before?.done).toBe(137)
    const restarts = () => k('get', 'pods', '-n', 'operators', '-o', 'jsonpath={.items[0].status.containerStatuses[0].restartCount}')
    await expect.poll(restarts, patience).toBe('1')
    await k('rollout', 'status', '-n', 'operators', 'deployment/site-operator', '--timeout=60s')
    const terminated = '{.items[0].status.containerStatuses[0].lastState.terminated.exitCode}'
    expect(await k('get', 'pods', '-n', 'operators', '-o', `jsonpath=${terminated}`)).toBe('137')

    await expect.poll(() => holder('operators'), patience).not.toBe(leader)
    const running = played.at(-1)
    await k('scale', '-n', 'operators', 'deployment/site-operator', '--replicas=0')
    // SIGTERM: it gives its Lease back and ends by itself
    expect(await running?.done).toBe(0)
    expect(await holder('operators')).toBe('')
    await expect.poll(() => k('get', 'pods', '-n', 'operators', '-o', 'name'), patience).toBe('')
    expect(await refused('patch', 'site', 'shop', '-n', 'inside', '--type=merge', '-p', '{"spec":{"replicas":3}}')).toContain(
      'failed calling webhook "sites.demo.example.com"',
    )
  })
})

interface Found {
  metadata: { ownerReferences?: unknown[]; managedFields?: { manager: string }[] }
  spec?: { holderIdentity?: string }
  data?: Record<string, string>
  status?: { conditions?: { type: string; status: string; reason: string; message: string }[] }
}

/** A process that is gone at the end of its scope. */
function ended(child: ChildProcess): AsyncDisposable & { process: ChildProcess } {
  return {
    process: child,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

/** The operator of this source, built once; or why it cannot be. */
async function buildOperator(): Promise<{ program: string; missing?: string }> {
  const digest = createHash('sha256')
  for (const file of (await readdir(source)).sort()) if (/\.go$|^go\./.test(file)) digest.update(await readFile(join(source, file)))
  const program = join(cache, `operator-${digest.digest('hex').slice(0, 12)}`)
  if (existsSync(program)) return { program }
  const draft = `${program}.${process.pid}`
  try {
    await run('go', ['build', '-ldflags=-s -w', '-o', draft, '.'], { cwd: source, timeout: 900_000, maxBuffer: 2 ** 24 })
    await rename(draft, program)
    return { program }
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    return { program, missing: `it cannot be built: ${(stderr || message).trim().split('\n').at(-1)}` }
  }
}
