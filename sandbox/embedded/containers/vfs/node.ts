import type { OpenFile } from '../kernel/open-file.ts'
import type { Process } from '../kernel/process.ts'

/**
 * The inodes of the virtual file system. A tree owns the nodes that carry its mark; nodes without it are shared (an
 * image's layer, used by every container of the process) and are copied on the way to the first write.
 */
export type Node = FileNode | DirNode | LinkNode | DeviceNode | FifoNode

interface Common {
  /** Permission bits, without the type. */
  mode: number
  uid: number
  gid: number
  /** Cluster ms. */
  mtime: number
  owner: object | undefined
}

export interface FileNode extends Common {
  type: 'file'
  /** The first `size` bytes count; the rest is room to grow. */
  data: Uint8Array
  size: number
  /** A file made at each read (/proc). */
  generate?: (process: Process | undefined) => string
  /** A file that is kept elsewhere (a container's log); `data` is empty then. */
  live?: LiveContent
}

export interface LiveContent {
  /** What reads a part of it: at most so many bytes from an offset on, none at the end. */
  open(): (offset: number, max: number) => Uint8Array
  /** Throws Errno. */
  truncate(): void
  /** Throws Errno. */
  remove(): void
}

export interface DirNode extends Common {
  type: 'dir'
  entries: Map<string, Node>
  /** Entries made at each look (/proc). */
  dynamic?: (process: Process | undefined) => Map<string, Node>
}

export interface LinkNode extends Common {
  type: 'link'
  target: string
  /** Differs by who looks (/proc/self). */
  follow?: (process: Process | undefined) => string
}

export interface DeviceNode extends Common {
  type: 'device'
  open: (process: Process) => OpenFile
  block?: boolean
  major: number
  minor: number
}

export interface FifoNode extends Common {
  type: 'fifo'
  pipe: { reader: () => OpenFile; writer: () => OpenFile } | undefined
}

const none = new Uint8Array(0)
const encoder = new TextEncoder()

export function file(content: string | Uint8Array, mode = 0o644, attributes: Partial<Common> = {}): FileNode {
  const data = typeof content === 'string' ? (content === '' ? none : encoder.encode(content)) : content
  return { type: 'file', mode, uid: 0, gid: 0, mtime: 0, owner: undefined, ...attributes, data, size: data.length }
}

export function directory(mode = 0o755, attributes: Partial<Common> = {}): DirNode {
  return { type: 'dir', mode, uid: 0, gid: 0, mtime: 0, owner: undefined, ...attributes, entries: new Map() }
}

export function symlink(target: string, attributes: Partial<Common> = {}): LinkNode {
  return { type: 'link', mode: 0o777, uid: 0, gid: 0, mtime: 0, owner: undefined, ...attributes, target }
}

export function generated(generate: (process: Process | undefined) => string, mode = 0o444): FileNode {
  return { ...file('', mode), generate }
}

/** The bytes of a file node, not a copy. */
export function contentOf(node: FileNode, process?: Process): Uint8Array {
  if (node.live) return node.live.open()(0, node.size)
  if (node.generate) return encoder.encode(node.generate(process))
  return node.data.length === node.size ? node.data : node.data.subarray(0, node.size)
}

/** What is in a directory, without what is mounted over it. */
export function entriesOf(dir: DirNode, process?: Process): ReadonlyMap<string, Node> {
  return dir.dynamic ? dir.dynamic(process) : dir.entries
}

export function sizeOf(node: Node): number {
  if (node.type === 'file') return node.size
  if (node.type === 'link') return node.target.length
  return node.type === 'dir' ? 4096 : 0
}

const inodes = new WeakMap<Node, number>()
let lastInode = 1000

/** A number of its own for every node, as `ls -i` shows it. */
export function inodeOf(node: Node): number {
  let inode = inodes.get(node)
  if (inode === undefined) {
    inode = ++lastInode
    inodes.set(node, inode)
  }
  return inode
}
