import type { Container, Pod, PodSpec } from '../schema/types/core.v1.ts'
import { safeSysctls } from './safe-sysctls.ts'

export type Level = 'privileged' | 'baseline' | 'restricted'

/** What a pod template has that the Pod Security Standards look at. */
export type PodLike = Pick<Pod, 'metadata' | 'spec'>

/**
 * The violations of a level of the Pod Security Standards in the real server's words and order, one text each
 * (`privileged (container "web" must not set securityContext.privileged=true)`). `minor` is the version of the policy, 1.x.
 */
export function violations(level: Level, minor: number, pod: PodLike): string[] {
  const spec = pod.spec
  if (level === 'privileged' || !spec) return []
  const baseline = baselineChecks.filter(({ overridden }) => level === 'baseline' || !overridden)
  const checks = level === 'baseline' ? baseline : [...baseline, ...restrictedChecks]
  return checks.flatMap(({ since = 0, check }) => (minor >= since ? (check(spec, pod) ?? []) : []))
}

interface Check {
  /** Minor version that brought the check. */
  since?: number
  /** Replaced by a stricter one at level restricted. */
  overridden?: boolean
  check(spec: PodSpec, pod: PodLike): string | undefined
}

const baselineChecks: readonly Check[] = [
  { check: appArmor },
  { check: addedCapabilities, overridden: true },
  {
    check(spec) {
      const set = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field])
      return set.length > 0 ? `host namespaces (${set.map((field) => `${field}=true`).join(', ')})` : undefined
    },
  },
  {
    overridden: true,
    check(spec) {
      const names = (spec.volumes ?? []).filter((volume) => volume.hostPath).map((volume) => volume.name)
      return names.length > 0 ? `hostPath volumes (${counted('volume', names)})` : undefined
    },
  },
  {
    check(spec) {
      const ports = new Set<string>()
      const bad = offenders(spec, (container) => {
        const own = (container.ports ?? []).filter((port) => port.hostPort)
        for (const port of own) ports.add(String(port.hostPort))
        return own.length > 0
      })
      if (bad.length === 0) return undefined
      return `hostPort (${counted('container', bad)} ${plural('uses', 'use', bad)} ${plural('hostPort', 'hostPorts', [...ports])} ${[...ports].sort().join(', ')})`
    },
  },
  { since: 34, check: probeHosts },
  {
    check(spec) {
      const bad = offenders(spec, (container) => !!container.securityContext?.privileged)
      return bad.length > 0 ? `privileged (${counted('container', bad)} must not set securityContext.privileged=true)` : undefined
    },
  },
  {
    check(spec) {
      const types = new Set<string>()
      const bad = offenders(spec, ({ securityContext }) => {
        const type = securityContext?.procMount
        if (!type || type === 'Default') return false
        types.add(type)
        return true
      })
      return bad.length > 0
        ? `procMount (${counted('container', bad)} must not set securityContext.procMount to ${quoted([...types].sort())})`
        : undefined
    },
  },
  { check: seLinux },
  { overridden: true, check: (spec) => badSeccomp(spec) },
  {
    check(spec) {
      const names = (spec.securityContext?.sysctls ?? []).map((sysctl) => sysctl.name).filter((name) => !safeSysctls.has(name))
      return names.length > 0 ? `forbidden sysctls (${names.join(', ')})` : undefined
    },
  },
  {
    check(spec) {
      const bad = offenders(spec, (container) => !!container.securityContext?.windowsOptions?.hostProcess)
      const setters = who(!!spec.securityContext?.windowsOptions?.hostProcess, bad)
      return setters ? `hostProcess (${setters} must not set securityContext.windowsOptions.hostProcess=true)` : undefined
    },
  },
]

