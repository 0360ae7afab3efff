import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Cluster } from '../sandbox/embedded/cluster.ts'
import { HttpApi } from './api-client.ts'
import { openBare, typeKeys } from './echo.bench.ts'
import { labName, specOf, startEngine } from './engine.ts'
import { type Benchmark, type Context, percentile, percentileRows, type Row, sample } from './harness.ts'
import { bareNodeMB, cpuSeconds, residentMB } from './processes.ts'
import { startProduct, type TerminalClient } from './product.ts'

const nodes = 100
const replicas = 1_000
const deployments = 5
const stormPods = 50
const stormContainers = 10
const clusters = 200
const hour = 3_600_000
/** ms after which what Pods, Events and lists left to be tidied up is done */
const settling = 30_000

export const benchmark: Benchmark = {
  name: 'cluster',
  about: 'embedded clusters at their limits: many nodes and Pods, a restart storm, virtual time, many clusters',
  run: async (context) => [...(await large(context)), ...(await storm(context)), ...(await virtualTime(context)), ...(await many(context))],
}

/** One cluster of 100 nodes and 5,000 Pods, over HTTPS. */
async function large({ folder, say }: Context): Promise<Row[]> {
  say(`${nodes} nodes`)
  await using mine = new AsyncDisposableStack()
  const { api, pid } = await startCluster(join(folder, 'large'), mine)
  await until(async () => (await podsOf(api, '/api/v1/pods')).every(isReady), 180_000)
  const calm = await sample(200, () => api.ask('GET', readyz).then(() => undefined))
  const restBefore = await busy([pid])

  const one = await deploy(api, 'one', 1)
  const alone = await sample(20, () => api.ask('GET', podsIn('one')).then(() => undefined))
  say(`${replicas} replicas`)
  const asked: number[] = []
  const stop = new AbortController()
  const asking = askAllTheTime(api, asked, stop.signal)
  const spent = await cpuSeconds([pid])
  const thousand = await deploy(api, 'many-1', replicas)
  const cpu = (await cpuSeconds([pid])) - spent
  stop.abort()
  await asking
  say(`${deployments * replicas} Pods`)
  for (let index = 2; index <= deployments; index++) await deploy(api, `many-${index}`, replicas)
  const lists = await sample(10, () => api.ask('GET', '/api/v1/pods').then(() => undefined))
  const count = (await podsOf(api, '/api/v1/pods')).length
  await pass(settling)
  const rest = await busy([pid])
  const oneReplica = { what: 'one replica', value: one }
  return [
    { what: `${replicas} replicas Ready on ${nodes} nodes`, unit: 'ms', value: thousand, baseline: oneReplica, goal: 10_000, n: 1 },
    { what: 'the same in CPU time of the cluster', unit: 'ms', value: cpu * 1_000, baseline: oneReplica, n: 1 },
    ...percentileRows('API answer while they start', 'ms', asked, { what: 'before', samples: calm }),
    ...percentileRows(`list of all ${count} Pods`, 'ms', lists, { what: 'list of one', samples: alone }, 1_000),
    {
      what: `CPU of ${nodes} nodes and ${count} Pods at rest, of one CPU`,
      unit: '%',
      value: rest,
      baseline: { what: 'without the Pods', value: restBefore },
      n: 1,
    },
  ]
}

