import type { ContainerRuntime, ContainerSpec, Image } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import type { PodNetwork } from '../network/network.ts'
import type { Container, Pod } from '../schema/types/core.v1.ts'
import { ConfigError, environmentOf, expand, type NodeFacts } from './environment.ts'
import { filesOfNode } from './node-files.ts'
import { oomScoreAdjOf } from './oom-score.ts'
import { hostnameOf } from './pod-files.ts'
import { limitsOf } from './resize.ts'
import type { PodVolumes } from './volumes.ts'

export interface ContainerSetting {
  ctx: ClusterContext
  runtime: ContainerRuntime
  pod: Pod
  container: Container
  image: Image
  network: PodNetwork
  node: NodeFacts
  volumes: PodVolumes
  id: string
  sharesProcesses: ContainerSpec['sharesProcesses']
  /** How often it has been started again. */
  attempt: number
  /** As the kubelet is configured. */
  singleProcessOOMKill: boolean
}

/** What the runtime is asked to create for a container. Throws ConfigError. */
export function containerSpecOf({
  ctx,
  runtime,
  pod,
  container,
  image,
  network,
  node,
  volumes,
  id,
  sharesProcesses,
  attempt,
  singleProcessOOMKill,
}: ContainerSetting): ContainerSpec {
  const { uid: podUID = '', namespace: podNamespace = '', name: podName = '' } = pod.metadata
  const user = userOf(pod, container)
  const nonRoot = container.securityContext?.runAsNonRoot ?? pod.spec?.securityContext?.runAsNonRoot
  if (nonRoot && user === 0) {
    throw new ConfigError(`container's runAsUser breaks non-root policy (pod: "${podLabel(pod)}", container: ${container.name})`)
  }
  // who asks for it knows the image, where nobody here does
  if (nonRoot && user === undefined && (image.user ?? 0) === 0 && !image.unknown && !image.standIn) {
    throw new ConfigError(`container has runAsNonRoot and image will run as root (pod: "${podLabel(pod)}", container: ${container.name})`)
  }
  const env = environmentOf(ctx.cache, pod, container, network.ip, node)
  const values = new Map(env.map(({ name, value }) => [name, value]))
  const expanded = (texts: string[] | undefined) => texts?.map((text) => expand(text, (name) => values.get(name)))
  const mounts = volumes.mountsOf(pod, container, env, id)
  const files = runtime.volume(podFilesKey(podUID))
  for (const name of ['hosts', 'hostname', 'resolv.conf']) {
    const mountPath = `/etc/${name}`
    if (!mounts.some((mount) => mount.mountPath === mountPath)) mounts.push({ mountPath, subPath: name, readOnly: false, volume: files })
  }
  const hostname = hostnameOf(pod, node.name)
  return {
    id,
    podUID,
    podNamespace,
    podName,
    name: container.name,
    image: container.image ?? '',
    command: expanded(container.command),
    args: expanded(container.args),
    env: [{ name: 'HOSTNAME', value: values.get('HOSTNAME') ?? hostname }, ...env.filter(({ name }) => name !== 'HOSTNAME')],
    workingDir: container.workingDir,
    user,
    ...groupsOf(pod, container),
    sharesProcesses,
    terminationMessagePath: container.terminationMessagePath,
    noNewPrivileges: container.securityContext?.allowPrivilegeEscalation === false,
    ...(container.securityContext?.capabilities && { capabilities: container.securityContext.capabilities }),
    ...(container.securityContext?.privileged && { privileged: true }),
    sysctls: Object.fromEntries((pod.spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value])),
    readOnlyRootFilesystem: container.securityContext?.readOnlyRootFilesystem,
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    mounts,
    ...limitsOf(container),
    ...(singleProcessOOMKill && { singleProcessOOMKill }),
    oomScoreAdj: oomScoreAdjOf(pod, container),
    network,
    hostname,
    logFile: { files: filesOfNode(runtime, node.name), attempt },
  }
}

/** `name_namespace(uid)`, as the kubelet's messages call a pod. */
export function podLabel(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`
}

export function podFilesKey(uid: string): string {
  return `pod/${uid}/etc-files`
}

/** The user id that the spec asks for; undefined leaves it to the image. */
export function userOf(pod: Pod, container: Container): number | undefined {
  return container.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser
}

function groupsOf(pod: Pod, container: Container): Pick<ContainerSpec, 'group' | 'supplementalGroups' | 'strictGroups'> {
  const { runAsGroup, fsGroup, supplementalGroups = [], supplementalGroupsPolicy } = pod.spec?.securityContext ?? {}
  return {
    group: container.securityContext?.runAsGroup ?? runAsGroup,
    supplementalGroups: [...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])],
    strictGroups: supplementalGroupsPolicy === 'Strict',
  }
}
