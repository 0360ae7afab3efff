import { netConfOf, nodeCalled, saidBy, staying } from '../../sandbox/check/flannel.ts'
import { defineLab, type Evidence, notYet, type Outcome, pass, verbatim } from '../../sandbox/check/kit.ts'
import { namespaceOf } from '../../sandbox/check/network.ts'
import { isReady } from '../../sandbox/check/objects.ts'

const namespace = 'default'
const names = ['control-plane', 'worker', 'worker2'] as const
const workers = ['worker', 'worker2'] as const
const times = 5
const ask = `n=0; for i in $(seq ${times}); do wget -q -T 1 -O /dev/null http://10.96.15.0 || break; n=$((n+1)); done; echo $n`
/** A line a Pod of the node: its address and the MTU of its eth0. */
const sizes = `for ns in /run/netns/cni-*; do nsenter --net="$ns" ip -j -4 addr show eth0; done | jq -r '.[] | "\\(.addr_info[0].local) \\(.mtu)"'`

export const lab = defineLab({
  slug: 'host-gw-switch',
  minutes: 25,
  needs: ['api', 'pods', 'exec', 'node-shell', 'cni', 'terminal'],
  engines: ['kind'],
  nodes: 3,
  shape: { cni: 'flannel' },
  collect: {
    nodes: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'nodes' } },
    config: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'configmaps', namespace: 'kube-flannel' } },
    pods: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'pods', namespace } },
    'control-plane': { kind: 'network', node: 'control-plane' },
    worker: { kind: 'network', node: 'worker' },
    worker2: { kind: 'network', node: 'worker2' },
    asked: { kind: 'command', pod: { namespace, name: 'client' }, argv: ['sh', '-c', ask], after: ['pods', 'worker', 'worker2'] },
    'sizes on worker': { kind: 'command', node: 'worker', argv: ['bash', '-c', sizes], after: ['pods'] },
    'sizes on worker2': { kind: 'command', node: 'worker2', argv: ['bash', '-c', sizes], after: ['pods'] },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'type',
          points: 1,
          label: { en: "The backend in flannel's configuration is host-gw", zh: 'flannel 配置里的后端是 host-gw' },
          why: {
            en: 'What stands in the ConfigMap is what every flanneld reads when it starts, tomorrow too.',
            zh: 'ConfigMap 里写的，是每个 flanneld 启动时要读的，明天也一样。',
          },
          judge: (evidence) => {
            const expected = verbatim('"Type": "host-gw"')
            const found = netConfOf(evidence.objects['config'])
            if (!found) return notYet(expected, { en: 'net-conf.json cannot be read', zh: 'net-conf.json 读不出来' }, { hint: 1 })
            return found.type === 'host-gw' ? pass() : notYet(expected, verbatim(`"Type": "${found.type}"`), { hint: 0 })
          },
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'routes',
          points: 5,
          label: {
            en: 'Every node reaches the Pods of every other by its address on eth0',
            zh: '每个节点到其他节点的 Pod，都经对方的地址从 eth0 走',
          },
          why: {
            en: 'One route a peer, next hop the peer itself: no wrapping, nothing lost to headers.',
            zh: '每个对端一条路由，下一跳就是对端自己：不封装，也不为头部付出字节。',
          },
          judge: judgeRoutes,
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'crosses',
          points: 2,
          label: {
            en: 'client on worker reaches far on worker2, over these routes',
            zh: 'worker 上的 client 经这些路由访问得到 worker2 上的 far',
          },
          why: {
            en: 'The route back counts as well: a reply needs one on the other node.',
            zh: '回程同样要算：应答要靠另一个节点上的路由。',
          },
          judge: judgeCrosses,
        },
      ],
    },
    {
      id: 't4',
      criteria: [
        {
          id: 'mtu',
          points: 2,
          label: { en: 'The Pods of web have MTU 1500', zh: 'web 的 Pod 的 MTU 为 1500' },
          why: {
            en: 'A Pod gets its MTU when it is made. Those from before the change carry 1450 to their end.',
            zh: 'Pod 的 MTU 在创建时就定下了。变更之前的 Pod 到死都是 1450。',
          },
          judge: judgeSizes,
        },
      ],
    },
  ],
})

/** Routes that a node should have and has not, as 'worker: 10.244.1.0/24 via 10.244.1.0 dev flannel.1'. */
function wrongRoutes(evidence: Evidence): string[] {
  return names.flatMap((name) => {
    const { routes } = namespaceOf(evidence.network[name])
    return names
      .filter((other) => other !== name)
      .flatMap((other) => {
        const peer = nodeCalled(evidence.objects['nodes'], other)
        const route = routes.find(({ to }) => to === peer?.podCIDR)
        if (peer && route?.via === peer.address && route.device === 'eth0') return []
        return [`${name}: ${peer?.podCIDR} ${route ? `via ${route.via ?? '-'} dev ${route.device}` : '-'}`]
      })
  })
}

function judgeRoutes(evidence: Evidence): Outcome {
  const expected = { en: 'on 3 nodes, 2 routes each: podCIDR via NODE dev eth0', zh: '3 个节点各 2 条：podCIDR via 节点地址 dev eth0' }
  const wrong = wrongRoutes(evidence)
  return wrong.length === 0 ? pass() : notYet(expected, verbatim(wrong[0] ?? ''), { hint: 0 })
}

function judgeCrosses(evidence: Evidence): Outcome {
  const expected = { en: `${times} of ${times} answers without the overlay`, zh: `不经覆盖网络，${times} 次都有应答` }
  if (wrongRoutes(evidence).some((line) => !line.startsWith('control-plane')))
    return notYet(expected, { en: 'the workers still use another way', zh: '两个工作节点走的还是别的路' })
  const far = nodeCalled(evidence.objects['nodes'], 'worker2')?.name
  const pods = staying(evidence.objects['pods']).filter(({ metadata }) => metadata.labels?.['app'] === 'far')
  if (pods.length === 0 || pods.some(({ spec }) => spec?.nodeName !== far))
    return notYet(expected, { en: 'far is not on worker2', zh: 'far 不在 worker2 上' })
  const answers = Number(saidBy(evidence, 'asked') ?? Number.NaN)
  return answers === times
    ? pass({ en: `${times} of ${times}`, zh: `${times} 次都有应答` })
    : notYet(
        expected,
        { en: `${Number.isNaN(answers) ? 0 : answers} of ${times}`, zh: `${times} 次中应答 ${Number.isNaN(answers) ? 0 : answers} 次` },
        { hint: 0 },
      )
}

function judgeSizes(evidence: Evidence): Outcome {
  const expected = verbatim('mtu 1500')
  const seen = new Map(
    workers.flatMap((name) => (saidBy(evidence, `sizes on ${name}`) ?? '').split('\n').map((line) => line.split(' ') as [string, string])),
  )
  const onWorkers = workers.map((name) => nodeCalled(evidence.objects['nodes'], name)?.name)
  const pods = staying(evidence.objects['pods']).filter(
    ({ metadata, spec }) => metadata.labels?.['app'] === 'web' && onWorkers.includes(spec?.nodeName ?? ''),
  )
  if (pods.length < workers.length || !pods.every(isReady))
    return notYet(expected, { en: 'web is not ready on both workers', zh: 'web 没有在两个工作节点上就绪' })
  const small = pods.find((pod) => seen.get(pod.status?.podIP ?? '') !== '1500')
  if (!small) return pass()
  return notYet(expected, verbatim(`${small.metadata.name}: mtu ${seen.get(small.status?.podIP ?? '') ?? '?'}`), { hint: 0 })
}
