import {
  afterProvoking,
  defineLab,
  type Evidence,
  notYet,
  type Outcome,
  type ProvingGround,
  pass,
  type Text,
  verbatim,
  waiting,
} from '../../sandbox/check/kit.ts'
import {
  as,
  type Container,
  endpointsOf,
  findDeployment,
  isReady,
  type Pod,
  replaceBroken,
  restartsOf,
} from '../../sandbox/check/objects.ts'

const namespace = 'default'
const frontPods = { group: '', version: 'v1', resource: 'pods', namespace, labelSelector: 'app=front' } as const
const dbPods = { ...frontPods, labelSelector: 'app=db' } as const
const frontSlices = {
  group: 'discovery.k8s.io',
  version: 'v1',
  resource: 'endpointslices',
  namespace,
  labelSelector: 'kubernetes.io/service-name=front',
} as const
const dbScale = `/apis/apps/v1/namespaces/${namespace}/deployments/db/scale`

/** How long the outage on the copy lasts, s, and for how much of it a probe with default figures may still say ready. */
const outageLasts = 75
const probesTurn = 35

/** What happened on the copy. Seconds. */
interface Outage {
  fronts: number
  /** While db was away. */
  restarts: number
  /** Of the Service front at most, once the probes had time to turn. */
  readyEndpoints: number
  /** From db's return until every front was Ready and behind the Service; null for not within two minutes. */
  backAfter: number | null
  /** While db came back. */
  restartsAfter: number
  /** From POST /break at one front until it was restarted; null for not within two minutes. */
  sickNoticedAfter: number | null
}

const noFront: Text = { en: 'there is no Deployment front with Pods', zh: '没有带 Pod 的 Deployment front' }

