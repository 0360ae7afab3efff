import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareTools, type Tools } from '../terminal/tools.ts'
import { Cluster } from './cluster.ts'

/** Real clients of several releases, each at a day's work against one cluster over TLS. */
let cluster: Cluster
let folder: string
let kubeconfig: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clients-'))
  cluster = await Cluster.open({ nodes: 2 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
})

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

describe.each(['1.31', '1.32', '1.33', '1.34', '1.35'])('kubectl %s and the helm that comes with it', (minor) => {
  const namespace = `v${minor.replace('.', '-')}`
  let tools: Tools
  const run = (program: 'kubectl' | 'helm', ...args: string[]) => {
    const environment = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: kubeconfig } as unknown as NodeJS.ProcessEnv
    return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(
        tools[program],
        ['--namespace', namespace, ...args],
        { env: environment, timeout: 60_000, cwd: folder },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      )
    })
  }
  const kubectl = async (...args: string[]) => {
    const { code, stdout, stderr } = await run('kubectl', ...args)
    expect([args.join(' '), code, code === 0 ? '' : stderr]).toEqual([args.join(' '), 0, ''])
    return stdout
  }

  beforeAll(async () => {
    tools = await prepareTools(join(import.meta.dirname, '../../.cache'), minor)
    await kubectl('create', 'namespace', namespace)
  })

  test('create, expose, scale, roll out and undo', async () => {
    expect(await kubectl('version')).toContain('Server Version: v1.34.4')
    await kubectl('create', 'deployment', 'web', '--image=nginx:1.26', '--replicas=2')
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s')
    await kubectl('expose', 'deployment', 'web', '--port=80')
    await kubectl('set', 'image', 'deployment/web', 'nginx=nginx:1.27')
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s')
    await kubectl('rollout', 'undo', 'deployment/web')
    await kubectl('scale', 'deployment', 'web', '--replicas=3')
    await kubectl('wait', 'deployment/web', '--for=jsonpath={.status.readyReplicas}=3', '--timeout=60s')
    expect(await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}')).toBe('nginx:1.26')
    expect(await kubectl('get', 'pods', '-o', 'wide')).toMatch(/READY .*NODE/)
    expect(await kubectl('get', 'all')).toContain('deployment.apps/web')
  })

  test('apply, label, patch, diff and explain', async () => {
    const manifest = join(folder, `${namespace}.yaml`)
    await writeFile(manifest, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n')
    expect(await kubectl('apply', '-f', manifest)).toBe('configmap/settings created\n')
    expect(await kubectl('apply', '-f', manifest)).toBe('configmap/settings unchanged\n')
    await writeFile(manifest, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: green}\n')
    const diff = await run('kubectl', 'diff', '-f', manifest)
    expect([diff.code, diff.stdout]).toEqual([1, expect.stringContaining('+  colour: green')])
    expect(await kubectl('apply', '--server-side', '--force-conflicts', '-f', manifest)).toBe('configmap/settings serverside-applied\n')
    await kubectl('label', 'configmap', 'settings', 'tier=web')
    await kubectl('patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"size":"5"}}')
    expect(await kubectl('get', 'configmap', '-l', 'tier=web', '-o', 'jsonpath={.items[0].data}')).toBe('{"colour":"green","size":"5"}')
    expect(await kubectl('explain', 'deployment.spec.strategy')).toContain('rollingUpdate')
    expect((await run('kubectl', 'get', 'pod', 'nowhere')).stderr).toBe('Error from server (NotFound): pods "nowhere" not found\n')
  })

  test('logs, exec, cp and port-forward', async () => {
    await kubectl('run', 'app', '--image=labapp:v1', '--port=8080')
    await kubectl('wait', 'pod/app', '--for=condition=Ready', '--timeout=60s')
    expect(await kubectl('exec', 'app', '--', 'sh', '-c', 'echo in-$((40+2)); hostname')).toBe('in-42\napp\n')
    expect((await run('kubectl', 'exec', 'app', '--', 'sh', '-c', 'exit 7')).code).toBe(7)
    await writeFile(join(folder, 'note'), '你好\n')
    await kubectl('cp', join(folder, 'note'), `${namespace}/app:/tmp/note`)
    await kubectl('cp', `${namespace}/app:/tmp/note`, join(folder, `${namespace}-back`))
    expect(await readFile(join(folder, `${namespace}-back`), 'utf8')).toBe('你好\n')
    await until(async () => (await kubectl('logs', 'app')).includes('listening on :8080'))
    const environment = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: kubeconfig } as unknown as NodeJS.ProcessEnv
    const forward = spawn(tools.kubectl, ['--namespace', namespace, 'port-forward', 'pod/app', ':8080'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const line = await new Promise<string>((resolve) => forward.stdout.once('data', (data) => resolve(String(data))))
      const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1]
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('labapp v1 on app\n')
    } finally {
      forward.kill('SIGKILL')
    }
  })

  test('helm installs, upgrades, rolls back and uninstalls a release', async () => {
    const helm = async (...args: string[]) => {
      const { code, stdout, stderr } = await run('helm', ...args)
      expect([args.join(' '), code, code === 0 ? '' : stderr]).toEqual([args.join(' '), 0, ''])
      return stdout
    }
    const chart = join(folder, `chart-${namespace}`)
    await helm('create', chart)
    await helm('install', 'shop', chart, '--set', 'image.tag=1.27', '--wait', '--timeout', '60s')
    await helm('upgrade', 'shop', chart, '--reuse-values', '--set', 'replicaCount=2', '--wait', '--timeout', '60s')
    await helm('rollback', 'shop', '1', '--wait', '--timeout', '60s')
    expect(await helm('history', 'shop')).toMatch(/3\s+.*deployed.*Rollback to 1/)
    await helm('uninstall', 'shop')
    expect(await helm('list', '-q')).toBe('')
  })
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(await condition()).toBe(true)
}
