import {
  afterProvoking,
  defineLab,
  type Evidence,
  notYet,
  type Outcome,
  type ProvingGround,
  pass,
  verbatim,
} from '../../sandbox/check/kit.ts'
import {
  as,
  type Container,
  type Deployment,
  endpointsOf,
  findDeployment,
  isReady,
  type Pod,
  restartsOf,
} from '../../sandbox/check/objects.ts'

const namespace = 'default'
const shopPods = { group: '', version: 'v1', resource: 'pods', namespace, labelSelector: 'app=shop' } as const
const shopSlices = {
  group: 'discovery.k8s.io',
  version: 'v1',
  resource: 'endpointslices',
  namespace,
  labelSelector: 'kubernetes.io/service-name=shop',
} as const

/** What the rollout showed: how many looks, and the addresses that were ready while /ready did not answer 200 (0: nothing). */
interface Rollout {
  looks: number
  early: { address: string; status: number }[]
  finished: boolean
}

export const lab = defineLab({
  slug: 'readiness-gate',
  minutes: 25,
  needs: ['api', 'pods', 'exec', 'network', 'terminal'],
  collect: {
    deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } },
    pods: { kind: 'objects', selector: shopPods },
    slices: { kind: 'objects', selector: shopSlices },
  },
  provoke: {
    rollout: {
      what: {
        en: 'shop is rolled out anew and its endpoints are watched.',
        zh: '重新滚动发布 shop，并持续观察它的端点。',
      },
      after: ['deployments'],
      when: (evidence) => probeOf(evidence) !== undefined,
      basis: (evidence) => findDeployment(evidence.objects['deployments'], 'shop')?.spec,
      run: rollOut,
    },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'probe',
          points: 2,
          label: {
            en: 'shop has a readiness probe that asks /ready on its HTTP port',
            zh: 'shop 有一个就绪探针，在 HTTP 端口上请求 /ready',
          },
          why: {
            en: 'Only the readiness probe decides about traffic. /ready is the path where this app says whether it can serve.',
            zh: '是否接收流量只由就绪探针决定。这个应用正是用 /ready 来说明自己能不能服务。',
          },
          judge: judgeProbe,
        },
        {
          id: 'period',
          points: 1,
          label: { en: 'It asks every 5 seconds or more often', zh: '探测周期不超过 5 秒' },
          why: {
            en: 'A Pod that has become unready keeps getting traffic until the probe has noticed.',
            zh: '探针发现之前，已经不能服务的 Pod 仍然会收到流量。',
          },
          judge: (evidence) => {
            const probe = probeOf(evidence)
            const expected = verbatim('periodSeconds <= 5')
            if (!probe) return notYet(expected, { en: 'there is no readiness probe', zh: '没有就绪探针' }, { hint: 0 })
            const period = probe.periodSeconds ?? 10
            return period <= 5 ? pass(verbatim(`periodSeconds: ${period}`)) : notYet(expected, verbatim(`periodSeconds: ${period}`))
          },
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'rollout',
          points: 4,
          label: { en: 'During a rollout no Pod gets traffic before it can serve', zh: '滚动发布期间，没有 Pod 在能够服务之前收到流量' },
          why: {
            en: 'Running only says that a process was started. This one needs 15 seconds before it listens.',
            zh: 'Running 只说明进程启动了；这个应用要 15 秒之后才开始监听。',
          },
          judge: judgeRollout,
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'out',
          points: 3,
          label: { en: 'One Pod of shop is out of the Service and was not restarted', zh: 'shop 有一个 Pod 退出了服务，并且没有被重启' },
          why: {
            en: 'That is what readiness is for: take a Pod out to look at it, while the process lives on.',
            zh: '这正是就绪的用处：把一个 Pod 摘下来检查，而进程继续活着。',
          },
          judge: judgeOut,
        },
      ],
    },
  ],
})

function shopContainer(evidence: Evidence): Container | undefined {
  return findDeployment(evidence.objects['deployments'], 'shop')?.spec?.template?.spec?.containers?.[0]
}

function probeOf(evidence: Evidence): NonNullable<Container['readinessProbe']> | undefined {
  return shopContainer(evidence)?.readinessProbe
}

function judgeProbe(evidence: Evidence): Outcome {
  const expected = verbatim('readinessProbe: httpGet: {path: /ready, port: http}')
  const container = shopContainer(evidence)
  if (!container) return notYet(expected, { en: 'there is no Deployment shop', zh: '没有名为 shop 的 Deployment' })
  const probe = container.readinessProbe
  if (!probe) {
    const other = container.livenessProbe
      ? { en: 'only a liveness probe', zh: '只有存活探针' }
      : container.startupProbe
        ? { en: 'only a startup probe', zh: '只有启动探针' }
        : { en: 'no probe at all', zh: '没有任何探针' }
    return notYet(expected, other, { hint: container.livenessProbe ? 1 : 0 })
  }
  const { path = '/', port } = probe.httpGet ?? {}
  if (!probe.httpGet) return notYet(expected, { en: 'a readiness probe that does not ask over HTTP', zh: '就绪探针没有使用 HTTP 请求' })
  return path === '/ready' && (port === 'http' || String(port) === '8080')
    ? pass(verbatim(`GET ${path} :${port}`))
    : notYet(expected, verbatim(`httpGet: {path: ${path}, port: ${port}}`), { hint: 2 })
}

