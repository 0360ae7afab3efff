import type { Clock } from '../clock.ts'
import type { Change, Records } from './context.ts'
import { forgetEncoded } from './encoded.ts'
import { ApiError } from './errors.ts'
import { freezeSharing } from './freeze.ts'
import { Log, type LogEntry } from './log.ts'
import type { KubeObject } from './object.ts'
import { shareSize, sizeOfStored } from './object-size.ts'
import { type Indexer, Table } from './table.ts'

/** A committed write. */
export interface StoredChange extends Change {
  revision: number
  /** Cluster ms. */
  time: number
  table: string
  key: string
}

/** Changes kept for watches and continue tokens; past these the answer is 410 Gone. */
const windowSize = 4000
const windowSlack = 1000
/** Bytes that they may take as JSON: large objects in a loop are forgotten sooner. */
const windowBytes = 32 * 2 ** 20
/** ms */
const compactionInterval = 300_000

/**
 * The state of a cluster: tables of frozen objects under one revision, the last thousands of changes, and the records of
 * the node side. Reads and writes are synchronous; `durable()` tells when a write outlives this process. Without a
 * directory everything is in memory only.
 *
 * A table is named by its resource and group (`pods`, `deployments.apps`), a key is `namespace/name` or `name`.
 */
export class Store implements AsyncDisposable {
  private readonly clock: Clock
  private tables = new Map<string, Table<KubeObject>>()
  private recordTable = new Table<string>()
  private window: StoredChange[] = []
  private windowSize = 0
  private forgotten = 0
  private current = 0
  private log: Log | undefined
  private readonly listeners = new Map<string, Set<(change: StoredChange) => void>>()
  private readonly allListeners = new Set<(change: StoredChange) => void>()
  private readonly undelivered: StoredChange[] = []
  private delivering = false
  /** Of writes that are being made together: whether one has been. */
  private batch: { begun: boolean } | undefined
  private readonly report: (error: unknown) => void

  /** `report` hears of a listener's or a compaction's error. */
  constructor(clock: Clock, report: (error: unknown) => void) {
    this.clock = clock
    this.report = report
  }

  /** Opens the store of a directory, with all that was acknowledged before. */
  static async open(directory: string, clock: Clock, report: (error: unknown) => void): Promise<Store> {
    const store = new Store(clock, report)
    store.log = await Log.open(directory, (entry) => store.replay(entry))
    return store
  }

  /** The revision of the latest write. */
  get revision(): number {
    return this.current
  }

  /** The oldest revision that a watch can start from or a list be reconstructed at. */
  get oldestRevision(): number {
    return this.forgotten
  }

  get(table: string, key: string): KubeObject | undefined {
    return this.tables.get(table)?.get(key)
  }

  /** In order of their keys. With a namespace only its objects. */
  list(table: string, namespace?: string): KubeObject[] {
    return this.tables.get(table)?.list(namespace === undefined ? '' : `${namespace}/`) ?? []
  }

  /** What an index has under a key, in order of their keys in the table. */
  indexed(table: string, indexer: Indexer<KubeObject>, key: string): KubeObject[] {
    return this.tables.get(table)?.indexed(indexer, key) ?? []
  }

  count(table: string): number {
    return this.tables.get(table)?.size ?? 0
  }

  tableNames(): string[] {
    return [...this.tables.keys()].sort()
  }

  /** The table as it was. Throws ApiError Expired when that is too long ago. */
  listAt(table: string, revision: number, namespace?: string): KubeObject[] {
    if (revision >= this.current) return this.list(table, namespace)
    const oldest = Math.max(this.forgotten, this.compacted())
    if (revision < oldest) throw expired(revision, oldest)
    const past = (this.tables.get(table) ?? new Table<KubeObject>()).fork()
    for (let index = this.window.length - 1; index >= 0; index--) {
      const change = this.window[index] as StoredChange
      if (change.revision <= revision) break
      if (change.table !== table) continue
      if (change.previous) past.set(change.key, change.previous)
      else past.delete(change.key)
    }
    return past.list(namespace === undefined ? '' : `${namespace}/`)
  }

  /**
   * Stores an object under the next revision and returns it as stored:
   * frozen, with its resourceVersion. The object is the store's from then on.
   */
  put(table: string, key: string, object: KubeObject): KubeObject {
    const previous = this.get(table, key)
    const revision = this.next()
    const stored = freezeSharing({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }, previous)
    shareSize(object, stored)
    this.table(table).set(key, stored)
    this.committed({ type: previous ? 'MODIFIED' : 'ADDED', object: stored, previous, revision, time: this.clock.now(), table, key })
    return stored
  }

