import {
  type AccessReview,
  defineLab,
  type Evidence,
  notYet,
  type Outcome,
  pass,
  type Query,
  type Text,
  verbatim,
} from '../../sandbox/check/kit.ts'
import { as, type ClusterRole, type ClusterRoleBinding, type RoleBinding } from '../../sandbox/check/objects.ts'

const group = 'rbac.authorization.k8s.io'
const role = 'pod-reader'
const teams = { red: 'rosa', blue: 'boris' } as const
type Team = keyof typeof teams

/** What a reader needs, as rules of the role and as questions in the team's own namespace. */
const needed = [
  { verb: 'get', resource: 'pods' },
  { verb: 'list', resource: 'pods' },
  { verb: 'watch', resource: 'pods' },
  { verb: 'get', resource: 'pods', subresource: 'log' },
] as const

/** What a reader must not do at home. */
const beyond: readonly AccessReview[] = [
  { verb: 'get', resource: 'secrets' },
  { verb: 'list', resource: 'secrets' },
  { verb: 'delete', resource: 'pods' },
  { verb: 'deletecollection', resource: 'pods' },
  { verb: 'create', resource: 'pods' },
  { verb: 'patch', resource: 'pods' },
  { verb: 'get', resource: 'pods', subresource: 'exec' },
  { verb: 'create', resource: 'pods', subresource: 'exec' },
  { verb: 'create', resource: 'pods', subresource: 'portforward' },
  { verb: 'list', resource: 'configmaps' },
  { verb: 'get', group: 'apps', resource: 'deployments' },
]

/** Where a reader of the team must not read: the other team, elsewhere, everywhere at once. */
function elsewhere(team: Team): AccessReview[] {
  return [team === 'red' ? 'blue' : 'red', 'default', 'kube-system', undefined].flatMap((namespace) =>
    needed.map((one) => ({ ...one, ...(namespace ? { namespace } : {}) })),
  )
}

function reviewsOf(team: Team): AccessReview[] {
  return [...needed.map((one) => ({ ...one, namespace: team })), ...elsewhere(team), ...beyond.map((one) => ({ ...one, namespace: team }))]
}

function access(team: Team): Query {
  return {
    kind: 'access',
    user: teams[team],
    groups: [team],
    reviews: reviewsOf(team),
    after: ['clusterRoles', 'clusterRoleBindings', 'roles', 'bindings'],
  }
}

export const lab = defineLab({
  slug: 'team-readers',
  minutes: 25,
  needs: ['api', 'terminal'],
  collect: {
    clusterRoles: { kind: 'objects', selector: { group, version: 'v1', resource: 'clusterroles' } },
    clusterRoleBindings: { kind: 'objects', selector: { group, version: 'v1', resource: 'clusterrolebindings' } },
    roles: { kind: 'objects', selector: { group, version: 'v1', resource: 'roles' } },
    bindings: { kind: 'objects', selector: { group, version: 'v1', resource: 'rolebindings' } },
    red: access('red'),
    blue: access('blue'),
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'grants',
          points: 2,
          label: {
            en: 'One ClusterRole pod-reader lets read Pods and their logs',
            zh: '一个 ClusterRole pod-reader 允许查看 Pod 及其日志',
          },
          why: {
            en: 'A role says what, a binding says who and where. One role for both teams stays one thing to review.',
            zh: '角色规定能做什么，绑定规定谁在哪里能做。两个团队共用一个角色，要审查的就只有这一处。',
          },
          judge: judgeGrants,
        },
        {
          id: 'no-more',
          points: 1,
          label: { en: 'and nothing else', zh: '除此之外什么都不给' },
          why: {
            en: 'There are no deny rules. What a role gives too much, nobody can take back elsewhere.',
            zh: 'RBAC 没有拒绝规则，角色多给的权限，在别处收不回来。',
          },
          judge: judgeNoMore,
        },
      ],
    },
    {
      id: 't2',
      criteria: [teamCriterion('red'), teamCriterion('blue')],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'beyond',
          points: 2,
          label: {
            en: 'Neither team can read Secrets, delete Pods or open a shell in one',
            zh: '两个团队都不能读 Secret、删除 Pod，也不能进入 Pod 的 shell',
          },
          why: {
            en: "A shell in a Pod has the Pod's own rights, and its Secrets lie there as files.",
            zh: '进到 Pod 的 shell 里，就有了这个 Pod 的权限，它挂载的 Secret 也都是现成的文件。',
          },
          judge: judgeBeyond,
        },
        {
          id: 'bindings',
          points: 1,
          label: { en: 'The role is bound by RoleBindings alone', zh: '这个角色只通过 RoleBinding 绑定' },
          why: {
            en: 'A RoleBinding to a ClusterRole counts in its own namespace only. A ClusterRoleBinding counts in every namespace there is or will be.',
            zh: 'RoleBinding 引用 ClusterRole 时，只在自己的命名空间里生效；ClusterRoleBinding 则在现有和将来的所有命名空间里都生效。',
          },
          judge: judgeBindings,
        },
      ],
    },
  ],
})

