import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim, waiting } from '../../sandbox/check/kit.ts'
import { type Link, linkOf, type NetworkState, namespaceOf, ping, pingResult } from '../../sandbox/check/network.ts'

const vni = 100
const port = 4789
const bridge = 'br-lab'
/** What goes through a tunnel over an Ethernet of 1500 bytes, and the payload of the largest echo request that does. */
const mtu = 1450
const fits = mtu - 28
const hosts = ['worker', 'worker2'] as const
type Host = (typeof hosts)[number]
const containers: Record<Host, string> = { worker: '10.77.1.2', worker2: '10.77.1.3' }
const after = [...hosts]

const other = (host: Host): Host => (host === 'worker' ? 'worker2' : 'worker')

export const lab = defineLab({
  slug: 'vxlan-join',
  minutes: 35,
  needs: ['node-shell', 'network', 'terminal'],
  engines: ['hosts', 'kind'],
  nodes: 3,
  // a Pod network would translate the addresses of what it does not know
  shape: { cni: 'none' },
  collect: {
    worker: { kind: 'network', node: 'worker' },
    worker2: { kind: 'network', node: 'worker2' },
    there: ping({ node: 'worker', namespace: 'c', to: containers.worker2, after }),
    back: ping({ node: 'worker2', namespace: 'c', to: containers.worker, after }),
    largest: ping({ node: 'worker', namespace: 'c', to: containers.worker2, payload: fits, after }),
    tooLarge: ping({ node: 'worker', namespace: 'c', to: containers.worker2, payload: fits + 1, after }),
    tooLargeBack: ping({ node: 'worker2', namespace: 'c', to: containers.worker, payload: fits + 1, after }),
  },
  tasks: [
    {
      id: 't1',
      criteria: hosts.map((host) => ({
        id: `tunnel-${host}`,
        points: 1.5,
        label: {
          en: `${host} has a vxlan device, id ${vni}, port ${port}, towards ${other(host)}`,
          zh: `${host} 上有 vxlan 设备，id ${vni}，端口 ${port}，通向 ${other(host)}`,
        },
        why: {
          en: 'Both ends must agree on number and port, and each must know where to send the wrapped frame.',
          zh: '两端的编号和端口必须一致，而且各自都要知道封装好的帧该送到哪里。',
        },
        judge: (evidence: Evidence) => judgeTunnel(evidence, host),
      })),
    },
    {
      id: 't2',
      criteria: (
        [
          ['there', 'worker', 'worker2'],
          ['back', 'worker2', 'worker'],
        ] as const
      ).map(([name, from, to]) => ({
        id: name,
        points: 2,
        label: {
          en: `c on ${from} pings c on ${to}, as neighbours (ttl 64)`,
          zh: `${from} 上的 c 能 ping 通 ${to} 上的 c，彼此是邻居（ttl 64）`,
        },
        why: {
          en: 'One subnet means one Ethernet: the frame has to get from bridge to bridge, no router may take it up.',
          zh: '同一个子网就是同一个以太网：帧要从一座网桥直接到另一座，中途不能有路由器接手。',
        },
        judge: (evidence: Evidence) => judgeNeighbours(evidence, name),
      })),
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'largest',
          points: 1,
          label: { en: `A packet of ${mtu} bytes passes`, zh: `${mtu} 字节的包能通过` },
          why: {
            en: `The wrapping takes 50 bytes of the 1500; ${mtu} are left and should be usable to the last.`,
            zh: `封装要占掉 1500 里的 50 字节；剩下的 ${mtu} 应当一个不少都能用。`,
          },
          judge: (evidence) => {
            const expected = { en: `ping -M do -s ${fits}: 0 % loss`, zh: `ping -M do -s ${fits}：丢包率 0%` }
            return judgePing(evidence, 'largest', expected, 2)
          },
        },
        {
          id: 'refused',
          points: 2,
          label: { en: 'One byte more is refused at once, on both sides', zh: '再多一个字节，两边都会立刻拒绝' },
          why: {
            en: 'A sender that knows the limit sends smaller. One that does not sends into silence: the bridge drops the frame and tells nobody.',
            zh: '知道上限的发送方会发小一点；不知道的，就一直发进虚空：网桥把帧丢掉，谁也不告诉。',
          },
          judge: judgeRefusal,
        },
      ],
    },
  ],
})

