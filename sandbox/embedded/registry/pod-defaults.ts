import { compareQuantities, formatQuantity, parseQuantity } from '../schema/quantity.ts'
import type {
  Container,
  EphemeralContainer,
  HTTPGetAction,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
  Volume,
} from '../schema/types/core.v1.ts'

/** What the API server fills in a PodSpec wherever it stands. Source: pkg/apis/core/v1/defaults.go. */
function defaultPodSpec(spec: PodSpec): void {
  spec.dnsPolicy ??= 'ClusterFirst'
  spec.restartPolicy ??= 'Always'
  spec.securityContext ??= {}
  spec.terminationGracePeriodSeconds ??= 30
  spec.schedulerName ??= 'default-scheduler'
  const account = spec.serviceAccountName ?? spec.serviceAccount
  if (account) {
    spec.serviceAccountName = account
    spec.serviceAccount = account
  }
  for (const container of allContainers(spec)) {
    defaultContainer(container)
  }
  for (const volume of spec.volumes ?? []) defaultVolume(volume)
}

export function defaultPodTemplate(template: PodTemplateSpec): void {
  template.spec ??= { containers: [] }
  defaultPodSpec(template.spec)
}

/** A Pod, unlike a template, also gets its requests from its limits. */
export function defaultPod(pod: Pod): void {
  const spec = (pod.spec ??= { containers: [] })
  defaultPodSpec(spec)
  spec.enableServiceLinks ??= true
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ??= port.containerPort
    const { limits } = (container.resources ??= {})
    if (limits) container.resources.requests = { ...limits, ...container.resources.requests }
  }
  defaultPodResources(spec)
}

/** What a pod asks for as a whole, where it says no more than its limits. */
function defaultPodResources(spec: PodSpec): void {
  const { resources } = spec
  if (!resources?.limits || Object.keys(resources.limits).length === 0) return
  const shared = Object.entries(requestsOfContainers(spec)).filter(([name]) => name === 'cpu' || name === 'memory')
  const own = Object.entries(resources.limits).filter(([name]) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-'))
  const requests = { ...Object.fromEntries(own), ...Object.fromEntries(shared), ...resources.requests }
  if (Object.keys(requests).length > 0) resources.requests = requests
}

/** The most that a pod's containers ask for at once: init containers come before the others, but for those that stay. */
export function requestsOfContainers(spec: PodSpec): Record<string, string | number> {
  const stay: Record<string, string | number> = {}
  const first: Record<string, string | number> = {}
  for (const { restartPolicy, resources } of spec.initContainers ?? []) {
    const requests = resources?.requests ?? {}
    if (restartPolicy === 'Always') add(stay, requests)
    const now = { ...stay }
    if (restartPolicy !== 'Always') add(now, requests)
    for (const [name, amount] of Object.entries(now)) {
      if (compareQuantities(amount, first[name] ?? '0') > 0) first[name] = amount
    }
  }
  const total = { ...stay }
  for (const { resources } of spec.containers ?? []) add(total, resources?.requests ?? {})
  for (const [name, amount] of Object.entries(first)) if (compareQuantities(amount, total[name] ?? '0') > 0) total[name] = amount
  return total
}

function add(total: Record<string, string | number>, more: Record<string, string | number>): void {
  for (const [name, amount] of Object.entries(more)) {
    const before = parseQuantity(total[name] ?? '0')
    const { nano, format } = parseQuantity(amount)
    total[name] = formatQuantity({ nano: before.nano + nano, format: total[name] === undefined ? format : before.format })
  }
}

export function defaultPersistentVolumeClaimSpec(spec: PersistentVolumeClaimSpec): void {
  spec.volumeMode ??= 'Filesystem'
}

export function allContainers(spec: PodSpec): (Container | EphemeralContainer)[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]
}

function defaultContainer(container: Container | EphemeralContainer): void {
  container.imagePullPolicy ??= floats(container.image ?? '') ? 'Always' : 'IfNotPresent'
  container.terminationMessagePath ??= '/dev/termination-log'
  container.terminationMessagePolicy ??= 'File'
  container.resources ??= {}
  for (const port of container.ports ?? []) port.protocol ??= 'TCP'
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe) defaultProbe(probe)
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) {
    if (handler?.httpGet) defaultHttpGet(handler.httpGet)
  }
  for (const { valueFrom } of container.env ?? []) if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ??= 'v1'
}

const longestName = 255
const reference =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]|\[[a-fA-F0-9:]+\])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$/

/** Whether an image is named by the tag `latest`, said or meant. */
function floats(image: string): boolean {
  if (!reference.test(image)) return false
  const [name = '', digest] = image.split('@')
  const tag = /:([^/:]+)$/.exec(name)?.[1]
  // a name that long is none
  if (name.length - (tag === undefined ? 0 : tag.length + 1) > longestName) return false
  return tag === undefined ? digest === undefined : tag === 'latest'
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ??= 1
  probe.periodSeconds ??= 10
  probe.successThreshold ??= 1
  probe.failureThreshold ??= 3
  if (probe.httpGet) defaultHttpGet(probe.httpGet)
  if (probe.grpc) probe.grpc.service ??= ''
}

function defaultHttpGet(action: HTTPGetAction): void {
  action.path ??= '/'
  action.scheme ??= 'HTTP'
}

const readable = 0o644

function defaultVolume(volume: Volume): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {}
  if (volume.hostPath) volume.hostPath.type ??= ''
  if (volume.secret) volume.secret.defaultMode ??= readable
  if (volume.configMap) volume.configMap.defaultMode ??= readable
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= readable
    for (const item of volume.downwardAPI.items ?? []) if (item.fieldRef) item.fieldRef.apiVersion ??= 'v1'
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= readable
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600
      for (const item of source.downwardAPI?.items ?? []) if (item.fieldRef) item.fieldRef.apiVersion ??= 'v1'
    }
  }
  if (volume.ephemeral?.volumeClaimTemplate) defaultPersistentVolumeClaimSpec(volume.ephemeral.volumeClaimTemplate.spec)
  defaultSources(volume)
}

/** Of the kinds of volume that Pods and PersistentVolumes have in common. */
export function defaultSources(volume: Pick<Volume | PersistentVolumeSpec, 'iscsi' | 'rbd' | 'azureDisk' | 'scaleIO'>): void {
  if (volume.iscsi) volume.iscsi.iscsiInterface ??= 'default'
  if (volume.rbd) {
    volume.rbd.pool ??= 'rbd'
    volume.rbd.user ??= 'admin'
    volume.rbd.keyring ??= '/etc/ceph/keyring'
  }
  if (volume.azureDisk) {
    volume.azureDisk.cachingMode ??= 'ReadWrite'
    volume.azureDisk.fsType ??= 'ext4'
    volume.azureDisk.readOnly ??= false
    volume.azureDisk.kind ??= 'Shared'
  }
  if (volume.scaleIO) {
    volume.scaleIO.storageMode ??= 'ThinProvisioned'
    volume.scaleIO.fsType ??= 'xfs'
  }
}
