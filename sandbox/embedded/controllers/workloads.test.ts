import { afterEach, describe, expect, it } from 'vitest'
import { Cluster } from '../cluster.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import type { DaemonSet, StatefulSet } from '../schema/types/apps.v1.ts'
import type { CronJob, Job } from '../schema/types/batch.v1.ts'
import type { Endpoints, Event, Namespace, PersistentVolume, PersistentVolumeClaim, Pod } from '../schema/types/core.v1.ts'
import type { EndpointSlice } from '../schema/types/discovery.v1.ts'
import type { PodDisruptionBudget } from '../schema/types/policy.v1.ts'
import { isPodReady } from './pod.ts'

const open: Cluster[] = []

afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const sleeper = { name: 'c', image: 'busybox:1.36', command: ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'] }

async function start(nodes = 2) {
  const errors: string[] = []
  const cluster = await Cluster.open({
    nodes,
    clock: { rate: 0, start: Date.parse('2030-01-01T00:00:30Z') },
    report: (where, error) => errors.push(`${where}: ${error}`),
  })
  open.push(cluster)
  const { client, cache } = cluster.context
  await cluster.clock.advance(5000)
  const create = async <T extends KubeObject>(resource: Resource, object: unknown, seconds = 20) => {
    const made = await client.create<T>(resource, { ...(object as T) }, { namespace: (object as T).metadata.namespace ?? 'default' })
    await cluster.clock.advance(seconds * 1000)
    return made
  }
  const pods = (namespace = 'default') =>
    [...cache.list<Pod>(resources.pods, namespace)].sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
  const names = (namespace?: string) => pods(namespace).map(({ metadata }) => metadata.name)
  const messages = (kind: string, reason: string) => {
    return cache
      .list<Event>(resources.events)
      .filter((event) => event.involvedObject.kind === kind && event.reason === reason)
      .map(({ message }) => message)
  }
  const merge = async (resource: Resource, name: string, patch: unknown, seconds = 20) => {
    await client.patch(resource, name, patch, 'merge', { namespace: 'default' })
    await cluster.clock.advance(seconds * 1000)
  }
  return { cluster, client, cache, create, pods, names, messages, merge, errors }
}

function template(app: string, spec: object = {}) {
  return { metadata: { labels: { app } }, spec: { terminationGracePeriodSeconds: 1, containers: [sleeper], ...spec } }
}

const selector = (app: string) => ({ matchLabels: { app } })

describe('a StatefulSet', () => {
  const set = (spec: object = {}) => ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: { replicas: 3, serviceName: 'db', selector: selector('db'), template: template('db'), ...spec },
  })

  it('makes its Pods in order, updates them from the last to the first, and ends them from the last', async () => {
    const { create, names, messages, merge, cache, pods, errors } = await start()
    await create(resources.statefulSets, set())
    expect(names()).toEqual(['db-0', 'db-1', 'db-2'])
    expect(pods()[1]?.metadata.labels).toMatchObject({ 'statefulset.kubernetes.io/pod-name': 'db-1', 'apps.kubernetes.io/pod-index': '1' })
    expect(messages('StatefulSet', 'SuccessfulCreate')).toContain('create Pod db-0 in StatefulSet db successful')
    const read = () => cache.get<StatefulSet>(resources.statefulSets, 'db', 'default')?.status
    const first = read()?.currentRevision
    await merge(resources.statefulSets, 'db', {
      spec: { updateStrategy: { rollingUpdate: { partition: 2 } }, template: { metadata: { labels: { app: 'db', v: '2' } } } },
    })
    expect(pods().map(({ metadata }) => metadata.labels?.['v'])).toEqual([undefined, undefined, '2'])
    expect(read()).toMatchObject({ currentRevision: first, updatedReplicas: 1, currentReplicas: 2 })
    await merge(resources.statefulSets, 'db', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } }, 40)
    expect(pods().map(({ metadata }) => metadata.labels?.['v'])).toEqual(['2', '2', '2'])
    expect(read()?.currentRevision).toBe(read()?.updateRevision)
    await merge(resources.statefulSets, 'db', { spec: { replicas: 1 } }, 40)
    expect(names()).toEqual(['db-0'])
    expect(errors).toEqual([])
  })

  it('gives each Pod its own claims, which stay or go as its retention policy says', async () => {
    const { create, cache, merge, pods, client, cluster, errors } = await start()
    const volumeClaimTemplates = [
      { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    ]
    const persistentVolumeClaimRetentionPolicy = { whenScaled: 'Delete', whenDeleted: 'Retain' }
    await create(resources.statefulSets, set({ replicas: 2, volumeClaimTemplates, persistentVolumeClaimRetentionPolicy }), 40)
    const claims = () => cache.list<PersistentVolumeClaim>(resources.persistentVolumeClaims, 'default')
    expect(claims().map(({ metadata, status }) => [metadata.name, status?.phase])).toEqual([
      ['data-db-0', 'Bound'],
      ['data-db-1', 'Bound'],
    ])
    expect(pods().every(isPodReady)).toBe(true)
    expect(cache.list<PersistentVolume>(resources.persistentVolumes).map(({ status }) => status?.phase)).toEqual(['Bound', 'Bound'])
    await merge(resources.statefulSets, 'db', { spec: { replicas: 1 } }, 60)
    expect(claims().map(({ metadata }) => metadata.name)).toEqual(['data-db-0'])
    expect(cache.list<PersistentVolume>(resources.persistentVolumes)).toHaveLength(1)
    await client.delete(resources.statefulSets, 'db', 'default', { propagationPolicy: 'Background' })
    await cluster.clock.advance(60_000)
    expect(pods()).toEqual([])
    expect(claims()).toHaveLength(1)
    expect(errors).toEqual([])
  })
})

