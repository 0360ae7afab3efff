import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareTools, type Tools } from '../../terminal/tools.ts'
import { ClusterIdentity } from '../auth/certificates.ts'
import { ClusterClock } from '../clock.ts'
import { create, type EmbeddedCluster, type StandIn, type StandInContainer, standInProcess } from '../index.ts'
import { Store } from '../machinery/store.ts'

const run = promisify(execFile)
const cache = join(import.meta.dirname, '../../../.cache')
const helms = [
  { major: '3', minor: '1.31' },
  { major: '4', minor: '1.35' },
]

interface Chart {
  name: string
  /** The Go module that carries it, and where. */
  module: string
  folder: string
  /** Further arguments of every install and upgrade. */
  set: string[]
  /** What an upgrade changes. */
  change: string
  /** Asked after the upgrade and after the rollback: jsonpath of an object. */
  seen: { object: string; path: string; before: string; after: string }
  /** What is left when it is gone, of what has its name. */
  leaves?: RegExp
}

const kinds =
  'deployment,daemonset,service,job,configmap,secret,serviceaccount,role,rolebinding,pdb,networkpolicy,clusterrole,clusterrolebinding,validatingwebhookconfiguration,mutatingwebhookconfiguration,customresourcedefinition'

/** Without the seconds that a real program takes before it is worth asking. */
const soon = (probe: string) => `${probe}.initialDelaySeconds=0,${probe}.periodSeconds=1`

const charts: Chart[] = [
  {
    name: 'cert-manager',
    module: 'github.com/cert-manager/cert-manager@v1.21.2',
    folder: 'deploy/charts/cert-manager',
    set: ['crds.enabled=true,crds.keep=false', soon('webhook.readinessProbe')],
    change: 'webhook.replicaCount=2',
    seen: { object: 'deployment/cert-manager-webhook', path: '{.status.readyReplicas}', before: '1', after: '2' },
  },
  {
    name: 'gatekeeper',
    module: 'github.com/open-policy-agent/gatekeeper/v3@v3.23.1',
    folder: 'charts/gatekeeper',
    set: ['postInstall.probeWebhook.enabled=false,replicas=1'],
    change: 'auditInterval=30',
    seen: {
      object: 'deployment/gatekeeper-audit',
      path: '{.spec.template.spec.containers[0].args[0]}',
      before: '--audit-interval=60',
      after: '--audit-interval=30',
    },
    // helm leaves what a chart has in its crds folder
    leaves: /^customresourcedefinition\..*\.gatekeeper\.sh$/,
  },
  {
    name: 'ingress-nginx',
    module: 'k8s.io/ingress-nginx@v0.0.0-20240708192948-52c50467d67d',
    folder: 'charts/ingress-nginx',
    set: ['controller.service.type=NodePort', soon('controller.readinessProbe')],
    change: 'controller.config.hsts=false',
    seen: { object: 'configmap/ingress-nginx-controller', path: '{.data.hsts}', before: '', after: 'false' },
    // made by a hook's Job
    leaves: /^secret\/ingress-nginx-admission$/,
  },
  {
    name: 'metallb',
    module: 'go.universe.tf/metallb@v0.16.2',
    folder: 'charts/metallb',
    set: [
      'frrk8s.enabled=false,speaker.frr.enabled=false,speaker.memberlist.enabled=false',
      soon('controller.readinessProbe'),
      soon('speaker.readinessProbe'),
    ],
    change: 'speaker.logLevel=debug',
    seen: { object: 'daemonset/metallb-speaker', path: '{.status.updatedNumberScheduled}', before: '2', after: '2' },
  },
  {
    name: 'metrics-server',
    module: 'sigs.k8s.io/metrics-server@v0.9.0',
    folder: 'charts/metrics-server',
    set: ['apiService.create=false', soon('readinessProbe')],
    change: 'replicas=2',
    seen: { object: 'deployment/metrics-server', path: '{.status.readyReplicas}', before: '1', after: '2' },
  },
]
const fetched = await fetchCharts()

