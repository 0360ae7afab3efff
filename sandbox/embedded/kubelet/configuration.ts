import { YAMLParseError } from 'yaml'
import type { Volume } from '../containers/runtime.ts'
import { ServiceFailure } from '../node/systemd.ts'
import { parseQuantity } from '../schema/quantity.ts'
import { durationMs, parseThresholds, wholeOf } from './eviction-thresholds.ts'
import { readYaml } from './node-yaml.ts'

/** What a kubelet takes from its configuration file. */
export interface KubeletConfiguration {
  staticPodPath: string
  /** Signal to threshold, as written: nodefs.available: 10%. */
  evictionHard: Record<string, string>
  evictionSoft: Record<string, string>
  /** Signal to duration: how long a soft threshold must be met. */
  evictionSoftGracePeriod: Record<string, string>
  /** Signal to quantity: what must be won back beyond the threshold. */
  evictionMinimumReclaim: Record<string, string>
  /** Seconds that a Pod has at most which a soft threshold ends. */
  evictionMaxPodGracePeriod: number
  evictionPressureTransitionPeriod: string
  imageGCHighThresholdPercent: number
  imageGCLowThresholdPercent: number
  /** ms. */
  imageMinimumGCAge: number
  /** One process that takes more memory than there is does not end those beside it. */
  singleProcessOOMKill: boolean
  /** Bytes of a container's log above which it is put aside; none is where it is negative. */
  containerLogMaxSize: number
  /** Of one container, the one that is written to among them. */
  containerLogMaxFiles: number
  /** ms. */
  containerLogMonitorInterval: number
  serializeImagePulls: boolean
  /** No limit where it is undefined and pulls are not serialized. */
  maxParallelImagePulls?: number
  /** Pulls a second; 0 is no limit. */
  registryPullQPS: number
  registryBurst: number
  verbosity: number
}

export const configurationFile = 'var/lib/kubelet/config.yaml'

/** pkg/kubelet/apis/config/v1beta1/defaults.go */
const defaultEvictionHard = {
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
}

/** Reads what a kubelet is started with. Throws ServiceFailure in the kubelet's words where it cannot run with that. */
export function readConfiguration(files: Volume, failed: (err: string) => string): KubeletConfiguration {
  const fail = (err: string) => new ServiceFailure(failed(err))
  const text = Buffer.from(files.read(configurationFile) ?? []).toString()
  const where = `failed to load kubelet config file, path: /${configurationFile}, error: failed to load Kubelet config file /${configurationFile}`
  let given: Record<string, unknown>
  try {
    given = readYaml(text) as Record<string, unknown>
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error
    throw fail(`${where}, error failed to decode: yaml: line ${error.linePos?.[0].line ?? 1}: ${error.message.split('\n')[0]}`)
  }
  if (typeof given !== 'object' || given === null || given['kind'] !== 'KubeletConfiguration') {
    const kind = typeof given === 'object' && given !== null ? given['kind'] : undefined
    const why =
      kind === undefined
        ? "Object 'Kind' is missing"
        : `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(given['apiVersion'])}`
    throw fail(`${where}, error failed to decode: ${why}`)
  }
  const authentication = given['authentication'] as { x509?: { clientCAFile?: string } } | undefined
  const clientCA = authentication?.x509?.clientCAFile
  if (clientCA && files.kindOf(relative(clientCA)) !== 'file') {
    throw fail(
      `failed to construct kubelet dependencies: unable to load client CA file ${clientCA}: open ${clientCA}: no such file or directory`,
    )
  }
  if (files.kindOf('etc/kubernetes/kubelet.conf') !== 'file') {
    const bootstrap = '/etc/kubernetes/bootstrap-kubelet.conf'
    throw fail(`failed to run Kubelet: unable to load bootstrap kubeconfig: stat ${bootstrap}: no such file or directory`)
  }
  const pulls = pullLimits(given)
  const logs = {
    containerLogMaxSize: (given['containerLogMaxSize'] as string | number | undefined) ?? '10Mi',
    containerLogMaxFiles: numberOr(given['containerLogMaxFiles'], 5),
    containerLogMonitorInterval: durationMs(durationOr(given['containerLogMonitorInterval'], '10s')),
  }
  const refused = refusedLimits(pulls) ?? refusedLogs(logs)
  if (refused) {
    const file = `path: /${configurationFile}, err: [${refused}]`
    throw fail(`failed to validate kubelet configuration, error: ${refused}, ${file}`)
  }
  const logging = given['logging'] as { verbosity?: number } | undefined
  const eviction = {
    evictionHard: thresholds(given['evictionHard']) ?? defaultEvictionHard,
    evictionSoft: thresholds(given['evictionSoft']) ?? {},
    evictionSoftGracePeriod: thresholds(given['evictionSoftGracePeriod']) ?? {},
    evictionMinimumReclaim: thresholds(given['evictionMinimumReclaim']) ?? {},
  }
  try {
    parseThresholds(eviction)
    refuseSize(logs.containerLogMaxSize)
  } catch (error) {
    throw fail(`failed to run Kubelet: failed to create kubelet: ${(error as Error).message}`)
  }
  return {
    staticPodPath: String(given['staticPodPath'] ?? ''),
    ...eviction,
    evictionMaxPodGracePeriod: numberOr(given['evictionMaxPodGracePeriod'], 0),
    imageMinimumGCAge: durationMs(durationOr(given['imageMinimumGCAge'], '2m0s')),
    singleProcessOOMKill: given['singleProcessOOMKill'] === true,
    evictionPressureTransitionPeriod: durationOr(given['evictionPressureTransitionPeriod'], '5m0s'),
    imageGCHighThresholdPercent: numberOr(given['imageGCHighThresholdPercent'], 85),
    imageGCLowThresholdPercent: numberOr(given['imageGCLowThresholdPercent'], 80),
    ...logs,
    containerLogMaxSize: wholeOf(logs.containerLogMaxSize),
    ...pulls,
    verbosity: logging?.verbosity ?? 0,
  }
}