function judgeTunnel({ network }: Evidence, host: Host): Outcome {
  const address = addressOf(network[other(host)])
  const expected = verbatim(`vxlan id ${vni} dstport ${port} remote ${address ?? other(host)}, UP`)
  const state = network[host]
  if (!state) return waiting(expected, { en: `${host} does not answer`, zh: `${host} 没有应答` })
  const devices = namespaceOf(state).links.filter((link) => link.kind === 'vxlan')
  const found = devices.find((link) => link.vxlan?.id === vni)
  if (!found)
    return notYet(
      expected,
      devices.length > 0 ? verbatim(devices.map(tell).join(', ')) : { en: `${host} has no vxlan device`, zh: `${host} 上没有 vxlan 设备` },
      { hint: 0 },
    )
  const to = [found.vxlan?.remote, ...entriesOf(state, found)]
  if (found.vxlan?.port !== port || !found.up) return notYet(expected, verbatim(tell(found)), { hint: 1 })
  return address !== undefined && to.includes(address)
    ? pass()
    : notYet(expected, verbatim(`${tell(found)}, remote ${to.filter(Boolean).join(' ') || '-'}`), { hint: 1 })
}

/** Where a device sends what it has no entry for: the fdb's entry of all zeros. */
function entriesOf(state: NetworkState, { name }: Link): (string | undefined)[] {
  const entries = namespaceOf(state).fdb.filter((entry) => entry.device === name && /^(00:){5}00$/.test(entry.mac))
  return entries.map((entry) => entry.to)
}

function addressOf(state: NetworkState | undefined): string | undefined {
  return linkOf(state, '', 'eth0')
    ?.addresses.find((address) => address.includes('.'))
    ?.split('/')[0]
}

function tell({ name, vxlan, up }: Link): string {
  return `${name}: vxlan id ${vxlan?.id} dstport ${vxlan?.port} ${up ? 'UP' : 'DOWN'}`
}

function judgeNeighbours(evidence: Evidence, name: string): Outcome {
  const outcome = judgePing(evidence, name, { en: '0 % loss, ttl 64', zh: '丢包率 0%，ttl 64' }, isPort(evidence) ? 1 : 0)
  const { ttl } = pingResult(evidence.commands[name])
  return outcome.state === 'pass' && ttl !== 64
    ? notYet({ en: '0 % loss, ttl 64', zh: '丢包率 0%，ttl 64' }, verbatim(`ttl ${ttl}`), { hint: 2 })
    : outcome
}

/** Whether both tunnels are plugged into their bridges. */
function isPort({ network }: Evidence): boolean {
  return hosts.every((host) => namespaceOf(network[host]).links.some((link) => link.kind === 'vxlan' && link.master === bridge))
}

function judgeRefusal(evidence: Evidence): Outcome {
  const expected = { en: `ping -M do -s ${fits + 1}: "message too long"`, zh: `ping -M do -s ${fits + 1}：“message too long”` }
  const results = { worker: pingResult(evidence.commands['tooLarge']), worker2: pingResult(evidence.commands['tooLargeBack']) }
  const reached = pingResult(evidence.commands['largest'])
  if (reached.received === 0) return notYet(expected, { en: 'nothing gets through yet', zh: '目前什么都通不过' })
  const silent = hosts.filter((host) => !results[host].tooBig)
  if (silent.length === 0) return pass()
  const limit = (host: Host) => namespaceOf(evidence.network[host], 'c').links.find((link) => link.name !== 'lo')?.mtu ?? '?'
  const seen = silent.map((host) => `${host}: c mtu ${limit(host)}`).join(', ')
  return notYet(expected, { en: `sent without a word (${seen})`, zh: `一声不响地发了出去（${seen}）` }, { hint: 0 })
}

function judgePing({ commands, network }: Evidence, name: string, expected: Text, hint: number): Outcome {
  const { sent, received, tooBig } = pingResult(commands[name])
  if (hosts.some((host) => !network[host])) return waiting(expected, { en: 'a host does not answer', zh: '有主机没有应答' })
  if (received === 0 && tooBig) return notYet(expected, { en: 'refused as too long', zh: '被拒绝：太长' }, { hint })
  if (sent === 0) return notYet(expected, { en: 'nothing could be sent', zh: '一个包也发不出去' }, { hint })
  return received === sent
    ? pass()
    : notYet(expected, { en: `${received} of ${sent} answered`, zh: `${sent} 个包里有 ${received} 个应答` }, { hint })
}
