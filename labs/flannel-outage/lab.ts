import { allNodes, isInCIDR, netConfOf, nodeCalled, nodesOf, onFlannel, saidBy, staying } from '../../sandbox/check/flannel.ts'
import { defineLab, type Evidence, notYet, type Outcome, pass, verbatim } from '../../sandbox/check/kit.ts'
import { as, type ConfigMap, isReady, type Pod } from '../../sandbox/check/objects.ts'

const file = '10-flannel.conflist'

export const lab = defineLab({
  slug: 'flannel-outage',
  minutes: 25,
  ...onFlannel,
  collect: {
    nodes: allNodes,
    config: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'configmaps', namespace: 'kube-flannel' } },
    cluster: {
      kind: 'objects',
      selector: {
        group: '',
        version: 'v1',
        resource: 'configmaps',
        namespace: 'kube-system',
        name: 'kubeadm-config',
      },
    },
    flannel: {
      kind: 'objects',
      selector: { group: '', version: 'v1', resource: 'pods', namespace: 'kube-flannel', labelSelector: 'app=flannel' },
    },
    pods: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'pods', namespace: 'default', labelSelector: 'app=web' } },
    files: { kind: 'command', node: 'worker2', argv: ['ls', '/etc/cni/net.d'], after: ['flannel', 'nodes'], repeat: true },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'network',
          points: 2,
          label: { en: "flannel's Network is the Pod network of the cluster", zh: 'flannel 的 Network 就是集群的 Pod 网段' },
          why: {
            en: 'The controller manager cuts podCIDRs from one network, flannel takes them for its own. They must be told the same.',
            zh: 'controller manager 从一个网段里切出 podCIDR，flannel 拿它们来用。两边必须说的是同一个网段。',
          },
          judge: judgeNetwork,
        },
        {
          id: 'runs',
          points: 2,
          label: { en: 'flanneld runs on every node', zh: '每个节点上的 flanneld 都在运行' },
          why: {
            en: 'Without it old routes live on and nothing new is learnt: the outage that shows only at the next reboot.',
            zh: '没有它，旧路由还在，新变化却再也学不到：这种故障要到下次重启才显形。',
          },
          judge: judgeRuns,
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'file',
          points: 1,
          label: { en: `worker2 has ${file} as its first configuration`, zh: `worker2 上排第一的配置是 ${file}` },
          why: { en: 'flannel puts it there itself each time its Pod starts.', zh: 'flannel 的 Pod 每次启动都会自己把它放好。' },
          judge: (evidence) => {
            const said = saidBy(evidence, 'files')
            const [first] = (said ?? '').split('\n').filter(Boolean).sort()
            return first === file
              ? pass()
              : notYet(verbatim(file), first ? verbatim(first) : { en: 'nothing there', zh: '目录是空的' }, { hint: 0 })
          },
        },
        {
          id: 'ready',
          points: 2,
          label: { en: 'worker2 is Ready', zh: 'worker2 为 Ready' },
          why: {
            en: 'Without a configuration the runtime says that it has no network, and the kubelet says NotReady.',
            zh: '没有配置，运行时就说没有网络，kubelet 便报 NotReady。',
          },
          judge: (evidence) => {
            const node = nodeCalled(evidence.objects['nodes'], 'worker2')
            return node?.ready ? pass() : notYet(verbatim('Ready'), verbatim('NotReady'), { hint: 1 })
          },
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'web',
          points: 3,
          label: {
            en: 'Every Pod of web is ready, each with an address from the podCIDR of its node',
            zh: 'web 的每个 Pod 都就绪，地址都取自所在节点的 podCIDR',
          },
          why: {
            en: 'On both workers, by the network that everybody uses: that is what is repaired.',
            zh: '两个工作节点上都行，用的还是大家都用的那个网络：这才算修好。',
          },
          judge: judgeWeb,
        },
      ],
    },
  ],
})

function judgeNetwork(evidence: Evidence): Outcome {
  const kubeadm =
    as<ConfigMap>(evidence.objects['cluster']).find(({ metadata }) => metadata.name === 'kubeadm-config')?.data?.['ClusterConfiguration'] ??
    ''
  const wanted = /^\s*podSubnet:\s*"?([\d./]+)/m.exec(kubeadm)?.[1] ?? ''
  const expected = verbatim(`"Network": "${wanted}"`)
  const found = netConfOf(evidence.objects['config'])
  if (!found) return notYet(expected, { en: 'net-conf.json cannot be read', zh: 'net-conf.json 读不出来' }, { hint: 1 })
  return wanted !== '' && found.network === wanted ? pass() : notYet(expected, verbatim(`"Network": "${found.network}"`), { hint: 1 })
}

function judgeRuns(evidence: Evidence): Outcome {
  const nodes = nodesOf(evidence.objects['nodes'])
  const pods = as<Pod>(evidence.objects['flannel']).filter(({ metadata }) => !metadata.deletionTimestamp)
  const running = nodes.filter(({ name }) =>
    pods.some((pod) => pod.spec?.nodeName === name && isReady(pod) && isSteady(pod, evidence.time)),
  )
  const expected = { en: `on ${nodes.length} nodes, for at least 10 s`, zh: `${nodes.length} 个节点上都已运行至少 10 秒` }
  const observed = { en: `on ${running.length}`, zh: `${running.length} 个节点` }
  return nodes.length > 0 && running.length === nodes.length ? pass(observed) : notYet(expected, observed, { hint: 0 })
}

/** A container that crashes is ready for a moment each time: it must have run for longer than one try. */
function isSteady(pod: Pod, now: number): boolean {
  return (pod.status?.containerStatuses ?? []).every(({ state }) => {
    const began = state?.running?.startedAt
    return began !== undefined && now - Date.parse(began) >= 10_000
  })
}

function judgeWeb(evidence: Evidence): Outcome {
  const expected = {
    en: '4 Pods ready, on both workers, none on the network of its node',
    zh: '4 个 Pod 就绪，两个工作节点上都有，都不用节点网络',
  }
  const nodes = nodesOf(evidence.objects['nodes'])
  const pods = staying(evidence.objects['pods'])
  const shared = pods.find(({ spec }) => spec?.hostNetwork)
  if (shared)
    return notYet(expected, { en: `${shared.metadata.name} uses the network of its node`, zh: `${shared.metadata.name} 用的是节点的网络` })
  const good = pods.filter(
    (pod) => isReady(pod) && isInCIDR(pod.status?.podIP, nodes.find(({ name }) => name === pod.spec?.nodeName)?.podCIDR ?? ''),
  )
  const places = new Set(good.map(({ spec }) => spec?.nodeName))
  const observed = {
    en: `${good.length} of ${pods.length} ready with such an address, on ${places.size} nodes`,
    zh: `${pods.length} 个中 ${good.length} 个就绪且地址正确，分布在 ${places.size} 个节点`,
  }
  return good.length >= 4 && good.length === pods.length && places.size >= 2 ? pass(observed) : notYet(expected, observed, { hint: 0 })
}
