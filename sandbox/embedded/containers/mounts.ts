import type { Machine } from './kernel/machine.ts'
import type { ContainerSpec } from './runtime.ts'
import { devices } from './vfs/devices.ts'
import type { MountPoint } from './vfs/file-system.ts'
import { directory, file } from './vfs/node.ts'
import { proc } from './vfs/proc.ts'
import { sys } from './vfs/sys.ts'
import { Tree } from './vfs/tree.ts'
import type { TreeVolume } from './volume.ts'

/** What every container finds beside its image: the kernel's file systems, and the files that its pod gives it. `now` in ms. */
export function systemMounts(spec: ContainerSpec, machine: () => Machine, sharedMemory: Tree, now: number): MountPoint[] {
  const { network, hostname } = spec
  const system = (path: string, tree: Tree, type: string, readOnly = false): MountPoint => ({
    path,
    tree,
    prefix: [],
    readOnly,
    source: type,
    type,
  })
  const { dns } = network
  const search = dns.searches.length > 0 ? `search ${dns.searches.join(' ')}\n` : ''
  const resolv = `${search}${dns.nameservers.map((server) => `nameserver ${server}\n`).join('')}options ndots:${dns.ndots}\n`
  const hosts = `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n${network.ip}\t${hostname}\n`
  return [
    system('/proc', new Tree(proc(machine), { limitBytes: 0 }), 'proc'),
    system('/dev', new Tree(devices(machine), { limitBytes: 65536, medium: 'memory' }), 'tmpfs'),
    system('/dev/shm', sharedMemory, 'tmpfs'),
    system(
      '/sys',
      new Tree(
        sys(machine, () => spec),
        { limitBytes: 0 },
      ),
      'sysfs',
      true,
    ),
    fileMount('/etc/hosts', hosts, now),
    fileMount('/etc/hostname', `${hostname}\n`, now),
    fileMount('/etc/resolv.conf', resolv, now),
    fileMount(spec.terminationMessagePath ?? '/dev/termination-log', '', now, 0o666),
  ]
}

function fileMount(path: string, content: string, now: number, mode = 0o644): MountPoint {
  const tree = new Tree(directory(), { limitBytes: 1024 * 1024 })
  const node = file(content, mode, { owner: tree, mtime: now })
  return { path, tree, prefix: [], node, readOnly: false, source: '/dev/vda1', type: 'ext4' }
}

/** The volumes of which every byte that is written counts as the container's memory. */
export function memoryVolumes({ mounts }: ContainerSpec): Tree[] {
  return mounts.flatMap(({ volume, readOnly }) => {
    const { tree } = volume as TreeVolume
    return !readOnly && tree.medium === 'memory' ? [tree] : []
  })
}

/** A volume where a container has it. */
export function volumeMount(mount: ContainerSpec['mounts'][number]): MountPoint {
  const volume = mount.volume as TreeVolume
  const base = {
    path: mount.mountPath.replace(/\/+$/, '') || '/',
    tree: volume.tree,
    readOnly: mount.readOnly,
    ...(volume.tree.medium === 'memory' ? { source: 'tmpfs', type: 'tmpfs' } : { source: '/dev/vda1', type: 'ext4' }),
  }
  if (!mount.subPath) return { ...base, prefix: [] }
  const node = volume.node(mount.subPath)
  if (!node) volume.makeDirectory(mount.subPath)
  // A file mounted by subPath stays the file it was: a later update of the volume replaces the tree, not the mount.
  if (node && node.type !== 'dir') return { ...base, prefix: [], node: volume.tree.own(volume.realParts(mount.subPath) ?? []) }
  return { ...base, prefix: volume.realParts(mount.subPath) ?? [] }
}

/** Makes what a mount lies on: the runtime creates missing directories in the container's layer. */
export function makeMountPoint(layer: Tree, point: MountPoint): void {
  if (point.path === '/') return
  const parts = point.path.split('/').filter((part) => part !== '')
  let dir = layer.root
  for (let index = 0; index < parts.length; index++) {
    const name = parts[index] as string
    const next = dir.entries.get(name)
    if (next?.type === 'dir') {
      dir = next
      continue
    }
    if (next) return
    const owned = layer.ownDirectory(parts.slice(0, index))
    const lastPart = index === parts.length - 1
    const made = lastPart && point.node ? file('', 0o644) : directory(0o755)
    made.owner = layer
    layer.add(owned, name, made)
    if (made.type !== 'dir') return
    dir = made
  }
}
