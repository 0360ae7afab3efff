import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { KeyPair } from '../auth/certificates.ts'
import type { Clock } from '../clock.ts'
import type { StoredChange } from '../machinery/store.ts'
import { Accounts, accountMethods } from './accounts.ts'
import { inRange, type Keyspace } from './keyspace.ts'
import { Leases } from './leases.ts'
import {
  type Compare,
  type DeleteRangeRequest,
  EtcdError,
  type KeyValue,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  serviceDefinition,
  type TxnRequest,
  type WatchRequest,
} from './rpc.ts'
import { database, type Member, sealed, storageVersion } from './snapshot.ts'

export interface EtcdParts {
  keyspace: Keyspace
  clock: Clock
  /** The member's name (its node) and address. */
  name: string
  address: string
  keys: KeyPair
  /** Whose client certificates are let in, PEM. */
  ca: string
  report(where: string, error: unknown): void
}

const version = '3.6.5'
const raftTerm = 2
const chunk = 32 * 1024

/**
 * The store of a cluster as a one-member etcd, v3 gRPC over TLS with client certificates: what etcdctl needs to read,
 * write, watch, lease, look after the member and take a snapshot. Ends when it is disposed.
 */
export class EtcdServer implements AsyncDisposable {
  /** The port that was bound; 0 for a socket. */
  readonly port: number
  private readonly server: Server
  private readonly service: EtcdService

  private constructor(server: Server, service: EtcdService, port: number) {
    this.server = server
    this.service = service
    this.port = port
  }

  /** `address` is host:port (0: a free one) or unix:PATH. */
  static async listen(parts: EtcdParts, address: string): Promise<EtcdServer> {
    const service = new EtcdService(parts)
    const server = new Server({ 'grpc.max_receive_message_length': 2 * 2 ** 20 })
    for (const [name, methods] of Object.entries(service.services())) {
      server.addService(serviceDefinition(name as Parameters<typeof serviceDefinition>[0]), methods)
    }
    const { key, certificate } = parts.keys
    const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) }
    const credentials = ServerCredentials.createSsl(Buffer.from(parts.ca), [pair], true)
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
    })
    return new EtcdServer(server, service, port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.service[Symbol.dispose]()
    this.server.forceShutdown()
  }
}

