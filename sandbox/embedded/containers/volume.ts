import { resolveImage } from './images.ts'
import type { Volume, VolumeFile, VolumeTraits } from './runtime.ts'
import { Errno } from './vfs/errno.ts'
import { contentOf, type DirNode, directory, entriesOf, file, type Node, symlink } from './vfs/node.ts'
import { Tree } from './vfs/tree.ts'

/** Bytes in one volume, so that a learner cannot fill the machine. */
const usualLimit = 64 * 1024 * 1024
const highestLimit = 128 * 1024 * 1024

/**
 * A volume as a tree that mounts share. `replace` does what the kubelet's atomic writer does: a timestamped directory that
 * ..data points to, and a link by each name, so that all files change at once.
 */
export class TreeVolume implements Volume {
  readonly key: string
  readonly tree: Tree
  readonly traits: VolumeTraits
  private readonly now: () => number

  constructor(key: string, now: () => number, traits: VolumeTraits = {}) {
    this.key = key
    this.now = now
    this.traits = traits
    const { memory, image, sizeBytes = usualLimit, mode = 0o777 } = traits
    const root = image === undefined ? directory(mode, { mtime: now() }) : resolveImage(image).root
    this.tree = new Tree(root, {
      limitBytes: Math.min(sizeBytes, highestLimit),
      medium: memory ? 'memory' : 'disk',
      shared: image !== undefined,
    })
  }

  replace(files: Record<string, VolumeFile>): void {
    const time = this.now()
    const { tree } = this
    const old = tree.root.entries.get('..data')
    const stamp = `..${new Date(time).toISOString().slice(0, 19).replaceAll('-', '_').replace('T', '_').replaceAll(':', '_')}.${String(tree.changes % 1_000_000_000).padStart(9, '0')}`
    const folder = directory(0o755, { mtime: time, owner: tree })
    for (const [path, { content, mode, uid = 0 }] of Object.entries(files)) {
      const parts = path.split('/')
      let dir = folder
      for (const part of parts.slice(0, -1)) {
        let next = dir.entries.get(part)
        if (next?.type !== 'dir') {
          next = directory(0o755, { mtime: time, owner: tree })
          tree.add(dir, part, next)
        }
        dir = next
      }
      const node = file('', mode, { mtime: time, owner: tree, uid })
      tree.add(dir, parts[parts.length - 1] as string, node)
      tree.writeAt(node, 0, content)
    }
    const { root } = tree
    if (old?.type === 'link') drop(tree, root, old.target)
    for (const [name, node] of [...root.entries]) if (node.type === 'link' && node.target.startsWith('..data/')) tree.remove(root, name)
    tree.add(root, stamp, folder)
    tree.add(root, '..data', symlink(stamp, { mtime: time, owner: tree }))
    for (const path of Object.keys(files)) {
      const name = path.split('/')[0] as string
      if (!root.entries.has(name)) tree.add(root, name, symlink(`..data/${name}`, { mtime: time, owner: tree }))
    }
    root.mtime = time
  }

  read(path: string): Uint8Array | undefined {
    const node = this.node(path)
    return node?.type === 'file' ? contentOf(node).slice() : undefined
  }

  write(path: string, content: Uint8Array, mode = 0o644): void {
    const parts = path.split('/').filter((part) => part !== '')
    const name = parts.pop() as string
    this.makeDirectory(parts.join('/'), 0o755)
    const dir = this.tree.ownDirectory(this.realParts(parts.join('/')) ?? parts)
    const node = file('', mode, { mtime: this.now(), owner: this.tree })
    this.tree.add(dir, name, node)
    this.tree.writeAt(node, 0, content)
  }

  list(path: string): string[] {
    const node = this.node(path)
    return node?.type === 'dir' ? [...entriesOf(node).keys()].sort() : []
  }

  usedBytes(): number {
    return this.tree.usedBytes
  }

  usedInodes(): number {
    return this.tree.usedInodes
  }

  watch(listener: () => void): Disposable {
    const { listeners } = this.tree
    listeners.add(listener)
    return { [Symbol.dispose]: () => listeners.delete(listener) }
  }

  /** The node at a path inside, links inside the volume followed. */
  node(path: string): Node | undefined {
    let node: Node | undefined = this.tree.root
    for (const part of this.realParts(path) ?? ['']) node = node?.type === 'dir' ? entriesOf(node).get(part) : undefined
    return node
  }

  /** The parts of a path once links inside the volume are followed; undefined where it leads nowhere. */
  realParts(path: string): string[] | undefined {
    const pending = path.split('/')
    const parts: string[] = []
    const dirs: DirNode[] = [this.tree.root]
    let links = 0
    while (pending.length > 0) {
      const part = pending.shift() as string
      if (part === '' || part === '.') continue
      if (part === '..') {
        if (dirs.length > 1) dirs.pop()
        parts.length = dirs.length - 1
        continue
      }
      if (parts.length >= dirs.length) return undefined
      const dir = dirs[dirs.length - 1]
      const node = dir && entriesOf(dir).get(part)
      if (!node) return undefined
      if (node.type === 'link') {
        if (++links > 8) return undefined
        if (node.target.startsWith('/')) dirs.length = 1
        parts.length = dirs.length - 1
        pending.unshift(...node.target.split('/'))
        continue
      }
      parts.push(part)
      if (node.type === 'dir') dirs.push(node)
    }
    return parts
  }

  giveToGroup(group: number, { readOnly, onRootMismatch = false }: { readOnly: boolean; onRootMismatch?: boolean }): void {
    const { root } = this.tree
    const needed = groupMode(root, readOnly)
    if (onRootMismatch && root.gid === group && (root.mode & needed) === needed) return
    const give = (node: Node): void => {
      if (node.type === 'dir') for (const child of node.entries.values()) give(child)
      node.gid = group
      if (node.type !== 'link') node.mode |= groupMode(node, readOnly)
    }
    give(root)
    this.tree.changes++
  }

  kindOf(path: string): 'file' | 'dir' | 'fifo' | 'device' | undefined {
    const type = this.node(path)?.type
    return type === 'link' ? undefined : type
  }

  makeDirectory(path: string, mode?: number): void {
    const parts: string[] = []
    for (const part of path.split('/').filter((each) => each !== '')) {
      const dir = this.tree.ownDirectory(parts)
      const next = dir.entries.get(part)
      if (next?.type === 'link') {
        parts.splice(0, parts.length, ...(this.realParts([...parts, part].join('/')) ?? []))
        continue
      }
      if (next && next.type !== 'dir') throw new Errno('ENOTDIR')
      if (!next) {
        const gid = dir.mode & setGid ? dir.gid : 0
        this.tree.add(dir, part, directory(mode ?? this.tree.root.mode, { mtime: this.now(), owner: this.tree, gid }))
      }
      parts.push(part)
    }
  }
}

const setGid = 0o2000

/** What an fsGroup adds to a node's mode (pkg/volume/volume_linux.go). */
function groupMode(node: Node, readOnly: boolean): number {
  return (readOnly ? 0o440 : 0o660) | (node.type === 'dir' ? setGid | 0o110 : 0)
}

/** Removes a folder with all in it, so that its bytes are free again. */
function drop(tree: Tree, parent: DirNode, name: string): void {
  const node = parent.entries.get(name)
  if (node?.type === 'dir') for (const child of [...node.entries.keys()]) drop(tree, node, child)
  if (node) tree.remove(parent, name)
}