/** Charts of the wide world: their images are stood in for, what helm and the cluster make of them is as it is. */
const skipped = fetched.missing ? ` (skipped: ${fetched.missing})` : ''
describe.skipIf(fetched.missing).each(helms)(`real charts with helm $major${skipped}`, ({ minor }) => {
  let cluster: EmbeddedCluster
  let folder: string
  let kubeconfig: string
  let plain: Server
  let secure: Server
  let tools: Tools

  /** A server whose probes are well, until it is told to end. */
  const serving =
    (http: number[], https: number[] = []): StandIn =>
    async (container) => {
      for (const port of http) container.forward(port, portOf(plain))
      for (const port of https) container.forward(port, portOf(secure))
      container.print('ready\n')
      return await new Promise((resolve) => {
        container.onSignal(() => resolve(0))
        container.killed.addEventListener('abort', () => resolve(137))
      })
    }
  const kubectl = (container: StandInContainer, ...args: string[]) => standInProcess(container, tools.kubectl, args, { HOME: folder })
  const option = ({ args }: StandInContainer, name: string) =>
    args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? ''
  /** What ingress-nginx makes its webhook's certificate with, by kubectl as its ServiceAccount may. */
  const certgen: StandIn = (container) => {
    const script = (text: string, ...args: string[]) =>
      standInProcess(container, 'sh', ['-euc', text, tools.kubectl, ...args], { HOME: folder })
    if (container.args[0] === 'create') {
      const keys = ['ca', 'cert', 'key'].map((key) => `--from-literal=${key}=${key}`).join(' ')
      return script(`"$0" get secret "$1" || "$0" create secret generic "$1" ${keys}`, option(container, 'secret-name'))
    }
    // its RBAC lets it update webhooks, not patch them
    const replace = `"$0" get validatingwebhookconfiguration "$1" -o json | sed 's/"failurePolicy": "[A-Za-z]*"/"failurePolicy": "'$2'"/' | "$0" replace -f -`
    return script(replace, option(container, 'webhook-name'), option(container, 'patch-failure-policy'))
  }
  const standIns: Record<string, StandIn> = {
    '*/cert-manager-startupapicheck:*': (container) => kubectl(container, 'auth', 'can-i', 'create', 'certificaterequests.cert-manager.io'),
    '*/cert-manager-*': serving([6080, 9402, 9403], [10250]),
    // its hooks apply the definitions it has in its image, label and delete: by kubectl
    '*/gatekeeper-crds:*': (container) =>
      kubectl(container, ...container.args.map((arg) => (arg === 'crds/' ? join(fetched.folders.get('gatekeeper') ?? '', 'crds') : arg))),
    '*/gatekeeper:*': serving([9090], [8443]),
    '*/kube-webhook-certgen:*': certgen,
    '*/ingress-nginx/controller:*': serving([80, 10254], [443, 8443]),
    'quay.io/metallb/*': serving([7472, 17472], [9443]),
    '*/metrics-server/*': serving([], [10250]),
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'charts-'))
    tools = await prepareTools(cache, minor)
    plain = createServer((_, response) => void response.end('ok'))
    secure = createTlsServer(selfSigned(), (_, response) => void response.end('ok'))
    for (const server of [plain, secure]) await once(server.listen(0, '127.0.0.1'), 'listening')
    cluster = await create({ nodes: 2, standIns })
    kubeconfig = join(folder, 'kubeconfig')
    await writeFile(kubeconfig, cluster.kubeconfig())
    // before gatekeeper has a say in it
    for (const { name } of charts) await cluster.request({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name } } })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    for (const server of [plain, secure]) server.close()
    await rm(folder, { recursive: true, force: true })
  })

  // beside each other: most of the time they wait
  test.concurrent.for(charts)('$name is installed, upgraded, tested, rolled back and uninstalled', { timeout: 300_000 }, async (chart) => {
    const { name, seen } = chart
    const namespace = name
    const env = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: kubeconfig } as unknown as NodeJS.ProcessEnv
    const call = async (program: 'kubectl' | 'helm', ...args: string[]) => {
      const { stdout } = await run(tools[program], ['--namespace', namespace, ...args], { env, timeout: 240_000, maxBuffer: 2 ** 26 })
      return stdout
    }
    const helm = (...args: string[]) => call('helm', ...args)
    const value = () => call('kubectl', 'get', seen.object, '-o', `jsonpath=${seen.path}`)
    const source = fetched.folders.get(name) ?? ''
    const wait = ['--wait', '--timeout', '200s']
    const set = chart.set.flatMap((each) => ['--set', each])

    await helm('install', name, source, ...set, ...wait)
    expect(await value()).toBe(seen.before)
    await helm('upgrade', name, source, ...set, '--set', chart.change, ...wait)
    expect(await value()).toBe(seen.after)
    await helm('test', name)
    await helm('rollback', name, '1', ...wait)
    expect(await value()).toBe(seen.before)
    const history = JSON.parse(await helm('history', name, '-o', 'json')) as { status: string; description: string }[]
    expect(history.map(({ status }) => status)).toEqual(['superseded', 'superseded', 'deployed'])
    await helm('uninstall', name, ...wait)
    const left = (await call('kubectl', 'get', kinds, '-o', 'name')).split('\n').filter((each) => each.includes(name))
    expect(left.filter((each) => !chart.leaves?.test(each))).toEqual([])
    expect(left.length > 0).toBe(chart.leaves !== undefined)
  })
})

function portOf(server: Server): number {
  return (server.address() as { port: number }).port
}

/** Probes by HTTPS ask nobody who made the certificate. */
function selfSigned(): { cert: string; key: string } {
  using clock = new ClusterClock()
  const { certificate, key } = new ClusterIdentity(new Store(clock, () => {}).records, clock).server()
  return { cert: certificate, key }
}

/** The charts' folders in Go's module cache; or why they cannot be had. */
async function fetchCharts(): Promise<{ folders: Map<string, string>; missing?: string }> {
  const folders = new Map<string, string>()
  try {
    const modules = charts.map(({ module }) => module)
    const { stdout } = await run('go', ['mod', 'download', '-json', ...modules], { cwd: tmpdir(), timeout: 300_000, maxBuffer: 2 ** 24 })
    const found = JSON.parse(`[${stdout.replaceAll(/^}\n(?={)/gm, '},')}]`) as { Path: string; Version: string; Dir: string }[]
    for (const { name, module, folder } of charts) {
      const dir = found.find(({ Path, Version }) => module === `${Path}@${Version}`)?.Dir
      if (dir) folders.set(name, join(dir, folder))
    }
    return { folders }
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    return { folders, missing: `Go modules cannot be had: ${(stderr || message).trim().split('\n').at(-1)}` }
  }
}
