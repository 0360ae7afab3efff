import { type Capabilities, type Capability, hasCapability } from '../kernel/capabilities.ts'
import type { Process } from '../kernel/process.ts'
import { Errno, type ErrnoCode } from './errno.ts'
import { type DirNode, directory, entriesOf, type FileNode, file, type Node, symlink } from './node.ts'
import type { Tree } from './tree.ts'

export interface MountPoint {
  path: string
  tree: Tree
  /** Where in the tree the mount begins. */
  prefix: readonly string[]
  /** A single file (subPath, /dev/termination-log): stays the same node whatever happens to the tree. */
  node?: Node
  readOnly: boolean
  /** As /proc/mounts names it. */
  source: string
  type: string
}

/** Where a path leads. `node` is undefined when only the last part is missing. */
interface Place {
  /** Absolute, without symbolic links. */
  path: string
  mount: MountPoint
  node: Node | undefined
}

export interface Location extends Place {
  /** Inside the tree. */
  parts: string[]
}

export interface Credentials {
  uid: number
  gid: number
  /** All groups besides gid. */
  groups?: readonly number[]
  umask: number
  cwd: string
  /** Those in effect; absent, root has all of them and others none. */
  capabilities?: Capabilities
  process?: Process
}

/** What a container sees of files: its layer with the mounts over it. Every method throws Errno. */
export class FileSystem {
  readonly mounts = new Map<string, MountPoint>()
  private readonly now: () => number

  constructor(root: MountPoint, now: () => number) {
    this.mounts.set('/', root)
    this.now = now
  }

  /** What lies under /, without what is mounted over it. */
  get root(): DirNode {
    return this.top.mount.tree.root
  }

  mount(point: MountPoint): void {
    this.mounts.set(point.path, point)
  }

  /** Walks a path. With `follow` false the last part may be a link that is not followed. */
  locate(path: string, who: Credentials, follow = true): Location {
    const at = this.walk(path, who, follow)
    if (typeof at === 'string') throw new Errno(at)
    const { path: mounted, prefix } = at.mount
    return { ...at, parts: [...prefix, ...partsOf(mounted === '/' ? at.path : at.path.slice(mounted.length)).reverse()] }
  }

  /** Throws what a link or a directory throws that is made at each look. */
  private walk(path: string, who: Credentials, follow: boolean): Place | ErrnoCode {
    if (path === '') return 'ENOENT'
    const pending = partsOf(path.startsWith('/') ? path : `${who.cwd}/${path}`)
    const trailingSlash = path.endsWith('/') && pending.length > 0
    let at = this.top
    let links = 0
    while (pending.length > 0) {
      const name = pending.pop() as string
      if (!at.node) return 'ENOENT'
      if (at.node.type !== 'dir') return 'ENOTDIR'
      if (!permits(at.node, who, 1)) return 'EACCES'
      const next = this.step(at, at.node, name, who)
      if (next.node?.type === 'link' && (follow || pending.length > 0 || trailingSlash)) {
        if (++links > 40) return 'ELOOP'
        const target = next.node.follow ? next.node.follow(who.process) : next.node.target
        pending.push(...partsOf(target))
        if (target.startsWith('/')) at = this.top
        continue
      }
      at = next
    }
    if (trailingSlash && at.node && at.node.type !== 'dir') return 'ENOTDIR'
    return at
  }

  /** The same files as one sees them whose root is a directory of theirs. */
  rootedAt(path: string, who: Credentials): FileSystem {
    const at = this.locate(path, who)
    if (!at.node) throw new Errno('ENOENT')
    if (at.node.type !== 'dir') throw new Errno('ENOTDIR')
    const inside = new FileSystem({ ...at.mount, path: '/', prefix: at.parts }, this.now)
    const above = at.path === '/' ? '' : at.path
    for (const mount of this.mounts.values()) {
      if (mount.path !== '/' && mount.path.startsWith(`${above}/`)) inside.mount({ ...mount, path: mount.path.slice(above.length) })
    }
    return inside
  }

