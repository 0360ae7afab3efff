import { describe, expect, test } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { ConfigMap } from '../schema/types/core.v1.ts'
import { podCluster } from './testing/pod-cluster.ts'

const forever = { main: () => {} }
const fails = (exitCode: number, after = 0) => ({
  main: (container: import('./testing/programmed-runtime.ts').ProgrammedContainer) => {
    container.runtime.clock.setTimeout(() => container.end(exitCode), after)
  },
})

describe('a pod', () => {
  test('is pulled, created, started and ready', async () => {
    const { runtime, boot, clock, run, pod, status, messages, condition, errors } = await podCluster()
    runtime.programs.set('app:1', forever)
    await boot()
    run('web', { containers: [{ name: 'app', image: 'app:1', imagePullPolicy: 'IfNotPresent' }] })
    await clock.advance(1000)
    expect(pod('web')?.status).toMatchObject({ phase: 'Pending', qosClass: 'BestEffort', hostIP: '172.18.0.2', observedGeneration: 1 })
    expect(status('web')?.state).toEqual({ waiting: { reason: 'ContainerCreating' } })
    expect(condition('web', 'Ready')).toMatchObject({ status: 'False', message: 'containers with unready status: [app]' })
    await clock.advance(1000)
    expect(pod('web')?.status).toMatchObject({ phase: 'Running', podIP: '10.244.0.2' })
    expect(status('web')).toMatchObject({ ready: true, started: true, restartCount: 0, image: 'docker.io/library/app:1' })
    expect(pod('web')?.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ])
    expect(messages().slice(-4)).toEqual([
      'Pulling image "app:1"',
      'Successfully pulled image "app:1" in 1.234s (1.234s including waiting). Image size: 1000 bytes.',
      'Created container: app',
      'Started container app',
    ])
    expect(errors).toEqual([])
  })

  test('that crashes comes back after 10, 20, 40 seconds', async () => {
    const { runtime, boot, clock, run, status, times, pod } = await podCluster()
    runtime.programs.set('app:1', fails(1))
    await boot()
    run('crash', { containers: [{ name: 'app', image: 'app:1' }] })
    await clock.advance(5000)
    expect(status('crash')).toMatchObject({
      restartCount: 1,
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    })
    const uid = pod('crash')?.metadata.uid
    expect(status('crash')?.state?.waiting?.message).toBe(`back-off 10s restarting failed container=app pod=crash_default(${uid})`)
    expect(pod('crash')?.status?.phase).toBe('Running')
    await clock.advance(100_000)
    const started = times('Started')
    expect(started.slice(1).map((at, index) => at - (started[index] ?? 0))).toEqual([0, 10, 20, 40])
    expect(runtime.created.filter(({ removed }) => !removed)).toHaveLength(2)
  })

  test('with restartPolicy Never ends as its containers do', async () => {
    const { runtime, boot, clock, run, pod, condition } = await podCluster()
    runtime.programs.set('ok', fails(0, 1000))
    runtime.programs.set('bad', fails(3, 2000))
    await boot()
    run('done', { restartPolicy: 'Never', containers: [{ name: 'a', image: 'ok' }] })
    run('failed', {
      restartPolicy: 'Never',
      containers: [
        { name: 'a', image: 'ok' },
        { name: 'b', image: 'bad' },
      ],
    })
    await clock.advance(10_000)
    expect(pod('done')?.status?.phase).toBe('Succeeded')
    expect(condition('done', 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' })
    expect(pod('failed')?.status?.phase).toBe('Failed')
    expect(condition('failed', 'ContainersReady')).toMatchObject({ reason: 'PodFailed' })
  })

  test('runs its init containers one after the other, then sidecars along with the rest', async () => {
    const { runtime, boot, clock, run, pod, messages, status } = await podCluster()
    runtime.pullTime = 0
    runtime.programs.set('step', fails(0, 2000))
    runtime.programs.set('app', forever)
    await boot()
    run('web', {
      initContainers: [
        { name: 'one', image: 'step' },
        { name: 'side', image: 'app', restartPolicy: 'Always' },
        { name: 'two', image: 'step' },
      ],
      containers: [{ name: 'app', image: 'app' }],
    })
    await clock.advance(1000)
    expect(pod('web')?.status?.phase).toBe('Pending')
    expect(status('web', 'app')?.state).toEqual({ waiting: { reason: 'PodInitializing' } })
    await clock.advance(10_000)
    expect(messages('Started')).toEqual(['one', 'side', 'two', 'app'].map((name) => `Started container ${name}`))
    expect(pod('web')?.status?.phase).toBe('Running')
    expect(status('web', 'one')).toMatchObject({ ready: true, state: { terminated: { reason: 'Completed' } } })
  })

  test('whose image is not there backs off', async () => {
    const { boot, clock, run, status, messages } = await podCluster()
    await boot()
    run('web', { containers: [{ name: 'app', image: 'nope:1' }] })
    await clock.advance(2000)
    expect(status('web')?.state?.waiting).toEqual({
      reason: 'ErrImagePull',
      message: 'failed to resolve reference "docker.io/library/nope:1": not found',
    })
    await clock.advance(30_000)
    expect(messages()).toContain('Back-off pulling image "nope:1"')
    expect(messages('Failed')).toContain('Error: ImagePullBackOff')
  })

  test('waits for a ConfigMap that its environment names', async () => {
    const { boot, clock, run, status, runtime, put, pod } = await podCluster()
    runtime.programs.set('app', forever)
    await boot()
    run('web', { containers: [{ name: 'app', image: 'app', envFrom: [{ configMapRef: { name: 'settings' } }] }] })
    await clock.advance(3000)
    expect(status('web')?.state?.waiting).toEqual({ reason: 'CreateContainerConfigError', message: 'configmap "settings" not found' })
    put(resources.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
      data: { COLOR: 'blue' },
    } as ConfigMap)
    await clock.advance(20_000)
    expect(pod('web')?.status?.phase).toBe('Running')
    expect(runtime.created[0]?.spec.env).toContainEqual({ name: 'COLOR', value: 'blue' })
  })

  test('sees a changed ConfigMap in its volume after a while, and never by subPath', async () => {
    const { boot, clock, run, runtime, put } = await podCluster()
    runtime.programs.set('app', forever)
    const config = (color: string) =>
      put(resources.configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings', namespace: 'default' },
        data: { color },
      } as ConfigMap)
    await boot()
    config('blue')
    run('web', {
      volumes: [{ name: 'v', configMap: { name: 'settings' } }],
      containers: [
        {
          name: 'app',
          image: 'app',
          volumeMounts: [
            { name: 'v', mountPath: '/etc/v' },
            { name: 'v', mountPath: '/etc/color', subPath: 'color' },
          ],
        },
      ],
    })
    await clock.advance(5000)
    const [whole, single] = runtime.created[0]?.spec.mounts ?? []
    const read = () => [whole, single].map((mount) => Buffer.from(mount?.volume.read('color') ?? []).toString())
    expect(read()).toEqual(['blue', 'blue'])
    config('red')
    await clock.advance(1)
    expect(read()).toEqual(['blue', 'blue'])
    await clock.advance(95_000)
    expect(read()).toEqual(['red', 'blue'])
  })
})

