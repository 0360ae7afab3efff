import type { Volume } from './runtime.ts'
import { Errno } from './vfs/errno.ts'
import { contentOf, type DirNode, directory, file, type Node, symlink } from './vfs/node.ts'
import { Tree } from './vfs/tree.ts'

/** Bytes in one volume, so that a learner cannot fill the machine. */
const volumeLimit = 64 * 1024 * 1024

/**
 * A volume as a tree that mounts share. `replace` does what the kubelet's atomic writer does: a timestamped directory that
 * ..data points to, and a link by each name, so that all files change at once.
 */
export class TreeVolume implements Volume {
  readonly key: string
  readonly tree: Tree
  private readonly now: () => number

  constructor(key: string, now: () => number, root?: DirNode) {
    this.key = key
    this.now = now
    this.tree = new Tree(root ?? directory(0o777, { mtime: now() }), { limitBytes: volumeLimit })
  }

  replace(files: Record<string, { content: Uint8Array; mode: number }>): void {
    const time = this.now()
    const { tree } = this
    const old = tree.root.entries.get('..data')
    const stamp = `..${new Date(time).toISOString().slice(0, 19).replaceAll('-', '_').replace('T', '_').replaceAll(':', '_')}.${String(tree.changes % 1_000_000_000).padStart(9, '0')}`
    const folder = directory(0o755, { mtime: time, owner: tree })
    for (const [path, { content, mode }] of Object.entries(files)) {
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
      const node = file('', mode, { mtime: time, owner: tree })
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
    let dir = this.tree.root
    for (const part of parts.slice(0, -1)) {
      let next = dir.entries.get(part)
      if (!next) {
        next = directory(0o755, { mtime: this.now(), owner: this.tree })
        this.tree.add(dir, part, next)
      }
      if (next.type !== 'dir') throw new Errno('ENOTDIR')
      dir = next
    }
    const name = parts[parts.length - 1] as string
    const node = file('', mode, { mtime: this.now(), owner: this.tree })
    this.tree.add(dir, name, node)
    this.tree.writeAt(node, 0, content)
  }

  usedBytes(): number {
    return this.tree.usedBytes
  }

  /** The node at a path inside, links inside the volume followed. */
  node(path: string, depth = 0): Node | undefined {
    let node: Node | undefined = this.tree.root
    const parts = path.split('/').filter((part) => part !== '' && part !== '.')
    for (let index = 0; index < parts.length; index++) {
      if (node?.type !== 'dir') return undefined
      node = node.entries.get(parts[index] as string)
      if (node?.type === 'link' && depth < 8) {
        const rest = parts.slice(index + 1).join('/')
        return this.node([...parts.slice(0, index), node.target, rest].join('/'), depth + 1)
      }
    }
    return node
  }

  /** A directory for a subPath that does not exist yet. */
  makeDirectory(path: string): void {
    let dir = this.tree.root
    for (const part of path.split('/').filter((each) => each !== '')) {
      let next = dir.entries.get(part)
      if (!next) {
        next = directory(0o750, { mtime: this.now(), owner: this.tree })
        this.tree.add(dir, part, next)
      }
      if (next.type !== 'dir') throw new Errno('ENOTDIR')
      dir = next
    }
  }
}

/** Removes a folder with all in it, so that its bytes are free again. */
function drop(tree: Tree, parent: DirNode, name: string): void {
  const node = parent.entries.get(name)
  if (node?.type === 'dir') for (const child of [...node.entries.keys()]) drop(tree, node, child)
  if (node) tree.remove(parent, name)
}
