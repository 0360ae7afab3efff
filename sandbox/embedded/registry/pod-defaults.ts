import type {
  Container,
  EphemeralContainer,
  HTTPGetAction,
  PersistentVolumeClaimSpec,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
  Volume,
} from '../schema/types/core.v1.ts'

/** What the API server fills in a PodSpec wherever it stands. Source: pkg/apis/core/v1/defaults.go. */
export function defaultPodSpec(spec: PodSpec): void {
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
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ??= port.containerPort
    const { limits } = (container.resources ??= {})
    if (limits) container.resources.requests = { ...limits, ...container.resources.requests }
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

/** Whether an image is named by the tag `latest`, said or meant. */
function floats(image: string): boolean {
  const [name = '', digest] = image.split('@')
  const tag = /:([^/:]+)$/.exec(name)?.[1]
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
