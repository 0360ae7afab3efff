interface Contents<T> {
  values: Map<string, T>
  /** The keys in order; undefined when it must be made anew. */
  sorted: string[] | undefined
}

/** A sorted map that copies in constant time: both copies share their contents until one of them writes. */
export class Table<T> {
  private contents: Contents<T> = { values: new Map(), sorted: [] }
  private shared = false

  get size(): number {
    return this.contents.values.size
  }

  get(key: string): T | undefined {
    return this.contents.values.get(key)
  }

  set(key: string, value: T): void {
    this.own()
    const { values, sorted } = this.contents
    const isNew = !values.has(key)
    values.set(key, value)
    if (isNew && sorted) sorted.splice(position(sorted, key), 0, key)
  }

  delete(key: string): void {
    if (!this.contents.values.has(key)) return
    this.own()
    const { values, sorted } = this.contents
    values.delete(key)
    if (sorted) sorted.splice(position(sorted, key), 1)
  }

  /** The keys that start with the prefix, in order. */
  keys(prefix: string): string[] {
    const { contents } = this
    contents.sorted ??= [...contents.values.keys()].sort()
    if (prefix === '') return contents.sorted.slice()
    const start = position(contents.sorted, prefix)
    let end = start
    while (end < contents.sorted.length && contents.sorted[end]?.startsWith(prefix)) end++
    return contents.sorted.slice(start, end)
  }

  /** The values whose keys start with the prefix, in order of their keys. */
  list(prefix: string): T[] {
    return this.keys(prefix).map((key) => this.contents.values.get(key) as T)
  }

  entries(): IterableIterator<[string, T]> {
    return this.contents.values.entries()
  }

  fork(): Table<T> {
    const copy = new Table<T>()
    copy.contents = this.contents
    copy.shared = true
    this.shared = true
    return copy
  }

  private own(): void {
    if (!this.shared) return
    this.contents = { values: new Map(this.contents.values), sorted: this.contents.sorted?.slice() }
    this.shared = false
  }
}

/** Where a key is, or would be, in the order of JavaScript's strings. */
function position(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