export const lab = defineLab({
  slug: 'dependency-trap',
  minutes: 25,
  needs: ['api', 'pods', 'exec', 'network', 'terminal'],
  collect: {
    deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } },
    pods: { kind: 'objects', selector: frontPods },
    slices: { kind: 'objects', selector: frontSlices },
  },
  provoke: {
    outage: {
      what: {
        en: 'front begins anew with db at hand; then db is stopped for 75 seconds and started again, and at last one front is broken with POST /break.',
        zh: '先让 db 可用并重新启动 front；接着把 db 停掉 75 秒再启动；最后用 POST /break 弄坏其中一个 front。',
      },
      after: ['deployments'],
      when: (evidence) => replicasOf(evidence, 'front') > 0 && findDeployment(evidence.objects['deployments'], 'db') !== undefined,
      basis: (evidence) => [
        findDeployment(evidence.objects['deployments'], 'front')?.spec,
        findDeployment(evidence.objects['deployments'], 'db')?.spec?.template,
      ],
      run: stopAndStart,
      undo: (ground) => replaceBroken(ground, frontPods, 'http://127.0.0.1:8080/healthz'),
    },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'calm',
          points: 2,
          label: { en: 'front stays calm for a minute without db', zh: '没有 db 的一分钟里，front 不重启' },
          why: {
            en: 'A restart cannot bring db back. It costs the warm caches and open sessions of front, and adds a storm to the outage.',
            zh: '重启 front 并不能让 db 回来，反而丢掉预热好的缓存和进行中的会话，让故障雪上加霜。',
          },
          judge: (evidence) => {
            const expected = { en: `0 restarts while db is away for ${outageLasts} s`, zh: `db 离开的 ${outageLasts} 秒内重启 0 次` }
            if (replicasOf(evidence, 'front') < 1) return notYet(expected, noFront)
            return afterProvoking<Outage>(evidence, 'outage', expected, ({ restarts, fronts }) => {
              const observed = { en: `${restarts} restarts of ${fronts} Pods`, zh: `${fronts} 个 Pod 共重启 ${restarts} 次` }
              return restarts === 0 ? pass(observed) : notYet(expected, observed, { hint: 0 })
            })
          },
        },
        {
          id: 'sick',
          points: 2,
          label: { en: 'A front that is itself broken is still restarted', zh: '自身出故障的 front 仍会被重启' },
          why: {
            en: 'A process that hangs is what the liveness probe is for. Taking the probe away trades one fault for another.',
            zh: '进程卡死，正是存活探针该管的事。把探针删掉，只是拿一个毛病换另一个毛病。',
          },
          judge: judgeSick,
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'probe',
          points: 1,
          label: { en: 'The readiness probe asks /deep', zh: '就绪探针请求 /deep' },
          why: {
            en: 'Whether it can serve depends on db, and /deep is where front says so.',
            zh: '能不能服务取决于 db，而 /deep 正是 front 说明这一点的路径。',
          },
          judge: (evidence) => {
            const expected = verbatim('readinessProbe: httpGet: {path: /deep, port: http}')
            const probe = containerOf(evidence)?.readinessProbe
            if (!probe) return notYet(expected, { en: 'there is no readiness probe', zh: '没有就绪探针' }, { hint: 0 })
            const { path = '/', port } = probe.httpGet ?? {}
            const observed = probe.httpGet
              ? verbatim(`httpGet: {path: ${path}, port: ${port}}`)
              : { en: 'it does not ask over HTTP', zh: '没有使用 HTTP 请求' }
            return path === '/deep' && (port === 'http' || String(port) === '8080')
              ? pass(observed)
              : notYet(expected, observed, { hint: 1 })
          },
        },
        {
          id: 'traffic',
          points: 2,
          label: { en: 'Without db the Service sends nobody to front', zh: '没有 db 时，Service 不把任何请求发给 front' },
          why: {
            en: 'A caller who is refused at once can retry or say so. One who waits for an error page cannot.',
            zh: '立刻被拒绝的调用方可以重试，也可以给出说明；苦等一个错误页面的则什么也做不了。',
          },
          judge: (evidence) => {
            const expected = { en: '0 ready endpoints while db is away', zh: 'db 不在时就绪端点为 0 个' }
            if (replicasOf(evidence, 'front') < 1) return notYet(expected, noFront)
            if (!containerOf(evidence)?.readinessProbe)
              return notYet(
                expected,
                {
                  en: 'without a readiness probe every front that runs is sent requests',
                  zh: '没有就绪探针，只要 front 在运行就会收到请求',
                },
                { hint: 0 },
              )
            return afterProvoking<Outage>(evidence, 'outage', expected, ({ readyEndpoints }) => {
              const observed = { en: `${readyEndpoints} ready endpoints`, zh: `就绪端点 ${readyEndpoints} 个` }
              return readyEndpoints === 0 ? pass(observed) : notYet(expected, observed, { hint: 1 })
            })
          },
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'back',
          points: 2,
          label: { en: 'db runs, and every front is ready behind its Service', zh: 'db 已运行，每个 front 都已就绪并挂在 Service 后面' },
          why: {
            en: 'Readiness comes back by itself with the dependency: same Pods, no hands needed.',
            zh: '依赖恢复后，就绪状态会自己回来：还是原来那些 Pod，不需要人动手。',
          },
          judge: judgeBack,
        },
        {
          id: 'again',
          points: 1,
          label: { en: 'The next outage of db passes without a restart', zh: 'db 下次再断，也不会引起重启' },
          why: {
            en: 'What is right once may be luck. db will be away again, if only for its next update.',
            zh: '对一次可能只是运气。db 迟早还会离开，哪怕只是为了下一次升级。',
          },
          judge: (evidence) => {
            const expected = {
              en: 'db away and back: 0 restarts, every front ready again',
              zh: 'db 断开又恢复：重启 0 次，每个 front 重新就绪',
            }
            if (replicasOf(evidence, 'db') < 1) return notYet(expected, { en: 'db is still at 0', zh: 'db 仍为 0 个副本' }, { hint: 0 })
            return afterProvoking<Outage>(evidence, 'outage', expected, ({ restarts, restartsAfter, backAfter }) => {
              const total = restarts + restartsAfter
              const back =
                backAfter === null
                  ? { en: 'not all ready two minutes after', zh: '恢复两分钟后仍未全部就绪' }
                  : { en: `all ready ${Math.round(backAfter)} s after`, zh: `恢复 ${Math.round(backAfter)} 秒后全部就绪` }
              const observed = { en: `${total} restarts, ${back.en}`, zh: `重启 ${total} 次，${back.zh}` }
              return total === 0 && backAfter !== null ? pass(observed) : notYet(expected, observed, { hint: 1 })
            })
          },
        },
      ],
    },
  ],
})

function containerOf(evidence: Evidence): Container | undefined {
  return findDeployment(evidence.objects['deployments'], 'front')?.spec?.template?.spec?.containers?.[0]
}

function replicasOf(evidence: Evidence, name: string): number {
  return findDeployment(evidence.objects['deployments'], name)?.spec?.replicas ?? 0
}

function judgeSick(evidence: Evidence): Outcome {
  const expected = { en: 'after POST /break it is restarted within two minutes', zh: 'POST /break 之后两分钟内被重启' }
  const container = containerOf(evidence)
  if (!container || replicasOf(evidence, 'front') < 1) return notYet(expected, noFront)
  if (!container.livenessProbe) return notYet(expected, { en: 'there is no liveness probe', zh: '没有存活探针' }, { hint: 1 })
  return afterProvoking<Outage>(evidence, 'outage', expected, ({ sickNoticedAfter: after, restarts }) => {
    // a storm hides what a single restart was for
    if (restarts > 0)
      return notYet(expected, { en: 'restarts for want of db, broken or not', zh: '不管坏没坏，没有 db 就重启' }, { hint: 0 })
    if (after === null) return notYet(expected, { en: 'it ran on, broken', zh: '它带着故障继续运行' }, { hint: 2 })
    return pass({ en: `restarted after ${Math.round(after)} s`, zh: `${Math.round(after)} 秒后被重启` })
  })
}

