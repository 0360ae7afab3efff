import { ClusterClock } from '../../clock.ts'
import type { Change, Client, ClusterContext } from '../../machinery/context.ts'
import { copyOf } from '../../machinery/copy.ts'
import { ApiError } from '../../machinery/errors.ts'
import { type KubeObject, type Resource, resources } from '../../machinery/object.ts'
import { randomLetters } from '../../machinery/random.ts'
import type { Scale } from '../../schema/types/autoscaling.v1.ts'
import type { LabelSelector } from '../../schema/types/meta.v1.ts'
import { semanticEqual } from '../equality.ts'
import { formatTime } from '../time.ts'

type Tree = Record<string, unknown>
interface Recorded {
  about: string
  type: string
  reason: string
  message: string
}

/** A cluster's store without the API's own rules (defaults, admission): enough to run controllers against each other. */
export class MemoryCluster implements ClusterContext {
  readonly clock = new ClusterClock({ start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 })
  readonly recorded: Recorded[] = []
  readonly errors: { where: string; error: unknown }[] = []
  readonly signal = new AbortController().signal
  /** Called before each creation; throws to refuse it. */
  admit: (resource: Resource, object: KubeObject) => void = () => {}
  private readonly objects = new Map<string, Map<string, KubeObject>>()
  private readonly listeners = new Map<string, Set<(change: Change<never>) => void>>()
  private version = 0
  private seed = 1

  readonly client: Client = {
    get: async <T extends KubeObject>(resource: Resource, name: string, namespace?: string) => this.need<T>(resource, name, namespace),
    list: async <T extends KubeObject>(resource: Resource, options?: { namespace?: string }) => [
      ...this.cache.list<T>(resource, options?.namespace),
    ],
    create: async (resource, object, options) => this.create(resource, object, options?.subresource),
    update: async (resource, object, options) => this.update(resource, object, options?.subresource),
    patch: async <T extends KubeObject>(
      resource: Resource,
      name: string,
      patch: unknown,
      type: string,
      options?: { namespace?: string; subresource?: string },
    ) => {
      const target = copyOf(this.need<T>(resource, name, options?.namespace))
      mergePatch(target as unknown as Tree, patch as Tree, type === 'strategic')
      const updated = this.update(resource, target, options?.subresource)
      return options?.subresource === 'scale' ? (scaleOf(updated) as unknown as T) : updated
    },
    delete: async (resource, name, namespace, options) => this.remove(resource, name, namespace, options?.gracePeriodSeconds),
    as: () => this.client,
  }

  readonly cache = {
    get: <T extends KubeObject>(resource: Resource, name: string, namespace?: string) => {
      return this.table(resource).get(`${namespace ?? ''}/${name}`) as T | undefined
    },
    list: <T extends KubeObject>(resource: Resource, namespace?: string) => {
      return [...this.table(resource).values()].filter(({ metadata }) => !namespace || metadata.namespace === namespace) as T[]
    },
    indexed: <T extends KubeObject>(resource: Resource, indexer: (object: T) => readonly string[], key: string) =>
      this.cache.list<T>(resource).filter((object) => indexer(object).includes(key)),
    watch: <T extends KubeObject>(resource: Resource, listener: (change: Change<T>) => void) => {
      const all = this.listeners.get(resource.resource) ?? new Set()
      this.listeners.set(resource.resource, all)
      all.add(listener as (change: Change<never>) => void)
      for (const object of this.cache.list<T>(resource)) listener({ type: 'ADDED', object })
      return { [Symbol.dispose]: () => void all.delete(listener as (change: Change<never>) => void) }
    },
  }

  readonly events = {
    event: (about: KubeObject, type: string, reason: string, message: string) => {
      this.recorded.push({ about: `${about.kind}/${about.metadata.name}`, type, reason, message })
    },
  }

  readonly records = { get: () => undefined, put: () => {}, delete: () => {}, keys: () => [] }

  random(): number {
    this.seed = (this.seed * 48271) % 2147483647
    return this.seed / 2147483647
  }

  report(where: string, error: unknown): void {
    this.errors.push({ where, error })
  }

  /** Lets everything that is under way come to rest, after ms of cluster time. */
  async settle(ms = 0): Promise<void> {
    await this.clock.advance(ms)
  }

  /** Changes an object as someone else would. */
  async change<T extends KubeObject>(resource: Resource, name: string, namespace: string, edit: (object: T) => void, subresource?: string) {
    const copy = copyOf(this.need<T>(resource, name, namespace))
    edit(copy)
    return this.update(resource, copy, subresource)
  }

  messages(reason?: string): string[] {
    return this.recorded.filter((event) => !reason || event.reason === reason).map(({ message }) => message)
  }

  private table(resource: Resource): Map<string, KubeObject> {
    const key = resource.resource
    const table = this.objects.get(key) ?? new Map<string, KubeObject>()
    this.objects.set(key, table)
    return table
  }