describe('a DaemonSet', () => {
  it('runs one Pod on each node it may, and replaces them one node after the other', async () => {
    const { create, pods, merge, cache, errors } = await start(3)
    const spec = { selector: selector('agent'), template: template('agent', { tolerations: [{ operator: 'Exists' }] }) }
    await create(resources.daemonSets, { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'agent' }, spec })
    expect(new Set(pods().map((pod) => pod.spec?.nodeName)).size).toBe(3)
    const read = () => cache.get<DaemonSet>(resources.daemonSets, 'agent', 'default')?.status
    expect(read()).toMatchObject({
      desiredNumberScheduled: 3,
      currentNumberScheduled: 3,
      numberReady: 3,
      numberAvailable: 3,
      updatedNumberScheduled: 3,
    })
    await merge(resources.daemonSets, 'agent', { spec: { template: { metadata: { labels: { app: 'agent', v: '2' } } } } }, 60)
    expect(pods().map(({ metadata }) => metadata.labels?.['v'])).toEqual(['2', '2', '2'])
    expect(read()).toMatchObject({ updatedNumberScheduled: 3, numberReady: 3 })
    expect(errors).toEqual([])
  })
})

describe('a Job', () => {
  const job = (spec: object, command: string[] = ['sh', '-c', 'exit 0']) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work' },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'busybox:1.36', command }] } }, ...spec },
  })
  const conditions = (found: Job | undefined) =>
    found?.status?.conditions?.filter(({ status }) => status === 'True').map(({ type, reason }) => `${type} ${reason}`)

  it('runs until enough Pods have succeeded, then is deleted when its time is over', async () => {
    const { create, cache, messages, cluster, errors } = await start()
    await create(resources.jobs, job({ completions: 3, parallelism: 2, ttlSecondsAfterFinished: 60 }), 30)
    const read = () => cache.get<Job>(resources.jobs, 'work', 'default')
    expect(read()?.status).toMatchObject({ succeeded: 3 })
    expect(conditions(read())).toEqual(['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached'])
    expect(messages('Job', 'Completed')).toEqual(['Job completed'])
    await cluster.clock.advance(90_000)
    expect(read()).toBeUndefined()
    expect(errors).toEqual([])
  })

  it('fails after its backoffLimit, waiting longer each time', async () => {
    const { create, cache, pods, errors } = await start()
    await create(resources.jobs, job({ backoffLimit: 2 }, ['sh', '-c', 'exit 3']), 5)
    expect(pods()).toHaveLength(1)
    const { cluster } = { cluster: open[0] as Cluster }
    await cluster.clock.advance(120_000)
    const found = cache.get<Job>(resources.jobs, 'work', 'default')
    expect(found?.status?.failed).toBe(3)
    expect(conditions(found)).toEqual(['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded'])
    expect(found?.status?.conditions?.at(-1)?.message).toBe('Job has reached the specified backoff limit')
    expect(errors).toEqual([])
  })

  it('gives each index a Pod of its own, and can be suspended', async () => {
    const { create, cache, pods, merge, errors } = await start()
    await create(resources.jobs, job({ completions: 3, parallelism: 3, completionMode: 'Indexed', suspend: true }), 5)
    expect(pods()).toEqual([])
    await merge(resources.jobs, 'work', { spec: { suspend: false } })
    const found = cache.get<Job>(resources.jobs, 'work', 'default')
    expect(found?.status).toMatchObject({ completedIndexes: '0-2', succeeded: 3 })
    expect(pods().map(({ spec }) => spec?.hostname)).toEqual(['work-0', 'work-1', 'work-2'])
    expect(errors).toEqual([])
  })

  it('is made by a CronJob on schedule, of which the last few are kept', async () => {
    const { create, cache, cluster, messages, errors } = await start()
    const jobTemplate = { spec: job({}).spec }
    await create(
      resources.cronJobs,
      {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'tick' },
        spec: { schedule: '*/1 * * * *', successfulJobsHistoryLimit: 2, jobTemplate },
      },
      0,
    )
    await cluster.clock.advance(5 * 60_000)
    const jobs = cache.list<Job>(resources.jobs, 'default')
    expect(jobs).toHaveLength(2)
    expect(jobs[0]?.metadata.name).toMatch(/^tick-\d{8}$/)
    expect(messages('CronJob', 'SawCompletedJob')[0]).toMatch(/^Saw completed job: tick-\d+, condition: Complete$/)
    const status = cache.get<CronJob>(resources.cronJobs, 'tick', 'default')?.status
    expect(status?.lastScheduleTime).toBe('2030-01-01T00:05:00Z')
    expect(status?.active ?? []).toEqual([])
    expect(errors).toEqual([])
  })
})