const restrictedChecks: readonly Check[] = [
  {
    check(spec) {
      if (isWindows(spec)) return undefined
      const bad = offenders(spec, (container) => container.securityContext?.allowPrivilegeEscalation !== false)
      if (bad.length === 0) return undefined
      return `allowPrivilegeEscalation != false (${counted('container', bad)} must set securityContext.allowPrivilegeEscalation=false)`
    },
  },
  { check: restrictedCapabilities },
  { check: restrictedVolumes },
  { check: runAsNonRoot },
  {
    check(spec) {
      const bad = offenders(spec, (container) => container.securityContext?.runAsUser === 0)
      const setters = who(spec.securityContext?.runAsUser === 0, bad)
      return setters ? `runAsUser=0 (${setters} must not set runAsUser=0)` : undefined
    },
  },
  {
    check(spec) {
      if (isWindows(spec)) return undefined
      const explicit = badSeccomp(spec)
      if (explicit || spec.securityContext?.seccompProfile) return explicit
      const bad = offenders(spec, (container) => !container.securityContext?.seccompProfile)
      if (bad.length === 0) return undefined
      return `seccompProfile (pod or ${counted('container', bad)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`
    },
  },
]

const defaultCapabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(' '),
)
const allowedSeLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']
const allowedVolumeTypes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]

