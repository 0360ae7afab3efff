import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim, waiting } from '../../sandbox/check/kit.ts'
import type { WatchedObject } from '../../sandbox/check/objects.ts'
import { as, type ConfigMap, type Container, type Deployment, endpointsOf, findDeployment } from '../../sandbox/check/objects.ts'

const namespace = 'default'
const wanted = 4
const newImage = 'labapp:v2'
const answer = 'ProgressDeadlineExceeded'

const noPay: Text = { en: 'there is no Deployment pay', zh: '没有名为 pay 的 Deployment' }

export const lab = defineLab({
  slug: 'stalled-rollout',
  minutes: 20,
  needs: ['api', 'pods', 'exec', 'network', 'terminal'],
  collect: {
    deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } },
    report: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'configmaps', namespace, name: 'report' } },
    slices: {
      kind: 'objects',
      selector: {
        group: 'discovery.k8s.io',
        version: 'v1',
        resource: 'endpointslices',
        namespace,
        labelSelector: 'kubernetes.io/service-name=pay',
      },
      history: true,
    },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'reason',
          points: 2,
          label: { en: 'ConfigMap report names the reason', zh: 'ConfigMap report 写明了原因' },
          why: {
            en: 'The controller gives up waiting after `progressDeadlineSeconds` and says so in a condition. It undoes nothing.',
            zh: '超过 `progressDeadlineSeconds` 之后，控制器不再等待，并在状况里说明，但它什么都不会撤销。',
          },
          judge: (evidence) => {
            const expected = { en: 'data.reason: the reason of the condition Progressing', zh: 'data.reason：Progressing 状况的 reason' }
            const report = as<ConfigMap>(evidence.objects['report'])[0]
            if (!report) return notYet(expected, { en: 'there is no ConfigMap report', zh: '没有名为 report 的 ConfigMap' }, { hint: 0 })
            const reason = report.data?.['reason']?.trim()
            if (reason === undefined) return notYet(expected, { en: 'it has no key reason', zh: '里面没有 reason 这个键' })
            return reason === answer ? pass(verbatim(reason)) : notYet(expected, verbatim(`reason: ${reason}`), { hint: 0 })
          },
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'serves',
          points: 3,
          label: { en: 'All 4 Pods run v2 and are ready', zh: '4 个 Pod 全部运行 v2 并已就绪' },
          why: {
            en: 'The fault is in the template, not in v2. Rolling forward brings what the customers wait for; undoing only hides it.',
            zh: '毛病在 Pod 模板里，不在 v2 本身。往前修好，客户才能用上新版本；回退只是把问题藏起来。',
          },
          judge: judgeServes,
        },
        {
          id: 'probe',
          points: 2,
          label: { en: 'v2 keeps a readiness probe, on /ready', zh: 'v2 保留了就绪探针，请求 /ready' },
          why: {
            en: 'The probe is what stopped a version that could not be reached. Without one, the broken version would have won.',
            zh: '正是这个探针拦下了没法确认可用的版本。要是没有它，坏版本就上线了。',
          },
          judge: (evidence) => {
            const expected = verbatim(`${newImage}, readinessProbe: httpGet: {path: /ready}`)
            const container = containerOf(findDeployment(evidence.objects['deployments'], 'pay'))
            if (!container) return notYet(expected, noPay)
            const path = container.readinessProbe?.httpGet?.path
            if (container.image !== newImage) return notYet(expected, verbatim(`image: ${container.image}`), { hint: 0 })
            if (!container.readinessProbe) return notYet(expected, { en: 'there is no readiness probe', zh: '没有就绪探针' }, { hint: 1 })
            return path === '/ready' ? pass(verbatim(`path: ${path}`)) : notYet(expected, verbatim(`path: ${path ?? '-'}`), { hint: 2 })
          },
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'no-gap',
          points: 3,
          label: { en: 'From beginning to end the Service had 4 ready endpoints', zh: '自始至终，Service 都有 4 个就绪端点' },
          why: {
            en: 'With maxUnavailable 0 an old Pod leaves only when a new one is available. A quicker way takes capacity away from people who pay.',
            zh: 'maxUnavailable 为 0 时，有一个新 Pod 可用，才会撤下一个旧 Pod。图快的办法，牺牲的是正在付款的人。',
          },
          judge: judgeNoGap,
        },
      ],
    },
  ],
})

