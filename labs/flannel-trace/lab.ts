import { allNodes, type NodeSeen, nodeCalled, noted, notesIn, onFlannel } from '../../sandbox/check/flannel.ts'
import { defineLab, type Evidence, notYet, type Outcome, pass, type Text, verbatim } from '../../sandbox/check/kit.ts'
import { namespaceOf } from '../../sandbox/check/network.ts'
import { as, type Pod } from '../../sandbox/check/objects.ts'

const namespace = 'default'

export const lab = defineLab({
  slug: 'flannel-trace',
  minutes: 20,
  ...onFlannel,
  collect: {
    nodes: allNodes,
    pods: { kind: 'objects', selector: { group: '', version: 'v1', resource: 'pods', namespace } },
    trace: notesIn('trace'),
    worker: { kind: 'network', node: 'worker' },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'cidr',
          points: 2,
          label: { en: 'cidr: the podCIDR that y has its address from', zh: 'cidr：y 的地址取自哪个 podCIDR' },
          why: {
            en: 'Every node owns one piece of the Pod network. The routes of all others are made of these pieces.',
            zh: '每个节点在 Pod 网络里占一块，其他节点的路由就是按这些块写的。',
          },
          judge: (evidence) => compare(evidence, 'cidr', ({ far }) => far.podCIDR),
        },
      ],
    },
    {
      id: 't2',
      criteria: [
        {
          id: 'hop',
          points: 1,
          label: { en: 'hop: the next hop of that route on worker', zh: 'hop：worker 上这条路由的下一跳' },
          why: {
            en: 'It is an address on flannel.1 of the other node, not of any card.',
            zh: '它是对端节点 flannel.1 的地址，不是哪块网卡的地址。',
          },
          judge: (evidence) => compare(evidence, 'hop', ({ hop }) => hop),
        },
        {
          id: 'device',
          points: 1,
          label: { en: 'device: the device it leaves through', zh: 'device：从哪个设备出去' },
          why: {
            en: 'What leaves through flannel.1 is wrapped before it reaches the card.',
            zh: '从 flannel.1 出去的包，到网卡之前会先被封装。',
          },
          judge: (evidence) => compare(evidence, 'device', ({ device }) => device),
        },
      ],
    },
    {
      id: 't3',
      criteria: [
        {
          id: 'mac',
          points: 3,
          label: { en: 'mac: to which MAC the inner frame is addressed', zh: 'mac：内层帧发往哪个 MAC' },
          why: {
            en: 'The inner frame is for the far flannel.1. The MAC of a card stands outside, that of a Pod only behind the far bridge.',
            zh: '内层帧是发给对端 flannel.1 的。网卡的 MAC 在外层，Pod 的 MAC 要过了对端网桥才出现。',
          },
          judge: (evidence) => compare(evidence, 'mac', ({ mac }) => mac, mistakeInMAC),
        },
      ],
    },
    {
      id: 't4',
      criteria: [
        {
          id: 'outer',
          points: 3,
          label: { en: 'outer: address:port that the UDP packet goes to', zh: 'outer：UDP 包发往的 地址:端口' },
          why: {
            en: 'This is all that the network between the nodes gets to see, and all that a firewall can let through or not.',
            zh: '节点之间的网络看到的只有这个，防火墙能放行或拦下的也只有这个。',
          },
          judge: (evidence) => compare(evidence, 'outer', ({ outer }) => outer, mistakeInOuter),
        },
      ],
    },
  ],
})

/** The way of a packet from x to y as it is now, from worker's own tables. */
interface Way {
  far: NodeSeen
  y: string
  hop: string
  device: string
  mac: string
  outer: string
}

function wayOf(evidence: Evidence): Way | null {
  const far = nodeCalled(evidence.objects['nodes'], 'worker2')
  const y = as<Pod>(evidence.objects['pods']).find(({ metadata }) => metadata.name === 'y')?.status?.podIP
  const { routes, neighbours, fdb, links } = namespaceOf(evidence.network['worker'])
  const route = routes.find(({ to }) => to === far?.podCIDR)
  if (!far || !y || !route?.via) return null
  const mac = neighbours.find(({ address, device }) => address === route.via && device === route.device)?.mac ?? ''
  const to = fdb.find((entry) => entry.mac === mac && entry.device === route.device)?.to ?? ''
  const port = links.find(({ name }) => name === route.device)?.vxlan?.port
  return { far, y, hop: route.via, device: route.device, mac, outer: `${to}:${port}` }
}

type Mistake = (given: string, way: Way, evidence: Evidence) => Text | undefined

function compare(evidence: Evidence, key: string, right: (way: Way) => string, mistake?: Mistake): Outcome {
  const expected = { en: `${key} as the tables of worker have it`, zh: `与 worker 的表一致的 ${key}` }
  const way = wayOf(evidence)
  if (!way) return notYet(expected, { en: 'worker has no route to the Pods of worker2', zh: 'worker 没有通往 worker2 上 Pod 的路由' })
  const given = noted(evidence.objects['trace'], 'trace', key)
  if (given === undefined)
    return notYet(expected, { en: `ConfigMap trace has no key ${key} yet`, zh: `ConfigMap trace 里还没有键 ${key}` }, { hint: 0 })
  if (given.toLowerCase() === right(way).toLowerCase()) return pass(verbatim(given))
  return notYet(expected, mistake?.(given.toLowerCase(), way, evidence) ?? verbatim(given || '""'), { hint: 1 })
}

function mistakeInMAC(given: string, { far, y }: Way, evidence: Evidence): Text | undefined {
  const { neighbours, links } = namespaceOf(evidence.network['worker'])
  if (neighbours.some(({ mac, address }) => mac === given && address === far.address))
    return { en: `${given} is the card of worker2: outer header`, zh: `${given} 是 worker2 的网卡，属于外层头部` }
  const own = links.find(({ mac }) => mac === given)
  if (own) return { en: `${given} is ${own.name} of worker itself`, zh: `${given} 是 worker 自己的 ${own.name}` }
  return given === y ? { en: 'that is an address, not a MAC', zh: '这是 IP 地址，不是 MAC' } : undefined
}

function mistakeInOuter(given: string, { y, hop, outer }: Way): Text | undefined {
  const [address, port] = given.split(':')
  if (address === y) return { en: `${y} is inside: the Pod's own address`, zh: `${y} 在内层，是 Pod 自己的地址` }
  if (address === hop) return { en: `${hop} is the next hop inside the overlay`, zh: `${hop} 是覆盖网络里的下一跳` }
  const [rightAddress, rightPort] = outer.split(':')
  return address === rightAddress && port !== rightPort
    ? { en: `the address is right; port ${port ?? 'missing'}`, zh: `地址对了；端口是 ${port ?? '空的'}` }
    : undefined
}
