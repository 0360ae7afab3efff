import { type DirNode, directory, file, type Node, symlink } from './node.ts'
import type { Tree } from './tree.ts'

/** One difference of a tree from its base, as JSON. */
export interface Change {
  path: string
  type: 'file' | 'dir' | 'link' | 'removed'
  mode?: number
  uid?: number
  gid?: number
  mtime?: number
  /** Text as it is, anything else in base64. */
  text?: string
  base64?: string
  target?: string
}

/** What a tree holds over its base (everything, when it has none): parents before children. */
export function changesOf(tree: Tree): Change[] {
  const changes: Change[] = []
  if (tree.root !== tree.base) collect(tree, tree.root, tree.base, '', changes)
  return changes
}

function collect(tree: Tree, dir: DirNode, base: DirNode | undefined, prefix: string, changes: Change[]): void {
  for (const name of base?.entries.keys() ?? []) if (!dir.entries.has(name)) changes.push({ path: `${prefix}${name}`, type: 'removed' })
  for (const [name, node] of dir.entries) {
    if (node.owner !== tree) continue
    const path = `${prefix}${name}`
    const before = base?.entries.get(name)
    const attributes = { mode: node.mode, uid: node.uid, gid: node.gid, mtime: node.mtime }
    if (node.type === 'dir') {
      changes.push({ path, type: 'dir', ...attributes })
      collect(tree, node, before?.type === 'dir' ? before : undefined, `${path}/`, changes)
    } else if (node.type === 'link') changes.push({ path, type: 'link', ...attributes, target: node.target })
    else if (node.type === 'file') changes.push({ path, type: 'file', ...attributes, ...encode(node.data.subarray(0, node.size)) })
  }
}

/** Applies changes to a tree, without its limits. */
export function replay(tree: Tree, changes: readonly Change[]): void {
  for (const change of changes) {
    const parts = change.path.split('/')
    const name = parts.pop() as string
    const parent = tree.ownDirectory(parts)
    const old = parent.entries.get(name)
    if (change.type === 'removed') {
      parent.entries.delete(name)
      continue
    }
    const attributes = { mode: change.mode ?? 0o644, uid: change.uid ?? 0, gid: change.gid ?? 0, mtime: change.mtime ?? 0, owner: tree }
    if (change.type === 'dir') {
      if (old?.type === 'dir') Object.assign(tree.ownDirectory([...parts, name]), attributes)
      else parent.entries.set(name, directory(attributes.mode, attributes))
      continue
    }
    const node: Node =
      change.type === 'link'
        ? symlink(change.target ?? '', attributes)
        : file(
            change.base64 === undefined ? (change.text ?? '') : new Uint8Array(Buffer.from(change.base64, 'base64')),
            attributes.mode,
            attributes,
          )
    tree.add(parent, name, node)
    if (node.type === 'file') tree.usedBytes += node.size
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function encode(data: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: strict.decode(data) }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return { base64: Buffer.from(data).toString('base64') }
  }
}