describe('endpoints of a Service', () => {
  it('are its ready Pods, with the ports their containers name', async () => {
    const { create, cache, merge, errors } = await start()
    const containers = [
      {
        ...sleeper,
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1 },
      },
    ]
    await create(
      resources.services,
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
      },
      1,
    )
    const slices = () =>
      cache
        .list<EndpointSlice>(resources.endpointSlices, 'default')
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'web')
    expect(slices()).toHaveLength(1)
    expect(slices()[0]?.endpoints ?? []).toEqual([])
    await create(resources.pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', labels: { app: 'web' } }, spec: { containers } })
    const [slice] = slices()
    expect(slices()).toHaveLength(1)
    expect(slice?.metadata.name).toMatch(/^web-\w{5}$/)
    expect(slice?.ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }])
    expect(slice?.endpoints[0]).toMatchObject({
      conditions: { ready: false, serving: false, terminating: false },
      targetRef: { kind: 'Pod', name: 'web' },
    })
    const endpoints = () => cache.get<Endpoints>(resources.endpoints, 'web', 'default')
    expect(endpoints()?.subsets?.[0]).toMatchObject({
      notReadyAddresses: [{ targetRef: { name: 'web' } }],
      ports: [{ name: 'http', port: 8080 }],
    })
    await merge(resources.services, 'web', { spec: { publishNotReadyAddresses: true } }, 1)
    expect(slices()[0]?.endpoints[0]?.conditions?.ready).toBe(true)
    expect(endpoints()?.subsets?.[0]?.addresses).toHaveLength(1)
    expect(errors).toEqual([])
  })
})

describe('endpoints made by hand', () => {
  it('are copied into slices', async () => {
    const { create, cache, merge, errors } = await start()
    await create(
      resources.services,
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'outside' }, spec: { ports: [{ port: 80 }] } },
      0,
    )
    await create(
      resources.endpoints,
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name: 'outside' },
        subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
      },
      1,
    )
    const slices = () =>
      cache
        .list<EndpointSlice>(resources.endpointSlices, 'default')
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'outside')
    expect(slices().map(({ endpoints }) => endpoints)).toEqual([[{ addresses: ['192.0.2.1'], conditions: { ready: true } }]])
    await merge(resources.endpoints, 'outside', { subsets: [{ addresses: [{ ip: '192.0.2.2' }], ports: [{ port: 80 }] }] }, 1)
    expect(slices().map(({ endpoints }) => endpoints[0]?.addresses)).toEqual([['192.0.2.2']])
    expect(
      cache
        .list<EndpointSlice>(resources.endpointSlices, 'default')
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'kubernetes'),
    ).toHaveLength(1)
    expect(errors).toEqual([])
  })
})

