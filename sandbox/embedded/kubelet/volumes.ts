import type {
  ContainerRuntime,
  DiskUse,
  Mount,
  Container as RuntimeContainer,
  Volume as Tree,
  VolumeTraits,
} from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type {
  Container,
  HostPathVolumeSource,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Volume,
  VolumeMount,
} from '../schema/types/core.v1.ts'
import { ConfigError, expand, type NodeFacts } from './environment.ts'
import { filesOfNode } from './node-files.ts'
import { type Files, sameFiles, VolumeContent } from './volume-content.ts'

/** A volume cannot be set up; the message is the FailedMount event's. */
export class MountError extends Error {
  readonly volume: string
  constructor(volume: string, message: string) {
    super(message)
    this.volume = volume
  }
}

/** A volume as it is set up: a place in a tree. */
interface Place {
  tree: Tree
  /** Where in the tree; '' is its root. */
  path: string
  readOnly?: boolean
}

/** One pod's volumes on its node. */
export class PodVolumes {
  private readonly ctx: ClusterContext
  private readonly runtime: ContainerRuntime
  private readonly node: NodeFacts
  private readonly uid: string
  private readonly content: VolumeContent
  /** The payload of each volume whose content comes from the API, as it lies in the volume now. */
  private readonly payloads = new Map<string, Files>()
  private readonly places = new Map<string, Place>()
  private snapshots: string[] = []