function teamCriterion(team: Team) {
  const other = team === 'red' ? 'blue' : 'red'
  return {
    id: team,
    points: 2,
    label: {
      en: `Group ${team} reads Pods in namespace ${team}, and nowhere else`,
      zh: `用户组 ${team} 能在命名空间 ${team} 查看 Pod，在别处都不能`,
    },
    why: {
      en: `Whoever joins the group later gets the same. Nobody of ${team} has any business in ${other}.`,
      zh: `以后加入这个组的人自动得到同样的权限；${team} 组的人与 ${other} 没有任何关系。`,
    },
    judge: (evidence: Evidence): Outcome => {
      const expected = {
        en: `yes in ${team}; no in ${other}, in default and everywhere`,
        zh: `在 ${team} 里可以；在 ${other}、default 和所有命名空间里都不行`,
      }
      const missing = answersOf(evidence, team).own.filter((one) => !one.allowed)
      if (missing.length > 0)
        return notYet(
          expected,
          cannot(
            team,
            missing.map((one) => nameOf(one.review)),
            team,
          ),
          { hint: 0 },
        )
      const leak = answersOf(evidence, team).elsewhere.find((one) => one.allowed)
      if (leak) return notYet(expected, can(team, leak.review), { hint: 1 })
      return pass(verbatim(`${team}: ${needed.map(nameOf).join(', ')}`))
    },
  }
}

function judgeGrants(evidence: Evidence): Outcome {
  const expected = verbatim(`ClusterRole ${role}: pods: get, list, watch; pods/log: get`)
  const found = roleOf(evidence)
  if (!found) {
    const narrow = (evidence.objects['roles'] ?? []).filter((one) => one.metadata.name === role).map((one) => one.metadata.namespace)
    const observed =
      narrow.length > 0
        ? { en: `a Role in ${narrow.join(' and ')}, no ClusterRole`, zh: `在 ${narrow.join('、')} 里是 Role，没有 ClusterRole` }
        : { en: `there is no ClusterRole ${role}`, zh: `没有名为 ${role} 的 ClusterRole` }
    return notYet(expected, observed, { hint: 0 })
  }
  const granted = grantsOf(found)
  const missing = needed.map(nameOf).filter((name) => !granted.some((one) => covers(one, name)))
  if (missing.length > 0) return notYet(expected, { en: `missing: ${missing.join(', ')}`, zh: `还缺：${missing.join('、')}` }, { hint: 1 })
  return pass(verbatim(granted.join(', ')))
}

function judgeNoMore(evidence: Evidence): Outcome {
  const expected = { en: 'these four and no others', zh: '只有这四项' }
  const found = roleOf(evidence)
  if (!found) return notYet(expected, { en: `there is no ClusterRole ${role}`, zh: `没有名为 ${role} 的 ClusterRole` }, { hint: 0 })
  if (found.aggregationRule)
    return notYet(expected, { en: 'its rules are aggregated from other roles', zh: '它的规则是从其他角色聚合来的' }, { hint: 2 })
  const granted = grantsOf(found)
  const wanted: readonly string[] = needed.map(nameOf)
  const more = granted.filter((name) => !wanted.includes(name))
  if (granted.length === 0) return notYet(expected, { en: 'it grants nothing yet', zh: '它还什么都没有授予' }, { hint: 1 })
  return more.length === 0
    ? pass()
    : notYet(expected, { en: `also grants: ${more.join(', ')}`, zh: `还多给了：${more.join('、')}` }, { hint: 2 })
}

