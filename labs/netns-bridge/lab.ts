import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim, waiting } from '../../sandbox/check/kit.ts'
import { isWiredTo, linkOf, namespaceOf, ping, pingResult } from '../../sandbox/check/network.ts'

const bridge = 'lab0'
const gateway = '10.200.0.1'
const subnet = '10.200.0.0/24'
const pods = { a: '10.200.0.2', b: '10.200.0.3' } as const
type Name = keyof typeof pods

export const lab = defineLab({
  slug: 'netns-bridge',
  minutes: 30,
  needs: ['node-shell', 'network', 'terminal'],
  engines: ['hosts', 'kind'],
  nodes: 3,
  collect: {
    worker: { kind: 'network', node: 'worker' },
    toNeighbour: ping({ node: 'worker', namespace: 'a', to: pods.b, after: ['worker'] }),
    toOtherHost: ping({ node: 'worker', namespace: 'a', to: 'worker2', after: ['worker'] }),
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'bridge',
          points: 1,
          label: { en: `Bridge ${bridge} is up and has ${gateway}/24`, zh: `网桥 ${bridge} 已启用，地址为 ${gateway}/24` },
          why: {
            en: 'The bridge is the switch of the node, and with an address it is the gateway of everything plugged into it.',
            zh: '网桥就是节点上的交换机；有了地址，它还是接在上面的所有容器的网关。',
          },
          judge: judgeBridge,
        },
        ...(['a', 'b'] as const).map((name) => ({
          id: `wired-${name}`,
          points: 1.5,
          label: {
            en: `${name} has ${pods[name]}/24 on one end of a veth pair, ${bridge} the other end`,
            zh: `${name} 在 veth 对的一端有 ${pods[name]}/24，另一端接在 ${bridge} 上`,
          },
          why: {
            en: 'A Pod has one end of a cable. What the other end is plugged into decides whom it can reach.',
            zh: 'Pod 手里只有网线的一头；另一头插在哪里，决定了它能到哪里。',
          },
          judge: (evidence: Evidence) => judgeWire(evidence, name),
        })),
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'neighbour',
          points: 3,
          label: { en: 'a pings b, no router in between (ttl 64)', zh: 'a 能 ping 通 b，中间没有路由器（ttl 64）' },
          why: {
            en: 'Two Pods of a node talk through the bridge: one Ethernet, nobody counts the ttl down.',
            zh: '同一节点上的两个 Pod 通过网桥通信：同一个以太网，没有谁把 ttl 减一。',
          },
          judge: judgeNeighbour,
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'gateway',
          points: 1,
          label: { en: `The default route of a leads to ${gateway}`, zh: `a 的默认路由指向 ${gateway}` },
          why: {
            en: 'Whatever is not on its own subnet, a Pod hands to the gateway: the node it stands on.',
            zh: '凡是不在本子网的地址，Pod 都交给网关，也就是它所在的节点。',
          },
          judge: judgeGateway,
        },
        {
          id: 'masquerade',
          points: 1,
          label: {
            en: `What comes from ${subnet} and leaves is masqueraded, and nothing else`,
            zh: `只有来自 ${subnet} 并要离开节点的流量才做 MASQUERADE`,
          },
          why: {
            en: 'Nobody outside has a route to the addresses you made up. The node lends its own, for these packets only.',
            zh: '外面没有谁认得去你自编地址的路。节点借出自己的地址，但只借给这些包。',
          },
          judge: judgeMasquerade,
        },
        {
          id: 'other-host',
          points: 1,
          label: { en: 'a pings worker2', zh: 'a 能 ping 通 worker2' },
          why: {
            en: 'Route, forwarding and translation: only together do they bring an answer back.',
            zh: '路由、转发、地址转换，三样齐全，应答才回得来。',
          },
          judge: (evidence) => judgePing(evidence, 'toOtherHost', { en: 'answers from worker2', zh: 'worker2 有应答' }, 2),
        },
      ],
    },
  ],
})

function judgeBridge({ network }: Evidence): Outcome {
  const expected = { en: `a bridge ${bridge}, UP, with ${gateway}/24`, zh: `网桥 ${bridge}，状态 UP，地址 ${gateway}/24` }
  const found = linkOf(network['worker'], '', bridge)
  if (!found) return notYet(expected, { en: `worker has no device ${bridge}`, zh: `worker 上没有设备 ${bridge}` }, { hint: 0 })
  if (found.kind !== 'bridge') return notYet(expected, { en: `${bridge} is no bridge`, zh: `${bridge} 不是网桥` }, { hint: 0 })
  if (!found.up) return notYet(expected, { en: `${bridge} is down`, zh: `${bridge} 没有启用` }, { hint: 1 })
  return found.addresses.includes(`${gateway}/24`)
    ? pass()
    : notYet(expected, verbatim(`${bridge}: ${found.addresses.join(', ') || 'no IPv4'}`), { hint: 1 })
}

