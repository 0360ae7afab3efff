import type { Cache, Change } from '../machinery/context.ts'
import type { KubeObject, Resource } from '../machinery/object.ts'

/** A store in memory that is read as a Cache, for tests of what only reads. */
export class MemoryCache implements Cache {
  private readonly objects = new Map<string, KubeObject>()
  private readonly listeners = new Map<string, Set<(change: Change) => void>>()

  get<T extends KubeObject>(resource: Resource, name: string, namespace = ''): T | undefined {
    return this.objects.get(`${key(resource)}/${namespace}/${name}`) as T | undefined
  }

  list<T extends KubeObject>(resource: Resource, namespace?: string): readonly T[] {
    const prefix = namespace === undefined ? `${key(resource)}/` : `${key(resource)}/${namespace}/`
    return [...this.objects].filter(([name]) => name.startsWith(prefix)).map(([, object]) => object as T)
  }

  indexed<T extends KubeObject>(resource: Resource, indexer: (object: T) => readonly string[], key: string): readonly T[] {
    return this.list<T>(resource).filter((object) => indexer(object).includes(key))
  }

  watch<T extends KubeObject>(resource: Resource, listener: (change: Change<T>) => void): Disposable {
    for (const object of this.list<T>(resource)) listener({ type: 'ADDED', object })
    const heard = listener as (change: Change) => void
    const listeners = this.listeners.get(key(resource)) ?? new Set()
    this.listeners.set(key(resource), listeners.add(heard))
    return { [Symbol.dispose]: () => void listeners.delete(heard) }
  }

  put(resource: Resource, object: KubeObject): void {
    const name = `${key(resource)}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
    const previous = this.objects.get(name)
    this.objects.set(name, object)
    this.tell(resource, { type: previous ? 'MODIFIED' : 'ADDED', object, ...(previous ? { previous } : {}) })
  }

  remove(resource: Resource, name: string, namespace = ''): void {
    const path = `${key(resource)}/${namespace}/${name}`
    const object = this.objects.get(path)
    if (!object) throw new Error(`nothing at ${path}`)
    this.objects.delete(path)
    this.tell(resource, { type: 'DELETED', object })
  }

  private tell(resource: Resource, change: Change): void {
    for (const listener of this.listeners.get(key(resource)) ?? []) listener(change)
  }
}

function key({ group, resource }: Resource): string {
  return `${group}/${resource}`
}