/** What a storm of restarts in somebody's cluster leaves of the time from a key to its echo. */
async function storm({ folder, cleanup, say }: Context): Promise<Row[]> {
  say('the terminal of the product')
  await using mine = new AsyncDisposableStack()
  const bare = await typeKeys(openBare('bash', ['--norc', '--noprofile'], cleanup), 300)
  const product = mine.use(await startProduct(folder))
  const guest = await product.guest()
  const { attempt } = await guest.startReady({ lab: labName })
  const terminal = mine.use(await guest.attach(attempt, await guest.openTerminal(attempt)))
  await terminal.until((text) => text.includes('$ '), 60_000)
  const keys = (times: number) =>
    typeKeys(
      { type: (data) => terminal.type(data), until: (wanted) => terminal.until(wanted), reset: () => void (terminal.text = '') },
      times,
    )
  const calm = await keys(300)
  say(`${stormPods * stormContainers} containers that crash`)
  await run(terminal, `echo ${Buffer.from(JSON.stringify(crashing())).toString('base64')} | base64 -d | kubectl apply -f - > /dev/null`)
  const stormy = await keys(1_000)
  const counted = `kubectl get pods -l app=storm -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}'`
  const restarts = Number(
    /restarts=(\d+)/.exec(await run(terminal, `n=0; for r in $(${counted}); do n=$((n+r)); done; echo restarts=$n`))?.[1],
  )
  // Figures of a storm that was none would say nothing.
  if (!(restarts >= stormPods * stormContainers)) throw new Error(`There were ${restarts} restarts`)
  const during = `key to echo among ${restarts} restarts`
  return [
    {
      what: `${during}, p99`,
      unit: 'ms',
      value: percentile(stormy, 0.99),
      baseline: { what: 'without them', value: percentile(calm, 0.99) },
      goal: 50,
      n: stormy.length,
    },
    ...percentileRows(during, 'ms', stormy, { what: 'bash on a bare pty', samples: bare }).slice(0, 1),
  ]
}

/** An hour of three nodes and twenty Pods with probes, as fast as it goes. */
async function virtualTime({ say }: Context): Promise<Row[]> {
  say('an hour of virtual time')
  const start = Date.parse('2030-01-01T00:00:00Z')
  const passes = async (pods: number) => {
    await using cluster = await Cluster.open({ nodes: 3, clock: { start, rate: 0 } })
    await cluster.advance(30_000)
    const probe = { httpGet: { path: '/', port: 80 } }
    const container = { name: 'main', image: 'nginx:1.27', readinessProbe: probe, livenessProbe: probe }
    const body = deployment('web', pods, container)
    const answer = await cluster.request({ method: 'POST', path: '/apis/apps/v1/namespaces/default/deployments', body })
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body))
    await cluster.advance(60_000)
    const { body: list } = await cluster.request({ method: 'GET', path: '/api/v1/namespaces/default/pods' })
    const ready = (list as { items: Pod[] }).items.filter(isReady).length
    if (ready !== pods) throw new Error(`${ready} of ${pods} Pods are ready`)
    const began = performance.now()
    await cluster.advance(hour)
    return performance.now() - began
  }
  const empty = await passes(0)
  const value = await passes(20)
  const baseline = { what: 'without the Pods', value: empty }
  return [{ what: 'an hour of 3 nodes and 20 probed Pods', unit: 'ms', value, baseline, goal: hour / 1_000, n: 1 }]
}

/** As many live clusters with the lab's Pods as the engine's processes hold. */
async function many(context: Context): Promise<Row[]> {
  const { say } = context
  await using mine = new AsyncDisposableStack()
  const { engine, lab } = await startEngine({ ...context, cleanup: mine })
  const made = [await engine.create(specOf('live-0', lab), () => undefined)]
  await pass(20_000)
  const path = '/api/v1/namespaces/default/pods'
  const ask = async (index: number) => {
    const answer = await made[index % made.length]?.api({ method: 'GET', path })
    if (answer?.status !== 200) throw new Error(JSON.stringify(answer?.body))
  }
  await sample(100, ask)
  const alone = await sample(400, ask)
  const before = { memory: await residentMB(engine.pids()), cpu: await busy(engine.pids()) }
  say(`${clusters} live clusters`)
  while (made.length < clusters) {
    const batch = Array.from({ length: Math.min(8, clusters - made.length) }, (_, index) => specOf(`live-${made.length + index}`, lab))
    made.push(...(await Promise.all(batch.map((spec) => engine.create(spec, () => undefined)))))
  }
  // their Pods boot for 15 s
  await pass(20_000)
  const among = await sample(1_000, ask)
  const after = { memory: await residentMB(engine.pids()), cpu: await busy(engine.pids()) }
  const bare = { what: 'an empty Node process', value: await bareNodeMB() }
  return [
    {
      what: `one of ${clusters} live clusters, resident`,
      unit: 'MB',
      value: (after.memory - before.memory) / (clusters - 1),
      baseline: bare,
      goal: 15,
      n: clusters,
    },
    {
      what: `CPU of ${clusters} live clusters, of one CPU`,
      unit: '%',
      value: after.cpu,
      baseline: { what: 'one alone', value: before.cpu },
      goal: 200,
      n: 1,
    },
    ...percentileRows(`API answer among ${clusters} clusters`, 'ms', among, { what: 'one alone', samples: alone }),
  ]
}