  /** The existing node at a path. */
  lookup(path: string, who: Credentials, follow = true): Node {
    const { node } = this.locate(path, who, follow)
    if (!node) throw new Errno('ENOENT')
    return node
  }

  find(path: string, who: Credentials, follow = true): Node | undefined {
    try {
      const at = this.walk(path, who, follow)
      return typeof at === 'string' ? undefined : at.node
    } catch (error) {
      if (error instanceof Errno) return undefined
      throw error
    }
  }

  /** Names and nodes of a directory, mounts included, in order of name. */
  list(path: string, who: Credentials): [string, Node][] {
    const at = this.locate(path, who)
    if (!at.node) throw new Errno('ENOENT')
    if (at.node.type !== 'dir') throw new Errno('ENOTDIR')
    if (!permits(at.node, who, 4)) throw new Errno('EACCES')
    const entries = new Map(entriesOf(at.node, who.process))
    const prefix = at.path === '/' ? '/' : `${at.path}/`
    for (const mount of this.mounts.values()) {
      if (mount.path === '/' || !mount.path.startsWith(prefix) || mount.path.indexOf('/', prefix.length) !== -1) continue
      const node = this.mountRoot(mount)
      if (node) entries.set(mount.path.slice(prefix.length), node)
    }
    return [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }

  /** The file at a path with the right to write it; made when missing. */
  openForWriting(path: string, who: Credentials, options: { truncate?: boolean; exclusive?: boolean; mode?: number } = {}) {
    const at = this.locate(path, who)
    if (at.node) {
      if (options.exclusive) throw new Errno('EEXIST')
      if (at.node.type === 'dir') throw new Errno('EISDIR')
      if (!permits(at.node, who, 2)) throw new Errno('EACCES')
      if (at.node.type !== 'file') return { node: at.node, tree: at.mount.tree }
      if (at.node.generate) return { node: at.node, tree: at.mount.tree }
      this.demandWritable(at.mount)
      if (at.node.live) {
        if (options.truncate) at.node.live.truncate()
        return { node: at.node, tree: at.mount.tree }
      }
      const node = (at.mount.node ?? at.mount.tree.own(at.parts)) as FileNode
      if (options.truncate) {
        at.mount.tree.truncate(node, 0)
        node.mtime = this.now()
      }
      return { node, tree: at.mount.tree }
    }
    const node = file('', (options.mode ?? 0o666) & ~who.umask)
    this.insert(at, who, node)
    return { node, tree: at.mount.tree }
  }

  write(path: string, content: Uint8Array | string, who: Credentials, mode?: number): void {
    const data = typeof content === 'string' ? new TextEncoder().encode(content) : content
    const { node, tree } = this.openForWriting(path, who, { truncate: true, mode })
    if (node.type !== 'file') return
    tree.writeAt(node, 0, data)
    node.mtime = this.now()
  }

  mkdir(path: string, who: Credentials, mode = 0o777): void {
    const at = this.locate(path, who)
    if (at.node) throw new Errno('EEXIST')
    this.insert(at, who, directory(mode & ~who.umask))
  }

  /** mkdir -p */
  mkdirs(path: string, who: Credentials, mode = 0o777): void {
    const parts = path.split('/')
    for (let count = 1; count <= parts.length; count++) {
      const step = parts.slice(0, count).join('/')
      if (step === '' || step === '.') continue
      const node = this.find(step, who)
      if (!node) this.mkdir(step, who, mode)
      else if (node.type !== 'dir') throw new Errno(count === parts.length ? 'EEXIST' : 'ENOTDIR')
    }
  }

  symlink(target: string, path: string, who: Credentials): void {
    const at = this.locate(path, who, false)
    if (at.node) throw new Errno('EEXIST')
    this.insert(at, who, symlink(target))
  }

  link(from: string, to: string, who: Credentials): void {
    const source = this.locate(from, who, false)
    if (!source.node) throw new Errno('ENOENT')
    if (source.node.type === 'dir') throw new Errno('EPERM')
    const at = this.locate(to, who, false)
    if (at.node) throw new Errno('EEXIST')
    if (at.mount !== source.mount) throw new Errno('EXDEV')
    this.demandWritable(at.mount)
    const node = at.mount.tree.own(source.parts)
    at.mount.tree.add(this.parentForChange(at, who), at.parts[at.parts.length - 1] as string, node)
  }

  /** Puts a ready node at a path where nothing is. */
  place(path: string, node: Node, who: Credentials): void {
    const at = this.locate(path, who, false)
    if (at.node) throw new Errno('EEXIST')
    this.insert(at, who, node)
  }

  unlink(path: string, who: Credentials): void {
    const at = this.locate(path, who, false)
    if (!at.node) throw new Errno('ENOENT')
    if (at.node.type === 'dir') throw new Errno('EISDIR')
    this.detach(at, who)
  }

  rmdir(path: string, who: Credentials): void {
    const at = this.locate(path, who, false)
    if (!at.node) throw new Errno('ENOENT')
    if (at.node.type !== 'dir') throw new Errno('ENOTDIR')
    if (at.node.entries.size > 0) throw new Errno('ENOTEMPTY')
    this.detach(at, who)
  }

  rename(from: string, to: string, who: Credentials): void {
    const source = this.locate(from, who, false)
    if (!source.node) throw new Errno('ENOENT')
    const at = this.locate(to, who, false)
    if (source.mount !== at.mount) throw new Errno('EXDEV')
    if (source.path === at.path) return
    if (at.path.startsWith(`${source.path}/`)) throw new Errno('EINVAL')
    if (this.mounts.has(source.path) || this.mounts.has(at.path)) throw new Errno('EBUSY')
    if (at.node?.type === 'dir' && source.node.type !== 'dir') throw new Errno('EISDIR')
    if (at.node?.type === 'dir' && at.node.entries.size > 0) throw new Errno('ENOTEMPTY')
    if (at.node && at.node.type !== 'dir' && source.node.type === 'dir') throw new Errno('ENOTDIR')
    this.demandWritable(at.mount)
    const node = at.mount.tree.own(source.parts)
    const sourceParent = this.parentForChange(source, who)
    const targetParent = this.parentForChange(at, who)
    sourceParent.entries.delete(source.parts[source.parts.length - 1] as string)
    at.mount.tree.add(targetParent, at.parts[at.parts.length - 1] as string, node)
  }

  /** A node with the right to change its attributes. */
  change(path: string, who: Credentials, follow = true): Node {
    const at = this.locate(path, who, follow)
    if (!at.node) throw new Errno('ENOENT')
    this.demandWritable(at.mount)
    if (!may(who, 'FOWNER') && who.uid !== at.node.uid) throw new Errno('EPERM')
    if (at.mount.node) return at.mount.node
    return at.mount.tree.own(at.parts)
  }

  /** Gives a file to somebody; who is not there stays. */
  giveTo(path: string, owner: { uid?: number; gid?: number }, who: Credentials, follow = true): void {
    if (!may(who, 'CHOWN')) {
      const node = this.locate(path, who, follow).node
      if (!node) throw new Errno('ENOENT')
      const own = owner.gid === undefined || owner.gid === who.gid || who.groups?.includes(owner.gid)
      if (node.uid !== who.uid || (owner.uid !== undefined && owner.uid !== node.uid) || !own) throw new Errno('EPERM')
    }
    const node = this.change(path, who, follow)
    node.uid = owner.uid ?? node.uid
    node.gid = owner.gid ?? node.gid
  }

  /** Sets the time of a file that exists; false when there is none. */
  touch(path: string, who: Credentials, time: number): boolean {
    const at = this.locate(path, who)
    if (!at.node) return false
    if (!permits(at.node, who, 2) && who.uid !== at.node.uid) throw new Errno('EACCES')
    if (at.node.type === 'device') return true
    this.demandWritable(at.mount)
    const node = at.mount.node ?? at.mount.tree.own(at.parts)
    node.mtime = time
    return true
  }

  access(node: Node, who: Credentials, bits: number): boolean {
    return permits(node, who, bits)
  }

  private insert(at: Location, who: Credentials, node: Node): void {
    this.demandWritable(at.mount)
    if (at.mount.node) throw new Errno('EBUSY')
    const parent = this.parentForChange(at, who)
    node.owner = at.mount.tree
    node.uid = who.uid
    // A directory with the setgid bit passes its group on, and the bit to directories.
    node.gid = parent.mode & 0o2000 ? parent.gid : who.gid
    if (node.type === 'dir') node.mode |= parent.mode & 0o2000
    node.mtime = this.now()
    at.mount.tree.add(parent, at.parts[at.parts.length - 1] as string, node)
    parent.mtime = node.mtime
  }

  private detach(at: Location, who: Credentials): void {
    if (this.mounts.has(at.path)) throw new Errno('EBUSY')
    this.demandWritable(at.mount)
    if (at.node?.type === 'file' && at.node.live && may(who, 'DAC_OVERRIDE')) {
      at.node.live.remove()
      return
    }
    const parent = this.parentForChange(at, who)
    if (parent.mode & 0o1000 && !may(who, 'FOWNER') && at.node?.uid !== who.uid && parent.uid !== who.uid) throw new Errno('EPERM')
    at.mount.tree.remove(parent, at.parts[at.parts.length - 1] as string)
    parent.mtime = this.now()
  }

  private parentForChange(at: Location, who: Credentials): DirNode {
    const parts = at.parts.slice(0, -1)
    const { tree } = at.mount
    let dir: Node | undefined = tree.root
    for (const part of parts) dir = dir?.type === 'dir' ? entriesOf(dir).get(part) : undefined
    if (dir?.type !== 'dir') throw new Errno('ENOENT')
    if (dir.dynamic) throw new Errno('EPERM')
    if (!permits(dir, who, 2)) throw new Errno('EACCES')
    return tree.ownDirectory(parts)
  }

  private demandWritable(mount: MountPoint): void {
    if (mount.readOnly) throw new Errno('EROFS')
  }

  private get top(): Place {
    const mount = this.mounts.get('/') as MountPoint
    return { path: '/', mount, node: this.mountRoot(mount) }
  }

  private step(at: Place, dir: DirNode, name: string, who: Credentials): Place {
    if (name === '..') return this.parentOf(at)
    const path = at.path === '/' ? `/${name}` : `${at.path}/${name}`
    const mount = this.mounts.get(path)
    if (mount) return { path, mount, node: this.mountRoot(mount) }
    return { path, mount: at.mount, node: entriesOf(dir, who.process).get(name) }
  }

  private parentOf(at: Place): Place {
    if (at.path === '/') return at
    const path = at.path.slice(0, at.path.lastIndexOf('/')) || '/'
    return this.locate(path, { uid: 0, gid: 0, umask: 0, cwd: '/' }, false)
  }

  private mountRoot(mount: MountPoint): Node | undefined {
    if (mount.node) return mount.node
    let node: Node | undefined = mount.tree.root
    for (const part of mount.prefix) node = node?.type === 'dir' ? entriesOf(node).get(part) : undefined
    return node
  }
}

function may(who: Credentials, capability: Capability): boolean {
  return who.capabilities === undefined ? who.uid === 0 : hasCapability(who.capabilities, capability)
}

function permits(node: Node, who: Credentials, bits: number): boolean {
  const everybody = node.mode & (node.mode >> 3) & (node.mode >> 6)
  if ((everybody & bits) === bits) return true
  if (may(who, 'DAC_OVERRIDE')) return bits !== 1 || node.type === 'dir' || (node.mode & 0o111) !== 0
  const shift = node.uid === who.uid ? 6 : node.gid === who.gid || who.groups?.includes(node.gid) ? 3 : 0
  return ((node.mode >> shift) & bits) === bits
}

/** The parts of a path that lead somewhere, the last one first. */
function partsOf(path: string): string[] {
  const parts: string[] = []
  for (let end = path.length, slash = 0; end > 0; end = slash) {
    slash = path.lastIndexOf('/', end - 1)
    const part = path.slice(slash + 1, end)
    if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}
