import { onTestFinished } from 'vitest'
import { ClusterClock } from '../../clock.ts'
import type { Cache, Change, Client, ClusterContext, Records } from '../../machinery/context.ts'
import { copyOf } from '../../machinery/copy.ts'
import { ApiError } from '../../machinery/errors.ts'
import type { NodeApi } from '../../machinery/node-api.ts'
import { type KubeObject, type Resource, resources } from '../../machinery/object.ts'
import { createNetwork } from '../../network/index.ts'
import { processNumbers } from '../../node/pids.ts'
import type { Container, ContainerStatus, Pod, PodSpec } from '../../schema/types/core.v1.ts'
import { startKubelets } from '../index.ts'
import { ProgrammedRuntime } from './programmed-runtime.ts'

type Tree = Record<string, unknown>

/** A node's kubelet over a bare store of objects: no admission, no scheduler; pods are bound by the test. */
export async function podCluster(options: { nodes?: number; records?: Map<string, unknown>; objects?: Map<string, KubeObject> } = {}) {
  const clock = new ClusterClock({ start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 })
  const objects = options.objects ?? new Map<string, KubeObject>()
  const stored = options.records ?? new Map<string, unknown>()
  const listeners = new Map<string, Set<(change: Change<never>) => void>>()
  const events: { at: number; type: string; reason: string; message: string; fieldPath?: string; about: string }[] = []
  const errors: unknown[] = []
  const start = clock.now()
  let version = 0
  let seed = 7

  const keyOf = (resource: Resource, name = '', namespace = '') => `${resource.resource}|${namespace}|${name}`
  const notify = (resource: Resource, change: Change) => {
    for (const listener of [...(listeners.get(resource.resource) ?? [])]) listener(change as Change<never>)
  }
  const put = <T extends KubeObject>(resource: Resource, object: T): T => {
    const key = keyOf(resource, object.metadata.name, object.metadata.namespace)
    const previous = objects.get(key)
    const next = copyOf(object)
    next.metadata.uid ??= `uid-${++version}`
    next.metadata.resourceVersion = String(++version)
    objects.set(key, next)
    notify(resource, { type: previous ? 'MODIFIED' : 'ADDED', object: next, ...(previous && { previous }) })
    return next
  }
  const cache: Cache = {
    get: <T extends KubeObject>(resource: Resource, name: string, namespace?: string) =>
      objects.get(keyOf(resource, name, namespace)) as T | undefined,
    list: <T extends KubeObject>(resource: Resource, namespace?: string) =>
      [...objects].filter(([key]) => key.startsWith(`${resource.resource}|${namespace ?? ''}`)).map(([, object]) => object as T),
    indexed: <T extends KubeObject>(resource: Resource, indexer: (object: T) => readonly string[], key: string) =>
      cache.list<T>(resource).filter((object) => indexer(object).includes(key)),
    watch: <T extends KubeObject>(resource: Resource, listener: (change: Change<T>) => void) => {
      const all = listeners.get(resource.resource) ?? new Set()
      listeners.set(resource.resource, all)
      all.add(listener as (change: Change<never>) => void)
      for (const object of cache.list<T>(resource)) listener({ type: 'ADDED', object })
      return { [Symbol.dispose]: () => void all.delete(listener as (change: Change<never>) => void) }
    },
  }
  const need = <T extends KubeObject>(resource: Resource, name: string, namespace?: string): T => {
    const found = cache.get<T>(resource, name, namespace)
    if (!found) throw ApiError.notFound(resource, name)
    return found
  }
  const remove = (resource: Resource, name: string, namespace?: string, grace?: number) => {
    const old = copyOf(need<Pod>(resource, name, namespace))
    if (resource !== resources.pods || grace === 0) {
      objects.delete(keyOf(resource, name, namespace))
      notify(resource, { type: 'DELETED', object: old })
      return
    }
    old.metadata.deletionTimestamp = new Date(clock.now()).toISOString()
    old.metadata.deletionGracePeriodSeconds = grace ?? old.spec?.terminationGracePeriodSeconds ?? 30
    put(resource, old)
  }
  const client = {
    create: async (resource: Resource, object: KubeObject, { subresource }: { subresource?: string } = {}) =>
      subresource === 'token' ? { ...object, status: { token: 'token', expirationTimestamp: '' } } : put(resource, object),
    patch: async (resource: Resource, name: string, patch: Tree, _type: string, { namespace }: { namespace?: string } = {}) => {
      const target = copyOf(need(resource, name, namespace))
      merge(target as unknown as Tree, patch)
      return put(resource, target)
    },
    delete: async (resource: Resource, name: string, namespace?: string, { gracePeriodSeconds }: { gracePeriodSeconds?: number } = {}) =>
      remove(resource, name, namespace, gracePeriodSeconds),
  } as unknown as Client
  const records: Records = {
    get: <T>(key: string) => copyOf(stored.get(key)) as T | undefined,
    put: (key, value) => void stored.set(key, copyOf(value)),
    delete: (key) => void stored.delete(key),
    keys: (prefix) => [...stored.keys()].filter((key) => key.startsWith(prefix)),
  }
  const ctx: ClusterContext = {
    clock,
    client,
    cache,
    records,
    events: {
      event: (about, type, reason, message, _source, fieldPath) =>
        void events.push({ at: (clock.now() - start) / 1000, type, reason, message, fieldPath, about: about.metadata.name ?? '' }),
    },
    random: () => {
      seed = (seed * 48271) % 2147483647
      return seed / 2147483647
    },
    signal: new AbortController().signal,
    report: (_where, error) => void errors.push(error),
  }
  const runtime = new ProgrammedRuntime(clock)
  const network = createNetwork(ctx, { apiServer: () => ({ accept: (connection) => connection.end() }) })
  let kubelets: (NodeApi & AsyncDisposable) | undefined
  onTestFinished(async () => {
    await kubelets?.[Symbol.asyncDispose]()
    network[Symbol.dispose]()
    clock[Symbol.dispose]()
  })

  return {
    ctx,
    clock,
    runtime,
    network,
    objects,
    records: stored,
    errors,
    put,
    remove,
    events,
    async boot(): Promise<NodeApi> {
      kubelets = await startKubelets(ctx, {
        nodes: options.nodes ?? 1,
        network,
        runtime,
        pids: processNumbers(ctx.records),
        files: nodeFiles,
      })
      await clock.advance(0)
      return kubelets
    },
    async stop(): Promise<void> {
      await kubelets?.[Symbol.asyncDispose]()
    },
    /** Binds a pod to the first node. */
    run(name: string, spec: Partial<PodSpec> & { containers: Container[] }, metadata: object = {}): void {
      put<Pod>(resources.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', generation: 1, ...metadata },
        spec: { restartPolicy: 'Always', nodeName: 'labernetes-control-plane', terminationGracePeriodSeconds: 30, ...spec },
        status: { phase: 'Pending' },
      })
    },
    edit(name: string, change: (pod: Pod) => void): void {
      const pod = copyOf(need<Pod>(resources.pods, name, 'default'))
      change(pod)
      put(resources.pods, pod)
    },
    pod: (name: string) => cache.get<Pod>(resources.pods, name, 'default'),
    status(name: string, container?: string): ContainerStatus | undefined {
      const { containerStatuses = [], initContainerStatuses = [] } = cache.get<Pod>(resources.pods, name, 'default')?.status ?? {}
      return [...containerStatuses, ...initContainerStatuses].find((status) => !container || status.name === container)
    },
    condition: (name: string, type: string) =>
      cache.get<Pod>(resources.pods, name, 'default')?.status?.conditions?.find((condition) => condition.type === type),
    messages: (reason?: string) => events.filter((event) => !reason || event.reason === reason).map(({ message }) => message),
    /** When events of a reason came, whole seconds after the cluster began. */
    times: (reason: string) => events.filter((event) => event.reason === reason).map(({ at }) => Math.round(at)),
  }
}

/** What a kubelet does not start without. */
function nodeFiles() {
  const file = { text: '    server: https://172.18.0.2:6443\n', mode: 0o600 }
  return { 'etc/kubernetes/pki/ca.crt': file, 'etc/kubernetes/kubelet.conf': file }
}

function merge(target: Tree, patch: Tree): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key]
    else if (typeof value === 'object' && !Array.isArray(value)) {
      target[key] ??= {}
      merge(target[key] as Tree, value as Tree)
    } else if (value !== undefined) target[key] = value
  }
}
