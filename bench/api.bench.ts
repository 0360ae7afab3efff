import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Cluster } from '../sandbox/embedded/cluster.ts'
import { HttpApi } from './api-client.ts'
import { type Benchmark, percentileRows, sample } from './harness.ts'

const times = 200
const listed = 100
const watchers = 100
const pods = 5_000
const page = 500

export const benchmark: Benchmark = {
  name: 'api',
  about: 'requests to an embedded API server over HTTPS, against a real one (ORACLE_KUBECONFIG) or calls in the process',
  async run({ folder, cleanup, say }) {
    const kubeconfig = join(folder, 'kubeconfig')
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, '../sandbox/embedded/cli.ts'), '--kubeconfig', kubeconfig, '--dir', join(folder, 'cluster')],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    cleanup.defer(async () => {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
    })
    await once(createInterface({ input: child.stdout }), 'line')
    const ours = cleanup.use(HttpApi.open(await readFile(kubeconfig, 'utf8')))
    say('the embedded API server over HTTPS')
    const embedded = await measure(ours)
    const fans = await fanOut(ours)
    const oracle = process.env['ORACLE_KUBECONFIG']
    if (oracle) {
      say('the real API server')
      const theirs = cleanup.use(HttpApi.open(await readFile(oracle, 'utf8')))
      return rows(embedded, await measure(theirs), fans, await fanOut(theirs), 'a real API server')
    }
    say('the same in the process')
    const cluster = cleanup.use(await Cluster.open({ nodes: 1, dir: join(folder, 'inside') }))
    const inside: Api = {
      async ask(method, path, body) {
        const contentType = contentTypeOf(method, path)
        const answer = await cluster.request({ method, path, contentType, ...(body === undefined ? {} : { body }) })
        if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
        return answer.body
      },
      async watch(path, onEvent) {
        const end = new AbortController()
        const selector = { group: '', version: 'v1', resource: 'configmaps', namespace }
        // never resolves while it goes on; what exists is told first
        cluster.watch(selector, onEvent, end.signal).catch(() => undefined)
        return { [Symbol.dispose]: () => end.abort(path) }
      },
    }
    return rows(embedded, await measure(inside), fans, await fanOut(inside), 'a call in the process')
  },
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

interface Api {
  ask(method: Method, path: string, body?: unknown): Promise<unknown>
  watch(path: string, onEvent: (event: unknown) => void): Promise<Disposable>
}

const namespace = 'bench'
const collection = `/api/v1/namespaces/${namespace}/configmaps`

async function measure(api: Api): Promise<Record<string, number[]>> {
  await api.ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const create = (index: number) => api.ask('POST', collection, configMap(`some-${index}`)).then(() => undefined)
  for (let index = 0; index < 20; index++) await create(1_000 + index)
  for (let index = 0; index < 20; index++) await api.ask('DELETE', `${collection}/some-${1_000 + index}`)
  const created = await sample(listed, create)
  const got = await sample(times, (index) => api.ask('GET', `${collection}/some-${index % listed}`).then(() => undefined))
  const patched = await sample(times, (index) =>
    api.ask('PATCH', `${collection}/some-${index % listed}`, { data: { turn: String(index) } }).then(() => undefined),
  )
  const applied = await sample(times, (index) => {
    const map = { ...configMap(`some-${index % listed}`), data: { applied: String(index) } }
    return api.ask('PATCH', `${collection}/some-${index % listed}?fieldManager=bench&force=true`, map).then(() => undefined)
  })
  const lists = await sample(50, () => api.ask('GET', collection).then(() => undefined))
  return {
    create: created,
    get: got,
    patch: patched,
    'server-side apply': applied,
    [`list of ${listed}`]: lists,
    ...(await measureMany(api)),
  }
}

/** Pods that no scheduler takes, so that both servers have nothing else to do with them. */
async function measureMany(api: Api): Promise<Record<string, number[]>> {
  const many = `/api/v1/namespaces/${namespace}/pods`
  await api.ask('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, serviceAccount).catch(() => undefined) // its controller was first
  let next = 0
  const writer = async () => {
    while (next < pods) await api.ask('POST', many, pod(`pod-${next++}`))
  }
  await Promise.all(Array.from({ length: 16 }, writer))
  const whole = await sample(10, () => api.ask('GET', many).then(() => undefined))
  const pages = await sample(5, async () => {
    let token = ''
    do {
      const { metadata } = (await api.ask('GET', `${many}?limit=${page}&continue=${token}`)) as { metadata: { continue?: string } }
      token = encodeURIComponent(metadata.continue ?? '')
    } while (token)
  })
  return { [`list of ${pods} Pods`]: whole, [`the same in pages of ${page}`]: pages }
}

function contentTypeOf(method: Method, path: string): string {
  if (method !== 'PATCH') return 'application/json'
  return path.includes('fieldManager=') ? 'application/apply-patch+yaml' : 'application/strategic-merge-patch+json'
}

const serviceAccount = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }

function pod(name: string) {
  const container = { name: 'main', image: 'nginx:1.27', env: [{ name: 'A', value: 'b' }], resources: { requests: { cpu: '10m' } } }
  const metadata = { name, labels: { app: 'bench' } }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { schedulerName: 'nobody', containers: [container] } }
}

/** ms from sending a change to the last of the watchers having been told of it. */
async function fanOut(api: Api): Promise<number[]> {
  let wanted = ''
  let missing = 0
  let allTold = () => {}
  const open = await Promise.all(
    Array.from({ length: watchers }, () =>
      api.watch(`${collection}?watch=true`, (event) => {
        const { object } = event as { object?: { metadata?: { name?: string } } }
        if (object?.metadata?.name === wanted && --missing === 0) allTold()
      }),
    ),
  )
  await new Promise((resolve) => setTimeout(resolve, 500))
  const samples = await sample(30, async (index) => {
    wanted = `fan-${index}`
    missing = watchers
    const told = new Promise<void>((resolve) => {
      allTold = resolve
    })
    const began = performance.now()
    await Promise.all([api.ask('POST', collection, configMap(wanted)), told])
    return performance.now() - began
  })
  for (const one of open) one[Symbol.dispose]()
  await api.ask('DELETE', `/api/v1/namespaces/${namespace}`)
  return samples
}

function configMap(name: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { app: 'bench' } }, data: { text: 'x'.repeat(500) } }
}

function rows(ours: Record<string, number[]>, theirs: Record<string, number[]>, fans: number[], theirFans: number[], what: string) {
  return [
    ...Object.entries(ours).flatMap(([name, samples]) => percentileRows(name, 'ms', samples, { what, samples: theirs[name] ?? [] })),
    ...percentileRows(`change to the last of ${watchers} watchers`, 'ms', fans, { what, samples: theirFans }),
  ]
}
