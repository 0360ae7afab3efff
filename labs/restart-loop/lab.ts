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
import { as, type Container, findDeployment, isReady, type Pod, replaceBroken, restartsOf } from '../../sandbox/check/objects.ts'

const namespace = 'default'
const apiPods = { group: '', version: 'v1', resource: 'pods', namespace, labelSelector: 'app=api' } as const

/** Seconds. BOOT_S of the start, and what the tasks ask for on top of it. */
const boot = 60
const flat = 30
const budgetAtLeast = 75
const delayAtMost = 5
const alertAtMost = 20
/** A kill, the start of a new container and the look at it come on top of the probe's own time. */
const alertSlack = 10

/** What a new Pod did on the copy. Seconds. */
interface Boot {
  /** Until it was Ready and answered /healthz with 200; null for never. */
  servedAfter: number | null
  /** By the end of the calm that follows. */
  restarts: number
  /** From POST /break to the restart; null for not within two minutes, or not tried. */
  noticedAfter: number | null
}

const texts = {
  none: { en: 'there is no Deployment api', zh: '没有名为 api 的 Deployment' },
  noLiveness: { en: 'there is no liveness probe', zh: '没有存活探针' },
  noStartup: { en: 'there is no startup probe', zh: '没有启动探针' },
} satisfies Record<string, Text>

export const lab = defineLab({
  slug: 'restart-loop',
  minutes: 25,
  needs: ['api', 'pods', 'exec', 'network', 'terminal'],
  collect: {
    deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } },
    pods: { kind: 'objects', selector: apiPods },
  },
  provoke: {
    boot: {
      what: {
        en: 'The Pod of api is deleted, its successor is watched while it boots, and is then broken with POST /break.',
        zh: '删除 api 的 Pod，观察接替它的 Pod 启动，然后用 POST /break 把它弄坏。',
      },
      after: ['deployments'],
      when: (evidence) => (findDeployment(evidence.objects['deployments'], 'api')?.spec?.replicas ?? 0) > 0,
      basis: (evidence) => findDeployment(evidence.objects['deployments'], 'api')?.spec,
      run: bootAnew,
      undo: (ground) => replaceBroken(ground, apiPods, 'http://127.0.0.1:8080/healthz'),
    },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'port',
          points: 2,
          label: { en: 'The liveness probe asks the port that api listens on', zh: '存活探针请求的是 api 真正监听的端口' },
          why: {
            en: 'Nothing listens on 8081, so every probe is refused, however healthy the app is. A port by its name cannot drift away from the container.',
            zh: '8081 上没有任何监听，应用再健康，探测也总被拒绝。用端口名来引用，就不会和容器的端口脱节。',
          },
          judge: judgePort,
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'up',
          points: 2,
          label: {
            en: 'api is Ready and has gone 30 seconds past its boot without a restart',
            zh: 'api 已就绪，并且启动完成后 30 秒内没有重启',
          },
          why: {
            en: 'It needs 60 seconds before it listens. A Pod that is killed earlier starts from zero each time, with a longer pause before each try.',
            zh: '它要 60 秒之后才开始监听。如果提前被杀掉，每次都得从头再来，而且两次尝试之间的等待越来越长。',
          },
          judge: judgeUp,
        },
        {
          id: 'boots',
          points: 2,
          label: { en: 'A new Pod boots at the first try', zh: '新的 Pod 一次就能启动成功' },
          why: {
            en: 'The next rollout or the next lost node starts it anew. That must not be luck.',
            zh: '下一次发布、下一次节点故障都会让它重新启动，不能靠运气。',
          },
          judge: (evidence) => {
            const expected = { en: 'a new Pod serves, with 0 restarts', zh: '新 Pod 能够服务，重启 0 次' }
            const container = containerOf(evidence)
            if (!container) return notYet(expected, texts.none)
            const needs = container.env?.find((one) => one.name === 'BOOT_S')?.value
            if (needs !== String(boot)) return notYet(verbatim(`BOOT_S: ${boot}`), verbatim(`BOOT_S: ${needs}`))
            return afterProvoking<Boot>(evidence, 'boot', expected, ({ servedAfter, restarts }) => {
              const after = Math.round(servedAfter ?? 0)
              if (servedAfter === null)
                return notYet(
                  expected,
                  { en: `in 4 minutes it never got to serve: ${restarts} restarts`, zh: `4 分钟里一直没能开始服务：重启 ${restarts} 次` },
                  { hint: 0 },
                )
              const observed = { en: `it served after ${after} s, ${restarts} restarts`, zh: `${after} 秒后开始服务，重启 ${restarts} 次` }
              return restarts === 0 ? pass(observed) : notYet(expected, observed, { hint: 0 })
            })
          },
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'startup',
          points: 2,
          label: { en: 'A startup probe gives the boot at least 75 seconds', zh: '启动探针给启动过程至少 75 秒' },
          why: {
            en: 'It holds the other probes back until its first success, and only until then. A bare 60 would leave no room for a slow day.',
            zh: '首次成功之前，它让其他探针都先等着；成功之后就不再起作用。只给 60 秒，稍慢一点就会出事。',
          },
          judge: judgeStartup,
        },
        {
          id: 'alert',
          points: 2,
          label: { en: 'Once it runs, a sick api is restarted as fast as before', zh: '运行起来之后，api 一旦生病，重启得和以前一样快' },
          why: {
            en: 'A long initial delay or a high threshold buys time for the boot, and pays with every failure later on.',
            zh: '加大初始延迟或失败阈值，确实能给启动争取时间，但以后每次故障都要为此付出代价。',
          },
          judge: judgeAlert,
        },
      ],
    },
  ],
})