describe('the kubelet', () => {
  test('turns a pod away that the node has no room for', async () => {
    const { runtime, boot, clock, run, pod, messages } = await podCluster()
    runtime.programs.set('app', forever)
    await boot()
    run('big', { containers: [{ name: 'app', image: 'app', resources: { requests: { cpu: '64' } } }] })
    await clock.advance(1000)
    const message = "Node didn't have enough resource: cpu, requested: 64000, used: 0, capacity: 4000"
    expect(pod('big')?.status).toMatchObject({ phase: 'Failed', reason: 'OutOfcpu', message: `Pod was rejected: ${message}` })
    expect(pod('big')?.status?.containerStatuses).toBeUndefined()
    expect(messages('OutOfcpu')).toEqual([message])
  })

  test('takes a pod whose port is still held by one that the API has forgotten', async () => {
    const { runtime, boot, clock, run, remove, pod, messages } = await podCluster()
    runtime.programs.set('app', { main: () => {}, onSignal: () => {} })
    await boot()
    const containers = [{ name: 'app', image: 'app', ports: [{ containerPort: 80, hostPort: 80 }] }]
    run('first', { containers })
    await clock.advance(5000)
    run('second', { containers })
    await clock.advance(1000)
    expect(pod('second')?.status).toMatchObject({ phase: 'Failed', reason: 'NodePorts' })
    remove(resources.pods, 'first', 'default', 0)
    run('third', { containers })
    await clock.advance(5000)
    expect(pod('third')?.status?.phase).toBe('Running')
    expect(messages('NodePorts')).toHaveLength(1)
  })

  test('ends a pod at its deadline', async () => {
    const { runtime, boot, clock, run, pod, status } = await podCluster()
    runtime.programs.set('app', forever)
    await boot()
    run('late', { activeDeadlineSeconds: 10, containers: [{ name: 'app', image: 'app' }] })
    await clock.advance(9000)
    expect(pod('late')?.status?.phase).toBe('Running')
    await clock.advance(2000)
    expect(pod('late')?.status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' })
    expect(status('late')?.state?.terminated?.exitCode).toBe(143)
  })

  test('gives addresses in turn, and one that is free again only after the others', async () => {
    const { runtime, boot, clock, run, pod, remove } = await podCluster()
    runtime.programs.set('app', forever)
    await boot()
    const containers = [{ name: 'app', image: 'app' }]
    run('a', { containers })
    run('b', { containers })
    await clock.advance(5000)
    remove(resources.pods, 'a', 'default')
    await clock.advance(5000)
    run('c', { containers })
    await clock.advance(5000)
    expect(['b', 'c'].map((name) => pod(name)?.status?.podIP)).toEqual(['10.244.0.3', '10.244.0.4'])
  })

  test('holds a pod back that a readiness gate is not open for', async () => {
    const { runtime, boot, clock, run, condition, edit } = await podCluster()
    runtime.programs.set('app', forever)
    await boot()
    run('web', { readinessGates: [{ conditionType: 'lab/open' }], containers: [{ name: 'app', image: 'app' }] })
    await clock.advance(5000)
    expect(condition('web', 'ContainersReady')?.status).toBe('True')
    expect(condition('web', 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "lab/open" does not exist.',
    })
    edit('web', (pod) => pod.status?.conditions?.push({ type: 'lab/open', status: 'True' }))
    await clock.advance(1)
    expect(condition('web', 'Ready')?.status).toBe('True')
    expect(condition('web', 'lab/open')?.status).toBe('True')
  })

  test('restarts a container whose image is changed in place', async () => {
    const { runtime, boot, clock, run, edit, messages, status } = await podCluster()
    runtime.programs.set('app:1', forever)
    runtime.programs.set('app:2', forever)
    await boot()
    run('web', { containers: [{ name: 'app', image: 'app:1' }] })
    await clock.advance(5000)
    edit('web', (pod) => {
      if (pod.spec?.containers[0]) pod.spec.containers[0].image = 'app:2'
      pod.metadata.generation = 2
    })
    await clock.advance(5000)
    expect(messages('Killing')).toEqual(['Container app definition changed, will be restarted'])
    expect(status('web')).toMatchObject({ image: 'docker.io/library/app:2', restartCount: 1, ready: true })
  })
})

describe('the end of a pod', () => {
  test('is TERM, then KILL after the grace period', async () => {
    const { runtime, boot, clock, run, pod, remove, messages } = await podCluster()
    runtime.programs.set('deaf', { ...forever, onSignal: () => {} })
    await boot()
    run('web', { terminationGracePeriodSeconds: 5, containers: [{ name: 'app', image: 'deaf' }] })
    await clock.advance(5000)
    remove(resources.pods, 'web', 'default')
    await clock.advance(4900)
    expect(pod('web')?.metadata.deletionTimestamp).toBeDefined()
    expect(messages('Killing')).toEqual(['Stopping container app'])
    await clock.advance(200)
    expect(pod('web')).toBeUndefined()
    const signals = runtime.created[0]?.signals ?? []
    expect(signals.map(({ signal }) => signal)).toEqual(['SIGTERM', 'SIGKILL'])
    expect((signals[1]?.at ?? 0) - (signals[0]?.at ?? 0)).toBe(5000)
  })

  test('counts the hook against the grace period and leaves two seconds for TERM', async () => {
    const { runtime, boot, clock, run, remove } = await podCluster()
    runtime.programs.set('deaf', { ...forever, onSignal: () => {} })
    await boot()
    const lifecycle = { preStop: { sleep: { seconds: 60 } } }
    run('web', { terminationGracePeriodSeconds: 30, containers: [{ name: 'app', image: 'deaf', lifecycle }] })
    await clock.advance(5000)
    const deleted = clock.now()
    remove(resources.pods, 'web', 'default')
    await clock.advance(60_000)
    expect(runtime.created[0]?.signals.map(({ signal, at }) => [signal, at - deleted])).toEqual([
      ['SIGTERM', 30_000],
      ['SIGKILL', 32_000],
    ])
  })

  test('is at once when it is forced', async () => {
    const { runtime, boot, clock, run, remove } = await podCluster()
    runtime.programs.set('deaf', { ...forever, onSignal: () => {} })
    await boot()
    run('web', { containers: [{ name: 'app', image: 'deaf' }] })
    await clock.advance(5000)
    remove(resources.pods, 'web', 'default', 0)
    await clock.advance(2100)
    expect(runtime.created[0]).toMatchObject({ state: 'exited', removed: true })
  })

  test('stops sidecars after the rest', async () => {
    const { runtime, boot, clock, run, remove } = await podCluster()
    runtime.programs.set('slow', {
      ...forever,
      onSignal: (container) => void container.runtime.clock.setTimeout(() => container.end(0), 3000),
    })
    runtime.programs.set('side', forever)
    await boot()
    run('web', {
      initContainers: [{ name: 'side', image: 'side', restartPolicy: 'Always' }],
      containers: [{ name: 'app', image: 'slow' }],
    })
    await clock.advance(5000)
    remove(resources.pods, 'web', 'default')
    await clock.advance(10_000)
    const at = (name: string) => runtime.created.find(({ spec }) => spec.name === name)?.signals[0]?.at ?? 0
    expect(at('side') - at('app')).toBe(3000)
  })
})

describe('probes', () => {
  test('readiness decides whether a pod is ready, with the words of the kubelet', async () => {
    const { runtime, boot, clock, run, condition, messages, status } = await podCluster()
    let code = 503
    runtime.programs.set('app', {
      main: (container) => {
        container.spec.network.listen(8080, { http: async () => ({ status: code, headers: {}, body: new Uint8Array() }) })
      },
    })
    await boot()
    await clock.advance(60_000)
    const readinessProbe = { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 5, failureThreshold: 1 }
    run('web', { containers: [{ name: 'app', image: 'app', ports: [{ name: 'http', containerPort: 8080 }], readinessProbe }] })
    await clock.advance(3000)
    expect(messages('Unhealthy')).toEqual(['Readiness probe failed: HTTP probe failed with statuscode: 503'])
    expect(condition('web', 'Ready')).toMatchObject({ status: 'False', reason: 'ContainersNotReady' })
    code = 200
    await clock.advance(5000)
    expect(condition('web', 'Ready')?.status).toBe('True')
    expect(status('web')?.ready).toBe(true)
    code = 500
    await clock.advance(5000)
    expect(condition('web', 'Ready')?.status).toBe('False')
    expect(status('web')).toMatchObject({ ready: false, restartCount: 0, state: { running: {} } })
  })

  test('liveness kills and restarts after the threshold', async () => {
    const { runtime, boot, clock, run, status, messages, times } = await podCluster()
    runtime.programs.set('app', forever)
    await boot()
    await clock.advance(60_000)
    const livenessProbe = { httpGet: { path: '/healthz', port: 8081 }, periodSeconds: 10, failureThreshold: 3 }
    run('web', { containers: [{ name: 'app', image: 'app', livenessProbe }] })
    await clock.advance(35_000)
    expect(messages('Unhealthy')).toEqual(
      Array(3).fill('Liveness probe failed: Get "http://10.244.0.2:8081/healthz": dial tcp 10.244.0.2:8081: connect: connection refused'),
    )
    expect(messages('Killing')).toEqual(['Container app failed liveness probe, will be restarted'])
    expect(times('Killing')).toEqual([90])
    expect(status('web')).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 143 } } })
  })

  test('liveness looks for the first time one period after the pod has come, in a young cluster too', async () => {
    const { runtime, boot, clock, run, messages, times } = await podCluster()
    runtime.pullTime = 0
    runtime.programs.set('app', {
      main: (container) => {
        container.runtime.clock.setTimeout(() => {
          container.spec.network.listen(8080, { http: async () => ({ status: 200, headers: {}, body: new Uint8Array() }) })
        }, 4000)
      },
    })
    await boot()
    const probe = (port: number) => ({ httpGet: { path: '/', port }, periodSeconds: 5, failureThreshold: 3 })
    run('listening', { containers: [{ name: 'app', image: 'app', livenessProbe: probe(8080) }] })
    run('deaf', { containers: [{ name: 'app', image: 'app', livenessProbe: probe(9090) }] })
    await clock.advance(17_000)
    expect(messages('Unhealthy').filter((message) => message.includes(':8080'))).toEqual([])
    expect(times('Unhealthy')).toEqual([5, 10, 15])
  })

  test('a startup probe holds the others back', async () => {
    const { runtime, boot, clock, run, status, messages } = await podCluster()
    const began = new Map<string, number>()
    runtime.programs.set('app', {
      main: (container) => void began.set(container.spec.id, container.runtime.clock.now()),
      exec: (container, [what]) => {
        const age = container.runtime.clock.now() - (began.get(container.spec.id) ?? 0)
        return what === 'started' && age < 25_000 ? 1 : 0
      },
    })
    await boot()
    run('web', {
      containers: [
        {
          name: 'app',
          image: 'app',
          startupProbe: { exec: { command: ['started'] }, periodSeconds: 5, failureThreshold: 10 },
          livenessProbe: { exec: { command: ['alive'] }, periodSeconds: 1, failureThreshold: 1 },
        },
      ],
    })
    await clock.advance(20_000)
    expect(status('web')).toMatchObject({ started: false, ready: false, restartCount: 0 })
    await clock.advance(15_000)
    expect(status('web')).toMatchObject({ started: true, ready: true, restartCount: 0 })
    expect(messages('Unhealthy').every((message) => message.startsWith('Startup probe failed'))).toBe(true)
  })

  test('an answer that comes too late is a failure', async () => {
    const { runtime, boot, clock, run, messages } = await podCluster()
    runtime.programs.set('app', {
      main: (container) => {
        container.spec.network.listen(80, { http: () => new Promise(() => {}) })
      },
    })
    await boot()
    await clock.advance(60_000)
    run('web', { containers: [{ name: 'app', image: 'app', readinessProbe: { httpGet: { path: '/', port: 80 } } }] })
    await clock.advance(4000)
    expect(messages('Unhealthy')).toEqual([
      'Readiness probe failed: Get "http://10.244.0.2:80/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    ])
  })
})