  /** Removes an object; the change carries it with the revision of its removal. */
  remove(table: string, key: string): KubeObject | undefined {
    const previous = this.get(table, key)
    if (!previous) return undefined
    const revision = this.next()
    const object = freezeSharing({ ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } }, previous)
    this.table(table).delete(key)
    this.committed({ type: 'DELETED', object, previous, revision, time: this.clock.now(), table, key })
    return object
  }

  /**
   * Makes several writes under one revision, as a transaction of etcd does. Listeners hear of them when all are made. Of an error
   * in between what was written before stays.
   */
  together<T>(write: () => T): T {
    if (this.batch) return write()
    this.batch = { begun: false }
    try {
      return write()
    } finally {
      this.batch = undefined
      if (!this.delivering) this.deliver()
    }
  }

  /**
   * Hears every change of a table (or of all, by '*') from now on, right after its commit and in order. A listener that
   * writes is heard out first; its change follows.
   */
  subscribe(table: string, listener: (change: StoredChange) => void): Disposable {
    const set = table === '*' ? this.allListeners : (this.listeners.get(table) ?? new Set())
    if (table !== '*') this.listeners.set(table, set)
    set.add(listener)
    return { [Symbol.dispose]: () => set.delete(listener) }
  }

  /** The changes of a table (or of all, by '*') after a revision. Throws ApiError Expired when they are not all there any more. */
  changesSince(table: string, revision: number): StoredChange[] {
    if (revision < this.forgotten) throw expired(revision, this.forgotten)
    let start = this.window.length
    while (start > 0 && (this.window[start - 1] as StoredChange).revision > revision) start--
    return table === '*' ? this.window.slice(start) : this.window.slice(start).filter((change) => change.table === table)
  }

  /** Resolves when everything written so far outlives a crash of this process. */
  durable(): Promise<void> {
    return this.log?.durable() ?? Promise.resolve()
  }

  /** All changes that are still stored, oldest first: with a directory those since it was made, up to a limit. */
  async history(): Promise<StoredChange[]> {
    if (!this.log) return [...this.window]
    const last = new Map<string, KubeObject>()
    const changes: StoredChange[] = []
    for await (const entry of this.log.history()) {
      const place = parseKey(entry.key)
      if (!place) continue
      const previous = last.get(entry.key)
      const value = entry.value as KubeObject | undefined
      if (value) last.set(entry.key, value)
      else last.delete(entry.key)
      const object = value ?? previous
      if (!object) continue
      const type = value ? (previous ? 'MODIFIED' : 'ADDED') : 'DELETED'
      changes.push({ type, object, previous, revision: entry.revision, time: entry.time, ...place })
    }
    return changes
  }

  /** A copy in memory that shares nothing that changes. Costs the same whatever is in it. */
  fork(clock: Clock, report: (error: unknown) => void): Store {
    const copy = new Store(clock, report)
    copy.tables = new Map([...this.tables].map(([name, table]) => [name, table.fork()]))
    copy.recordTable = this.recordTable.fork()
    copy.window = this.window.slice()
    copy.windowSize = this.windowSize
    copy.forgotten = this.forgotten
    copy.current = this.current
    return copy
  }

  /** Takes over objects as they are, with their resourceVersions: what a snapshot held. Only on an empty store. */
  load(objects: Iterable<{ table: string; key: string; object: KubeObject }>, records: Record<string, unknown>, revision: number): void {
    if (this.current !== 0) throw new Error('only an empty store can be loaded')
    for (const { table, key, object } of objects) {
      const stored = freezeSharing(object)
      this.table(table).set(key, stored)
      this.log?.append({ key: objectKey(table, key), revision, time: this.clock.now(), value: stored })
    }
    for (const [key, value] of Object.entries(records)) this.records.put(key, value)
    this.current = revision
    this.forgotten = revision
  }

  /** What the node side remembers; lies in the same log. */
  readonly records: Records = {
    get: <T>(key: string): T | undefined => {
      const text = this.recordTable.get(key)
      return text === undefined ? undefined : (JSON.parse(text) as T)
    },
    put: (key, value) => {
      const text = JSON.stringify(value)
      this.recordTable.set(key, text)
      this.append({ key: recordPrefix + key, revision: 0, time: this.clock.now(), value, json: text })
    },
    delete: (key) => {
      if (this.recordTable.get(key) === undefined) return
      this.recordTable.delete(key)
      this.append({ key: recordPrefix + key, revision: 0, time: this.clock.now() })
    },
    keys: (prefix) => this.recordTable.keys(prefix),
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listeners.clear()
    this.allListeners.clear()
    await this.log?.[Symbol.asyncDispose]()
    this.log = undefined
  }

  /**
   * The revision to which the past would be compacted by now: every five minutes the API server lets etcd forget what was
   * before the five minutes before. Watches do not mind, they are answered from memory.
   */
  private compacted(): number {
    const boundary = (Math.floor(this.clock.now() / compactionInterval) - 1) * compactionInterval
    return this.window.findLast(({ time }) => time <= boundary)?.revision ?? 0
  }

  private table(name: string): Table<KubeObject> {
    let table = this.tables.get(name)
    if (!table) this.tables.set(name, (table = new Table()))
    return table
  }

  private next(): number {
    if (!this.batch?.begun) this.current++
    if (this.batch) this.batch.begun = true
    return this.current
  }

  private committed(change: StoredChange): void {
    this.remember(change)
    const { table, key, revision, time, type, object, previous } = change
    if (previous) forgetEncoded(previous)
    if (this.log) {
      // In whatever order its fields are: most of what controllers write nobody asks for before it is replaced.
      this.append({ key: objectKey(table, key), revision, time, value: type === 'DELETED' ? undefined : object })
    }
    this.undelivered.push(change)
    if (!this.delivering && !this.batch) this.deliver()
  }

  private deliver(): void {
    this.delivering = true
    try {
      for (let change = this.undelivered.shift(); change; change = this.undelivered.shift()) {
        for (const set of [this.listeners.get(change.table), this.allListeners]) {
          if (!set) continue
          for (const listener of [...set]) {
            try {
              listener(change)
            } catch (error) {
              this.report(error)
            }
          }
        }
      }
    } finally {
      this.delivering = false
    }
  }

  private remember(change: StoredChange): void {
    this.window.push(change)
    this.windowSize += sizeOfStored(change.object)
    let surplus = this.window.length > windowSize + windowSlack ? this.window.length - windowSize : 0
    if (this.windowSize > windowBytes) {
      let size = this.windowSize
      for (surplus = 0; size > windowBytes / 2 && surplus < this.window.length - 1; surplus++) {
        size -= sizeOfStored((this.window[surplus] as StoredChange).object)
      }
    }
    if (surplus === 0) return
    const dropped = this.window.splice(0, surplus)
    for (const { object } of dropped) this.windowSize -= sizeOfStored(object)
    this.forgotten = (dropped.at(-1) as StoredChange).revision
  }

  private append(entry: LogEntry): void {
    const { log } = this
    if (!log) return
    log.append(entry)
    if (log.large) log.compact({ key: revisionKey, revision: this.current, time: entry.time }).catch(this.report)
  }

  private replay({ key, revision, time, value }: LogEntry): void {
    if (key === revisionKey) {
      this.current = revision
      this.forgotten = revision
      this.window = []
      this.windowSize = 0
      return
    }
    if (key.startsWith(recordPrefix)) {
      const name = key.slice(recordPrefix.length)
      if (value === undefined) this.recordTable.delete(name)
      else this.recordTable.set(name, JSON.stringify(value))
      return
    }
    const place = parseKey(key)
    if (!place) throw new Error(`the log holds an unknown key: ${key}`)
    const previous = this.get(place.table, place.key)
    this.current = Math.max(this.current, revision)
    if (value !== undefined) {
      const object = freezeSharing(value as KubeObject, previous)
      this.table(place.table).set(place.key, object)
      this.remember({ type: previous ? 'MODIFIED' : 'ADDED', object, previous, revision, time, ...place })
    } else if (previous) {
      this.table(place.table).delete(place.key)
      const object = freezeSharing({ ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } }, previous)
      this.remember({ type: 'DELETED', object, previous, revision, time, ...place })
    }
  }
}

const objectPrefix = '/registry/'
const recordPrefix = '/records/'
const revisionKey = '/revision'

/** /registry/<group or core>/<resource>/<namespace>/<name> */
function objectKey(table: string, key: string): string {
  const dot = table.indexOf('.')
  const resource = dot < 0 ? table : table.slice(0, dot)
  return `${objectPrefix}${dot < 0 ? 'core' : table.slice(dot + 1)}/${resource}/${key}`
}

function parseKey(path: string): { table: string; key: string } | undefined {
  const match = /^\/registry\/([^/]+)\/([^/]+)\/(.+)$/.exec(path)
  if (!match) return undefined
  const [, group, resource, key] = match as unknown as [string, string, string, string]
  return { table: group === 'core' ? resource : `${resource}.${group}`, key }
}

function expired(revision: number, oldest: number): ApiError {
  return ApiError.expired(`too old resource version: ${revision} (${oldest})`)
}