function containerOf(evidence: Evidence): Container | undefined {
  return findDeployment(evidence.objects['deployments'], 'api')?.spec?.template?.spec?.containers?.[0]
}

function judgePort(evidence: Evidence): Outcome {
  const expected = { en: 'livenessProbe with port http (8080)', zh: 'livenessProbe 的端口为 http（8080）' }
  const container = containerOf(evidence)
  if (!container) return notYet(expected, texts.none)
  const probe = container.livenessProbe
  if (!probe) return notYet(expected, texts.noLiveness, { hint: 1 })
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port
  if (port === undefined) return notYet(expected, { en: 'a liveness probe that asks no port', zh: '存活探针没有请求任何端口' }, { hint: 1 })
  const observed = verbatim(`port: ${port}`)
  return isAppPort(container, port) ? pass(observed) : notYet(expected, observed, { hint: 0 })
}

function judgeUp(evidence: Evidence): Outcome {
  const expected = {
    en: 'every Pod Ready, its container up for 90 s (60 to boot, 30 calm)',
    zh: '每个 Pod 都就绪，容器已运行 90 秒（60 秒启动加 30 秒平稳）',
  }
  const deployment = findDeployment(evidence.objects['deployments'], 'api')
  if (!deployment) return notYet(expected, texts.none)
  const pods = as<Pod>(evidence.objects['pods']).filter((pod) => !pod.metadata.deletionTimestamp)
  if ((deployment.spec?.replicas ?? 1) < 1 || pods.length === 0)
    return notYet(expected, { en: 'there is no Pod of api', zh: '没有 api 的 Pod' })
  let until = 0
  for (const pod of pods) {
    const status = pod.status?.containerStatuses?.[0]
    const restarts = restartsOf(pod)
    const startedAt = Date.parse(status?.state?.running?.startedAt ?? '')
    if (Number.isNaN(startedAt)) {
      const reason = status?.state?.waiting?.reason ?? pod.status?.phase ?? ''
      const observed = {
        en: `${pod.metadata.name}: ${reason}, ${restarts} restarts`,
        zh: `${pod.metadata.name}：${reason}，重启 ${restarts} 次`,
      }
      if (restarts > 0) return notYet(expected, observed, { hint: 0 })
      until = Math.max(until, evidence.time + 1_000)
      continue
    }
    const calmAt = startedAt + (boot + flat) * 1000
    if (evidence.time < calmAt && restarts > 0) {
      const ago = Math.round((evidence.time - startedAt) / 1000)
      return notYet(
        expected,
        {
          en: `${pod.metadata.name}: ${restarts} restarts, the last ${ago} s ago`,
          zh: `${pod.metadata.name}：重启 ${restarts} 次，最近一次在 ${ago} 秒前`,
        },
        { hint: 0 },
      )
    }
    if (evidence.time < calmAt) until = Math.max(until, calmAt)
    else if (!isReady(pod))
      return notYet(expected, { en: `${pod.metadata.name} is not Ready`, zh: `${pod.metadata.name} 未就绪` }, { hint: 1 })
  }
  const left = Math.ceil((until - evidence.time) / 1000)
  if (until > 0) return waiting(expected, { en: `no restart so far, ${left} s to go`, zh: `到目前没有重启，还要观察 ${left} 秒` }, until)
  return pass({ en: `${pods.length} ready, calm for ${flat} s`, zh: `${pods.length} 个就绪，平稳 ${flat} 秒` })
}

