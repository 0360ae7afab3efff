import { deploymentIn, type Revision, releaseSecrets, revisionsOf, succeeded } from '../../sandbox/check/helm.ts'
import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, waiting } from '../../sandbox/check/kit.ts'
import { as, type Deployment } from '../../sandbox/check/objects.ts'

const namespace = 'shop'
const release = 'shop'
/** What start/home/shop.yaml holds. */
const asked = { replicas: 2, greeting: 'Welcome to the shop' }
const newTag = 'v2'

const steps = {
  installed: {
    en: 'a revision of the release shop with image v1, 2 replicas and the greeting of shop.yaml',
    zh: 'release shop 的某个修订版本：镜像 v1、2 个副本，并带有 shop.yaml 里的问候语',
  },
  upgraded: {
    en: 'a later revision with image v2, still 2 replicas and the greeting of shop.yaml',
    zh: '之后的某个修订版本：镜像 v2，仍是 2 个副本，问候语仍来自 shop.yaml',
  },
  undone: {
    en: 'the newest revision is deployed, and its manifest is that of the first one',
    zh: '最新的修订版本处于 deployed，其清单与最初的版本一致',
  },
} satisfies Record<string, Text>

export const lab = defineLab({
  slug: 'first-release',
  minutes: 25,
  needs: ['api', 'pods', 'terminal'],
  collect: {
    releases: { kind: 'objects', selector: releaseSecrets(namespace), values: true },
    deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'release',
          points: 2,
          label: { en: 'shop is installed with the values of shop.yaml', zh: 'shop 已用 shop.yaml 的值安装' },
          why: {
            en: 'A release remembers the values it was given. What was changed past Helm is not among them and is gone with the next upgrade.',
            zh: 'release 会记住交给它的值。绕过 Helm 的改动不在其中，下次升级就会丢失。',
          },
          judge: judgeInstalled,
        },
        {
          id: 'running',
          points: 1,
          label: { en: 'Its 2 Pods are ready', zh: '它的 2 个 Pod 都已就绪' },
          why: {
            en: '`deployed` says that the API server took the objects, not that anything runs.',
            zh: '`deployed` 只说明 API server 接受了这些对象，并不说明有东西在运行。',
          },
          judge: (evidence) => {
            const expected = { en: '2 of 2 Pods ready', zh: '2 个 Pod 全部就绪' }
            const live = liveOf(evidence)
            if (!live)
              return notYet(expected, {
                en: `no Deployment of ${release} in namespace ${namespace}`,
                zh: `命名空间 ${namespace} 里没有 ${release} 的 Deployment`,
              })
            return judgeRunning(live, expected)
          },
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'upgrade',
          points: 2,
          label: { en: 'A later revision runs image v2', zh: '之后的某个修订版本运行镜像 v2' },
          why: {
            en: 'Every change of a release is a revision that can be read and returned to. A change with kubectl is neither.',
            zh: 'release 的每次变更都是一个可查看、可回退的修订版本；用 kubectl 改动则两样都没有。',
          },
          judge: (evidence) => {
            const expected = steps.upgraded
            const { revisions, installed } = story(evidence)
            if (!installed) return notYet(expected, { en: 'the first revision is still missing', zh: '还缺第一个修订版本' })
            const found = revisions.find((one) => one.revision > installed.revision && succeeded(one) && tagOf(one) === newTag)
            if (found) return pass({ en: `revision ${found.revision}: image ${newTag}`, zh: `修订版本 ${found.revision}：镜像 ${newTag}` })
            return notYet(expected, pastHelm(evidence, revisions) ?? tell(revisions), { hint: 0 })
          },
        },
        {
          id: 'values',
          points: 2,
          label: { en: 'It kept the values of the file', zh: '并且保留了文件里的值' },
          why: {
            en: 'With any value flag an upgrade begins again from the values of the chart. The replicas of the release are lost without a word.',
            zh: '升级时只要带了任何取值参数，就会从 chart 的默认值重新开始，release 原来的副本数会悄悄丢掉。',
          },
          judge: (evidence) => {
            const { revisions, installed, upgraded } = story(evidence)
            if (upgraded) return pass(say(upgraded))
            const lost = revisions.findLast((one) => installed && one.revision > installed.revision && tagOf(one) === newTag)
            return notYet(
              steps.upgraded,
              lost ? say(lost) : { en: `no revision with image ${newTag}`, zh: `没有镜像为 ${newTag} 的修订版本` },
              { hint: lost ? 1 : 0 },
            )
          },
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'undone',
          points: 2,
          label: { en: 'The newest revision has the manifest of the first', zh: '最新修订版本的清单与最初的一致' },
          why: {
            en: 'Going back is a step forward: it makes a new revision, and the history keeps what happened.',
            zh: '回退也是向前一步：它会产生新的修订版本，历史里仍留着发生过的一切。',
          },
          judge: judgeUndone,
        },
        {
          id: 'live',
          points: 1,
          label: { en: 'v1 runs again in 2 Pods', zh: 'v1 重新在 2 个 Pod 里运行' },
          why: {
            en: 'What counts for the customers of the shop is the cluster, not the history.',
            zh: '对商店的顾客来说，重要的是集群里的实际状态，而不是历史记录。',
          },
          judge: (evidence) => {
            const expected = { en: 'image v1 and 2 of 2 Pods ready, after the upgrade', zh: '升级之后，镜像为 v1 且 2 个 Pod 全部就绪' }
            const { upgraded } = story(evidence)
            if (!upgraded) return notYet(expected, { en: 'there was no upgrade yet that could be undone', zh: '还没有可以撤销的升级' })
            const live = liveOf(evidence)
            const image = live?.spec?.template?.spec?.containers?.[0]?.image ?? ''
            if (!live || !image.endsWith(':v1'))
              return notYet(expected, { en: `image ${image || 'none'}`, zh: `镜像：${image || '无'}` }, { hint: 0 })
            return judgeRunning(live, expected)
          },
        },
      ],
    },
  ],
})

