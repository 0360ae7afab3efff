import { defineLab, type Evidence, notYet, pass, verbatim, waiting } from '../../sandbox/check/kit.ts'
import type { Container, Pod } from '../../sandbox/check/objects.ts'
import { endpointsOf, findDeployment, isReady, restartsOf } from '../../sandbox/check/objects.ts'

const namespace = 'default'
const shopPods = { group: '', version: 'v1', resource: 'pods', namespace, labelSelector: 'app=shop' } as const
const shopSlices = {
  group: 'discovery.k8s.io',
  version: 'v1',
  resource: 'endpointslices',
  namespace,
  labelSelector: 'kubernetes.io/service-name=shop',
} as const

/** What the rollout showed: how many looks, and the addresses that got traffic while /ready did not answer 200. */
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
        en: 'On a copy of your cluster, shop is rolled out anew and its endpoints are watched.',
        zh: '在你集群的副本上重新滚动发布 shop，并持续观察它的端点。',
      },
      after: ['deployments'],
      when: (evidence) => probeOf(evidence) !== undefined,
      run: async (ground): Promise<Rollout> => {
        const path = `/apis/apps/v1/namespaces/${namespace}/deployments/shop`
        await ground.api({
          method: 'PATCH',
          path,
          body: { spec: { template: { metadata: { annotations: { 'labs/restarted': 'yes' } } } } },
        })
        const early: Rollout['early'] = []
        let looks = 0
        const finished = await ground.sample(1_000, 180_000, async (time) => {
          looks++
          const [slices, pods] = [await ground.list(shopSlices), await ground.list(shopPods)]
          for (const endpoint of endpointsOf(slices)) {
            if (!endpoint.ready) continue
            const pod = pods.find((one) => one.metadata.name === endpoint.pod)
            // what is being stopped may answer late; what is new may not be in early
            if (!pod || pod.metadata['deletionTimestamp']) continue
            const status = await askReady(ground, endpoint.pod)
            if (status !== 200) early.push({ address: endpoint.address, status })
          }
          const status =
            ((await ground.api({ method: 'GET', path })).body as { status?: Record<string, number>; metadata: { generation: number } })
              .status ?? {}
          return (
            time > 0 &&
            looks > 3 &&
            status['updatedReplicas'] === status['replicas'] &&
            status['availableReplicas'] === status['replicas'] &&
            !status['unavailableReplicas']
          )
        })
        return { looks, early: early.slice(0, 5), finished }
      },
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
            if (!probe) return notYet(expected, { en: 'there is no readiness probe', zh: '没有就绪探针' }, { hint: 1 })
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
          judge: (evidence) => {
            const expected = { en: 'every ready address answers 200 on /ready', zh: '每个 ready 地址的 /ready 都返回 200' }
            const replicas = findDeployment(evidence.objects['deployments'], 'shop')?.spec?.replicas ?? 0
            if (replicas < 3)
              return notYet(
                { en: 'shop keeps its 3 replicas', zh: 'shop 保持 3 个副本' },
                { en: `${replicas} replicas`, zh: `${replicas} 个副本` },
              )
            if (!probeOf(evidence))
              return notYet(
                expected,
                { en: 'without a readiness probe a Pod counts as ready the moment it runs', zh: '没有就绪探针时，Pod 一运行就算就绪' },
                { hint: 0 },
              )
            const result = evidence.provoked['rollout']
            if (!result)
              return waiting(expected, {
                en: 'a rollout on a copy of your cluster is about to be watched',
                zh: '即将在集群副本上观察一次滚动发布',
              })
            if (!result.ok)
              return waiting(expected, { en: `the rollout could not be watched: ${result.fault}`, zh: `无法观察滚动发布：${result.fault}` })
            const { early, looks, finished } = result.seen as Rollout
            const [first] = early
            if (first)
              return notYet(
                expected,
                {
                  en: `${first.address} was ready in the slice while /ready answered ${first.status || 'nothing'}`,
                  zh: `${first.address} 在端点切片里已是 ready，而它的 /ready ${first.status ? `返回 ${first.status}` : '没有应答'}`,
                },
                { hint: 0 },
              )
            if (!finished)
              return notYet(
                { en: 'the rollout comes to its end', zh: '滚动发布能够完成' },
                { en: 'after three minutes it still had not', zh: '三分钟后仍未完成' },
              )
            return pass({ en: `${looks} looks at the endpoints, none too early`, zh: `观察端点 ${looks} 次，没有一次过早` })
          },
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

function judgeProbe(evidence: Evidence) {
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
    return notYet(expected, other, { hint: 1 })
  }
  const { path = '/', port } = probe.httpGet ?? {}
  if (!probe.httpGet) return notYet(expected, { en: 'a readiness probe that does not ask over HTTP', zh: '就绪探针没有使用 HTTP 请求' })
  return path === '/ready' && (port === 'http' || String(port) === '8080')
    ? pass(verbatim(`GET ${path} :${port}`))
    : notYet(expected, verbatim(`httpGet: {path: ${path}, port: ${port}}`))
}

function judgeOut(evidence: Evidence) {
  const expected = { en: '1 Pod not ready with 0 restarts, 2 ready endpoints', zh: '1 个 Pod 未就绪且重启 0 次，2 个就绪端点' }
  const pods = ((evidence.objects['pods'] ?? []) as unknown as Pod[]).filter((pod) => !pod.metadata.deletionTimestamp)
  const ready = endpointsOf(evidence.objects['slices'] ?? []).filter((endpoint) => endpoint.ready)
  // a Pod that has not been ready yet is booting, not taken out
  const out = pods.filter(
    (pod) =>
      !isReady(pod) &&
      pod.status?.phase === 'Running' &&
      pod.status.containerStatuses?.some((one) => one.started) &&
      hasServed(pod, evidence.time),
  )
  const restarts = out.reduce((sum, pod) => sum + restartsOf(pod), 0)
  const observed = {
    en: `${pods.length} Pods, ${out.length} of them taken out, ${restarts} restarts, ${ready.length} ready endpoints`,
    zh: `共 ${pods.length} 个 Pod，其中 ${out.length} 个被摘下，重启 ${restarts} 次，就绪端点 ${ready.length} 个`,
  }
  if (pods.length === 3 && out.length === 1 && restarts === 0 && ready.length === 2 && probeOf(evidence)) return pass(observed)
  return notYet(expected, observed, { hint: 2 })
}

/** Longer up than the app needs to boot: it could serve, so it was taken out. */
function hasServed(pod: Pod, time: number): boolean {
  const startedAt = pod.status?.containerStatuses?.[0]?.state?.running?.startedAt
  return startedAt !== undefined && time - Date.parse(startedAt) > 20_000
}

async function askReady(
  ground: { exec: (namespace: string, pod: string, argv: readonly string[]) => Promise<{ stdout: string }> },
  pod: string,
): Promise<number> {
  const { stdout } = await ground.exec(namespace, pod, [
    'curl',
    '-s',
    '-o',
    '/dev/null',
    '-m',
    '1',
    '-w',
    '%{http_code}',
    'http://127.0.0.1:8080/ready',
  ])
  return Number(stdout) || 0
}
