import { status } from '@grpc/grpc-js'
import { type ServedResources, tableOf } from '../api/resources.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Store, StoredChange } from '../machinery/store.ts'
import { decodeProtobuf, encodeProtobuf } from '../protobuf/index.ts'
import { goJson } from '../schema/go-order.ts'
import { plainName, plainTable, prefixOf } from './keys.ts'
import { EtcdError, type KeyValue } from './rpc.ts'

/** The store of a cluster as etcd shows it: one sorted range of keys, each with its revisions. */
export class Keyspace implements Disposable {
  readonly store: Store
  private readonly resources: ServedResources
  /** By path: since when it is there and how often it was written. */
  private readonly lives = new Map<string, Life>()
  /** By revision and path, of what was written at it. */
  private readonly written = new Map<string, Life>()
  private readonly subscription: Disposable
  private places: Place[] = []
  private readonly following: Disposable

  private constructor(store: Store, resources: ServedResources) {
    this.store = store
    this.resources = resources
    this.locate()
    this.following = resources.onChange(() => this.locate())
    this.subscription = store.subscribe('*', (change) => this.live(change))
  }

  static async open(store: Store, resources: ServedResources): Promise<Keyspace> {
    const keyspace = new Keyspace(store, resources)
    for (const change of await store.history()) keyspace.live(change)
    return keyspace
  }

