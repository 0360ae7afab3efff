import { allNodes, isInCIDR, nodeCalled, noted, notesIn, onFlannel, saidBy, staying } from '../../sandbox/check/flannel.ts'
import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim } from '../../sandbox/check/kit.ts'
import { as, type Deployment, isReady } from '../../sandbox/check/objects.ts'

const namespace = 'default'
const flannelFile = '10-flannel.conflist'
const noPods: Text = { en: 'Deployment web has no Pods', zh: 'Deployment web 没有 Pod' }

export const lab = defineLab({
  slug: 'cni-broken',
  minutes: 25,
  ...onFlannel,
  collect: {
    nodes: allNodes,
    report: notesIn('report'),
    deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } },
    pods: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'pods', namespace, labelSelector: 'app=web' } },
    files: { kind: 'command', node: 'worker', argv: ['ls', '/etc/cni/net.d'], after: ['pods', 'report'], repeat: true },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'missing',
          points: 2,
          label: {
            en: 'ConfigMap report, key missing, names the plugin that is not there',
            zh: 'ConfigMap report 的键 missing 写出缺失的插件',
          },
          why: {
            en: 'The event names the program that could not be found. Whoever can read it need not guess.',
            zh: '事件里写着找不到的是哪个程序。会读这条消息，就不用猜。',
          },
          judge: (evidence) => {
            const found = noted(evidence.objects['report'], 'report', 'missing')
            const expected = { en: 'the name of the file that is looked for in /opt/cni/bin', zh: '在 /opt/cni/bin 里要找的那个文件名' }
            if (found === undefined) return notYet(expected, { en: 'no such key yet', zh: '还没有这个键' }, { hint: 0 })
            return found === 'bridge' ? pass(verbatim(found)) : notYet(expected, verbatim(found || '""'), { hint: 1 })
          },
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'runs',
          points: 2,
          label: { en: 'Every Pod of web is ready, on worker', zh: 'web 的每个 Pod 都在 worker 上就绪' },
          why: {
            en: 'Moved elsewhere, the Pods run and the node stays broken for the next ones.',
            zh: '把 Pod 挪到别处，它们是跑起来了，可节点还是坏的，下一批照样出事。',
          },
          judge: judgeRuns,
        },
        {
          id: 'address',
          points: 3,
          label: { en: 'with an address of its own from the podCIDR of worker', zh: '并且各有一个取自 worker 的 podCIDR 的地址' },
          why: {
            en: 'Only addresses of the podCIDR have a way back: the other nodes have routes to no others.',
            zh: '只有 podCIDR 里的地址才有回程：别的节点上没有通往其他地址的路由。',
          },
          judge: judgeAddress,
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'first',
          points: 3,
          label: {
            en: `${flannelFile} comes first in /etc/cni/net.d on worker`,
            zh: `worker 的 /etc/cni/net.d 里排在最前的是 ${flannelFile}`,
          },
          why: {
            en: 'The runtime takes the first file by name and looks at no other. A forgotten test file is a network of its own.',
            zh: '运行时只取文件名排第一的那个，其余一概不看。一个忘了删的测试文件，就是另一张网络。',
          },
          judge: (evidence) => {
            const said = saidBy(evidence, 'files')
            const expected = verbatim(flannelFile)
            if (said === undefined) return notYet(expected, { en: 'the folder could not be read', zh: '读不到这个目录' })
            const [first] = said
              .split('\n')
              .filter((name) => /\.(conf|conflist|json)$/.test(name))
              .sort()
            if (first === flannelFile) return pass()
            return notYet(expected, first ? verbatim(first) : { en: 'no configuration at all', zh: '一个配置都没有' }, {
              hint: first ? 0 : 1,
            })
          },
        },
      ],
    },
  ],
})

function judgeRuns(evidence: Evidence): Outcome {
  const pods = staying(evidence.objects['pods'])
  const worker = nodeCalled(evidence.objects['nodes'], 'worker')
  const wanted = as<Deployment>(evidence.objects['deployments']).find(({ metadata }) => metadata.name === 'web')?.spec?.replicas ?? 0
  const expected = { en: 'at least 2 Pods, all ready, all on worker', zh: '至少 2 个 Pod，全部就绪，全部在 worker 上' }
  if (pods.length === 0) return notYet(expected, noPods)
  const elsewhere = pods.find((pod) => pod.spec?.nodeName && pod.spec.nodeName !== worker?.name)
  if (elsewhere)
    return notYet(
      expected,
      {
        en: `${elsewhere.metadata.name} is on ${elsewhere.spec?.nodeName}`,
        zh: `${elsewhere.metadata.name} 在 ${elsewhere.spec?.nodeName} 上`,
      },
      { hint: 1 },
    )
  const ready = pods.filter(isReady).length
  const observed = { en: `${ready} of ${pods.length} ready on worker`, zh: `worker 上 ${pods.length} 个中 ${ready} 个就绪` }
  return ready === pods.length && wanted >= 2 && ready >= wanted ? pass(observed) : notYet(expected, observed, { hint: 0 })
}

function judgeAddress(evidence: Evidence): Outcome {
  const pods = staying(evidence.objects['pods'])
  const cidr = nodeCalled(evidence.objects['nodes'], 'worker')?.podCIDR ?? ''
  const expected = { en: `Pods of their own address in ${cidr}`, zh: `各 Pod 有自己的地址，在 ${cidr} 内` }
  if (pods.length === 0) return notYet(expected, noPods)
  const shared = pods.find((pod) => pod.spec?.hostNetwork)
  if (shared)
    return notYet(
      expected,
      { en: `${shared.metadata.name} uses the network of its node`, zh: `${shared.metadata.name} 用的是节点的网络` },
      { hint: 1 },
    )
  const strange = pods.find((pod) => !isInCIDR(pod.status?.podIP, cidr))
  if (strange)
    return notYet(
      expected,
      strange.status?.podIP
        ? { en: `${strange.metadata.name} has ${strange.status.podIP}`, zh: `${strange.metadata.name} 的地址是 ${strange.status.podIP}` }
        : { en: `${strange.metadata.name} has none yet`, zh: `${strange.metadata.name} 还没有地址` },
      { hint: strange.status?.podIP ? 2 : 0 },
    )
  return pods.every(isReady)
    ? pass(verbatim(pods.map((pod) => pod.status?.podIP).join(', ')))
    : notYet(expected, { en: 'not all ready', zh: '还没有全部就绪' })
}
