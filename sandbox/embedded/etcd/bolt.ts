/**
 * The file format of bbolt, which etcd keeps its data in: pages of 4 KiB, two meta pages, a free list, and B+trees whose
 * leaves hold sorted keys and values or, in the root, the buckets. Written whole and read whole.
 */

export type Buckets = ReadonlyMap<string, readonly Entry[]>

export interface Entry {
  key: Buffer
  value: Buffer
}

const pageSize = 4096
const pageHeader = 16
const elementHeader = 16
const branchPage = 0x01
const leafPage = 0x02
const metaPage = 0x04
const freelistPage = 0x10
const bucketElement = 0x01
const magic = 0xed0cdaed
const version = 2
const metaSize = 56

/** A database file with these buckets. Entries need not be sorted. */
export function writeBolt(buckets: Buckets): Buffer {
  const pages = new Pages()
  const roots = [...buckets].map(([name, entries]) => ({
    key: Buffer.from(name),
    value: bucketHeader(pages.tree([...entries].sort(byKey), 0)),
  }))
  const root = pages.tree(roots.sort(byKey), bucketElement)
  return Buffer.concat([meta(0, root, pages.end), meta(1, root, pages.end), freelist(), ...pages.written])
}

/** The buckets of a database file. Throws an Error that says what is wrong with it. */
export function readBolt(file: Buffer): Map<string, Entry[]> {
  const metas = [0, 1].flatMap((index) => readMeta(file, index))
  const newest = metas.sort((a, b) => Number(b.transaction - a.transaction))[0]
  if (!newest) throw new Error('This is no etcd database: neither of its two meta pages is whole')
  const buckets = new Map<string, Entry[]>()
  for (const { key, value, flags } of readTree(file, newest.pageSize, newest.root)) {
    if ((flags & bucketElement) === 0) continue
    const page = value.readBigUInt64LE(0)
    // a small bucket lies in its parent's page
    const elements = page === 0n ? readPage(value, 16).elements : readTree(file, newest.pageSize, page)
    buckets.set(
      key.toString(),
      elements.map((element) => ({ key: element.key, value: element.value })),
    )
  }
  return buckets
}

class Pages {
  readonly written: Buffer[] = []
  /** The number of the next page: the first three are the metas and the free list. */
  end = 3n

  /** Writes a tree of sorted entries, leaves first; returns its root's page. */
  tree(entries: readonly Entry[], flags: number): bigint {
    let level = split(entries).map((some) => ({ key: some[0]?.key ?? Buffer.alloc(0), page: this.leaf(some, flags) }))
    while (level.length > 1) {
      const children = level.map(({ key, page }) => ({ key, value: Buffer.alloc(0), page }))
      level = split(children).map((some) => ({ key: (some[0] as Entry).key, page: this.branch(some) }))
    }
    return (level[0] as { page: bigint }).page
  }

  private leaf(entries: readonly Entry[], flags: number): bigint {
    return this.add(leafPage, entries, (element, { key, value }, position) => {
      element.writeUInt32LE(flags, 0)
      element.writeUInt32LE(position, 4)
      element.writeUInt32LE(key.length, 8)
      element.writeUInt32LE(value.length, 12)
    })
  }

  private branch(children: readonly (Entry & { page: bigint })[]): bigint {
    return this.add(branchPage, children, (element, { key, page }, position) => {
      element.writeUInt32LE(position, 0)
      element.writeUInt32LE(key.length, 4)
      element.writeBigUInt64LE(page, 8)
    })
  }

  private add<T extends Entry>(kind: number, entries: readonly T[], head: (element: Buffer, entry: T, position: number) => void): bigint {
    const size = pageHeader + entries.reduce((sum, entry) => sum + sizeOf(entry), 0)
    const count = Math.max(1, Math.ceil(size / pageSize))
    const page = Buffer.alloc(count * pageSize)
    const id = this.end
    writePageHeader(page, id, kind, entries.length, count - 1)
    let data = pageHeader + entries.length * elementHeader
    for (const [index, entry] of entries.entries()) {
      const at = pageHeader + index * elementHeader
      head(page.subarray(at, at + elementHeader), entry, data - at)
      data += entry.key.copy(page, data)
      data += entry.value.copy(page, data)
    }
    this.written.push(page)
    this.end += BigInt(count)
    return id
  }
}

