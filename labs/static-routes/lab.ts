import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim, waiting } from '../../sandbox/check/kit.ts'
import { linkOf, type NetworkState, namespaceOf, ping, pingResult } from '../../sandbox/check/network.ts'

const hosts = ['worker', 'worker2'] as const
type Host = (typeof hosts)[number]
const subnets: Record<Host, string> = { worker: '10.88.1.0/24', worker2: '10.88.2.0/24' }
const container: Record<Host, { name: string; address: string }> = {
  worker: { name: 'x', address: '10.88.1.2' },
  worker2: { name: 'y', address: '10.88.2.2' },
}
/** The payload of an echo request that fills an Ethernet frame of 1500 bytes. */
const full = 1472
const after = [...hosts]

const other = (host: Host): Host => (host === 'worker' ? 'worker2' : 'worker')

export const lab = defineLab({
  slug: 'static-routes',
  minutes: 25,
  needs: ['node-shell', 'network', 'terminal'],
  engines: ['hosts', 'kind'],
  nodes: 3,
  // a Pod network would translate the addresses of what it does not know
  shape: { cni: 'none' },
  collect: {
    worker: { kind: 'network', node: 'worker' },
    worker2: { kind: 'network', node: 'worker2' },
    there: ping({ node: 'worker', namespace: 'x', to: container.worker2.address, after }),
    back: ping({ node: 'worker2', namespace: 'y', to: container.worker.address, after }),
    full: ping({ node: 'worker', namespace: 'x', to: container.worker2.address, payload: full, after }),
  },
  tasks: [
    {
      id: 't1',
      criteria: hosts.map((host) => ({
        id: `route-${host}`,
        points: 2,
        label: {
          en: `${host} sends ${subnets[other(host)]} to ${other(host)}`,
          zh: `${host} 把 ${subnets[other(host)]} 交给 ${other(host)}`,
        },
        why: {
          en: 'Only the host on which a subnet lives can deliver to it. Every other one has to know who that is.',
          zh: '子网在哪台主机上，就只有那台主机能投递。其他主机都得知道该交给谁。',
        },
        judge: (evidence: Evidence) => judgeRoute(evidence, host),
      })),
    },
    {
      id: 't2',
      criteria: (
        [
          ['there', 'worker'],
          ['back', 'worker2'],
        ] as const
      ).map(([name, from]) => ({
        id: name,
        points: 1.5,
        label: {
          en: `${container[from].name} pings ${container[other(from)].name}, over two routers (ttl 62)`,
          zh: `${container[from].name} 能 ping 通 ${container[other(from)].name}，经过两个路由器（ttl 62）`,
        },
        why: {
          en: 'Each way has its own routes. A ping needs both, and so does every connection.',
          zh: '去和回各有各的路由。一次 ping 两边都要用到，任何连接也一样。',
        },
        judge: (evidence: Evidence) => judgePath(evidence, name),
      })),
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'full',
          points: 3,
          label: { en: 'A full frame of 1500 bytes gets through in one piece', zh: '1500 字节的整包能完整通过' },
          why: {
            en: 'Routing wraps nothing, so it costs no byte of the frame. That is what host-gw has over vxlan.',
            zh: '路由不做封装，帧里一个字节也不占。这正是 host-gw 胜过 vxlan 的地方。',
          },
          judge: (evidence) => {
            const expected = { en: `ping -M do -s ${full}: 0 % loss`, zh: `ping -M do -s ${full}：丢包率 0%` }
            return judgePing(evidence, 'full', expected, 0)
          },
        },
      ],
    },
  ],
})

function judgeRoute({ network }: Evidence, host: Host): Outcome {
  const to = subnets[other(host)]
  const gateway = addressOf(network[other(host)])
  const expected = verbatim(`${to} via ${gateway ?? other(host)} dev eth0`)
  if (!network[host]) return waiting(expected, { en: `${host} does not answer`, zh: `${host} 没有应答` })
  const found = namespaceOf(network[host]).routes.find((route) => route.to === to)
  if (!found) return notYet(expected, { en: `${host} has no route to ${to}`, zh: `${host} 没有去 ${to} 的路由` }, { hint: 0 })
  const seen = verbatim(`${to}${found.via ? ` via ${found.via}` : ''} dev ${found.device}`)
  return gateway !== undefined && found.via === gateway && found.device === 'eth0' ? pass() : notYet(expected, seen, { hint: 1 })
}

function addressOf(state: NetworkState | undefined): string | undefined {
  return linkOf(state, '', 'eth0')
    ?.addresses.find((address) => address.includes('.'))
    ?.split('/')[0]
}

function judgePath(evidence: Evidence, name: 'there' | 'back'): Outcome {
  const expected = { en: '0 % loss, ttl 62', zh: '丢包率 0%，ttl 62' }
  const hint = name === 'there' ? 0 : 1
  const outcome = judgePing(evidence, name, expected, hint)
  const { ttl } = pingResult(evidence.commands[name])
  return outcome.state === 'pass' && ttl !== 62 ? notYet(expected, verbatim(`ttl ${ttl}`), { hint: 2 }) : outcome
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
