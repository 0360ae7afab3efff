import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Sandbox, WatchEvent } from '../../engine.ts'
import { listObjects } from '../../manifests.ts'
import { prepareTools } from '../../terminal/tools.ts'
import { EmbeddedEngine } from './engine.ts'

const folder = mkdtempSync(join(tmpdir(), 'engine-test-'))
const configMaps = { group: '', version: 'v1', resource: 'configmaps', namespace: 'default' }
let tools: string
let engine: EmbeddedEngine
const faults: string[] = []

const start = () =>
  EmbeddedEngine.start({ dir: join(folder, 'sandboxes'), tools, processes: 1, allowNoJail: true, onFault: (fault) => faults.push(fault) })

beforeAll(async () => {
  tools = (await prepareTools(join(import.meta.dirname, '../../../.cache'))).folder
  engine = await start()
})

afterAll(async () => {
  await engine[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const write = (sandbox: Sandbox, name: string) =>
  sandbox.api({
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps',
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { at: name } },
  })
const names = async (sandbox: Sandbox) => (await listObjects((request) => sandbox.api(request), configMaps)).map((one) => one.metadata.name)

test('a sandbox has nodes, applies its manifests and answers real kubectl in its toolbox', async () => {
  const manifests = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: given}\ndata: {a: b}\n'
  const sandbox = await engine.create({ id: 'first', nodes: 2, manifests }, () => undefined)
  expect((await sandbox.exec(['kubectl', 'get', 'configmap', 'given', '-o', 'jsonpath={.data.a}'])).stdout).toBe('b')
  expect((await sandbox.exec(['kubectl', 'wait', 'node', '--all', '--for=condition=Ready', '--timeout=20s'])).exitCode).toBe(0)
  await engine.destroy('first')
})

test('a node has a shell and scripts of its own; what they do is done to the node', async () => {
  const sandbox = await engine.create({ id: 'shells', nodes: 2, shape: { cni: 'flannel' } }, () => undefined)
  expect(await sandbox.nodes()).toEqual(['labernetes-control-plane', 'labernetes-worker'])
  const nodes = await listObjects((request) => sandbox.api(request), { group: '', version: 'v1', resource: 'nodes' })
  const ready = (nodes as { status?: { conditions?: { type: string; status: string }[] } }[]).map(
    ({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status,
  )
  expect(ready).toEqual(['True', 'True'])
  const script = 'set -e\nip route del 10.244.0.0/24\nip route | grep -c flannel || true\n'
  expect(await sandbox.exec(['bash'], { node: 'worker', stdin: script })).toEqual({ exitCode: 0, stdout: '0\n', stderr: '' })
  expect((await sandbox.exec(['true'], { node: 'nowhere' })).exitCode).toBe(126)

  const terminal = await sandbox.openTerminal({ node: 'worker', cols: 80, rows: 24 })
  let screen = ''
  const shows = (text: RegExp) =>
    new Promise<void>((resolve) => {
      const listener = terminal.onData((data) => {
        screen += Buffer.from(data).toString()
        if (!text.test(screen)) return
        listener[Symbol.dispose]()
        resolve()
      })
    })
  await shows(/root@labernetes-worker:\S*# $/)
  terminal.write('hostname; echo $((6 * 7))\r')
  await shows(/\n42\r?\n/)
  expect(screen).toContain('labernetes-worker\r\n')
  const over = new Promise((resolve) => terminal.onExit(resolve))
  terminal.write('exit 3\r')
  expect(await over).toEqual({ exitCode: 3 })
  await engine.destroy('shells')
})

test('a folder for temporary files in which no socket fits is refused at the start, with what to do', async () => {
  vi.stubEnv('TMPDIR', join(folder, 'long'.repeat(25)))
  try {
    await expect(start()).rejects.toThrow(/TMPDIR.* has too long a name: .* Set TMPDIR to a shorter one/)
  } finally {
    vi.unstubAllEnvs()
  }
})

test('a refused manifest leaves nothing behind and says which', async () => {
  const manifests = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NOT_A_NAME}\n'
  await expect(engine.create({ id: 'refused', nodes: 1, manifests }, () => undefined)).rejects.toThrow(/ConfigMap NOT_A_NAME: .*RFC 1123/s)
  expect(await engine.adopt([])).toEqual([])
})

describe('when the process of a cluster is killed', () => {
  test('no acknowledged write is lost, watches go on, and the shell finds its cluster again', async () => {
    const sandbox = await engine.create({ id: 'killed', nodes: 1 }, () => undefined)
    const seen: WatchEvent[] = []
    const abort = new AbortController()
    await sandbox.watch(configMaps, (event) => seen.push(event), abort.signal)
    const acknowledged: string[] = []
    let killed = false
    for (let index = 0; index < 60; index++) {
      if (index === 30) for (const pid of engine.pids()) process.kill(pid, 'SIGKILL')
      const name = `write-${index}`
      const answer = await write(sandbox, name).catch(() => {
        killed = true
        return null
      })
      if (answer?.status === 201) acknowledged.push(name)
    }
    expect(killed || faults.some((fault) => fault.includes('SIGKILL'))).toBe(true)
    expect(acknowledged.length).toBeGreaterThan(50)
    expect(await names(sandbox)).toEqual(expect.arrayContaining(acknowledged))
    await until(() => acknowledged.every((name) => seen.some((event) => event.object.metadata.name === name)))
    expect((await sandbox.exec(['kubectl', 'get', 'configmap', 'write-59', '-o', 'name'])).stdout).toBe('configmap/write-59\n')
    abort.abort()
    await engine.destroy('killed')
  })
})

test('a fork lives its own life: nothing of it reaches the original', async () => {
  const sandbox = await engine.create({ id: 'forked', nodes: 1 }, () => undefined)
  await write(sandbox, 'before')
  {
    await using fork = await (sandbox.fork as NonNullable<Sandbox['fork']>)()
    await fork.api({ method: 'DELETE', path: '/api/v1/namespaces/default/configmaps/before' })
    const began = await fork.now()
    await fork.advance(3_600_000)
    expect((await fork.now()) - began).toBe(3_600_000)
    expect((await fork.api({ method: 'GET', path: '/api/v1/namespaces/default/configmaps/before' })).status).toBe(404)
  }
  expect(await names(sandbox)).toContain('before')
  await engine.destroy('forked')
})

test('a command in a fork gets the time it waits for, and no more of it passes', async () => {
  const spec = { containers: [{ name: 'app', image: 'labapp:v1' }] }
  const manifests = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'app' }, spec })
  const sandbox = await engine.create({ id: 'patient', nodes: 1, manifests }, () => undefined)
  await sandbox.advance?.(30_000)
  await using fork = await (sandbox.fork as NonNullable<Sandbox['fork']>)()
  const began = await fork.now()
  expect((await fork.execInPod('default', 'app', ['curl', '-s', 'http://127.0.0.1:8080/version'])).stdout).toBe('v1\n')
  expect((await fork.now()) - began).toBeLessThan(1_000)
  expect(await fork.execInPod('default', 'app', ['sh', '-c', 'sleep 5; echo late'])).toMatchObject({ exitCode: 0, stdout: 'late\n' })
  expect((await fork.now()) - began).toBeGreaterThanOrEqual(5_000)
  await engine.destroy('patient')
})

