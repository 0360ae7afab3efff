import { allNodes, nodeCalled, noted, notesIn, onFlannel, staying } from '../../sandbox/check/flannel.ts'
import { defineLab, type Evidence, notYet, type Outcome, pass, verbatim } from '../../sandbox/check/kit.ts'
import { namespaceOf } from '../../sandbox/check/network.ts'
import { isReady } from '../../sandbox/check/objects.ts'

const namespace = 'default'
const times = 20
const ask = `n=0; for i in $(seq ${times}); do wget -q -T 1 -O /dev/null http://10.96.84.72 || break; n=$((n+1)); done; echo $n`

export const lab = defineLab({
  slug: 'flannel-repair',
  minutes: 30,
  ...onFlannel,
  collect: {
    nodes: allNodes,
    report: notesIn('report'),
    pods: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'pods', namespace } },
    worker: { kind: 'network', node: 'worker' },
    worker2: { kind: 'network', node: 'worker2' },
    asked: {
      kind: 'command',
      pod: { namespace, name: 'shop' },
      argv: ['sh', '-c', ask],
      after: ['pods', 'worker', 'worker2'],
      repeat: true,
    },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'scope',
          points: 1,
          label: {
            en: 'ConfigMap report, key scope: same-node or cross-node',
            zh: 'ConfigMap report 的键 scope：same-node 还是 cross-node',
          },
          why: {
            en: 'Same node: Pod, veth, bridge. Another node: all of that, and the tunnel. Asking first halves the search.',
            zh: '同一节点上只有 Pod、veth 和网桥；跨节点还要加上隧道。先问清范围，要找的地方就少了一半。',
          },
          judge: (evidence) => {
            const expected = { en: 'what does not work: same-node or cross-node', zh: '不通的是 same-node 还是 cross-node' }
            const given = noted(evidence.objects['report'], 'report', 'scope')
            if (given === undefined) return notYet(expected, { en: 'no such key yet', zh: '还没有这个键' }, { hint: 0 })
            return given === 'cross-node' ? pass(verbatim(given)) : notYet(expected, verbatim(given || '""'), { hint: 0 })
          },
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'fdb',
          points: 3,
          label: { en: 'The fdb of flannel.1 on worker leads to worker2', zh: 'worker 上 flannel.1 的 fdb 指向 worker2' },
          why: {
            en: 'The fdb answers one question: at which node lives this VTEP? A wrong answer sends every packet to nobody.',
            zh: 'fdb 只回答一个问题：这个 VTEP 在哪个节点上？答错了，每个包都发给了不存在的人。',
          },
          judge: judgeFdb,
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'open',
          points: 3,
          label: { en: 'worker2 drops no UDP 8472', zh: 'worker2 不再丢弃 UDP 8472' },
          why: {
            en: 'Between nodes all Pod traffic is this one port. A firewall that does not know it cuts the cluster in pieces.',
            zh: '节点之间所有 Pod 流量走的都是这一个端口。防火墙不认识它，集群就被切成了几块。',
          },
          judge: judgeOpen,
        },
      ],
    },
    {
      id: 't4',
      criteria: [
        {
          id: 'answers',
          points: 3,
          label: {
            en: `Pod shop on worker gets ${times} of ${times} answers from stock on worker2`,
            zh: `worker 上的 Pod shop 向 worker2 上的 stock 请求 ${times} 次，${times} 次都有应答`,
          },
          why: {
            en: 'Tables that look right are a guess. Packets that come back are not.',
            zh: '表看着对只是推测，包回得来才算数。',
          },
          judge: judgeAnswers,
        },
      ],
    },
  ],
})

function judgeFdb(evidence: Evidence): Outcome {
  const far = nodeCalled(evidence.objects['nodes'], 'worker2')
  const expected = { en: `the MAC of flannel.1 on worker2 at ${far?.address}`, zh: `worker2 的 flannel.1 的 MAC 对应 ${far?.address}` }
  const { fdb, links } = namespaceOf(evidence.network['worker'])
  if (!links.some(({ name }) => name === 'flannel.1'))
    return notYet(expected, { en: 'worker has no flannel.1', zh: 'worker 上没有 flannel.1' })
  const mac = namespaceOf(evidence.network['worker2']).links.find(({ name }) => name === 'flannel.1')?.mac
  const entry = fdb.find((one) => one.device === 'flannel.1' && one.mac === mac)
  if (!mac || !entry) return notYet(expected, { en: 'no entry for that MAC', zh: '没有这个 MAC 的条目' }, { hint: 1 })
  return entry.to === far?.address
    ? pass(verbatim(`${mac} → ${entry.to}`))
    : notYet(expected, verbatim(`${mac} → ${entry.to}`), { hint: 0 })
}

function judgeOpen(evidence: Evidence): Outcome {
  const expected = { en: 'no rule that drops or rejects it', zh: '没有丢弃或拒绝它的规则' }
  const state = evidence.network['worker2']
  if (!state) return notYet(expected, { en: 'worker2 does not answer', zh: 'worker2 没有应答' })
  const rule = namespaceOf(state).rules.find((one) => /--dport 8472\b/.test(one) && /-j (DROP|REJECT)/.test(one))
  const device = namespaceOf(state).links.find(({ name }) => name === 'flannel.1')
  if (rule) return notYet(expected, verbatim(rule), { hint: 1 })
  return device?.vxlan?.port === 8472
    ? pass()
    : notYet(expected, { en: 'flannel.1 does not listen on 8472', zh: 'flannel.1 没有监听 8472' })
}

function judgeAnswers(evidence: Evidence): Outcome {
  const expected = {
    en: `${times} of ${times}, with stock on worker2 and shop on worker`,
    zh: `${times} 次全部应答，stock 在 worker2，shop 在 worker`,
  }
  const [near, far] = ['worker', 'worker2'].map((name) => nodeCalled(evidence.objects['nodes'], name)?.name)
  const pods = staying(evidence.objects['pods'])
  const stock = pods.filter(({ metadata }) => metadata.labels?.['app'] === 'stock')
  const shop = pods.find(({ metadata }) => metadata.name === 'shop')
  if (stock.length === 0 || !shop) return notYet(expected, { en: 'shop or stock is gone', zh: 'shop 或 stock 不见了' })
  const moved = [...stock.filter(({ spec }) => spec?.nodeName !== far), ...(shop.spec?.nodeName === near ? [] : [shop])]
  if (moved[0])
    return notYet(expected, {
      en: `${moved[0].metadata.name} was moved to ${moved[0].spec?.nodeName}`,
      zh: `${moved[0].metadata.name} 被挪到了 ${moved[0].spec?.nodeName}`,
    })
  const answers = Number(evidence.commands['asked']?.stdout.trim() || Number.NaN)
  const observed = Number.isNaN(answers)
    ? { en: 'shop could not ask', zh: 'shop 没能发出请求' }
    : { en: `${answers} of ${times} answered`, zh: `${times} 次中应答 ${answers} 次` }
  return answers === times && stock.every(isReady) ? pass(observed) : notYet(expected, observed, { hint: 0 })
}