type Unary = (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => void

class EtcdService implements Disposable {
  private readonly parts: EtcdParts
  private readonly keyspace: Keyspace
  private readonly leases: Leases
  private readonly member: Member
  private readonly accounts = new Accounts()
  private compacted = 0

  constructor(parts: EtcdParts) {
    this.parts = parts
    this.keyspace = parts.keyspace
    this.leases = new Leases(parts.clock, (keys) =>
      this.keyspace.store.together(() => {
        for (const key of keys) this.deleteRange({ key, range_end: Buffer.alloc(0), prev_kv: false })
      }),
    )
    this.member = {
      id: idOf(parts.name),
      name: parts.name,
      peerURLs: [`https://${parts.address}:2380`],
      clientURLs: [`https://${parts.address}:2379`],
    }
  }

  services(): Record<string, UntypedServiceImplementation> {
    const header = () => this.header()
    return {
      KV: {
        Range: this.unary((request) => this.range(request as RangeRequest)),
        Put: this.unary((request) => this.put(request as PutRequest)),
        DeleteRange: this.unary((request) => this.keyspace.store.together(() => this.deleteRange(request as DeleteRangeRequest))),
        Txn: this.unary((request) => this.keyspace.store.together(() => this.transaction(request as TxnRequest))),
        Compact: this.unary((request) => this.compact(request as { revision: number })),
      },
      Watch: { Watch: (stream: ServerDuplexStream<WatchRequest, object>) => this.watch(stream) },
      Lease: {
        LeaseGrant: this.unary((request) => this.leases.grant(request as { TTL: number; ID: number })),
        LeaseRevoke: this.unary((request) => this.leases.revoke((request as { ID: number }).ID)),
        LeaseKeepAlive: (stream: ServerDuplexStream<{ ID: number }, object>) => {
          stream.on('data', ({ ID }: { ID: number }) => stream.write({ header: header(), ID, TTL: this.leases.renew(ID) }))
          stream.on('end', () => stream.end())
        },
        LeaseTimeToLive: this.unary((request) => this.leases.timeToLive(request as { ID: number; keys: boolean })),
        LeaseLeases: this.unary(() => ({ leases: this.leases.ids().map((ID) => ({ ID })) })),
      },
      Cluster: {
        MemberList: this.unary(() => ({ header: { ...header(), revision: 0 }, members: [{ ...this.member, ID: this.member.id }] })),
        MemberAdd: this.unary(() => this.changeMembers()),
        MemberRemove: this.unary((request) => this.changeMembers((request as { ID: number }).ID)),
        MemberUpdate: this.unary((request) => this.changeMembers((request as { ID: number }).ID)),
        MemberPromote: this.unary((request) => this.changeMembers((request as { ID: number }).ID)),
      },
      Maintenance: {
        Alarm: this.unary(() => ({ alarms: [] })),
        Status: this.unary(() => this.status()),
        Defragment: this.unary(() => ({})),
        Hash: this.unary(() => ({ hash: this.hash() })),
        HashKV: this.unary((request) => {
          const { revision } = request as { revision: number }
          this.assertKept(revision)
          return { hash: this.hash(), compact_revision: this.oldest, hash_revision: revision || this.revision }
        }),
        MoveLeader: this.unary((request) => {
          if ((request as { targetID: number }).targetID === this.member.id) return {}
          throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: bad leader transferee')
        }),
        Downgrade: this.unary((request) => downgrade(request as { action: number; version: string })),
        Snapshot: (stream: ServerWritableStream<object, object>) => this.snapshot(stream),
      },
      Auth: accountMethods(this.accounts, (answer) => this.unary(answer)),
    }
  }

  [Symbol.dispose](): void {
    this.leases[Symbol.dispose]()
    this.keyspace[Symbol.dispose]()
  }

  private get revision(): number {
    return this.keyspace.store.revision
  }

  private header() {
    return { cluster_id: idOf('cluster'), member_id: this.member.id, revision: this.revision, raft_term: raftTerm }
  }

  private unary(answer: (request: object) => object): Unary {
    return (call, callback) => {
      // what is answered has to outlive a crash
      Promise.resolve()
        .then(() => answer(call.request))
        .then(async (response) => {
          await this.keyspace.store.durable()
          callback(null, { header: this.header(), ...response })
        })
        .catch((error) => callback(this.failure(error)))
    }
  }

  private failure(error: unknown): { code: status; details: string } {
    if (error instanceof EtcdError) return { code: error.code, details: error.message }
    this.parts.report('etcd', error)
    return { code: status.INTERNAL, details: error instanceof Error ? error.message : String(error) }
  }

  /** There is one member, and no other can be reached. */
  private changeMembers(id?: number): never {
    if (id !== undefined && id !== this.member.id) throw new EtcdError(status.NOT_FOUND, 'etcdserver: member not found')
    throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: unhealthy cluster')
  }

  /** Before it nothing is told: the store has forgotten it, or was asked to. */
  private get oldest(): number {
    return Math.max(this.compacted, this.keyspace.store.oldestRevision)
  }

  private assertKept(revision: number): void {
    if (revision > this.revision) throw new EtcdError(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision')
    if (revision && revision < this.oldest) {
      throw new EtcdError(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted')
    }
  }

  private range(request: RangeRequest): object {
    requireKey(request.key)
    this.assertKept(request.revision)
    const found = this.keyspace.range(request.key, request.range_end, request.revision)
    const { min_mod_revision: minModified, max_mod_revision: maxModified } = request
    const { min_create_revision: minCreated, max_create_revision: maxCreated } = request
    const bounded = minModified || maxModified || minCreated || maxCreated
    const kept = bounded
      ? found.filter((one) => {
          const { mod_revision: modified, create_revision: created } = this.keyspace.pair(one, true)
          const tooNew = (maxModified && modified > maxModified) || (maxCreated && created > maxCreated)
          return !(tooNew || modified < minModified || created < minCreated)
        })
      : found
    if (request.count_only) return { count: found.length }
    let pairs: KeyValue[]
    if (request.sort_target === 0) {
      const ordered = request.sort_order === 2 ? kept.reverse() : kept
      pairs = (request.limit > 0 ? ordered.slice(0, request.limit) : ordered).map((one) => this.keyspace.pair(one, request.keys_only))
    } else {
      const sorted = kept.map((one) => this.keyspace.pair(one)).sort(comparison(request.sort_target, request.sort_order === 2 ? -1 : 1))
      pairs = request.limit > 0 ? sorted.slice(0, request.limit) : sorted
      if (request.keys_only) pairs = pairs.map((pair) => ({ ...pair, value: Buffer.alloc(0) }))
    }
    return { kvs: pairs.map((pair) => this.leases.mark(pair)), more: pairs.length < kept.length, count: found.length }
  }

  private put({ key, value, lease, prev_kv: wantsPrevious, ...request }: PutRequest): object {
    requireKey(key)
    const kept = request.ignore_value || request.ignore_lease
    const [previous] = kept || wantsPrevious ? this.keyspace.range(key, Buffer.alloc(0)) : []
    if (kept && !previous) throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: key not found')
    const before = previous && this.leases.mark(this.keyspace.pair(previous))
    if (!request.ignore_lease) this.leases.attach(key, lease)
    this.keyspace.put(key, request.ignore_value && before ? before.value : value)
    return before && wantsPrevious ? { prev_kv: before } : {}
  }

  private deleteRange({ key, range_end: end, prev_kv: wantsPrevious }: DeleteRangeRequest): object {
    requireKey(key)
    const found = this.keyspace.range(key, end)
    const before = wantsPrevious ? found.map((one) => this.keyspace.pair(one)) : []
    for (const one of found) {
      this.leases.detach(one.path)
      this.keyspace.delete(one)
    }
    return { deleted: found.length, prev_kvs: before }
  }

  private transaction({ compare, success, failure }: TxnRequest): object {
    for (const operations of [success, failure]) assertNoneTwice(operations)
    const succeeded = compare.every((one) => this.holds(one))
    const responses = (succeeded ? success : failure).map((operation) => this.operate(operation))
    return { succeeded, responses }
  }

  private operate(operation: RequestOp): object {
    const header = () => ({ revision: this.revision })
    switch (operation.request) {
      case 'request_range':
        return { response_range: { ...this.range(operation.request_range), header: header() } }
      case 'request_put':
        return { response_put: { ...this.put(operation.request_put), header: header() } }
      case 'request_delete_range':
        return { response_delete_range: { ...this.deleteRange(operation.request_delete_range), header: header() } }
      case 'request_txn':
        return { response_txn: { ...this.transaction(operation.request_txn), header: header() } }
      default:
        throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: key not found')
    }
  }

  private holds({ key, target, result, ...wanted }: Compare): boolean {
    const [found] = this.keyspace.range(key, Buffer.alloc(0))
    const pair = found && this.leases.mark(this.keyspace.pair(found))
    // a value of nothing equals no value, a revision of nothing is 0
    if (!pair && target === 3) return false
    const [actual, other] = [
      [pair?.version ?? 0, wanted.version],
      [pair?.create_revision ?? 0, wanted.create_revision],
      [pair?.mod_revision ?? 0, wanted.mod_revision],
      [Buffer.compare(pair?.value ?? Buffer.alloc(0), wanted.value ?? Buffer.alloc(0)), 0],
      [pair?.lease ?? 0, wanted.lease],
    ][target] as [number, number | undefined]
    const difference = actual - (other ?? 0)
    return [difference === 0, difference > 0, difference < 0, difference !== 0][result] ?? false
  }

  /** The store forgets by itself; what it still knows is told no more. */
  private compact({ revision }: { revision: number }): object {
    this.assertKept(revision)
    if (revision <= this.oldest) throw new EtcdError(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted')
    this.compacted = revision
    return {}
  }

  private status(): object {
    const size = this.database().length
    return {
      version,
      dbSize: size,
      dbSizeInUse: size,
      leader: this.member.id,
      raftIndex: this.revision,
      raftAppliedIndex: this.revision,
      raftTerm,
      storageVersion,
      downgradeInfo: {},
    }
  }

  private hash(): number {
    return crc32(this.database())
  }

  private database(): Buffer {
    return database(this.keyspace, this.member, raftTerm)
  }

  private snapshot(stream: ServerWritableStream<object, object>): void {
    try {
      const bytes = sealed(this.database())
      for (let start = 0; start < bytes.length; start += chunk) {
        const blob = bytes.subarray(start, start + chunk)
        stream.write({ header: this.header(), remaining_bytes: bytes.length - start - blob.length, blob, version: storageVersion })
      }
      stream.end()
    } catch (error) {
      stream.destroy(Object.assign(new Error('snapshot'), this.failure(error)))
    }
  }

  private watch(stream: ServerDuplexStream<WatchRequest, object>): void {
    const watches = new Map<number, Disposable>()
    let next = 0
    const end = () => {
      for (const watch of watches.values()) watch[Symbol.dispose]()
      watches.clear()
    }
    const cancel = (id: number, more: object = {}) => {
      watches.get(id)?.[Symbol.dispose]()
      watches.delete(id)
      stream.write({ header: this.header(), watch_id: id, canceled: true, ...more })
    }
    const create = (request: WatchRequest['create_request']) => {
      const id = request.watch_id || next++
      stream.write({ header: this.header(), watch_id: id, created: true })
      const within = inRange(request.key, request.range_end)
      const tell = (changes: readonly StoredChange[]) => {
        const events = changes.flatMap((change) => this.eventOf(change, within, request))
        if (events.length > 0) stream.write({ header: this.header(), watch_id: id, events })
      }
      const { store } = this.keyspace
      if (request.start_revision > 0 && (request.start_revision <= this.compacted || request.start_revision - 1 < store.oldestRevision)) {
        cancel(id, {
          compact_revision: Math.max(this.compacted, store.oldestRevision + 1),
          cancel_reason: 'etcdserver: mvcc: required revision has been compacted',
        })
        return
      }
      if (request.start_revision > 0) tell(store.changesSince('*', request.start_revision - 1))
      let together: StoredChange[] = []
      const flush = () => {
        if (together.length > 0 && watches.has(id)) tell(together)
        together = []
      }
      watches.set(
        id,
        store.subscribe('*', (change) => {
          // later in the queue than what a start in the future waits for
          if (change.revision < request.start_revision) return
          if (together[0] && together[0].revision !== change.revision) flush()
          // what has one revision is told at once, and its listeners are called one after the other
          if (together.push(change) === 1) queueMicrotask(flush)
        }),
      )
    }
    stream.on('data', (request: WatchRequest) => {
      if (request.request_union === 'create_request') create(request.create_request)
      else if (request.request_union === 'cancel_request') cancel(request.cancel_request.watch_id)
      else if (request.request_union === 'progress_request') stream.write({ header: this.header(), watch_id: -1 })
    })
    stream.on('end', () => {
      end()
      stream.end()
    })
    stream.on('cancelled', end)
    stream.on('error', end)
  }

  private eventOf(change: StoredChange, within: (path: Buffer) => boolean, { filters, prev_kv }: WatchRequest['create_request']): object[] {
    const found = this.keyspace.changed(change)
    if (!found || !within(found.path) || filters.includes(change.type === 'DELETED' ? 1 : 0)) return []
    const before = prev_kv && change.previous ? { prev_kv: this.keyspace.pair({ ...found, object: change.previous }) } : {}
    if (change.type === 'DELETED') return [{ type: 1, kv: { key: found.path, mod_revision: change.revision }, ...before }]
    return [{ type: 0, kv: this.leases.mark(this.keyspace.pair(found)), ...before }]
  }
}

/** Nothing is stored in another way by the version before this one. Throws EtcdError for any other. */
function downgrade({ action, version: wanted }: { action: number; version: string }): object {
  const [major, minor] = storageVersion.split('.').map(Number)
  const [cancel, previous] = [2, `${major}.${(minor ?? 0) - 1}`]
  if (action !== cancel && !new RegExp(`^${previous.replace('.', '\\.')}(\\.\\d+)?$`).test(wanted)) {
    throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: invalid downgrade target version')
  }
  return { version: `${major}.${minor}` }
}

/** One transaction writes a key once. */
function assertNoneTwice(operations: readonly RequestOp[]): void {
  const put = new Set<string>()
  const ranges: ((path: Buffer) => boolean)[] = []
  for (const { request, request_put: { key = Buffer.alloc(0) } = {}, request_delete_range: range } of operations) {
    if (request === 'request_delete_range') ranges.push(inRange(range.key, range.range_end))
    if (request !== 'request_put') continue
    const text = Buffer.from(key).toString('latin1')
    if (put.has(text)) throw twice()
    put.add(text)
  }
  for (const text of put) if (ranges.some((within) => within(Buffer.from(text, 'latin1')))) throw twice()
}

function twice(): EtcdError {
  return new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request')
}

function requireKey(key: Uint8Array): void {
  if (key.length === 0) throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: key is not provided')
}

function comparison(target: number, sign: 1 | -1): (a: KeyValue, b: KeyValue) => number {
  const field = (['key', 'version', 'create_revision', 'mod_revision', 'value'] as const)[target] ?? 'key'
  return (a, b) => {
    const [left, right] = [a[field], b[field]]
    return sign * (typeof left === 'number' ? left - (right as number) : Buffer.compare(left, right as Uint8Array))
  }
}

/** An id of 52 bits, so that it is a number everywhere. */
function idOf(name: string): number {
  return Number.parseInt(createHash('sha1').update(`etcd ${name}`).digest('hex').slice(0, 13), 16)
}