const readyz = '/api/v1/namespaces/default'

interface Pod {
  status?: { conditions?: { type: string; status: string }[] }
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

async function startCluster(folder: string, cleanup: AsyncDisposableStack): Promise<{ api: HttpApi; pid: number }> {
  const kubeconfig = `${folder}.kubeconfig`
  const cli = join(import.meta.dirname, '../sandbox/embedded/cli.ts')
  const child = spawn(process.execPath, [cli, '--nodes', String(nodes), '--kubeconfig', kubeconfig, '--dir', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanup.defer(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  })
  await once(createInterface({ input: child.stdout }), 'line')
  return { api: cleanup.use(HttpApi.open(await readFile(kubeconfig, 'utf8'))), pid: child.pid as number }
}

async function podsOf(api: HttpApi, path: string): Promise<Pod[]> {
  return (JSON.parse(await api.ask('GET', path)) as { items: Pod[] }).items
}

function podsIn(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/pods`
}

/** ms until a Deployment in a namespace of its own is Ready. */
async function deploy(api: HttpApi, name: string, count: number): Promise<number> {
  await api.ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  const path = `/apis/apps/v1/namespaces/${name}/deployments`
  const requests = { cpu: '10m', memory: '16Mi' }
  const began = performance.now()
  await api.ask('POST', path, deployment(name, count, { name: 'main', image: 'nginx:1.27', resources: { requests } }))
  await until(async () => {
    const { status } = JSON.parse(await api.ask('GET', `${path}/${name}`)) as { status?: { readyReplicas?: number } }
    return status?.readyReplicas === count
  }, 180_000)
  return performance.now() - began
}

function deployment(name: string, count: number, container: object) {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [container] } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas: count, selector: { matchLabels: labels }, template },
  }
}

function crashing() {
  const containers = Array.from({ length: stormContainers }, (_, index) => ({
    name: `c${index}`,
    image: 'busybox:1.36',
    command: ['sh', '-c', 'echo up; exit 1'],
  }))
  const labels = { app: 'storm' }
  const template = { metadata: { labels }, spec: { containers } }
  const spec = { replicas: stormPods, selector: { matchLabels: labels }, template }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'storm' }, spec }
}

async function askAllTheTime(api: HttpApi, samples: number[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const began = performance.now()
    await api.ask('GET', readyz)
    samples.push(performance.now() - began)
    await pass(10)
  }
}

let runs = 0

/** Runs a command in the terminal; resolves with what was shown until it had ended. */
async function run(terminal: TerminalClient, command: string): Promise<string> {
  const mark = `ended-${++runs}`
  terminal.text = ''
  // an empty line first; the quotes keep the command's own echo from being taken for its end
  terminal.type(`\x15${command}; echo "ended-"${runs}\r`)
  await terminal.until((text) => text.includes(mark), 60_000)
  return terminal.text
}

/** Percent of one CPU that processes use while nobody asks them anything. */
async function busy(pids: readonly number[]): Promise<number> {
  const watched = 10_000
  const before = await cpuSeconds(pids)
  await pass(watched)
  return (((await cpuSeconds(pids)) - before) / (watched / 1000)) * 100
}

async function until(holds: () => Promise<boolean>, patience: number): Promise<void> {
  const end = performance.now() + patience
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('It took too long')
    await pass(50)
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