describe('after a restart of the cluster', () => {
  test('running containers are taken up as they were', async () => {
    const first = await podCluster()
    first.runtime.programs.set('app', forever)
    await first.boot()
    first.run('web', { containers: [{ name: 'app', image: 'app' }] })
    await first.clock.advance(5000)
    const before = first.status('web')
    await first.stop()

    const second = await podCluster({ records: first.records, objects: first.objects })
    second.runtime.programs.set('app', forever)
    second.runtime.left = first.runtime.created
    await second.boot()
    await second.clock.advance(60_000)
    expect(second.status('web')).toEqual(before)
    expect(second.messages('Started')).toEqual([])
    first.runtime.created[0]?.end(1)
    await second.clock.advance(5000)
    expect(second.status('web')).toMatchObject({ restartCount: 1, state: { running: {} } })
  })
})

describe('logs', () => {
  test('come from the container meant, and say why there are none', async () => {
    const { runtime, boot, clock, run } = await podCluster()
    runtime.programs.set('app', {
      main: (container) => {
        container.print(`life ${container.runtime.created.length}`)
        container.runtime.clock.setTimeout(() => container.end(1), 1000)
      },
    })
    const api = await boot()
    run('web', { containers: [{ name: 'app', image: 'app' }] })
    const read = async (options: object, name = 'web') => {
      let text = ''
      for await (const part of await api.logs('default', name, options, new AbortController().signal)) text += Buffer.from(part).toString()
      return text
    }
    await clock.advance(100)
    await expect(read({})).rejects.toThrow('container "app" in pod "web" is waiting to start: ContainerCreating')
    await clock.advance(6000)
    expect(await read({})).toBe('life 2\n')
    expect(await read({ tailLines: 0 })).toBe('')
    expect(await read({ limitBytes: 4 })).toBe('life')
    await expect(read({ container: 'x' })).rejects.toThrow('container x is not valid for pod web')
    await expect(read({}, 'none')).rejects.toThrow('pods "none" not found')
    run('two', {
      initContainers: [{ name: 'i', image: 'app' }],
      containers: [
        { name: 'a', image: 'app' },
        { name: 'b', image: 'app' },
      ],
    })
    await clock.advance(1)
    await expect(read({}, 'two')).rejects.toThrow(
      'a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [i]',
    )
  })
})