  /** Keys from `key` on and before `end`; the key alone for an empty end, everything after it for a zero byte. Sorted. */
  range(key: Uint8Array, end: Uint8Array, revision = 0): Found[] {
    if (revision > this.store.revision) throw new EtcdError(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision')
    const within = inRange(key, end)
    const found: Found[] = []
    for (const place of this.places) {
      if (!touches(place, key, end)) continue
      for (const object of this.at(place.table, revision)) {
        const path = pathOf(place, object)
        if (within(path)) found.push({ path, place, object })
      }
    }
    return found.sort((a, b) => Buffer.compare(a.path, b.path))
  }

  pair({ path, place, object }: Omit<Found, 'change'>, keysOnly = false): KeyValue {
    const modified = Number(object.metadata.resourceVersion)
    const name = path.toString('latin1')
    const life = this.written.get(`${modified} ${name}`) ?? this.lives.get(name)
    return {
      key: path,
      create_revision: life?.created ?? modified,
      mod_revision: modified,
      version: life?.version ?? 1,
      value: keysOnly ? Buffer.alloc(0) : encodedOf(place, object),
      lease: 0,
    }
  }

  /** The key that a change is about. */
  changed({ table, object }: StoredChange): Omit<Found, 'change'> | undefined {
    const place = this.places.find((one) => one.table === table)
    return place && { path: pathOf(place, object), place, object }
  }

  /** Writes a value as it is: past the API server, as whoever writes to etcd does. Throws EtcdError for what is no object. */
  put(key: Uint8Array, value: Uint8Array): void {
    const path = Buffer.from(key)
    const place = this.placeOf(path)
    if (place.table === plainTable) {
      const object: PlainKey = {
        apiVersion: 'v1',
        kind: 'Key',
        metadata: { name: plainName(path) },
        value: Buffer.from(value).toString('base64'),
      }
      this.store.put(plainTable, object.metadata.name as string, object)
      return
    }
    this.store.put(place.table, path.subarray(place.prefix.length).toString(), objectOf(path, value))
  }

  delete({ place, object }: Found): void {
    this.store.remove(place.table, nameOf(object))
  }

  [Symbol.dispose](): void {
    this.subscription[Symbol.dispose]()
    this.following[Symbol.dispose]()
  }

  private at(table: string, revision: number): KubeObject[] {
    if (!revision) return this.store.list(table)
    try {
      return this.store.listAt(table, revision)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      throw new EtcdError(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted')
    }
  }

  private locate(): void {
    const places = new Map<string, Place>()
    for (const info of this.resources.all()) {
      const custom = this.resources.isCustom(info)
      const table = tableOf(info)
      const asJson = custom || info.storage.group === 'apiextensions.k8s.io' || info.storage.group === 'apiregistration.k8s.io'
      places.set(table, { table, prefix: Buffer.from(prefixOf(info.storage, custom)), asJson })
    }
    this.places = [...places.values(), { table: plainTable, prefix: Buffer.alloc(0), asJson: false }]
  }

  private placeOf(path: Buffer): Place {
    return this.places.find(({ prefix }) => path.subarray(0, prefix.length).equals(prefix)) as Place
  }

  private live(change: StoredChange): void {
    const path = this.changed(change)?.path.toString('latin1')
    if (path === undefined) return
    const known = this.lives.get(path)
    if (change.type === 'DELETED') {
      this.lives.delete(path)
      return
    }
    if (known && known.last >= change.revision) return
    const life = { created: known?.created ?? change.revision, last: change.revision, version: (known?.version ?? 0) + 1 }
    this.lives.set(path, life)
    this.written.set(`${change.revision} ${path}`, life)
    if (this.written.size > 2 * (this.store.revision - this.store.oldestRevision) + 1000) this.forget()
  }

  /** What the store no longer tells needs no life. */
  private forget(): void {
    for (const key of this.written.keys()) if (Number.parseInt(key, 10) < this.store.oldestRevision) this.written.delete(key)
  }
}

export interface Found {
  path: Buffer
  place: Place
  object: KubeObject
}

interface Place {
  table: string
  prefix: Buffer
  asJson: boolean
}

interface Life {
  created: number
  last: number
  version: number
}

type PlainKey = KubeObject & { value: string }

/** Whether a key lies in the range that etcd means by these two. */
export function inRange(key: Uint8Array, end: Uint8Array): (path: Buffer) => boolean {
  if (end.length === 0) return (path) => path.equals(key)
  const open = end.length === 1 && end[0] === 0
  return (path) => Buffer.compare(path, key) >= 0 && (open || Buffer.compare(path, end) < 0)
}

/** An object from the value that etcd keeps of it. Throws EtcdError. */
export function objectOf(path: Buffer, value: Uint8Array): KubeObject {
  try {
    const object = value[0] === 0x7b ? JSON.parse(Buffer.from(value).toString()) : decodeProtobuf(value)
    if (typeof object?.metadata?.name !== 'string') throw new Error('it has no metadata.name')
    return object as KubeObject
  } catch (error) {
    throw new EtcdError(
      status.INVALID_ARGUMENT,
      `${path}: under /registry only Kubernetes objects are kept, as JSON or in their protobuf form: ${(error as Error).message}`,
    )
  }
}

/** Whether anything under the place's prefix can lie in the range. */
function touches({ prefix }: Place, key: Uint8Array, end: Uint8Array): boolean {
  if (end.length === 0) return Buffer.from(key).subarray(0, prefix.length).equals(prefix)
  const last = Buffer.concat([prefix, Buffer.from([0xff])])
  return Buffer.compare(last, key) >= 0 && ((end.length === 1 && end[0] === 0) || prefix.length === 0 || Buffer.compare(prefix, end) < 0)
}

function pathOf({ table, prefix }: Place, object: KubeObject): Buffer {
  if (table === plainTable) return Buffer.from(object.metadata.name ?? '', 'hex')
  return Buffer.concat([prefix, Buffer.from(nameOf(object))])
}

function nameOf({ metadata }: KubeObject): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : (metadata.name ?? '')
}

/** What etcd holds of an object: all but its resourceVersion, which is the key's own revision. */
function encodedOf({ table, asJson }: Place, object: KubeObject): Buffer {
  if (table === plainTable) return Buffer.from((object as PlainKey).value, 'base64')
  const { resourceVersion: _, ...metadata } = object.metadata
  const stored = { ...object, metadata }
  return asJson ? Buffer.from(`${goJson(stored)}\n`) : Buffer.from(encodeProtobuf(stored))
}