/** Throws Error in the words of the kubelet's log manager. */
function refuseSize(size: string | number): void {
  try {
    parseQuantity(size)
  } catch (error) {
    const failed = 'failed to initialize container log manager: failed to parse container log max size'
    throw new Error(`${failed} "${size}": ${(error as Error).message}`)
  }
}

/** kubeadm's file as kind has it: eviction off but for memory's end, images never collected. */
export const kindConfiguration = `apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
  webhook:
    cacheAuthorizedTTL: 0s
    cacheUnauthorizedTTL: 0s
cgroupDriver: systemd
cgroupRoot: /kubelet
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cpuManagerReconcilePeriod: 0s
crashLoopBackOff: {}
evictionHard:
  imagefs.available: 0%
  nodefs.available: 0%
  nodefs.inodesFree: 0%
evictionPressureTransitionPeriod: 0s
failSwapOn: false
fileCheckFrequency: 0s
healthzBindAddress: 127.0.0.1
healthzPort: 10248
httpCheckFrequency: 0s
imageGCHighThresholdPercent: 100
imageMaximumGCAge: 0s
imageMinimumGCAge: 0s
kind: KubeletConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
memorySwap: {}
nodeStatusReportFrequency: 0s
nodeStatusUpdateFrequency: 0s
rotateCertificates: true
runtimeRequestTimeout: 0s
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
staticPodPath: /etc/kubernetes/manifests
streamingConnectionIdleTimeout: 0s
syncFrequency: 0s
volumeStatsAggPeriod: 0s
`

function relative(path: string): string {
  return path.replace(/^\/+|\/+$/g, '')
}

function thresholds(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.fromEntries(Object.entries(value).map(([signal, amount]) => [signal, String(amount)]))
}

/** A zero stands for what is usual. */
function durationOr(value: unknown, usual: string): string {
  return value === undefined || /^0s?$/.test(String(value)) ? usual : String(value)
}

/** Of a kubelet that has read no configuration. */
export const defaultPullLimits = pullLimits({})

/** Source: SetDefaults_KubeletConfiguration. */
function pullLimits(given: Record<string, unknown>) {
  const most = given['maxParallelImagePulls']
  const serialize = given['serializeImagePulls']
  return {
    serializeImagePulls: typeof serialize === 'boolean' ? serialize : !(typeof most === 'number' && most >= 2),
    ...(typeof most === 'number' && { maxParallelImagePulls: most }),
    registryPullQPS: numberOr(given['registryPullQPS'], 5),
    registryBurst: numberOr(given['registryBurst'], 0) || 10,
  }
}

/** Source: ValidateKubeletConfiguration. */
function refusedLimits(limits: ReturnType<typeof pullLimits>): string | undefined {
  const { serializeImagePulls, maxParallelImagePulls, registryPullQPS, registryBurst } = limits
  const negative = (what: string, value: number) => `invalid configuration: ${what} ${value} must not be a negative number`
  if (registryBurst < 0) return negative('registryBurst (--registry-burst)', registryBurst)
  if (registryPullQPS < 0) return negative('registryPullQPS (--registry-qps)', registryPullQPS)
  if (maxParallelImagePulls === undefined) return undefined
  if (maxParallelImagePulls < 1) return `invalid configuration: maxParallelImagePulls ${maxParallelImagePulls} must be a positive number`
  const unless = 'unless SerializeImagePulls (--serialize-image-pulls) is set to false'
  return serializeImagePulls && maxParallelImagePulls > 1
    ? `invalid configuration: maxParallelImagePulls cannot be larger than 1 ${unless}`
    : undefined
}

function refusedLogs(logs: { containerLogMaxFiles: number; containerLogMonitorInterval: number }): string | undefined {
  const { containerLogMaxFiles, containerLogMonitorInterval } = logs
  if (containerLogMonitorInterval < 3000)
    return 'invalid configuration: containerLogMonitorInterval must be a positive time duration greater than or equal to 3s'
  return containerLogMaxFiles <= 1 ? 'invalid configuration: containerLogMaxFiles must be greater than 1' : undefined
}

function numberOr(value: unknown, usual: number): number {
  return typeof value === 'number' ? value : usual
}
