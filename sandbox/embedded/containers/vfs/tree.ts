import { Errno } from './errno.ts'
import { type DirNode, entriesOf, type FileNode, type Node } from './node.ts'

/**
 * One mountable tree of nodes with copy-on-write over a shared base and a limit on what may be written to it. The writable
 * layer of a container is one, each volume is one, /dev/shm is one.
 */
export class Tree {
  root: DirNode
  readonly base: DirNode | undefined
  /** Bytes in files that this tree owns. */
  usedBytes = 0
  /** Files and directories among them. */
  usedInodes = 0
  readonly limitBytes: number
  /** Hear of every change. */
  readonly listeners = new Set<() => void>()
  private changed = 0
  readonly medium: 'disk' | 'memory'

  constructor(root: DirNode, options: { limitBytes: number; shared?: boolean; medium?: 'disk' | 'memory' }) {
    this.root = root
    this.base = options.shared ? root : undefined
    if (!options.shared) root.owner = this
    this.limitBytes = options.limitBytes
    this.medium = options.medium ?? 'disk'
  }

  private get nameCost(): number {
    return this.medium === 'memory' ? 0 : entryBytes
  }

  /** Counts changes, so that a checkpoint knows what to store again. */
  get changes(): number {
    return this.changed
  }

  set changes(count: number) {
    this.changed = count
    for (const listener of this.listeners) listener()
  }

  /** The directory at these parts with the right to change it: everything on the way becomes this tree's own. */
  ownDirectory(parts: readonly string[]): DirNode {
    this.changes++
    if (this.root.owner !== this) this.root = this.copyDirectory(this.root)
    let dir = this.root
    for (const name of parts) {
      const child = entriesOf(dir).get(name)
      if (child?.type !== 'dir') throw new Errno('ENOENT')
      if (child.owner === this || child.dynamic) {
        dir = child
        continue
      }
      const copy = this.copyDirectory(child)
      dir.entries.set(name, copy)
      dir = copy
    }
    return dir
  }

  /** Any node with the right to change it. */
  own(parts: readonly string[]): Node {
    if (parts.length === 0) return this.ownDirectory([])
    const parent = this.ownDirectory(parts.slice(0, -1))
    if (parent.dynamic) throw new Errno('EPERM')
    const name = parts[parts.length - 1] as string
    const node = parent.entries.get(name)
    if (!node) throw new Errno('ENOENT')
    if (node.type === 'dir') return this.ownDirectory(parts)
    if (node.owner === this || node.type === 'device') return node
    const copy: Node = { ...node, owner: this }
    if (copy.type === 'file') {
      this.reserve(copy.size)
      copy.data = copy.data.slice(0, copy.size)
    }
    parent.entries.set(name, copy)
    return copy
  }

  add(parent: DirNode, name: string, node: Node): void {
    if (name.length > 255) throw new Errno('ENAMETOOLONG')
    const old = parent.entries.get(name)
    this.reserve(this.nameCost)
    if (this.medium === 'memory' && this.usedInodes >= mostInodesInMemory) throw new Errno('ENOSPC')
    this.usedInodes++
    if (old) this.release(old)
    parent.entries.set(name, node)
    this.changes++
  }

  remove(parent: DirNode, name: string): void {
    const old = parent.entries.get(name)
    if (!old) throw new Errno('ENOENT')
    this.release(old)
    parent.entries.delete(name)
    this.changes++
  }

  /** Writes at an offset, growing the file; throws ENOSPC at the limit, when what there is room for has been written. */
  writeAt(node: FileNode, offset: number, data: Uint8Array): void {
    const end = offset + data.length
    const lacking = end - node.size - (this.limitBytes - this.usedBytes)
    if (end > node.size && lacking > 0 && lacking < data.length) {
      this.writeAt(node, offset, data.subarray(0, data.length - lacking))
      throw new Errno('ENOSPC')
    }
    if (end > node.size) {
      this.reserve(end - node.size)
      if (end > node.data.length) {
        const grown = new Uint8Array(Math.max(end, Math.min(node.data.length * 2, node.data.length + growth)))
        grown.set(node.data.subarray(0, node.size))
        node.data = grown
      } else if (offset > node.size) node.data.fill(0, node.size, offset)
      node.size = end
    }
    node.data.set(data, offset)
    this.changes++
  }

  truncate(node: FileNode, size: number): void {
    if (size > node.size) {
      this.writeAt(node, node.size, new Uint8Array(size - node.size))
      return
    }
    this.reserve(size - node.size)
    node.data = size === 0 ? new Uint8Array(0) : node.data.slice(0, size)
    node.size = size
    this.changes++
  }

  private reserve(bytes: number): void {
    if (bytes > 0 && this.usedBytes + bytes > this.limitBytes) throw new Errno('ENOSPC')
    this.usedBytes += bytes
  }

  private release(node: Node): void {
    if (node.owner !== this) return
    this.usedBytes -= this.nameCost
    this.usedInodes--
    if (node.type === 'file') this.usedBytes -= node.size
  }

  private copyDirectory(dir: DirNode): DirNode {
    return { ...dir, owner: this, entries: new Map(dir.entries) }
  }
}

/** What a name costs on a disk, so that a million empty files are not free; in memory they are counted instead. */
const entryBytes = 256
const mostInodesInMemory = 65_536
const growth = 4 * 1024 * 1024
