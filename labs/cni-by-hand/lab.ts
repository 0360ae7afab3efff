import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim, waiting } from '../../sandbox/check/kit.ts'
import { linkOf, namespaceOf, ping, pingResult } from '../../sandbox/check/network.ts'

const network = 'lab'
const subnet = '10.99.0.0/29'
const inSubnet = /^10\.99\.0\.[2-6]\//
const dead = /^job-[1-5]$/

/** Prints what host-local has given out: a line `address container` each. */
const reservations = `cd /var/lib/cni/networks/${network} && for file in [0-9]*; do [ -f "$file" ] && echo "$file $(head -n 1 "$file" | tr -d '\\r')"; done; true`

export const lab = defineLab({
  slug: 'cni-by-hand',
  minutes: 30,
  needs: ['node-shell', 'network', 'cni', 'terminal'],
  engines: ['hosts', 'kind'],
  nodes: 3,
  collect: {
    worker: { kind: 'network', node: 'worker' },
    reservations: { kind: 'command', node: 'worker', argv: ['sh', '-c', reservations], after: ['worker'], repeat: true },
    fromHost: {
      kind: 'command',
      node: 'worker',
      // the address is the plugin's choice
      argv: [
        'sh',
        '-c',
        'ping -n -c 2 -i 0.2 -W 1 $(ip -n web -4 -o addr show dev eth0 | awk \'{ split($4, part, "/"); print part[1]; exit }\')',
      ],
      after: ['worker'],
    },
    toOtherHost: ping({ node: 'worker', namespace: 'web', to: 'worker2', count: 2, after: ['worker'] }),
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'released',
          points: 3,
          label: { en: 'No address is reserved for the five dead jobs', zh: '五个已死的 job 不再占着地址' },
          why: {
            en: 'An address comes back by DEL and by nothing else. A node that forgets it runs out of them.',
            zh: '地址只有通过 DEL 才会归还。忘了这一步的节点，迟早会把地址用光。',
          },
          judge: judgeReleased,
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'address',
          points: 2,
          label: { en: `web has eth0 with an address that host-local gave it`, zh: 'web 里有 eth0，地址由 host-local 分配' },
          why: {
            en: 'An address without a reservation will be given to the next container as well.',
            zh: '没有登记的地址，会被再分给下一个容器。',
          },
          judge: judgeAddress,
        },
        {
          id: 'reachable',
          points: 2,
          label: { en: 'worker reaches web', zh: 'worker 能到 web' },
          why: {
            en: 'ADD is done when both ends are: the device in the container, and the way to it on the host.',
            zh: 'ADD 要两头都办妥：容器里的设备，以及主机上通向它的路。',
          },
          judge: (evidence) => judgePing(evidence, 'fromHost', { en: 'answers from web', zh: 'web 有应答' }, 0),
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'masquerade',
          points: 2,
          label: { en: 'The plugin masquerades what leaves', zh: '出去的流量由插件做 MASQUERADE' },
          why: {
            en: 'What the plugin sets up, it takes down again at DEL. A rule of your own stays behind.',
            zh: '插件建的东西，DEL 时它自己会拆掉；你手写的规则却会留下来。',
          },
          judge: judgeMasquerade,
        },
        {
          id: 'other-host',
          points: 1,
          label: { en: 'web pings worker2', zh: 'web 能 ping 通 worker2' },
          why: {
            en: 'worker2 knows no way back to 10.99.0.0/29, only to worker.',
            zh: 'worker2 不认得回 10.99.0.0/29 的路，只认得 worker。',
          },
          judge: (evidence) => judgePing(evidence, 'toOtherHost', { en: 'answers from worker2', zh: 'worker2 有应答' }, 1),
        },
      ],
    },
  ],
})

interface Reservation {
  address: string
  container: string
}

function reserved({ commands }: Evidence): Reservation[] | null {
  const result = commands['reservations']
  if (result?.exitCode !== 0) return null
  return result.stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [address = '', container = ''] = line.split(' ')
      return { address, container }
    })
}

function judgeReleased(evidence: Evidence): Outcome {
  const expected = { en: 'no reservation of job-1 to job-5', zh: 'job-1 到 job-5 都没有登记' }
  const all = reserved(evidence)
  if (!all)
    return notYet(expected, {
      en: `worker has no /var/lib/cni/networks/${network}`,
      zh: `worker 上没有 /var/lib/cni/networks/${network}`,
    })
  const left = all.filter(({ container }) => dead.test(container))
  if (left.length === 0) return pass()
  return notYet(expected, verbatim(left.map(({ address, container }) => `${address} ${container}`).join(', ')), {
    hint: left.length < 5 ? 1 : 0,
  })
}

function judgeAddress(evidence: Evidence): Outcome {
  const expected = { en: `eth0 in web, of ${subnet}, reserved by host-local`, zh: `web 里的 eth0，属于 ${subnet}，由 host-local 登记` }
  const state = evidence.network['worker']
  if (!state) return waiting(expected, { en: 'worker does not answer', zh: 'worker 没有应答' })
  if (!state.namespaces['web']) return notYet(expected, { en: 'netns web is gone', zh: '网络命名空间 web 不见了' })
  const device = linkOf(state, 'web', 'eth0')
  if (!device) return notYet(expected, { en: 'web has no eth0', zh: 'web 里没有 eth0' }, { hint: 0 })
  const address = device.addresses.find((one) => inSubnet.test(one))
  if (!address) return notYet(expected, verbatim(`eth0 ${device.addresses.join(' ') || '-'}`), { hint: 0 })
  const record = reserved(evidence)?.find((one) => address.startsWith(`${one.address}/`))
  if (!record || dead.test(record.container))
    return notYet(expected, { en: `${address} is not reserved for it`, zh: `${address} 没有登记给它` }, { hint: 0 })
  return pass(verbatim(`${address} ${record.container}`))
}

function judgeMasquerade({ network: seen }: Evidence): Outcome {
  const expected = {
    en: 'a rule of the plugin in POSTROUTING (its comment says name: "lab")',
    zh: 'POSTROUTING 里有插件建的规则（注释里写着 name: "lab"）',
  }
  const rules = namespaceOf(seen['worker']).rules.filter((rule) => rule.startsWith('-t nat -A POSTROUTING'))
  const address = linkOf(seen['worker'], 'web', 'eth0')
    ?.addresses.find((one) => inSubnet.test(one))
    ?.split('/')[0]
  if (address && rules.some((rule) => rule.includes(`-s ${address}/32`) && /name: \\"lab\\" id: /.test(rule) && / -j CNI-/.test(rule)))
    return pass()
  const own = rules.find((rule) => rule.includes(' 10.99.0.'))
  return notYet(expected, own ? verbatim(own) : { en: 'there is none for web', zh: '没有给 web 的规则' }, { hint: 0 })
}

function judgePing({ commands, network: seen }: Evidence, name: string, expected: Text, hint: number): Outcome {
  const { sent, received } = pingResult(commands[name])
  if (!seen['worker']) return waiting(expected, { en: 'worker does not answer', zh: 'worker 没有应答' })
  if (sent === 0) return notYet(expected, { en: 'nothing could be sent', zh: '一个包也发不出去' }, { hint })
  return received === sent
    ? pass()
    : notYet(expected, { en: `${received} of ${sent} answered`, zh: `${sent} 个包里有 ${received} 个应答` }, { hint })
}