test('another engine on the same folder adopts what it is told to and removes the rest', async () => {
  const kept = await engine.create({ id: 'kept', nodes: 1 }, () => undefined)
  await engine.create({ id: 'orphan', nodes: 1 }, () => undefined)
  await write(kept, 'lasting')
  await kept.exec(['bash', '-c', 'echo mine > ~/note'])
  await engine[Symbol.asyncDispose]()
  engine = await start()
  const [adopted, ...others] = await engine.adopt(['kept', 'never-was'])
  expect(others).toEqual([])
  expect(await names(adopted as Sandbox)).toContain('lasting')
  expect((await (adopted as Sandbox).exec(['cat', '/home/learner/note'])).stdout).toBe('mine\n')
  expect(await engine.adopt(['orphan'])).toEqual([])
})

test('a paused sandbox is back as it was', async () => {
  const sandbox = await engine.create({ id: 'paused', nodes: 1 }, () => undefined)
  await write(sandbox, 'asleep')
  await sandbox.pause()
  await sandbox.resume()
  expect(await names(sandbox)).toContain('asleep')
  await engine.destroy('paused')
})

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 50))
  expect(condition()).toBe(true)
}

test('two who need the toolbox at once get the same one', async () => {
  const original = await engine.create({ id: 'original', nodes: 1 }, () => undefined)
  // an opened snapshot has no toolbox until somebody needs it
  const opened = await engine.openSnapshot('opened', await original.snapshot())
  const [one, other] = await Promise.all([0, 1].map(() => opened.exec(['readlink', '/proc/self/ns/net'])))
  expect(one?.stdout).toMatch(/^net:/)
  expect(other?.stdout).toBe(one?.stdout)
  await engine.destroy('opened')
  await engine.destroy('original')
})
