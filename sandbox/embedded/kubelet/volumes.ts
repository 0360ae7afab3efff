import type { ContainerRuntime, Mount, Container as RuntimeContainer, Volume as Tree } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { TokenRequest } from '../schema/types/authentication.v1.ts'
import type {
  ConfigMap,
  Container,
  DownwardAPIVolumeFile,
  KeyToPath,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Volume,
  VolumeProjection,
} from '../schema/types/core.v1.ts'
import { expand, fieldValue, type NodeFacts, resourceValue } from './environment.ts'

/** A volume cannot be set up; the message is the FailedMount event's. */
export class MountError extends Error {
  readonly volume: string
  constructor(volume: string, message: string) {
    super(message)
    this.volume = volume
  }
}

type Files = Record<string, { content: Uint8Array; mode: number }>

/** Token lifetimes are renewed at four fifths, as the kubelet's token manager does. */
const renewAt = 0.8

/** One pod's volumes on its node. */
export class PodVolumes {
  private readonly ctx: ClusterContext
  private readonly runtime: ContainerRuntime
  private readonly node: NodeFacts
  private readonly uid: string
  /** The payload of each volume whose content comes from the API, as it lies in the volume now. */
  private readonly payloads = new Map<string, Files>()
  private readonly trees = new Map<string, Tree>()
  private readonly tokens = new Map<string, { token: string; renewAt: number }>()
  private snapshots: string[] = []

  constructor(ctx: ClusterContext, runtime: ContainerRuntime, node: NodeFacts, uid: string) {
    this.ctx = ctx
    this.runtime = runtime
    this.node = node
    this.uid = uid
  }

  /** Sets all volumes up, or brings their content up to date. Throws MountError for the first that cannot be. */
  async mount(pod: Pod, podIP: string): Promise<void> {
    for (const volume of pod.spec?.volumes ?? []) {
      try {
        await this.setUp(pod, volume, podIP)
      } catch (error) {
        throw error instanceof MountError ? error : new MountError(volume.name, error instanceof Error ? error.message : String(error))
      }
    }
  }

  /** Whether the content of a ConfigMap or Secret reaches the pod through a volume. */
  uses(pod: Pod, kind: 'ConfigMap' | 'Secret', name: string): boolean {
    return (pod.spec?.volumes ?? []).some(({ configMap, secret, projected }) =>
      kind === 'ConfigMap'
        ? configMap?.name === name || projected?.sources.some((source) => source.configMap?.name === name)
        : secret?.secretName === name || projected?.sources.some((source) => source.secret?.name === name),
    )
  }

  /** When the next token must be renewed, cluster ms. */
  nextRenewal(): number | undefined {
    const times = [...this.tokens.values()].map((token) => token.renewAt)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  /** A container's mounts; a subPath of API content is a copy that later updates don't reach. */
  mountsOf(container: Container, env: { name: string; value: string }[], id: string): Mount[] {
    return (container.volumeMounts ?? []).flatMap((mount, index): Mount[] => {
      const tree = this.trees.get(mount.name)
      if (!tree) return []
      const values = new Map(env.map(({ name, value }) => [name, value]))
      const subPath = mount.subPathExpr ? expand(mount.subPathExpr, (name) => values.get(name)) : mount.subPath
      const payload = this.payloads.get(mount.name)
      const readOnly = mount.readOnly === true || payload !== undefined
      if (!subPath || !payload) return [{ mountPath: mount.mountPath, subPath: subPath || undefined, readOnly, volume: tree }]
      const key = `pod/${this.uid}/subpath/${id}/${index}`
      const copy = this.runtime.volume(key)
      copy.replace(payload)
      this.snapshots.push(key)
      return [{ mountPath: mount.mountPath, subPath, readOnly, volume: copy }]
    })
  }

  /** Forgets the copies made for a container that is gone. */
  release(container: RuntimeContainer): void {
    const prefix = `pod/${this.uid}/subpath/${container.spec.id}/`
    for (const key of this.snapshots.filter((candidate) => candidate.startsWith(prefix))) this.runtime.removeVolume(key)
    this.snapshots = this.snapshots.filter((key) => !key.startsWith(prefix))
  }

  /** Takes everything down that lives no longer than the pod. */
  unmount(pod: Pod): void {
    for (const { name, hostPath, persistentVolumeClaim, ephemeral } of pod.spec?.volumes ?? []) {
      if (!hostPath && !persistentVolumeClaim && !ephemeral) this.runtime.removeVolume(this.ownKey(name))
    }
    for (const key of this.snapshots) this.runtime.removeVolume(key)
    this.snapshots = []
    this.trees.clear()
    this.payloads.clear()
  }

  private async setUp(pod: Pod, volume: Volume, podIP: string): Promise<void> {
    const files = await this.payloadOf(pod, volume, podIP)
    if (!files) {
      this.trees.set(volume.name, this.runtime.volume(this.keyOf(pod, volume)))
      return
    }
    const tree = this.runtime.volume(this.ownKey(volume.name))
    if (!sameFiles(this.payloads.get(volume.name), files)) tree.replace(files)
    this.payloads.set(volume.name, files)
    this.trees.set(volume.name, tree)
  }

  private keyOf(pod: Pod, volume: Volume): string {
    const { name, hostPath, persistentVolumeClaim, ephemeral } = volume
    if (hostPath) return `host/${this.node.name}${hostPath.path}`
    if (persistentVolumeClaim) return this.claimKey(pod, persistentVolumeClaim.claimName)
    if (ephemeral) return this.claimKey(pod, `${pod.metadata.name}-${name}`)
    return this.ownKey(name)
  }

  private ownKey(name: string): string {
    return `pod/${this.uid}/volumes/${name}`
  }

  private claimKey(pod: Pod, claimName: string): string {
    const claim = this.ctx.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, claimName, pod.metadata.namespace)
    if (!claim) throw new Error(`persistentvolumeclaim "${claimName}" not found`)
    const bound = claim.spec?.volumeName
    if (claim.status?.phase !== 'Bound' || !bound) throw new Error(`PVC ${pod.metadata.namespace}/${claimName} is not bound`)
    const volume = this.ctx.cache.get<PersistentVolume>(resources.persistentVolumes, bound)
    const path = volume?.spec?.hostPath?.path ?? volume?.spec?.local?.path
    // A hostPath volume is the directory itself, which other pods may mount as such.
    return path ? `host/${this.node.name}${path}` : `pv/${bound}`
  }