function judgeBack(evidence: Evidence): Outcome {
  const wanted = replicasOf(evidence, 'front')
  const expected = { en: 'db 1 ready; every Pod of front ready, with an endpoint', zh: 'db 有 1 个就绪；front 的每个 Pod 都就绪并有端点' }
  const db = findDeployment(evidence.objects['deployments'], 'db')
  if (wanted < 1) return notYet(expected, noFront)
  if ((db?.spec?.replicas ?? 0) < 1) return notYet(expected, { en: 'db is still at 0', zh: 'db 仍为 0 个副本' }, { hint: 0 })
  const pods = as<Pod>(evidence.objects['pods']).filter((pod) => !pod.metadata.deletionTimestamp)
  const ready = pods.filter(isReady).length
  const endpoints = endpointsOf(evidence.objects['slices']).filter((one) => one.ready).length
  const observed = {
    en: `db ${db?.status?.readyReplicas ?? 0} ready; front ${ready} of ${wanted} ready, ${endpoints} ready endpoints`,
    zh: `db 就绪 ${db?.status?.readyReplicas ?? 0} 个；front ${wanted} 个中 ${ready} 个就绪，就绪端点 ${endpoints} 个`,
  }
  const gate = containerOf(evidence)?.readinessProbe
  if (!gate)
    return notYet(
      { en: 'front says by a readiness probe that it can serve', zh: 'front 通过就绪探针说明自己能够服务' },
      { en: 'there is no readiness probe', zh: '没有就绪探针' },
      { hint: 1 },
    )
  return (db?.status?.readyReplicas ?? 0) > 0 && ready === wanted && pods.length === wanted && endpoints === wanted
    ? pass(observed)
    : waiting(expected, observed)
}

async function stopAndStart(ground: ProvingGround): Promise<Outage> {
  const scale = async () =>
    ((await ground.api({ method: 'GET', path: dbScale })).body as { spec?: { replicas?: number } }).spec?.replicas ?? 0
  const scaleTo = (replicas: number) => ground.api({ method: 'PATCH', path: dbScale, body: { spec: { replicas } } })
  const fronts = async () => as<Pod>(await ground.list(frontPods)).filter((pod) => !pod.metadata.deletionTimestamp)
  const restarts = async () => (await fronts()).reduce((sum, pod) => sum + restartsOf(pod), 0)
  const endpoints = async () => endpointsOf(await ground.list(frontSlices)).filter((one) => one.ready).length
  const before = await scale()
  try {
    // a Pod in back-off does not restart either: all begin fresh
    await scaleTo(1)
    await ground.sample(1_000, 60_000, async () => as<Pod>(await ground.list(dbPods)).some(isReady))
    const old = new Set((await ground.list(frontPods)).map((pod) => pod.metadata.uid))
    await ground.api({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent('app=front')}` })
    await ground.sample(1_000, 120_000, async () => {
      const pods = await fronts()
      return pods.length > 0 && pods.every((pod) => isReady(pod) && !old.has(pod.metadata.uid ?? ''))
    })

    await scaleTo(0)
    await ground.sample(1_000, 60_000, async () => (await ground.list(dbPods)).length === 0)
    const atFirst = await restarts()
    await ground.wait(probesTurn * 1000)
    let readyEndpoints = 0
    await ground.sample(2_000, (outageLasts - probesTurn) * 1000, async () => {
      readyEndpoints = Math.max(readyEndpoints, await endpoints())
    })
    const atLast = await restarts()

    await scaleTo(1)
    const returned = await ground.now()
    let backAfter: Outage['backAfter'] = null
    await ground.sample(1_000, 120_000, async (time) => {
      const pods = await fronts()
      if (!pods.every(isReady) || (await endpoints()) !== pods.length) return false
      backAfter = (time - returned) / 1000
      return true
    })
    const afterwards = await restarts()
    const seen = {
      fronts: (await fronts()).length,
      restarts: atLast - atFirst,
      readyEndpoints,
      backAfter,
      restartsAfter: afterwards - atLast,
    }

    const [victim] = await fronts()
    let sickNoticedAfter: Outage['sickNoticedAfter'] = null
    if (!victim) return { ...seen, sickNoticedAfter }
    const calm = restartsOf(victim)
    await ground.exec(namespace, victim.metadata.name ?? '', ['curl', '-s', '-X', 'POST', 'http://127.0.0.1:8080/break'])
    const broken = await ground.now()
    await ground.sample(1_000, 120_000, async (time) => {
      const now = (await fronts()).find((pod) => pod.metadata.uid === victim.metadata.uid)
      if (!now || restartsOf(now) === calm) return false
      sickNoticedAfter = (time - broken) / 1000
      return true
    })
    return { ...seen, sickNoticedAfter }
  } finally {
    await scaleTo(before)
  }
}