/** What the history of the release tells: the install that was asked for, and the first good upgrade after it. */
function story(evidence: Evidence): { revisions: Revision[]; installed?: Revision; upgraded?: Revision } {
  const revisions = revisionsOf(evidence.objects['releases'], release).filter((one) => one.namespace === namespace)
  const installed = revisions.find((one) => succeeded(one) && tagOf(one) === 'v1' && hasValues(one))
  const upgraded =
    installed && revisions.find((one) => one.revision > installed.revision && succeeded(one) && tagOf(one) === newTag && hasValues(one))
  return { revisions, ...(installed ? { installed } : {}), ...(upgraded ? { upgraded } : {}) }
}

function judgeInstalled(evidence: Evidence): Outcome {
  const { revisions, installed } = story(evidence)
  if (installed) return pass(say(installed))
  const live = liveOf(evidence)
  if (revisions.length === 0 && live)
    return notYet(
      steps.installed,
      { en: 'a Deployment, but no release in namespace shop', zh: '命名空间 shop 里有 Deployment，却没有 release' },
      { hint: 0 },
    )
  return notYet(steps.installed, tell(revisions), { hint: revisions.length > 0 ? 1 : 0 })
}

function judgeUndone(evidence: Evidence): Outcome {
  const expected = steps.undone
  const { revisions, installed, upgraded } = story(evidence)
  const newest = revisions.at(-1)
  if (!installed || !upgraded || !newest)
    return notYet(expected, { en: 'there was no upgrade yet that could be undone', zh: '还没有可以撤销的升级' })
  if (newest.revision <= upgraded.revision) return notYet(expected, pastHelm(evidence, revisions) ?? say(newest), { hint: 0 })
  if (newest.status !== 'deployed') return notYet(expected, say(newest))
  if (newest.manifest !== installed.manifest)
    return notYet(
      expected,
      {
        en: `revision ${newest.revision} differs from revision ${installed.revision}: ${say(newest).en}`,
        zh: `修订版本 ${newest.revision} 与 ${installed.revision} 不同：${say(newest).zh}`,
      },
      { hint: 1 },
    )
  return pass({ en: `revision ${newest.revision}: ${newest.description}`, zh: `修订版本 ${newest.revision}：${newest.description}` })
}

function judgeRunning(live: Deployment, expected: Text): Outcome {
  const wanted = live.spec?.replicas ?? 1
  const { replicas = 0, readyReplicas: ready = 0, updatedReplicas: updated = 0, observedGeneration = 0 } = live.status ?? {}
  const observed = { en: `${ready} of ${wanted} Pods ready`, zh: `${wanted} 个 Pod 中有 ${ready} 个就绪` }
  if (wanted !== asked.replicas) return notYet(expected, observed)
  const settled = observedGeneration === (live.metadata.generation ?? 0) && updated === wanted && replicas === wanted
  return settled && ready === wanted ? pass(observed) : waiting(expected, observed)
}

/** A change of the live Deployment that no revision knows of. */
function pastHelm(evidence: Evidence, revisions: readonly Revision[]): Text | undefined {
  const newest = revisions.at(-1)
  const image = liveOf(evidence)?.spec?.template?.spec?.containers?.[0]?.image
  if (!newest || !image || image.endsWith(`:${tagOf(newest)}`)) return undefined
  return {
    en: `the live Deployment has ${image}, but the newest revision is still ${newest.revision} with ${tagOf(newest)}`,
    zh: `集群里的 Deployment 是 ${image}，而最新的修订版本仍是 ${newest.revision}，镜像 ${tagOf(newest)}`,
  }
}

function liveOf(evidence: Evidence): Deployment | undefined {
  return as<Deployment>(evidence.objects['deployments']).find((one) => one.metadata.labels?.['app.kubernetes.io/instance'] === release)
}

function hasValues({ values, manifest }: Revision): boolean {
  return (
    values['replicas'] === asked.replicas &&
    values['greeting'] === asked.greeting &&
    deploymentIn(manifest)?.spec?.replicas === asked.replicas
  )
}

function tagOf({ manifest }: Revision): string {
  return deploymentIn(manifest)?.spec?.template?.spec?.containers?.[0]?.image?.split(':')[1] ?? ''
}

function tell(revisions: readonly Revision[]): Text {
  const newest = revisions.at(-1)
  return newest
    ? say(newest)
    : { en: `no release ${release} in namespace ${namespace}`, zh: `命名空间 ${namespace} 里没有名为 ${release} 的 release` }
}

function say(one: Revision): Text {
  const replicas = deploymentIn(one.manifest)?.spec?.replicas ?? 1
  const values = JSON.stringify(one.values)
  const failed = succeeded(one) ? '' : one.description
  return {
    en: `revision ${one.revision} (${one.status}): image ${tagOf(one)}, ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}, values given ${values}${failed && `; ${failed}`}`,
    zh: `修订版本 ${one.revision}（${one.status}）：镜像 ${tagOf(one)}，${replicas} 个副本，给定的值 ${values}${failed && `；${failed}`}`,
  }
}
