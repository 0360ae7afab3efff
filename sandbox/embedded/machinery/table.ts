import { position, SortedKeys } from './sorted-keys.ts'

interface Contents<T> {
  values: Map<string, T>
  sorted: SortedKeys
}

/** Under which further keys a value is found, each named once; the same function is the same index. */
export type Indexer<T> = (value: T) => readonly string[]

/** Keys of the table by a further key, in order. */
type Index = Map<string, string[]>

/** A sorted map that copies in constant time: both copies share their contents until one of them writes. */
export class Table<T> {
  private contents: Contents<T> = { values: new Map(), sorted: new SortedKeys() }
  private shared = false
  /** Made when they are first asked for, and not copied. */
  private readonly indexes = new Map<Indexer<T>, Index>()

  get size(): number {
    return this.contents.values.size
  }

  get(key: string): T | undefined {
    return this.contents.values.get(key)
  }

  set(key: string, value: T): void {
    this.own()
    const { values, sorted } = this.contents
    const previous = values.get(key)
    values.set(key, value)
    if (previous === undefined) sorted.add(key)
    for (const [indexer, index] of this.indexes) reindex(index, key, previous && indexer(previous), indexer(value))
  }

  delete(key: string): void {
    const previous = this.contents.values.get(key)
    if (previous === undefined) return
    this.own()
    const { values, sorted } = this.contents
    values.delete(key)
    sorted.delete(key)
    for (const [indexer, index] of this.indexes) reindex(index, key, indexer(previous), undefined)
  }

  /** The values that an index has under a key of its own, in order of their keys in the table. */
  indexed(indexer: Indexer<T>, key: string): T[] {
    let index = this.indexes.get(indexer)
    if (!index) {
      this.indexes.set(indexer, (index = new Map()))
      for (const each of this.keys('')) reindex(index, each, undefined, indexer(this.contents.values.get(each) as T))
    }
    return (index.get(key) ?? []).map((each) => this.contents.values.get(each) as T)
  }

  /** The keys that start with the prefix, in order. */
  keys(prefix: string): string[] {
    return this.contents.sorted.startingWith(prefix)
  }

  /** The values whose keys start with the prefix, in order of their keys. */
  list(prefix: string): T[] {
    return this.keys(prefix).map((key) => this.contents.values.get(key) as T)
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
    this.contents = { values: new Map(this.contents.values), sorted: this.contents.sorted.copy() }
    this.shared = false
  }
}

function reindex(index: Index, key: string, before: readonly string[] = [], after: readonly string[] = []): void {
  if (before === after) return
  for (const old of before) {
    if (after.includes(old)) continue
    const keys = index.get(old)
    if (!keys) continue
    if (keys.length === 1) index.delete(old)
    else keys.splice(position(keys, key), 1)
  }
  for (const next of after) {
    if (before.includes(next)) continue
    const keys = index.get(next)
    if (!keys) index.set(next, [key])
    else keys.splice(position(keys, key), 0, key)
  }
}
