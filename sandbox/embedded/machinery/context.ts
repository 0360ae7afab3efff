import type { Clock } from '../clock.ts'
import type { KubeObject, Resource, UserInfo } from './object.ts'
import type { Indexer } from './table.ts'

/**
 * What a controller, the scheduler, a kubelet or the network gets from its cluster. Reads through `cache` are
 * synchronous and always see the latest write; writes go through the API's whole path (admission, validation) by `client`.
 */
export interface ClusterContext {
  readonly clock: Clock
  readonly client: Client
  readonly cache: Cache
  readonly events: EventRecorder
  readonly records: Records
  /** 0 <= n < 1, seeded by the cluster; the only source of chance. */
  random(): number
  /** Aborts when the cluster ends. */
  readonly signal: AbortSignal
  /** Reports an error that has no caller to tell; the owner logs it. */
  report(where: string, error: unknown): void
}

export interface DeleteOptions {
  gracePeriodSeconds?: number
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  preconditions?: { uid?: string; resourceVersion?: string }
  dryRun?: string[]
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'

export interface PatchOptions {
  namespace?: string
  subresource?: string
  fieldManager?: string
  force?: boolean
}

/** In-process client of the API. All methods reject with ApiError (machinery/errors.ts) as the server would answer. */
export interface Client {
  get<T extends KubeObject>(resource: Resource, name: string, namespace?: string): Promise<T>
  list<T extends KubeObject>(
    resource: Resource,
    options?: { namespace?: string; labelSelector?: string; fieldSelector?: string },
  ): Promise<T[]>
  create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options?: { namespace?: string; subresource?: string; name?: string },
  ): Promise<T>
  update<T extends KubeObject>(resource: Resource, object: T, options?: { subresource?: string }): Promise<T>
  patch<T extends KubeObject>(resource: Resource, name: string, patch: unknown, type: PatchType, options?: PatchOptions): Promise<T>
  delete(resource: Resource, name: string, namespace?: string, options?: DeleteOptions): Promise<void>
  /** The same API as another user: RBAC applies. The plain client is system:masters. */
  as(user: UserInfo): Client
}

export interface Change<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: T
  previous?: T
}

/** Synchronous reads of the store. Objects are frozen. Listeners run right after each committed write, in order. */
export interface Cache {
  get<T extends KubeObject>(resource: Resource, name: string, namespace?: string): T | undefined
  list<T extends KubeObject>(resource: Resource, namespace?: string): readonly T[]
  /**
   * The objects that an indexer files under a key, in the order of a list. An indexer is a function that lives as long as the
   * program (a constant of its module); it names each key of an object once, from what the object itself says.
   */
  indexed<T extends KubeObject>(resource: Resource, indexer: Indexer<T>, key: string): readonly T[]
  /** Every object of the resource now (as ADDED), then each change. */
  watch<T extends KubeObject>(resource: Resource, listener: (change: Change<T>) => void): Disposable
}

/** Writes events.k8s.io-style Events the way client-go's recorder does: same reason and message count up, they do not pile up. */
export interface EventRecorder {
  event(
    about: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    source: { component: string; host?: string },
    fieldPath?: string,
  ): void
}

/**
 * What the node side must remember besides API objects (files written in containers, programs' state, logs).
 * Lies in the same durable log as the objects and is copied by fork and snapshot. Values are JSON.
 */
export interface Records {
  get<T>(key: string): T | undefined
  /** Keeps what the value says now; it may change afterwards. */
  put(key: string, value: unknown): void
  delete(key: string): void
  keys(prefix: string): string[]
}
