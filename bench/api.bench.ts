import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Cluster } from '../sandbox/embedded/cluster.ts'
import { oracleMissing, startOracle } from '../sandbox/embedded/oracle/server.ts'
import { HttpApi } from './api-client.ts'
import { type Benchmark, type Context, percentileRows, type Row } from './harness.ts'

const times = 200
const listed = 100
const watchers = 100
/** So many that the 99th percentile is not one of two samples that met something else. */
const changes = 400
const pods = 5_000
const page = 500
/** Pods are made by so many at once. */
const writers = 16

export const benchmark: Benchmark = {
  name: 'api',
  about: 'requests to an embedded API server over HTTPS, against a real one (the kind kit’s, or ORACLE_KUBECONFIG) or calls in the process',
  async run(context) {
    const ours: Api = await startEmbedded(context)
    const missing = oracleMissing()
    if (missing) context.say(`no real API server: ${missing}`)
    const theirs: Api = missing ? await startInProcess(context) : await startReal(context)
    const against = missing ? 'a call in the process' : 'a real API server'
    await prepare(ours, theirs)
    context.say('requests for one object')
    const rows = [...(await single(ours, theirs, against))]
    context.say(`${pods} Pods`)
    rows.push(...(await many(ours, theirs, against)))
    context.say(`${watchers} watchers`)
    rows.push(...(await fanOut(ours, theirs, against)))
    await Promise.all([ours, theirs].map((api) => api.ask('DELETE', `/api/v1/namespaces/${namespace}`)))
    return rows
  },
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

interface Api {
  /** Resolves with the answer's text; rejects for an answer that is an error. */
  ask(method: Method, path: string, body?: unknown, accept?: string): Promise<string>
  /** Tells the text of what a watch brings; resolves once it is open. */
  watch(path: string, onText: (text: string) => void): Promise<Disposable>
}

const namespace = 'bench'
const collection = `/api/v1/namespaces/${namespace}/configmaps`
const podCollection = `/api/v1/namespaces/${namespace}/pods`
const asTable = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
const asProtobuf = 'application/vnd.kubernetes.protobuf'

async function startEmbedded({ folder, cleanup, say }: Context): Promise<Api> {
  say('an embedded API server over HTTPS')
  const kubeconfig = join(folder, 'kubeconfig')
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../sandbox/embedded/cli.ts'), '--kubeconfig', kubeconfig, '--dir', join(folder, 'cluster')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  cleanup.defer(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  })
  await once(createInterface({ input: child.stdout }), 'line')
  return cleanup.use(HttpApi.open(await readFile(kubeconfig, 'utf8')))
}

async function startReal({ cleanup, say }: Context): Promise<Api> {
  say('a real API server')
  const oracle = cleanup.use(await startOracle())
  return cleanup.use(HttpApi.open(oracle.kubeconfig))
}

async function startInProcess({ folder, cleanup }: Context): Promise<Api> {
  const cluster = cleanup.use(await Cluster.open({ nodes: 1, dir: join(folder, 'inside') }))
  return {
    async ask(method, path, body) {
      const patch = path.includes('fieldManager=') ? 'application/apply-patch+yaml' : 'application/strategic-merge-patch+json'
      const contentType = method === 'PATCH' ? patch : 'application/json'
      const answer = await cluster.request({ method, path, contentType, ...(body === undefined ? {} : { body }) })
      if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
      return JSON.stringify(answer.body)
    },
    async watch(_path, onText) {
      const end = new AbortController()
      const selector = { group: '', version: 'v1', resource: 'configmaps', namespace }
      // never resolves while it goes on; what exists is told first
      cluster.watch(selector, ({ object }) => onText(JSON.stringify(object)), end.signal).catch(() => undefined)
      return { [Symbol.dispose]: () => end.abort() }
    },
  }
}

/** A namespace with the account that its Pods run as: both servers' controllers may be later than the first Pod. */
async function prepare(...servers: Api[]): Promise<void> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
  for (const api of servers) {
    await api.ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
    await api.ask('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, account).catch(() => undefined)
    for (let index = 0; index < 100; index++) await api.ask('POST', collection, configMap(`warm-${index}`))
    for (let index = 0; index < 100; index++) await api.ask('DELETE', `${collection}/warm-${index}`)
  }
}

/** ms of the same work on both, taken in turns, so that both meet the same other work of the machine. */
async function inTurns(
  rounds: number,
  [ours, theirs]: readonly [Api, Api],
  work: (api: Api, round: number) => Promise<unknown>,
): Promise<{ ours: number[]; theirs: number[] }> {
  const samples = { ours: [] as number[], theirs: [] as number[] }
  const take = async (api: Api, round: number, into: number[]) => {
    const began = performance.now()
    await work(api, round)
    into.push(performance.now() - began)
  }
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) await take(ours, round, samples.ours)
    await take(theirs, round, samples.theirs)
    if (round % 2 === 1) await take(ours, round, samples.ours)
  }
  return samples
}