function judgeWire({ network }: Evidence, name: Name): Outcome {
  const state = network['worker']
  const expected: Text = {
    en: `in netns ${name} a veth with ${pods[name]}/24, up; its peer is a port of ${bridge}, up`,
    zh: `网络命名空间 ${name} 里有 veth，地址 ${pods[name]}/24，已启用；对端是 ${bridge} 的端口，也已启用`,
  }
  if (!state?.namespaces[name])
    return notYet(expected, { en: `there is no netns ${name} on worker`, zh: `worker 上没有网络命名空间 ${name}` }, { hint: 0 })
  const inside = namespaceOf(state, name).links.find((link) => link.addresses.includes(`${pods[name]}/24`))
  if (!inside) {
    const seen = namespaceOf(state, name).links.filter((link) => link.name !== 'lo')
    const told = seen.map((link) => `${link.name} ${link.addresses.join(' ')}`.trim()).join(', ')
    return notYet(expected, told ? verbatim(told) : { en: `${name} has nothing but lo`, zh: `${name} 里只有 lo` }, { hint: 1 })
  }
  if (inside.kind !== 'veth') return notYet(expected, { en: `${inside.name} is no veth`, zh: `${inside.name} 不是 veth` }, { hint: 0 })
  if (!isWiredTo(state, name, inside.name, bridge))
    return notYet(
      expected,
      { en: `the peer of ${inside.name} is no port of ${bridge}`, zh: `${inside.name} 的对端不是 ${bridge} 的端口` },
      { hint: 0 },
    )
  const peer = namespaceOf(state).links.find((link) => link.index === inside.peer)
  if (!inside.up)
    return notYet(expected, { en: `${inside.name} in ${name} is down`, zh: `${name} 里的 ${inside.name} 没有启用` }, { hint: 1 })
  return peer?.up ? pass() : notYet(expected, { en: `${peer?.name} is down`, zh: `${peer?.name} 没有启用` }, { hint: 1 })
}

function judgeNeighbour(evidence: Evidence): Outcome {
  const expected = { en: '0 % loss, ttl 64', zh: '丢包率 0%，ttl 64' }
  const { ttl } = pingResult(evidence.commands['toNeighbour'])
  const outcome = judgePing(evidence, 'toNeighbour', expected, 0)
  return outcome.state === 'pass' && ttl !== 64 ? notYet(expected, verbatim(`ttl ${ttl}`), { hint: 0 }) : outcome
}

function judgeGateway({ network }: Evidence): Outcome {
  const expected = verbatim(`default via ${gateway}`)
  const found = namespaceOf(network['worker'], 'a').routes.find((route) => route.to === 'default')
  if (!found) return notYet(expected, { en: 'a has no default route', zh: 'a 没有默认路由' }, { hint: 0 })
  return found.via === gateway ? pass() : notYet(expected, verbatim(`default via ${found.via ?? '-'} dev ${found.device}`), { hint: 0 })
}

function judgeMasquerade({ network }: Evidence): Outcome {
  const expected = verbatim(`-t nat -A POSTROUTING -s ${subnet} ... -j MASQUERADE`)
  const rules = namespaceOf(network['worker']).rules.filter((rule) => /^-t nat -A POSTROUTING\b.* -j (MASQUERADE|SNAT)\b/.test(rule))
  if (rules.some((rule) => new RegExp(` -s ${subnet.replaceAll('.', '\\.')}( |$)`).test(rule))) return pass()
  const [other] = rules
  return notYet(expected, other ? verbatim(other) : { en: 'there is no such rule in POSTROUTING', zh: 'POSTROUTING 里没有这样的规则' }, {
    hint: 1,
  })
}

function judgePing({ commands, network }: Evidence, name: string, expected: Text, hint: number): Outcome {
  const { sent, received } = pingResult(commands[name])
  if (!network['worker']) return waiting(expected, { en: 'worker does not answer', zh: 'worker 没有应答' })
  if (sent === 0) return notYet(expected, { en: 'nothing could be sent', zh: '一个包也发不出去' }, { hint })
  return received === sent
    ? pass()
    : notYet(expected, { en: `${received} of ${sent} answered`, zh: `${sent} 个包里有 ${received} 个应答` }, { hint })
}
