import { type Revision, releaseSecrets, revisionsOf } from '../../sandbox/check/helm.ts'
import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim, waiting } from '../../sandbox/check/kit.ts'
import { as, type ConfigMap, type Deployment, findDeployment, managersOf } from '../../sandbox/check/objects.ts'

const namespace = 'shop'
const release = 'shop'
const wanted = 3
const culprit = 'kubectl'

export const lab = defineLab({
  slug: 'drift-repair',
  minutes: 20,
  needs: ['api', 'pods', 'terminal'],
  collect: {
    report: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'configmaps', namespace, name: 'report' } },
    releases: { kind: 'objects', selector: releaseSecrets(namespace), values: true },
    deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'manager',
          points: 2,
          label: { en: 'ConfigMap report names who set the replicas to 1', zh: 'ConfigMap report 写明是谁把副本数改成了 1' },
          why: {
            en: 'The API server remembers for every field who set it. That tells a hand from a controller, and a controller from Helm.',
            zh: 'API server 记得每个字段是谁设置的，由此可以分辨是人手、控制器还是 Helm。',
          },
          judge: (evidence) => {
            const expected = { en: 'data.manager: the field manager of .spec.replicas', zh: 'data.manager：.spec.replicas 的字段管理者' }
            const report = as<ConfigMap>(evidence.objects['report'])[0]
            if (!report)
              return notYet(
                expected,
                { en: 'there is no ConfigMap report in shop', zh: '命名空间 shop 里没有名为 report 的 ConfigMap' },
                { hint: 0 },
              )
            const manager = report.data?.['manager']?.trim()
            if (manager === undefined) return notYet(expected, { en: 'it has no key manager', zh: '里面没有 manager 这个键' })
            return manager === culprit ? pass(verbatim(manager)) : notYet(expected, verbatim(`manager: ${manager}`), { hint: 1 })
          },
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'revision',
          points: 3,
          label: { en: 'A new revision of shop is deployed', zh: 'shop 有一个新的修订版本处于 deployed' },
          why: {
            en: 'A repair through Helm stands in the history and is what the next upgrade builds on.',
            zh: '通过 Helm 修复，历史里有据可查，下一次升级也以它为基础。',
          },
          judge: judgeRevision,
        },
        {
          id: 'replicas',
          points: 2,
          label: { en: 'Its 3 Pods are back, in the Deployment that was there', zh: '原来的 Deployment 里，3 个 Pod 都回来了' },
          why: {
            en: 'The release says 3. Uninstalling first would have thrown away its history, and with it the Service that callers use.',
            zh: 'release 里写的是 3。如果先卸载，丢掉的是历史，还有调用方正在使用的 Service。',
          },
          judge: judgeReplicas,
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'owner',
          points: 3,
          label: { en: 'Helm alone owns .spec.replicas', zh: '.spec.replicas 只归 Helm 管' },
          why: {
            en: 'As long as somebody else owns the field too, the next upgrade that changes it fails with the same conflict.',
            zh: '只要别人也占着这个字段，下次升级改到它时，又会遇到同样的冲突。',
          },
          judge: judgeOwner,
        },
      ],
    },
  ],
})

function liveOf(evidence: Evidence): Deployment | undefined {
  return findDeployment(evidence.objects['deployments'], 'shop-web')
}

function judgeRevision(evidence: Evidence): Outcome {
  const expected = { en: 'newest revision above 1, deployed', zh: '最新的修订版本大于 1，状态为 deployed' }
  const revisions = revisionsOf(evidence.objects['releases'], release)
  const newest = revisions.at(-1)
  if (!newest) return notYet(expected, { en: 'there is no release shop any more', zh: '名为 shop 的 release 已经不在了' })
  if (reinstalled(evidence)) return notYet(expected, gone(evidence), { hint: 2 })
  const observed = say(newest)
  return newest.revision > 1 && newest.status === 'deployed'
    ? pass(observed)
    : notYet(expected, observed, { hint: newest.revision > 1 ? 1 : 0 })
}

function judgeReplicas(evidence: Evidence): Outcome {
  const expected = { en: '3 of 3 Pods ready, by a revision of the release', zh: '3 个 Pod 全部就绪，且来自 release 的修订版本' }
  const live = liveOf(evidence)
  if (!live) return notYet(expected, { en: 'there is no Deployment shop-web', zh: '没有名为 shop-web 的 Deployment' })
  if (reinstalled(evidence)) return notYet(expected, gone(evidence), { hint: 2 })
  const replicas = live.spec?.replicas ?? 1
  const ready = live.status?.readyReplicas ?? 0
  const newest = revisionsOf(evidence.objects['releases'], release).at(-1)
  const observed = { en: `${ready} of ${replicas} Pods ready`, zh: `${replicas} 个 Pod 中有 ${ready} 个就绪` }
  if (replicas !== wanted) return notYet(expected, observed, { hint: 0 })
  if (!newest || newest.revision < 2 || newest.status !== 'deployed')
    return notYet(
      expected,
      {
        en: `${observed.en}, but Helm had no part in it: ${newest ? say(newest).en : 'no release'}`,
        zh: `${observed.zh}，但这不是 Helm 做的：${newest ? say(newest).zh : '没有 release'}`,
      },
      { hint: 0 },
    )
  return ready === wanted ? pass(observed) : waiting(expected, observed)
}

function judgeOwner(evidence: Evidence): Outcome {
  const expected = verbatim('.spec.replicas: helm')
  const live = liveOf(evidence)
  if (!live) return notYet(expected, { en: 'there is no Deployment shop-web', zh: '没有名为 shop-web 的 Deployment' })
  if (reinstalled(evidence)) return notYet(expected, gone(evidence), { hint: 1 })
  const owners = [
    ...new Set(
      managersOf(live, 'spec', 'replicas').map(({ manager, subresource }) => (subresource ? `${manager} (${subresource})` : manager)),
    ),
  ]
  const observed =
    owners.length > 0
      ? verbatim(`.spec.replicas: ${owners.join(', ')}`)
      : { en: 'nobody owns .spec.replicas', zh: '没有人占有 .spec.replicas' }
  return owners.join() === 'helm' ? pass(observed) : notYet(expected, observed, { hint: owners.length > 1 ? 1 : 0 })
}

/** The Deployment of the start was there before the lab began. */
function reinstalled(evidence: Evidence): boolean {
  const live = liveOf(evidence)
  return live !== undefined && Date.parse(live.metadata.creationTimestamp ?? '') > evidence.startedAt
}

function gone(evidence: Evidence): Text {
  const time = String(liveOf(evidence)?.metadata.creationTimestamp ?? '').slice(11, 19)
  return {
    en: `this Deployment was made at ${time} UTC: the old one is gone; reset the lab to repair it`,
    zh: `这个 Deployment 是 UTC ${time} 新建的，原来的已经没了；重置实验后可以再修一次`,
  }
}

function say({ revision, status, description }: Revision): Text {
  return { en: `revision ${revision} (${status}): ${description}`, zh: `修订版本 ${revision}（${status}）：${description}` }
}