async function single(ours: Api, theirs: Api, what: string): Promise<Row[]> {
  const work: Record<string, (api: Api, round: number) => Promise<unknown>> = {
    create: (api, round) => api.ask('POST', collection, configMap(`some-${round}`)),
    get: (api, round) => api.ask('GET', `${collection}/some-${round % listed}`),
    'strategic merge patch': (api, round) => api.ask('PATCH', `${collection}/some-${round % listed}`, { data: { turn: String(round) } }),
    'server-side apply': (api, round) => {
      const map = { ...configMap(`some-${round % listed}`), data: { applied: String(round) } }
      return api.ask('PATCH', `${collection}/some-${round % listed}?fieldManager=bench&force=true`, map)
    },
    delete: (api, round) => api.ask('DELETE', `${collection}/some-${round}`),
  }
  const rows: Row[] = []
  for (const [name, one] of Object.entries(work)) {
    const samples = await inTurns(times, [ours, theirs], one)
    rows.push(...percentileRows(name, 'ms', samples.ours, { what, samples: samples.theirs }))
  }
  return rows
}

/** Pods that no scheduler takes, so that both servers have nothing else to do with them. */
async function many(ours: Api, theirs: Api, what: string): Promise<Row[]> {
  const made = { ours: [] as number[], theirs: [] as number[] }
  // by turns of a thousand
  for (let first = 0; first < pods; first += 1_000) {
    made.ours.push(await fill(ours, first, 1_000))
    made.theirs.push(await fill(theirs, first, 1_000))
  }
  const lists: Record<string, (api: Api) => Promise<unknown>> = {
    [`list of ${pods} Pods`]: (api) => api.ask('GET', podCollection),
    'the same as a Table': (api) => api.ask('GET', podCollection, undefined, asTable),
    'the same in protobuf': (api) => api.ask('GET', podCollection, undefined, asProtobuf),
    [`the same in pages of ${page}`]: async (api) => {
      let token = ''
      do {
        const text = await api.ask('GET', `${podCollection}?limit=${page}&continue=${token}`)
        // the list's own metadata comes before its items
        token = encodeURIComponent(/"continue":"([^"]*)"/.exec(text.slice(0, 2_000))?.[1] ?? '')
      } while (token)
    },
  }
  const rows = percentileRows(`create of 1,000 Pods, ${writers} at a time`, 'ms', made.ours, { what, samples: made.theirs }).slice(0, 1)
  for (const [name, list] of Object.entries(lists)) {
    await inTurns(2, [ours, theirs], list)
    const samples = await inTurns(12, [ours, theirs], list)
    rows.push(...percentileRows(name, 'ms', samples.ours, { what, samples: samples.theirs }))
  }
  return rows
}

async function fill(api: Api, first: number, count: number): Promise<number> {
  let next = first
  const began = performance.now()
  const writer = async () => {
    while (next < first + count) await api.ask('POST', podCollection, pod(`pod-${next++}`))
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return performance.now() - began
}

/** ms from sending a change to the last of the watchers having been told of it. */
async function fanOut(ours: Api, theirs: Api, what: string): Promise<Row[]> {
  using open = new DisposableStack()
  const told = new Map<Api, (wanted: string) => Promise<void>>()
  for (const api of [ours, theirs]) {
    let wanted = ''
    const missing = new Set<number>()
    let allTold = () => {}
    await Promise.all(
      Array.from({ length: watchers }, async (_, index) => {
        const watch = await api.watch(`${collection}?watch=true`, (text) => {
          if (text.includes(wanted) && missing.delete(index) && missing.size === 0) allTold()
        })
        open.use(watch)
      }),
    )
    told.set(api, (name) => {
      wanted = `"name":"${name}"`
      for (let index = 0; index < watchers; index++) missing.add(index)
      return new Promise((resolve) => {
        allTold = resolve
      })
    })
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const change = (name: string) => async (api: Api, round: number) => {
    const all = told.get(api)?.(`${name}-${round}`)
    await Promise.all([api.ask('POST', collection, configMap(`${name}-${round}`)), all])
  }
  await inTurns(50, [ours, theirs], change('first'))
  const samples = await inTurns(changes, [ours, theirs], change('fan'))
  return percentileRows(`change to the last of ${watchers} watchers`, 'ms', samples.ours, { what, samples: samples.theirs })
}

function pod(name: string) {
  const container = { name: 'main', image: 'nginx:1.27', env: [{ name: 'A', value: 'b' }], resources: { requests: { cpu: '10m' } } }
  const metadata = { name, labels: { app: 'bench' } }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { schedulerName: 'nobody', containers: [container] } }
}

function configMap(name: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { app: 'bench' } }, data: { text: 'x'.repeat(500) } }
}