function appArmor(spec: PodSpec, { metadata }: PodLike): string | undefined {
  const values = new Set<string>()
  const isBad = (type: string | undefined) => {
    if (type === undefined || type === 'RuntimeDefault' || type === 'Localhost') return false
    values.add(type)
    return true
  }
  const podIsBad = isBad(spec.securityContext?.appArmorProfile?.type)
  const setters = [
    who(
      podIsBad,
      offenders(spec, (container) => isBad(container.securityContext?.appArmorProfile?.type)),
    ),
  ]
  const annotations = Object.entries(metadata.annotations ?? {})
    .filter(
      ([key, value]) =>
        key.startsWith('container.apparmor.security.beta.kubernetes.io/') && !/^(|runtime\/default|localhost\/.*)$/.test(value),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort()
  if (annotations.length > 0) setters.push(plural('annotation', 'annotations', annotations))
  const shown = [...[...values].sort(), ...annotations]
  if (shown.length === 0) return undefined
  const reason = plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', shown)
  return `${reason} (${setters.filter(Boolean).join(' and ')} must not set AppArmor profile type to ${quoted(shown)})`
}

function addedCapabilities(spec: PodSpec): string | undefined {
  const added = new Set<string>()
  const bad = offenders(spec, (container) => {
    const own = (container.securityContext?.capabilities?.add ?? []).filter((capability) => !defaultCapabilities.has(capability))
    for (const capability of own) added.add(capability)
    return own.length > 0
  })
  if (bad.length === 0) return undefined
  return `non-default capabilities (${counted('container', bad)} must not include ${quoted([...added].sort())} in securityContext.capabilities.add)`
}

function restrictedCapabilities(spec: PodSpec): string | undefined {
  if (isWindows(spec)) return undefined
  const added = new Set<string>()
  const missing = offenders(spec, (container) => !container.securityContext?.capabilities?.drop?.includes('ALL'))
  const adding = offenders(spec, (container) => {
    const own = (container.securityContext?.capabilities?.add ?? []).filter((capability) => capability !== 'NET_BIND_SERVICE')
    for (const capability of own) added.add(capability)
    return own.length > 0
  })
  const details: string[] = []
  if (missing.length > 0) details.push(`${counted('container', missing)} must set securityContext.capabilities.drop=["ALL"]`)
  if (adding.length > 0) {
    details.push(`${counted('container', adding)} must not include ${quoted([...added].sort())} in securityContext.capabilities.add`)
  }
  return details.length > 0 ? `unrestricted capabilities (${details.join('; ')})` : undefined
}

function probeHosts(spec: PodSpec): string | undefined {
  const hosts = new Set<string>()
  const bad = offenders(spec, (container) => {
    const handlers = [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      container.lifecycle?.postStart,
      container.lifecycle?.preStop,
    ]
    const own = handlers.flatMap((handler) => [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => !!host) as string[])
    for (const host of own) hosts.add(host)
    return own.length > 0
  })
  if (bad.length === 0) return undefined
  const what = plural('probe or lifecycle host', 'probe or lifecycle hosts', [...hosts])
  return `probe or lifecycle host (${counted('container', bad.sort())} ${plural('uses', 'use', bad)} ${what} ${quoted([...hosts].sort())})`
}

function restrictedVolumes(spec: PodSpec): string | undefined {
  const types = new Set<string>()
  const names: string[] = []
  for (const volume of spec.volumes ?? []) {
    const type = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'
    if (allowedVolumeTypes.includes(type)) continue
    names.push(volume.name)
    types.add(type)
  }
  if (names.length === 0) return undefined
  const what = plural('restricted volume type', 'restricted volume types', [...types])
  return `restricted volume types (${counted('volume', names)} ${plural('uses', 'use', names)} ${what} ${quoted([...types].sort())})`
}

function runAsNonRoot(spec: PodSpec): string | undefined {
  const ofPod = spec.securityContext?.runAsNonRoot
  const explicit = offenders(spec, (container) => container.securityContext?.runAsNonRoot === false)
  const setters = who(ofPod === false, explicit)
  if (setters) return `runAsNonRoot != true (${setters} must not set securityContext.runAsNonRoot=false)`
  const bad = ofPod ? [] : offenders(spec, (container) => container.securityContext?.runAsNonRoot === undefined)
  return bad.length > 0
    ? `runAsNonRoot != true (pod or ${counted('container', bad)} must set securityContext.runAsNonRoot=true)`
    : undefined
}

function seLinux(spec: PodSpec): string | undefined {
  const types = new Set<string>()
  const set = { user: false, role: false }
  const isBad = (options: { type?: string; user?: string; role?: string } | undefined) => {
    if (!options) return false
    const wrongType = !allowedSeLinuxTypes.includes(options.type ?? '')
    if (wrongType) types.add(options.type ?? '')
    if (options.user) set.user = true
    if (options.role) set.role = true
    return wrongType || !!options.user || !!options.role
  }
  const podIsBad = isBad(spec.securityContext?.seLinuxOptions)
  const setters = who(
    podIsBad,
    offenders(spec, (container) => isBad(container.securityContext?.seLinuxOptions)),
  )
  if (!setters) return undefined
  const data = [
    ...(types.size > 0 ? [`${plural('type', 'types', [...types])} ${quoted([...types].sort())}`] : []),
    ...(set.user ? ['user may not be set'] : []),
    ...(set.role ? ['role may not be set'] : []),
  ]
  return `seLinuxOptions (${setters} set forbidden securityContext.seLinuxOptions: ${data.join('; ')})`
}

function badSeccomp(spec: PodSpec): string | undefined {
  const values = new Set<string>()
  const isBad = (type: string | undefined) => {
    if (type === undefined || type === 'RuntimeDefault' || type === 'Localhost') return false
    values.add(type)
    return true
  }
  const podIsBad = isBad(spec.securityContext?.seccompProfile?.type)
  const setters = who(
    podIsBad,
    offenders(spec, (container) => isBad(container.securityContext?.seccompProfile?.type)),
  )
  return setters
    ? `seccompProfile (${setters} must not set securityContext.seccompProfile.type to ${quoted([...values].sort())})`
    : undefined
}

function offenders(spec: PodSpec, isBad: (container: Container) => boolean): string[] {
  const all = [...(spec.initContainers ?? []), ...spec.containers, ...((spec.ephemeralContainers ?? []) as Container[])]
  return all.filter(isBad).map((container) => container.name)
}

function who(podIsBad: boolean, containers: string[]): string {
  return [...(podIsBad ? ['pod'] : []), ...(containers.length > 0 ? [counted('container', containers)] : [])].join(' and ')
}

function counted(what: string, names: readonly string[]): string {
  return `${plural(what, `${what}s`, names)} ${quoted(names)}`
}

function plural(one: string, many: string, items: readonly string[]): string {
  return items.length === 1 ? one : many
}

function quoted(items: readonly string[]): string {
  return `"${items.join('", "')}"`
}

function isWindows(spec: PodSpec): boolean {
  return spec.os?.name === 'windows'
}
