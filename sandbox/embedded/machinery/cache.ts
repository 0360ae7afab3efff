import type { Cache, Change } from './context.ts'
import { qualified } from './errors.ts'
import type { KubeObject, Resource } from './object.ts'
import type { Store } from './store.ts'
import type { Indexer } from './table.ts'

/** The store as controllers read it. Resources are taken at their storage version. */
export function createCache(store: Store): Cache {
  return {
    get: <T extends KubeObject>(resource: Resource, name: string, namespace?: string) =>
      store.get(qualified(resource), namespace ? `${namespace}/${name}` : name) as T | undefined,
    list: <T extends KubeObject>(resource: Resource, namespace?: string) =>
      store.list(qualified(resource), namespace || undefined) as unknown as T[],
    indexed: <T extends KubeObject>(resource: Resource, indexer: Indexer<T>, key: string) =>
      store.indexed(qualified(resource), indexer as unknown as Indexer<KubeObject>, key) as unknown as T[],
    watch: <T extends KubeObject>(resource: Resource, listener: (change: Change<T>) => void) => {
      const table = qualified(resource)
      for (const object of store.list(table)) listener({ type: 'ADDED', object: object as T })
      return store.subscribe(table, (change) => listener(change as unknown as Change<T>))
    },
  }
}