function containerOf(deployment: Deployment | undefined): Container | undefined {
  return deployment?.spec?.template?.spec?.containers?.[0]
}

function judgeServes(evidence: Evidence): Outcome {
  const expected = { en: `${newImage}: 4 updated, 4 ready, none of the old left`, zh: `${newImage}：更新 4 个，就绪 4 个，旧的一个不剩` }
  const deployment = findDeployment(evidence.objects['deployments'], 'pay')
  const image = containerOf(deployment)?.image
  if (!deployment) return notYet(expected, noPay)
  if (image !== newImage) return notYet(expected, verbatim(`image: ${image}`), { hint: 0 })
  const { updatedReplicas: updated = 0, readyReplicas: ready = 0, replicas = 0 } = deployment.status ?? {}
  const observed = {
    en: `${updated} updated, ${ready} ready, ${replicas} in all`,
    zh: `更新 ${updated} 个，就绪 ${ready} 个，共 ${replicas} 个`,
  }
  if ((deployment.spec?.replicas ?? 1) !== wanted)
    return notYet({ en: 'pay keeps its 4 replicas', zh: 'pay 保持 4 个副本' }, verbatim(`replicas: ${deployment.spec?.replicas}`))
  if (updated === wanted && ready === wanted && replicas === wanted) return pass(observed)
  const stalled = deployment.status?.conditions?.some((one) => one.type === 'Progressing' && one.status === 'False')
  return stalled ? notYet(expected, observed, { hint: 1 }) : waiting(expected, observed)
}

function judgeNoGap(evidence: Evidence): Outcome {
  const expected = { en: 'never fewer than 4 ready endpoints, and v2 everywhere', zh: '就绪端点从未少于 4 个，并且全部是 v2' }
  const { least, at } = leastReady(evidence.changes['slices'] ?? [])
  if (least === undefined) return waiting(expected, { en: 'pay has not been served by 4 Pods yet', zh: 'pay 还没有达到 4 个就绪端点' })
  if (least < wanted) {
    const time = new Date(at).toISOString().slice(11, 19)
    return notYet(
      expected,
      {
        en: `at ${time} UTC there were ${least}; reset the lab to try it without a gap`,
        zh: `UTC ${time} 时只有 ${least} 个；重置实验后可以再试一次`,
      },
      { hint: 0 },
    )
  }
  const probe = containerOf(findDeployment(evidence.objects['deployments'], 'pay'))?.readinessProbe
  if (!probe)
    return notYet(
      expected,
      { en: 'without a readiness probe an endpoint is ready before it serves', zh: '没有就绪探针，端点还不能服务就已是 ready' },
      { hint: 0 },
    )
  const serves = judgeServes(evidence)
  const soFar = { en: 'never fewer than 4 so far, but v2 is not everywhere', zh: '到目前为止从未少于 4 个，但还没有全部换成 v2' }
  return serves.state === 'pass' ? pass({ en: 'never fewer than 4', zh: '从未少于 4 个' }) : notYet(expected, soFar)
}

/** The fewest ready endpoints of the Service since it first had all of them; `at` in cluster ms. */
function leastReady(changes: readonly { time: number; type: string; object: WatchedObject }[]): { least: number | undefined; at: number } {
  const ready = new Map<string, number>()
  let least: number | undefined
  let at = 0
  for (const { time, type, object } of changes) {
    if (type === 'DELETED') ready.delete(object.metadata.uid)
    else ready.set(object.metadata.uid, endpointsOf([object]).filter((one) => one.ready).length)
    const sum = [...ready.values()].reduce((total, count) => total + count, 0)
    if (least === undefined ? sum < wanted : sum >= least) continue
    least = sum
    at = time
  }
  return { least: least === undefined ? undefined : Math.min(least, wanted), at }
}