  private async payloadOf(pod: Pod, volume: Volume, podIP: string): Promise<Files | undefined> {
    const { configMap, secret, downwardAPI, projected } = volume
    if (configMap) return this.configMapFiles(pod, configMap, configMap.defaultMode ?? 0o644)
    if (secret) return this.secretFiles(pod, { ...secret, name: secret.secretName }, secret.defaultMode ?? 0o644)
    if (downwardAPI) return this.downwardFiles(pod, downwardAPI.items ?? [], downwardAPI.defaultMode ?? 0o644, podIP)
    if (!projected) return undefined
    const files: Files = {}
    for (const source of projected.sources) Object.assign(files, await this.projection(pod, source, projected.defaultMode ?? 0o644, podIP))
    return files
  }

  private async projection(pod: Pod, source: VolumeProjection, mode: number, podIP: string): Promise<Files> {
    if (source.configMap) return this.configMapFiles(pod, source.configMap, mode)
    if (source.secret) return this.secretFiles(pod, source.secret, mode)
    if (source.downwardAPI) return this.downwardFiles(pod, source.downwardAPI.items ?? [], mode, podIP)
    if (source.serviceAccountToken) {
      const { audience, expirationSeconds, path } = source.serviceAccountToken
      const token = await this.token(pod, audience, expirationSeconds ?? 3600)
      return { [path]: { content: Buffer.from(token), mode } }
    }
    return {}
  }

  private configMapFiles(pod: Pod, source: { name?: string; items?: KeyToPath[]; optional?: boolean }, mode: number): Files {
    const found = this.ctx.cache.get<ConfigMap>(resources.configMaps, source.name ?? '', pod.metadata.namespace)
    if (!found && !source.optional) throw new Error(`configmap "${source.name}" not found`)
    const data: Record<string, Uint8Array> = {}
    for (const [key, text] of Object.entries(found?.data ?? {})) data[key] = Buffer.from(text)
    for (const [key, base64] of Object.entries(found?.binaryData ?? {})) data[key] = Buffer.from(base64, 'base64')
    return selectItems(data, source.items, mode, source.optional, 'configmap references non-existent config key')
  }

  private secretFiles(pod: Pod, source: { name?: string; items?: KeyToPath[]; optional?: boolean }, mode: number): Files {
    const found = this.ctx.cache.get<Secret>(resources.secrets, source.name ?? '', pod.metadata.namespace)
    if (!found && !source.optional) throw new Error(`secret "${source.name}" not found`)
    const data: Record<string, Uint8Array> = {}
    for (const [key, base64] of Object.entries(found?.data ?? {})) data[key] = Buffer.from(base64, 'base64')
    return selectItems(data, source.items, mode, source.optional, 'references non-existent secret key')
  }

  private downwardFiles(pod: Pod, items: DownwardAPIVolumeFile[], defaultMode: number, podIP: string): Files {
    const files: Files = {}
    for (const { path, fieldRef, resourceFieldRef, mode = defaultMode } of items) {
      const container = pod.spec?.containers[0]
      const text = fieldRef
        ? fieldValue(pod, fieldRef.fieldPath, podIP, this.node)
        : resourceFieldRef && container
          ? resourceValue(pod, container, resourceFieldRef, this.node)
          : ''
      files[path] = { content: Buffer.from(text), mode }
    }
    return files
  }

  private async token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const { clock, client } = this.ctx
    const key = `${audience ?? ''}/${expirationSeconds}`
    const known = this.tokens.get(key)
    if (known && clock.now() < known.renewAt) return known.token
    const { name = '', namespace, uid } = pod.metadata
    const account = pod.spec?.serviceAccountName || 'default'
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds,
        boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
      },
    }
    const made = await clock.during(client.create(resources.serviceAccounts, request, { namespace, subresource: 'token', name: account }))
    const token = made.status?.token ?? ''
    this.tokens.set(key, { token, renewAt: clock.now() + expirationSeconds * 1000 * renewAt })
    return token
  }
}

function selectItems(
  data: Record<string, Uint8Array>,
  items: KeyToPath[] | undefined,
  defaultMode: number,
  optional: boolean | undefined,
  missing: string,
): Files {
  const files: Files = {}
  if (!items?.length) {
    for (const [key, content] of Object.entries(data)) files[key] = { content, mode: defaultMode }
    return files
  }
  for (const { key, path, mode = defaultMode } of items) {
    const content = data[key]
    if (content) files[path] = { content, mode }
    else if (!optional) throw new Error(`${missing}: ${key}`)
  }
  return files
}

function sameFiles(a: Files | undefined, b: Files): boolean {
  if (!a) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => {
      const [one, other] = [a[name], b[name]]
      return one && other && one.mode === other.mode && Buffer.compare(one.content, other.content) === 0
    })
  )
}
