import { Errno } from '../vfs/errno.ts'
import { contentOf, type FileNode, type LiveContent } from '../vfs/node.ts'
import type { Tree } from '../vfs/tree.ts'
import type { Process } from './process.ts'

/** An open file description: what file descriptors of several processes may share. */
export abstract class OpenFile {
  /** Descriptors that point here. */
  private holders = 0
  abstract readonly kind: 'file' | 'pipe' | 'tty' | 'null' | 'device' | 'log' | 'socket' | 'dir'
  /** For /proc/self/fd and error texts. */
  path = ''

  /** Waits for data; an empty array is the end. */
  abstract read(max: number, process: Process): Promise<Uint8Array>
  /** What it returns is waited for: there may be no room yet. Throws Errno, EPIPE when nobody reads any more. */
  abstract write(data: Uint8Array, process: Process): Promise<void> | undefined

  retain(): this {
    this.holders++
    return this
  }

  release(): void {
    if (--this.holders === 0) this.closed()
  }

  /** The last descriptor is gone. */
  protected closed(): void {}
}

export const nothing: Uint8Array = new Uint8Array(0)
const zeros: Uint8Array = new Uint8Array(65536)

export class NullFile extends OpenFile {
  readonly kind = 'null'
  override path = '/dev/null'
  async read(): Promise<Uint8Array> {
    return nothing
  }
  write(): undefined {}
}

export class ZeroFile extends OpenFile {
  readonly kind = 'device'
  override path = '/dev/zero'
  async read(max: number): Promise<Uint8Array> {
    return max >= zeros.length ? zeros : zeros.subarray(0, max)
  }
  async write(): Promise<void> {}
}

export class FullFile extends ZeroFile {
  override path = '/dev/full'
  override async write(): Promise<void> {
    throw new Errno('ENOSPC')
  }
}

export class RandomFile extends OpenFile {
  readonly kind = 'device'
  override path = '/dev/urandom'
  private readonly random: () => number
  constructor(random: () => number) {
    super()
    this.random = random
  }
  async read(max: number): Promise<Uint8Array> {
    const data = new Uint8Array(Math.min(max, 65536))
    for (let index = 0; index < data.length; index++) data[index] = this.random() * 256
    return data
  }
  async write(): Promise<void> {}
}

export class RegularFile extends OpenFile {
  readonly kind = 'file'
  offset = 0
  readonly node: FileNode
  private readonly tree: Tree | undefined
  private readonly append: boolean
  private readonly now: () => number
  /** Made once per opening, as /proc does. */
  private generated: Uint8Array | undefined
  private reader: ReturnType<LiveContent['open']> | undefined

  /** Without a tree it is open for reading only. */
  constructor(node: FileNode, tree: Tree | undefined, append: boolean, now: () => number) {
    super()
    this.node = node
    this.tree = tree
    this.append = append
    this.now = now
    if (node.live && !tree) this.reader = node.live.open()
  }

  async read(max: number, process: Process): Promise<Uint8Array> {
    if (this.node.live) {
      this.reader ??= this.node.live.open()
      const data = this.reader(this.offset, max)
      this.offset += data.length
      return data
    }
    if (this.node.generate) this.generated ??= contentOf(this.node, process)
    const content = this.generated ?? contentOf(this.node)
    const data = content.subarray(this.offset, this.offset + max)
    this.offset += data.length
    // The node may grow or be cut in place while a pipe still holds this view.
    return this.tree || this.node.owner ? data.slice() : data
  }

  async write(data: Uint8Array): Promise<void> {
    if (!this.tree) throw new Errno('EBADF')
    if (this.node.live) throw new Errno('EPERM')
    if (this.node.generate) return
    if (this.append) this.offset = this.node.size
    this.tree.writeAt(this.node, this.offset, data)
    this.offset += data.length
    this.node.mtime = this.now()
  }
}

export class DirectoryFile extends OpenFile {
  readonly kind = 'dir'
  async read(): Promise<Uint8Array> {
    throw new Errno('EISDIR')
  }
  async write(): Promise<void> {
    throw new Errno('EBADF')
  }
}

/** Takes whatever is written; never has anything to read. */
export class SinkFile extends OpenFile {
  readonly kind = 'log'
  private readonly sink: (data: Uint8Array) => void
  constructor(sink: (data: Uint8Array) => void) {
    super()
    this.sink = sink
  }
  async read(): Promise<Uint8Array> {
    return nothing
  }
  write(data: Uint8Array, process?: Process): Promise<void> | undefined {
    this.sink(data.slice())
    let lines = 0
    for (let end = data.indexOf(newline); end !== -1; end = data.indexOf(newline, end + 1)) lines++
    return process?.spend(lines * linePrice)
  }
}

const newline = 0x0a
/** Nanoseconds for a line of a container's log, which is kept and told one by one. */
const linePrice = 2_000