function judgeRollout(evidence: Evidence): Outcome {
  const expected = { en: 'every ready address answers 200 on /ready', zh: '每个 ready 地址的 /ready 都返回 200' }
  const replicas = findDeployment(evidence.objects['deployments'], 'shop')?.spec?.replicas ?? 0
  if (replicas < 3)
    return notYet({ en: 'shop keeps its 3 replicas', zh: 'shop 保持 3 个副本' }, { en: `${replicas} replicas`, zh: `${replicas} 个副本` })
  if (!probeOf(evidence))
    return notYet(
      expected,
      { en: 'without a readiness probe a Pod counts as ready the moment it runs', zh: '没有就绪探针时，Pod 一运行就算就绪' },
      { hint: 0 },
    )
  return afterProvoking<Rollout>(evidence, 'rollout', expected, ({ early: [first], looks, finished }) => {
    if (first)
      return notYet(
        expected,
        {
          en: `${first.address} was ready in the slice while /ready answered ${first.status || 'nothing'}`,
          zh: `${first.address} 在端点切片里已是 ready，而它的 /ready ${first.status ? `返回 ${first.status}` : '没有应答'}`,
        },
        { hint: 1 },
      )
    if (!finished)
      return notYet(
        { en: 'the rollout comes to its end', zh: '滚动发布能够完成' },
        { en: 'after three minutes it still had not', zh: '三分钟后仍未完成' },
      )
    return pass({ en: `${looks} looks at the endpoints, none too early`, zh: `观察端点 ${looks} 次，没有一次过早` })
  })
}

function judgeOut(evidence: Evidence): Outcome {
  const expected = { en: '1 Pod not ready with 0 restarts, 2 ready endpoints', zh: '1 个 Pod 未就绪且重启 0 次，2 个就绪端点' }
  const pods = as<Pod>(evidence.objects['pods']).filter((pod) => !pod.metadata.deletionTimestamp)
  const ready = endpointsOf(evidence.objects['slices']).filter((endpoint) => endpoint.ready)
  const out = pods.filter(takenOut)
  const restarts = out.reduce((sum, pod) => sum + restartsOf(pod), 0)
  const observed = {
    en: `${pods.length} Pods, ${out.length} of them taken out, ${restarts} restarts, ${ready.length} ready endpoints`,
    zh: `共 ${pods.length} 个 Pod，其中 ${out.length} 个被摘下，重启 ${restarts} 次，就绪端点 ${ready.length} 个`,
  }
  if (pods.length === 3 && out.length === 1 && restarts === 0 && ready.length === 2 && probeOf(evidence)) return pass(observed)
  return notYet(expected, observed, { hint: probeOf(evidence) ? 1 : 0 })
}

/** Runs, was ready once, and is not ready now: a Pod that boots has never been ready. */
function takenOut(pod: Pod): boolean {
  const startedAt = pod.status?.containerStatuses?.[0]?.state?.running?.startedAt
  const since = pod.status?.conditions?.find((condition) => condition.type === 'Ready')?.lastTransitionTime
  return !isReady(pod) && startedAt !== undefined && since !== undefined && Date.parse(since) - Date.parse(startedAt) > 5_000
}

async function rollOut(ground: ProvingGround): Promise<Rollout> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/shop`
  // a rollout of the learner's own may still be on its way, with Pods that have no probe
  await ground.sample(1_000, 120_000, async () => {
    const { metadata, spec, status } = (await ground.api({ method: 'GET', path })).body as Deployment
    const all = spec?.replicas ?? 0
    return status?.observedGeneration === metadata.generation && status?.updatedReplicas === all && status?.replicas === all
  })
  await ground.api({ method: 'PATCH', path, body: { spec: { template: { metadata: { annotations: { 'labs/restarted': 'yes' } } } } } })
  const early: Rollout['early'] = []
  let looks = 0
  const finished = await ground.sample(1_000, 180_000, async () => {
    looks++
    for (const { pod } of await readyOnes(ground)) {
      if ((await askReady(ground, pod)) === 200) continue
      // it may have been told to stop just now, or be slow on a busy machine: early is who is still ready and still cannot serve
      const still = (await readyOnes(ground)).find((endpoint) => endpoint.pod === pod)
      const status = still ? await askReady(ground, pod) : 200
      if (still && status !== 200) early.push({ address: still.address, status })
    }
    const { metadata, spec, status } = (await ground.api({ method: 'GET', path })).body as Deployment
    const all = spec?.replicas ?? 0
    return (
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === all &&
      status?.replicas === all &&
      status?.availableReplicas === all
    )
  })
  return { looks, early: early.slice(0, 5), finished }
}

/** Endpoints of shop that get traffic, but for those of Pods that are being stopped: they may answer late. */
async function readyOnes(ground: ProvingGround): Promise<{ address: string; pod: string }[]> {
  const [slices, pods] = [await ground.list(shopSlices), await ground.list(shopPods)]
  const staying = new Set(pods.filter(({ metadata }) => !metadata['deletionTimestamp']).map(({ metadata }) => metadata.name))
  return endpointsOf(slices).filter(({ ready, pod }) => ready && staying.has(pod))
}

async function askReady(ground: ProvingGround, pod: string): Promise<number> {
  const url = 'http://127.0.0.1:8080/ready'
  const { stdout } = await ground.exec(namespace, pod, ['curl', '-s', '-o', '/dev/null', '-m', '2', '-w', '%{http_code}', url])
  return Number(stdout) || 0
}