function judgeBeyond(evidence: Evidence): Outcome {
  const expected = { en: 'readers of Pods and logs, and no more', zh: '能看 Pod 和日志，仅此而已' }
  for (const team of ['red', 'blue'] as const) {
    const { own, beyond: more } = answersOf(evidence, team)
    const excess = more.filter((one) => one.allowed)
    if (excess.length > 0)
      return notYet(
        expected,
        {
          en: `${team} may also: ${excess.map((one) => nameOf(one.review)).join(', ')}`,
          zh: `${team} 还可以：${excess.map((one) => nameOf(one.review)).join('、')}`,
        },
        { hint: 0 },
      )
    if (!own.every((one) => one.allowed)) return notYet(expected, { en: `${team} is no reader yet`, zh: `${team} 还不能查看 Pod` })
  }
  return pass({ en: `${beyond.length} other rights asked for each team: no`, zh: `对每个团队另外询问了 ${beyond.length} 项权限：都没有` })
}

function judgeBindings(evidence: Evidence): Outcome {
  const expected = {
    en: `a RoleBinding to ClusterRole ${role} in red and in blue, no ClusterRoleBinding`,
    zh: `red 和 blue 里各有一个引用 ClusterRole ${role} 的 RoleBinding，没有 ClusterRoleBinding`,
  }
  const isOurs = ({ roleRef }: { roleRef?: { kind?: string; name?: string } }) => roleRef?.kind === 'ClusterRole' && roleRef.name === role
  const wide = as<ClusterRoleBinding>(evidence.objects['clusterRoleBindings']).filter(isOurs)
  if (wide.length > 0)
    return notYet(expected, verbatim(`ClusterRoleBinding ${wide.map((one) => one.metadata.name).join(', ')}`), { hint: 1 })
  const places = [
    ...new Set(
      as<RoleBinding>(evidence.objects['bindings'])
        .filter(isOurs)
        .map((one) => one.metadata.namespace ?? ''),
    ),
  ].sort()
  const observed =
    places.length > 0
      ? { en: `RoleBindings in ${places.join(', ')}`, zh: `RoleBinding 在：${places.join('、')}` }
      : { en: 'no RoleBinding refers to it', zh: '没有 RoleBinding 引用它' }
  return places.join() === 'blue,red' ? pass(observed) : notYet(expected, observed, { hint: 1 })
}

interface Answer {
  review: AccessReview
  allowed: boolean
}

function answersOf(evidence: Evidence, team: Team): { own: Answer[]; elsewhere: Answer[]; beyond: Answer[] } {
  const answers = reviewsOf(team).map((review, index) => ({ review, allowed: evidence.access[team]?.[index] ?? false }))
  const first = needed.length
  const second = first + elsewhere(team).length
  return { own: answers.slice(0, first), elsewhere: answers.slice(first, second), beyond: answers.slice(second) }
}

function roleOf(evidence: Evidence): ClusterRole | undefined {
  return as<ClusterRole>(evidence.objects['clusterRoles']).find((one) => one.metadata.name === role)
}

/** Every verb on every resource that a role grants, each once: 'get pods/log', 'list apps/deployments', '* *'. */
function grantsOf({ rules }: ClusterRole): string[] {
  const grants = (rules ?? []).flatMap(({ verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }) =>
    verbs.flatMap((verb) => [
      ...apiGroups.flatMap((apiGroup) =>
        resources.map(
          (resource) =>
            `${verb} ${apiGroup ? `${apiGroup}:` : ''}${resource}${resourceNames.length > 0 ? ` (${resourceNames.join(', ')})` : ''}`,
        ),
      ),
      ...nonResourceURLs.map((url) => `${verb} ${url}`),
    ]),
  )
  return [...new Set(grants)]
}

/** Whether a grant holds a needed one, by name or by wildcard. */
function covers(grant: string, need: string): boolean {
  const [verb, resource] = grant.replace('*:', '').split(' ')
  const [neededVerb, neededResource] = need.split(' ')
  return (verb === '*' || verb === neededVerb) && (resource === '*' || resource === neededResource)
}

function nameOf({ verb, resource, subresource }: AccessReview): string {
  return `${verb} ${subresource ? `${resource}/${subresource}` : resource}`
}

function cannot(team: Team, what: readonly string[], namespace: string): Text {
  return { en: `${team} cannot ${what.join(', ')} in ${namespace}`, zh: `${team} 在 ${namespace} 里还不能 ${what.join('、')}` }
}

function can(team: Team, review: AccessReview): Text {
  const { namespace } = review
  return namespace
    ? { en: `${team} can ${nameOf(review)} in ${namespace}`, zh: `${team} 在 ${namespace} 里可以 ${nameOf(review)}` }
    : { en: `${team} can ${nameOf(review)} in all namespaces`, zh: `${team} 在所有命名空间里可以 ${nameOf(review)}` }
}