function sizeOf({ key, value }: Entry): number {
  return elementHeader + key.length + value.length
}

/** Entries that go on a page together; what is larger than a page stands alone. */
function split<T extends Entry>(entries: readonly T[]): T[][] {
  const pages: T[][] = [[]]
  let size = pageHeader
  for (const entry of entries) {
    const page = pages.at(-1) as T[]
    if (page.length > 0 && size + sizeOf(entry) > pageSize) {
      pages.push([entry])
      size = pageHeader + sizeOf(entry)
    } else {
      page.push(entry)
      size += sizeOf(entry)
    }
  }
  return pages
}

function meta(index: number, root: bigint, end: bigint): Buffer {
  const page = Buffer.alloc(pageSize)
  writePageHeader(page, BigInt(index), metaPage, 0, 0)
  const body = page.subarray(pageHeader)
  body.writeUInt32LE(magic, 0)
  body.writeUInt32LE(version, 4)
  body.writeUInt32LE(pageSize, 8)
  body.writeBigUInt64LE(root, 16)
  body.writeBigUInt64LE(2n, 32)
  body.writeBigUInt64LE(end, 40)
  body.writeBigUInt64LE(BigInt(index), 48)
  body.writeBigUInt64LE(fnv1a(body.subarray(0, metaSize)), metaSize)
  return page
}

function freelist(): Buffer {
  const page = Buffer.alloc(pageSize)
  writePageHeader(page, 2n, freelistPage, 0, 0)
  return page
}

function writePageHeader(page: Buffer, id: bigint, kind: number, count: number, overflow: number): void {
  page.writeBigUInt64LE(id, 0)
  page.writeUInt16LE(kind, 8)
  page.writeUInt16LE(count, 10)
  page.writeUInt32LE(overflow, 12)
}

function bucketHeader(root: bigint): Buffer {
  const header = Buffer.alloc(16)
  header.writeBigUInt64LE(root, 0)
  return header
}

function readMeta(file: Buffer, index: number): { pageSize: number; root: bigint; transaction: bigint }[] {
  // the second meta page starts where the first says that pages end
  const size = index === 0 || file.length < pageHeader + metaSize + 8 ? pageSize : file.readUInt32LE(pageHeader + 8) || pageSize
  const body = file.subarray(index * size + pageHeader)
  if (body.length < metaSize + 8 || body.readUInt32LE(0) !== magic || body.readUInt32LE(4) !== version) return []
  if (body.readBigUInt64LE(metaSize) !== fnv1a(body.subarray(0, metaSize))) return []
  return [{ pageSize: body.readUInt32LE(8), root: body.readBigUInt64LE(16), transaction: body.readBigUInt64LE(48) }]
}

interface Element extends Entry {
  flags: number
}

function readTree(file: Buffer, size: number, id: bigint, depth = 0): Element[] {
  const offset = Number(id) * size
  if (depth > 64 || offset + pageHeader > file.length) throw new Error(`The database is damaged: there is no page ${id}`)
  const { kind, elements, children } = readPage(file, offset)
  if (kind & leafPage) return elements
  if (kind & branchPage) return children.flatMap((child) => readTree(file, size, child, depth + 1))
  throw new Error(`The database is damaged: page ${id} is no part of a tree`)
}

function readPage(file: Buffer, offset: number): { kind: number; elements: Element[]; children: bigint[] } {
  const kind = file.readUInt16LE(offset + 8)
  const found: { kind: number; elements: Element[]; children: bigint[] } = { kind, elements: [], children: [] }
  for (let index = 0; index < file.readUInt16LE(offset + 10); index++) {
    const at = offset + pageHeader + index * elementHeader
    if (kind & branchPage) {
      found.children.push(file.readBigUInt64LE(at + 8))
      continue
    }
    const key = at + file.readUInt32LE(at + 4)
    const value = key + file.readUInt32LE(at + 8)
    const end = value + file.readUInt32LE(at + 12)
    if (end > file.length) throw new Error('The database is damaged: a value ends past the end of the file')
    found.elements.push({ flags: file.readUInt32LE(at), key: file.subarray(key, value), value: file.subarray(value, end) })
  }
  return found
}

function byKey(a: Entry, b: Entry): number {
  return Buffer.compare(a.key, b.key)
}

function fnv1a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return hash
}
