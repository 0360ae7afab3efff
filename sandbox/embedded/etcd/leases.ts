import { status } from '@grpc/grpc-js'
import type { Clock } from '../clock.ts'
import { EtcdError, type KeyValue } from './rpc.ts'

interface Lease {
  /** Seconds. */
  ttl: number
  /** Cluster ms at which it ends. */
  until: number
  keys: Set<string>
  timer: Disposable
}

/** Leases of etcd: keys that go when nobody renews them. Kept in memory, as plain keys with a lease are for trying out. */
export class Leases implements Disposable {
  private readonly clock: Clock
  private readonly drop: (keys: readonly Uint8Array[]) => void
  private readonly leases = new Map<number, Lease>()
  private last = 0x1000_0000

  constructor(clock: Clock, drop: (keys: readonly Uint8Array[]) => void) {
    this.clock = clock
    this.drop = drop
  }

  grant({ TTL: ttl, ID }: { TTL: number; ID: number }): { ID: number; TTL: number } {
    const id = ID || ++this.last
    if (this.leases.has(id)) throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: lease already exists')
    if (ttl > 9_000_000_000) throw new EtcdError(status.OUT_OF_RANGE, 'etcdserver: too large lease TTL')
    const seconds = Math.max(1, ttl)
    this.leases.set(id, { ttl: seconds, keys: new Set(), ...this.running(id, seconds) })
    return { ID: id, TTL: seconds }
  }

  revoke(id: number): object {
    const lease = this.at(id)
    lease.timer[Symbol.dispose]()
    this.leases.delete(id)
    this.drop([...lease.keys].sort().map((key) => Buffer.from(key, 'latin1')))
    return {}
  }

  /** Its whole time again, in seconds; 0 when it is gone. */
  renew(id: number): number {
    const lease = this.leases.get(id)
    if (!lease) return 0
    lease.timer[Symbol.dispose]()
    Object.assign(lease, this.running(id, lease.ttl))
    return lease.ttl
  }

  timeToLive({ ID: id, keys: asked }: { ID: number; keys: boolean }): object {
    const lease = this.leases.get(id)
    if (!lease) return { ID: id, TTL: -1 }
    const keys = asked ? [...lease.keys].sort().map((key) => Buffer.from(key, 'latin1')) : []
    // whole seconds; some part of the first has always gone by
    const left = Math.ceil((lease.until - this.clock.now()) / 1000) - 1
    return { ID: id, TTL: Math.max(0, left), grantedTTL: lease.ttl, keys }
  }

  ids(): number[] {
    return [...this.leases.keys()]
  }

  attach(key: Uint8Array, id: number): void {
    this.detach(key)
    if (id) this.at(id).keys.add(text(key))
  }

  detach(key: Uint8Array): void {
    for (const lease of this.leases.values()) lease.keys.delete(text(key))
  }

  /** The pair with the lease it hangs on. */
  mark(pair: KeyValue): KeyValue {
    for (const [id, lease] of this.leases) if (lease.keys.has(text(pair.key))) return { ...pair, lease: id }
    return pair
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.leases.values()) timer[Symbol.dispose]()
    this.leases.clear()
  }

  private at(id: number): Lease {
    const lease = this.leases.get(id)
    if (!lease) throw new EtcdError(status.NOT_FOUND, 'etcdserver: requested lease not found')
    return lease
  }

  private running(id: number, seconds: number): Pick<Lease, 'until' | 'timer'> {
    return {
      until: this.clock.now() + seconds * 1000,
      timer: this.clock.setTimeout(() => {
        if (this.leases.has(id)) this.revoke(id)
      }, seconds * 1000),
    }
  }
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1')
}