describe('garbage collection', () => {
  const web = (name: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    // Does not heed SIGTERM, so that its end takes the whole grace period.
    spec: {
      replicas: 2,
      selector: selector(name),
      template: template(name, { containers: [{ ...sleeper, command: ['sleep', '100000'] }] }),
    },
  })

  it.each(['Background', 'Foreground'] as const)('takes the dependents too: %s', async (propagationPolicy) => {
    const { create, client, cluster, cache, names, errors } = await start()
    await create(resources.deployments, web('web'))
    expect(names()).toHaveLength(2)
    await client.delete(resources.deployments, 'web', 'default', { propagationPolicy })
    const gone = () => cache.get(resources.deployments, 'web', 'default') === undefined
    await cluster.clock.advance(0)
    expect(gone()).toBe(propagationPolicy === 'Background')
    await cluster.clock.advance(40_000)
    expect(gone()).toBe(true)
    expect(cache.list(resources.replicaSets, 'default')).toEqual([])
    expect(names()).toEqual([])
    expect(errors).toEqual([])
  })

  it('leaves dependents that are to be orphaned, which an equal Deployment then takes on', async () => {
    const { create, client, cluster, cache, names, errors } = await start()
    await create(resources.deployments, web('web'))
    const before = names()
    await client.delete(resources.deployments, 'web', 'default', { propagationPolicy: 'Orphan' })
    await cluster.clock.advance(20_000)
    expect(cache.list(resources.replicaSets, 'default')[0]?.metadata.ownerReferences ?? []).toEqual([])
    expect(names()).toEqual(before)
    await create(resources.deployments, web('web'))
    expect(cache.list(resources.replicaSets, 'default')).toHaveLength(1)
    expect(names()).toEqual(before)
    expect(errors).toEqual([])
  })

  it('goes round a circle of owners', async () => {
    const { create, client, cluster, cache, errors } = await start()
    const owned = (owner: KubeObject) => ({
      metadata: {
        ownerReferences: [
          {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            name: owner.metadata.name,
            uid: owner.metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
    })
    const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
    for (const name of ['a', 'b', 'c']) await create(resources.configMaps, configMap(name), 0)
    const read = (name: string) => cache.get<KubeObject>(resources.configMaps, name, 'default') as KubeObject
    for (const [name, owner] of ['ac', 'ba', 'cb']) {
      await client.patch(resources.configMaps, name as string, owned(read(owner as string)), 'merge', { namespace: 'default' })
    }
    await client.delete(resources.configMaps, 'a', 'default', { propagationPolicy: 'Foreground' })
    await cluster.clock.advance(10_000)
    expect(['a', 'b', 'c'].map(read)).toEqual([undefined, undefined, undefined])
    expect(errors).toEqual([])
  })

  it('empties a namespace before it goes, Pods first', async () => {
    const { create, client, cluster, cache, errors } = await start()
    await create(resources.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'lab' } }, 1)
    const held = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', namespace: 'lab', finalizers: ['example.com/hold'] } }
    await create(resources.configMaps, held, 0)
    await create(resources.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'lab' },
      spec: { terminationGracePeriodSeconds: 1, containers: [sleeper] },
    })
    await client.delete(resources.namespaces, 'lab')
    await cluster.clock.advance(40_000)
    const namespace = cache.get<Namespace>(resources.namespaces, 'lab')
    expect(namespace?.status?.phase).toBe('Terminating')
    expect(namespace?.status?.conditions?.find(({ type }) => type === 'NamespaceContentRemaining')?.message).toBe(
      'Some resources are remaining: configmaps. has 1 resource instances',
    )
    await client.patch(resources.configMaps, 'held', { metadata: { finalizers: null } }, 'merge', { namespace: 'lab' })
    await cluster.clock.advance(40_000)
    expect(cache.get(resources.namespaces, 'lab')).toBeUndefined()
    expect(errors).toEqual([])
  })
})

describe('a PodDisruptionBudget', () => {
  it('allows as many disruptions as leave enough Pods', async () => {
    const { create, cache, errors } = await start()
    await create(resources.deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 3, selector: selector('web'), template: template('web') },
    })
    await create(resources.podDisruptionBudgets, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web' },
      spec: { minAvailable: '60%', selector: selector('web') },
    })
    const read = () => cache.get<PodDisruptionBudget>(resources.podDisruptionBudgets, 'web', 'default')?.status
    expect(read()).toMatchObject({ expectedPods: 3, desiredHealthy: 2, currentHealthy: 3, disruptionsAllowed: 1 })
    expect(errors).toEqual([])
  })
})
