import { ApiError } from '../machinery/errors.ts'
import type { NodeApi } from '../machinery/node-api.ts'
import type { HttpRequest, HttpResponse } from '../network/network.ts'
import type { NodeUse } from '../node/host.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { type ContainerUsage, cadvisorMetrics, kubeletMetrics, resourceMetrics, startOf, summary } from './figures.ts'
import { type ProbeCounts, type ProbeLabels, probeMetrics } from './probe-metrics.ts'

export interface NodeFigures {
  node: Node
  pods: { pod: Pod; containers: ContainerUsage[]; probes: { labels: ProbeLabels; counts: ProbeCounts }[] }[]
  /** The whole node, its system's own programs included. */
  total: { memoryBytes: number; cpuNanoCores: number }
  use: NodeUse
  /** Cluster ms. */
  now: number
}

/**
 * A kubelet's own HTTP endpoints, as far as they can be read: what `kubectl get --raw /api/v1/nodes/NAME/proxy/...` shows.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/
 */
export async function serveKubelet(
  figures: NodeFigures,
  logs: NodeApi['logs'],
  request: HttpRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const url = new URL(request.path, 'http://kubelet')
  const path = url.pathname.replace(/\/+$/, '') || '/'
  if (!['GET', 'HEAD', 'POST'].includes(request.method)) return text(405, 'Method Not Allowed\n')
  switch (path) {
    case '/healthz':
    case '/healthz/ping':
    case '/healthz/syncloop':
      return text(200, 'ok')
    case '/pods':
      return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: figures.pods.map(({ pod }) => pod) })
    case '/runningpods':
      return json(runningPods(figures))
    case '/stats/summary':
      return text(200, JSON.stringify(summary(figures), undefined, 1), 'application/json')
    case '/metrics':
      return metrics(kubeletMetrics(figures))
    case '/metrics/resource':
      return metrics(resourceMetrics(figures))
    case '/metrics/cadvisor':
      return metrics(cadvisorMetrics(figures))
    case '/metrics/probes':
      return metrics(
        probeMetrics(
          figures.pods.flatMap(({ probes }) => probes),
          startOf(figures),
        ),
      )
    case '/configz':
      return json({ kubeletconfig: configuration })
    case '/logs':
      return logFolder(figures)
  }
  const [, kind, namespace = '', pod = '', container = ''] = path.split('/')
  if (kind === 'containerLogs') return await containerLogs(logs, namespace, pod, container, url.searchParams, signal)
  return text(404, '404 page not found\n')
}

/** What this cluster's kubelets would read from /var/lib/kubelet/config.yaml. */
const configuration = {
  kind: 'KubeletConfiguration',
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  staticPodPath: '/etc/kubernetes/manifests',
  syncFrequency: '1m0s',
  fileCheckFrequency: '20s',
  httpCheckFrequency: '20s',
  address: '0.0.0.0',
  port: 10250,
  authentication: {
    x509: { clientCAFile: '/etc/kubernetes/pki/ca.crt' },
    webhook: { enabled: true, cacheTTL: '2m0s' },
    anonymous: { enabled: false },
  },
  authorization: { mode: 'Webhook', webhook: { cacheAuthorizedTTL: '5m0s', cacheUnauthorizedTTL: '30s' } },
  healthzPort: 10248,
  healthzBindAddress: '127.0.0.1',
  clusterDomain: 'cluster.local',
  clusterDNS: ['10.96.0.10'],
  nodeStatusUpdateFrequency: '10s',
  nodeStatusReportFrequency: '5m0s',
  nodeLeaseDurationSeconds: 40,
  imageGCHighThresholdPercent: 100,
  imageGCLowThresholdPercent: 80,
  cgroupsPerQOS: true,
  cgroupDriver: 'systemd',
  cpuManagerPolicy: 'none',
  memoryManagerPolicy: 'None',
  topologyManagerPolicy: 'none',
  maxPods: 110,
  podPidsLimit: -1,
  resolvConf: '/etc/resolv.conf',
  cpuCFSQuota: true,
  cpuCFSQuotaPeriod: '100ms',
  evictionHard: { 'imagefs.available': '0%', 'nodefs.available': '0%', 'nodefs.inodesFree': '0%' },
  evictionPressureTransitionPeriod: '5m0s',
  failSwapOn: false,
  containerLogMaxSize: '10Mi',
  containerLogMaxFiles: 5,
  rotateCertificates: true,
  serializeImagePulls: true,
  volumePluginDir: '/usr/libexec/kubernetes/kubelet-plugins/volume/exec/',
  enforceNodeAllocatable: ['pods'],
  containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
}

function runningPods({ pods }: NodeFigures): unknown {
  const items = pods.flatMap(({ pod, containers }) => {
    if (containers.length === 0) return []
    const { name, namespace, uid } = pod.metadata
    const images = containers.map((each) => ({
      name: each.name,
      image: pod.spec?.containers.find((one) => one.name === each.name)?.image ?? '',
    }))
    return [{ metadata: { name, namespace, uid }, spec: { containers: images }, status: {} }]
  })
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items }
}

/** /var/log of the node, as a file server lists it. */
function logFolder({ pods }: NodeFigures): HttpResponse {
  const names = pods.length > 0 ? ['containers/', 'pods/'] : ['containers/']
  return text(
    200,
    `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${names.map((name) => `<a href="${name}">${name}</a>\n`).join('')}</pre>\n`,
    'text/html; charset=utf-8',
  )
}

async function containerLogs(
  logs: NodeApi['logs'],
  namespace: string,
  pod: string,
  container: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const tail = query.get('tailLines')
  const wanted = { container, previous: query.get('previous') === 'true', timestamps: query.get('timestamps') === 'true' }
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of await logs(namespace, pod, { ...wanted, ...(tail ? { tailLines: Number(tail) } : {}) }, signal))
      chunks.push(chunk)
    return { status: 200, headers: { 'Content-Type': 'text/plain' }, body: Buffer.concat(chunks) }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return text(error.code, `${error.message}\n`)
  }
}

function text(status: number, body: string, type = 'text/plain; charset=utf-8'): HttpResponse {
  return { status, headers: { 'Content-Type': type }, body: Buffer.from(body) }
}

function json(document: unknown): HttpResponse {
  return { status: 200, headers: { 'Content-Type': 'application/json' }, body: Buffer.from(JSON.stringify(document)) }
}

function metrics(body: string): HttpResponse {
  return text(200, body, 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores')
}