  constructor(ctx: ClusterContext, runtime: ContainerRuntime, node: NodeFacts, uid: string) {
    this.ctx = ctx
    this.runtime = runtime
    this.node = node
    this.uid = uid
    this.content = new VolumeContent(ctx, node)
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

  /** Bytes in each emptyDir that is on disk. */
  emptyDirs(pod: Pod): Map<string, DiskUse> {
    const own = (pod.spec?.volumes ?? []).filter(({ emptyDir }) => emptyDir && emptyDir.medium !== 'Memory')
    return new Map(
      own.map(({ name }) => {
        const tree = this.places.get(name)?.tree
        return [name, { bytes: tree?.usedBytes() ?? 0, inodes: tree?.usedInodes() ?? 0 }]
      }),
    )
  }

  /** When the next token must be renewed, cluster ms. */
  nextRenewal(): number | undefined {
    return this.content.nextRenewal()
  }

  /** A container's mounts; a subPath of API content is a copy that later updates don't reach. */
  mountsOf(pod: Pod, container: Container, env: { name: string; value: string }[], id: string): Mount[] {
    const values = new Map(env.map(({ name, value }) => [name, value]))
    return (container.volumeMounts ?? []).flatMap((mount, index): Mount[] => {
      const place = this.places.get(mount.name)
      if (!place) return []
      const { mountPath } = mount
      const payload = this.payloads.get(mount.name)
      const readOnly = mount.readOnly === true || place.readOnly === true || payload !== undefined
      const asked = subPathOf(mount, values)
      if (asked && payload) {
        const key = `pod/${this.uid}/subpath/${id}/${index}`
        this.snapshots.push(key)
        const copy = this.fill(pod, key, payload, traitsOf(pod, mount.name))
        return [{ mountPath, subPath: asked, readOnly, volume: copy }]
      }
      const subPath = [place.path, asked].filter(Boolean).join('/')
      // The runtime would make a missing directory with another mode.
      if (asked && place.tree.kindOf(subPath) === undefined) place.tree.makeDirectory(subPath)
      return [{ mountPath, subPath: subPath || undefined, readOnly, volume: place.tree }]
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
    this.places.clear()
    this.payloads.clear()
  }

  private async setUp(pod: Pod, volume: Volume, podIP: string): Promise<void> {
    const { name, hostPath, persistentVolumeClaim, ephemeral } = volume
    const files = await this.content.of(pod, volume, podIP)
    if (files) {
      if (!sameFiles(this.payloads.get(name), files)) this.fill(pod, this.ownKey(name), files, traitsOf(pod, name))
      this.payloads.set(name, files)
      this.places.set(name, { tree: this.runtime.volume(this.ownKey(name)), path: '' })
      return
    }
    if (this.places.has(name)) return
    if (hostPath) this.places.set(name, this.hostPath(hostPath))
    else if (persistentVolumeClaim) {
      const place = this.claimed(pod, persistentVolumeClaim.claimName)
      this.places.set(name, { ...place, readOnly: persistentVolumeClaim.readOnly })
    } else if (ephemeral) this.places.set(name, this.claimed(pod, `${pod.metadata.name}-${name}`))
    else {
      const tree = this.runtime.volume(this.ownKey(name), traitsOf(pod, name))
      this.giveToGroup(pod, tree, false)
      this.places.set(name, { tree, path: '' })
    }
  }

  private fill(pod: Pod, key: string, files: Files, traits: VolumeTraits): Tree {
    const tree = this.runtime.volume(key, traits)
    tree.replace(files)
    this.giveToGroup(pod, tree, true)
    return tree
  }

  private giveToGroup(pod: Pod, tree: Tree, readOnly: boolean, onRootMismatch = false): void {
    const { fsGroup } = pod.spec?.securityContext ?? {}
    if (fsGroup !== undefined) tree.giveToGroup(fsGroup, { readOnly, onRootMismatch })
  }

  private ownKey(name: string): string {
    return `pod/${this.uid}/volumes/${name}`
  }

  private hostPath({ path, type = '' }: HostPathVolumeSource): Place {
    const tree = filesOfNode(this.runtime, this.node.name)
    const relative = path.replace(/^\/+|\/+$/g, '')
    const kind = () => tree.kindOf(relative)
    if (kind() === undefined && (type === '' || type === 'DirectoryOrCreate')) tree.makeDirectory(relative, 0o755)
    if (kind() === undefined && type === 'FileOrCreate') tree.write(relative, new Uint8Array(), 0o644)
    const demand = demandedKinds[type]
    if (demand && kind() !== demand.kind) throw new Error(`hostPath type check failed: ${path} is not ${demand.called}`)
    return { tree, path: relative }
  }

  private claimed(pod: Pod, claimName: string): Place {
    const claim = this.ctx.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, claimName, pod.metadata.namespace)
    if (!claim) throw new Error(`persistentvolumeclaim "${claimName}" not found`)
    const bound = claim.spec?.volumeName
    if (claim.status?.phase !== 'Bound' || !bound) throw new Error(`PVC ${pod.metadata.namespace}/${claimName} is not bound`)
    const volume = this.ctx.cache.get<PersistentVolume>(resources.persistentVolumes, bound)
    const { hostPath, local } = volume?.spec ?? {}
    if (hostPath) {
      // The helper pod of the local-path provisioner has made its directory for everybody.
      const made = volume?.metadata.annotations?.['pv.kubernetes.io/provisioned-by'] === 'rancher.io/local-path'
      const tree = filesOfNode(this.runtime, this.node.name)
      if (made) makeMissing(tree, hostPath.path, 0o777)
      return this.hostPath(hostPath)
    }
    if (local) {
      const tree = filesOfNode(this.runtime, this.node.name)
      const path = local.path.replace(/^\/+|\/+$/g, '')
      if (tree.kindOf(path) === undefined) throw new Error(`path ${JSON.stringify(local.path)} does not exist`)
      return { tree, path }
    }
    const tree = this.runtime.volume(`pv/${bound}`)
    this.giveToGroup(pod, tree, false, pod.spec?.securityContext?.fsGroupChangePolicy === 'OnRootMismatch')
    return { tree, path: '' }
  }
}

/** The part of a volume that a mount wants. Throws ConfigError in the kubelet's words. */
function subPathOf({ subPath, subPathExpr }: VolumeMount, env: ReadonlyMap<string, string>): string | undefined {
  const missing = new Set<string>()
  const value = (name: string) => {
    const found = env.get(name)
    if (!found) missing.add(name)
    return found ?? ''
  }
  const asked = subPathExpr ? expand(subPathExpr, value) : subPath
  if (missing.size > 0) throw new ConfigError(`missing value for ${[...missing].sort().join(', ')}`)
  if (!asked) return undefined
  if (asked.startsWith('/')) throw new ConfigError(`error SubPath \`${asked}\` must not be an absolute path`)
  if (asked.split('/').includes('..')) throw new ConfigError(`unable to provision SubPath \`${asked}\`: must not contain '..'`)
  return asked
}

const demandedKinds: Record<string, { kind: string; called: string }> = {
  Directory: { kind: 'dir', called: 'a directory' },
  DirectoryOrCreate: { kind: 'dir', called: 'a directory' },
  File: { kind: 'file', called: 'a file' },
  FileOrCreate: { kind: 'file', called: 'a file' },
  Socket: { kind: 'socket', called: 'a socket file' },
  CharDevice: { kind: 'device', called: 'a character device' },
  BlockDevice: { kind: 'block', called: 'a block device' },
}

function makeMissing(tree: Tree, path: string, mode: number): void {
  const relative = path.replace(/^\/+|\/+$/g, '')
  const parent = relative.slice(0, Math.max(0, relative.lastIndexOf('/')))
  if (tree.kindOf(parent) === undefined) tree.makeDirectory(parent, 0o755)
  if (tree.kindOf(relative) === undefined) tree.makeDirectory(relative, mode)
}

/** Secrets, tokens and the downward API never touch a disk; an emptyDir stays off it when its medium is Memory. */
function traitsOf(pod: Pod, name: string): VolumeTraits {
  const volume = pod.spec?.volumes?.find((each) => each.name === name)
  const memory = Boolean(volume?.secret || volume?.projected || volume?.downwardAPI || volume?.emptyDir?.medium === 'Memory')
  if (!memory) return {}
  const limit = volume?.emptyDir?.sizeLimit
  return { memory, mode: 0o1777, ...(limit !== undefined && { sizeBytes: Number(parseQuantity(String(limit)).nano / 1_000_000_000n) }) }
}