  private need<T extends KubeObject>(resource: Resource, name: string, namespace?: string): T {
    const found = this.cache.get<T>(resource, name, namespace)
    if (!found) throw ApiError.notFound(resource, name)
    return found
  }

  private create<T extends KubeObject>(resource: Resource, object: T, subresource?: string): T {
    if (subresource === 'binding') {
      const { target, metadata } = object as unknown as { target: { name: string }; metadata: { name: string; namespace: string } }
      const pod = copyOf(this.need<KubeObject & { spec: Tree }>(resources.pods, metadata.name, metadata.namespace))
      pod.spec['nodeName'] = target.name
      this.store(resource, pod)
      return object
    }
    this.admit(resource, object)
    const copy = copyOf(object)
    const { metadata } = copy
    metadata.name ??= `${metadata.generateName}${randomLetters(() => this.random(), 5)}`
    if (this.cache.get(resource, metadata.name, metadata.namespace)) throw ApiError.alreadyExists(resource, metadata.name)
    metadata.uid = `uid-${++this.version}`
    metadata.creationTimestamp = formatTime(this.clock.now())
    metadata.generation = 1
    if (resource === resources.pods) (copy as unknown as Tree)['status'] ??= { phase: 'Pending' }
    return this.store(resource, copy)
  }

  private update<T extends KubeObject>(resource: Resource, object: T, subresource?: string): T {
    const old = this.need<T>(resource, object.metadata.name ?? '', object.metadata.namespace)
    if (object.metadata.resourceVersion && object.metadata.resourceVersion !== old.metadata.resourceVersion) {
      throw ApiError.conflict(resource, object.metadata.name ?? '')
    }
    const before = old as unknown as Tree
    const next = copyOf(object) as unknown as Tree
    if (subresource === 'status') next['spec'] = before['spec']
    else if (resource !== resources.pods) next['status'] = before['status']
    const copy = next as unknown as T
    copy.metadata.generation = (old.metadata.generation ?? 0) + (semanticEqual(before['spec'], next['spec']) ? 0 : 1)
    if (semanticEqual({ ...before }, { ...next, metadata: { ...copy.metadata } })) return old
    if (copy.metadata.deletionTimestamp && !copy.metadata.finalizers?.length) return this.drop(resource, copy)
    return this.store(resource, copy)
  }

  private remove(resource: Resource, name: string, namespace: string | undefined, grace: number | undefined): void {
    const old = this.need(resource, name, namespace)
    const graceful = resource === resources.pods && grace !== 0 && (old as unknown as { spec?: { nodeName?: string } }).spec?.nodeName
    if (!graceful && !old.metadata.finalizers?.length) {
      this.drop(resource, old)
      return
    }
    if (old.metadata.deletionTimestamp) return
    const copy = copyOf(old)
    copy.metadata.deletionTimestamp = formatTime(this.clock.now())
    this.store(resource, copy)
  }

  private drop<T extends KubeObject>(resource: Resource, object: T): T {
    this.table(resource).delete(`${object.metadata.namespace ?? ''}/${object.metadata.name}`)
    this.notify(resource, { type: 'DELETED', object })
    return object
  }

  private store<T extends KubeObject>(resource: Resource, object: T): T {
    const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`
    const previous = this.table(resource).get(key)
    object.metadata.resourceVersion = String(++this.version)
    this.table(resource).set(key, freeze(object))
    this.notify(resource, { type: previous ? 'MODIFIED' : 'ADDED', object, ...(previous && { previous }) })
    return object
  }

  private notify(resource: Resource, change: Change): void {
    for (const listener of [...(this.listeners.get(resource.resource) ?? [])]) listener(change as Change<never>)
  }
}

/** What /scale answers with. */
function scaleOf(object: KubeObject): Scale {
  const { spec, status } = object as unknown as { spec: { replicas: number; selector: LabelSelector }; status?: { replicas?: number } }
  const selector = Object.entries(spec.selector.matchLabels ?? {}).map((pair) => pair.join('='))
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: object.metadata,
    spec: { replicas: spec.replicas },
    status: { replicas: status?.replicas ?? 0, selector: selector.join(',') },
  }
}

function mergePatch(target: Tree, patch: Tree, strategic: boolean): void {
  for (const [key, value] of Object.entries(patch)) {
    const old = target[key]
    if (value === null) delete target[key]
    else if (strategic && key === 'conditions' && Array.isArray(value)) {
      const kept = ((old as { type: string }[]) ?? []).filter(({ type }) => !value.some((condition) => condition.type === type))
      target[key] = [...kept, ...value]
    } else if (typeof value === 'object' && !Array.isArray(value)) {
      const child = typeof old === 'object' && old !== null ? (old as Tree) : {}
      target[key] = child
      mergePatch(child, value as Tree, strategic)
    } else if (value !== undefined) target[key] = value
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) freeze(child)
  }
  return value
}