function judgeStartup(evidence: Evidence): Outcome {
  const expected = verbatim(`initialDelaySeconds + periodSeconds x failureThreshold >= ${budgetAtLeast}`)
  const container = containerOf(evidence)
  if (!container) return notYet(expected, texts.none)
  const probe = container.startupProbe
  if (!probe) return notYet(expected, texts.noStartup, { hint: 0 })
  const { initialDelaySeconds: delay = 0, periodSeconds: period = 10, failureThreshold: threshold = 3 } = probe
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port
  if (port !== undefined && !isAppPort(container, port)) return notYet(expected, verbatim(`startupProbe: port: ${port}`), { hint: 0 })
  const budget = delay + period * threshold
  const observed = verbatim(`${delay} + ${period} x ${threshold} = ${budget}`)
  return budget >= budgetAtLeast ? pass(observed) : notYet(expected, observed, { hint: 1 })
}

function judgeAlert(evidence: Evidence): Outcome {
  const rule = verbatim(`initialDelaySeconds <= ${delayAtMost}, periodSeconds x failureThreshold <= ${alertAtMost}`)
  const container = containerOf(evidence)
  if (!container) return notYet(rule, texts.none)
  const probe = container.livenessProbe
  if (!probe) return notYet(rule, texts.noLiveness, { hint: 0 })
  if (!container.startupProbe)
    return notYet({ en: 'a startup probe beside a quick liveness probe', zh: '启动探针，加上反应快的存活探针' }, texts.noStartup, {
      hint: 0,
    })
  const { initialDelaySeconds: delay = 0, periodSeconds: period = 10, failureThreshold: threshold = 3 } = probe
  const numbers = verbatim(`initialDelaySeconds: ${delay}, ${period} x ${threshold} = ${period * threshold}`)
  if (delay > delayAtMost || period * threshold > alertAtMost) return notYet(rule, numbers, { hint: 1 })
  const limit = alertAtMost + alertSlack
  const expected = { en: `after POST /break it is restarted within ${limit} s`, zh: `POST /break 之后 ${limit} 秒内被重启` }
  return afterProvoking<Boot>(evidence, 'boot', expected, ({ servedAfter, noticedAfter }) => {
    if (servedAfter === null)
      return notYet(
        expected,
        { en: 'it never got to serve, so it could not be broken', zh: '它一直没能开始服务，也就无从弄坏' },
        { hint: 1 },
      )
    if (noticedAfter === null)
      return notYet(expected, { en: 'two minutes later it still ran, broken', zh: '两分钟后它仍带着故障运行' }, { hint: 2 })
    const observed = { en: `restarted after ${Math.round(noticedAfter)} s`, zh: `${Math.round(noticedAfter)} 秒后被重启` }
    return noticedAfter <= limit ? pass(observed) : notYet(expected, observed, { hint: 1 })
  })
}

function isAppPort(container: Container, port: string | number): boolean {
  const named = container.ports?.find((one) => one.name === port)
  return (named?.containerPort ?? Number(port)) === 8080
}

async function bootAnew(ground: ProvingGround): Promise<Boot> {
  const before = await ground.list(apiPods)
  for (const { metadata } of before) await ground.api({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/pods/${metadata.name}` })
  const known = new Set(before.map((pod) => pod.metadata.uid))
  const successor = async () =>
    as<Pod>(await ground.list(apiPods)).find((pod) => !known.has(pod.metadata.uid ?? '') && !pod.metadata.deletionTimestamp)
  const ask = async (pod: Pod, ...argv: string[]) =>
    (await ground.exec(namespace, pod.metadata.name ?? '', ['curl', '-s', '-o', '/dev/null', '-m', '2', '-w', '%{http_code}', ...argv]))
      .stdout
  const base = 'http://127.0.0.1:8080'
  const began = await ground.now()
  let servedAfter: Boot['servedAfter'] = null
  await ground.sample(2_000, 240_000, async (time) => {
    const pod = await successor()
    if (!pod || !isReady(pod) || (await ask(pod, `${base}/healthz`)) !== '200') return false
    servedAfter = (time - began) / 1000
    return true
  })
  if (servedAfter !== null) await ground.wait(flat * 1000)
  const booted = await successor()
  const restarts = booted ? restartsOf(booted) : 0
  if (servedAfter === null || !booted) return { servedAfter, restarts, noticedAfter: null }
  await ask(booted, '-X', 'POST', `${base}/break`)
  const broken = await ground.now()
  let noticedAfter: Boot['noticedAfter'] = null
  await ground.sample(1_000, 120_000, async (time) => {
    const pod = await successor()
    if (!pod || restartsOf(pod) === restarts) return false
    noticedAfter = (time - broken) / 1000
    return true
  })
  return { servedAfter, restarts, noticedAfter }
}
