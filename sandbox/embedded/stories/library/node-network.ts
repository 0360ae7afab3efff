import type { Pod, Service } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podReady } from './states.ts'

/** What somebody at a shell of the node does to its network, and what is reached then. */

const follows = ['Pod', 'Service'] as const

const pods = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "nginx:1.27"}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "busybox:1.36", command: [sleep, "3600"]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`

interface Place {
  node: string
  nodeIP: string
  web: string
  client: string
  service: string
  /** Names of the Pods' network namespaces. */
  webSpace: string
  clientSpace: string
}

/** Two Pods and a Service on the only node, and what they are called. */
async function settle(scene: Scene): Promise<Place> {
  await scene.apply(pods)
  await scene.until('both run', () => podReady(scene, 'web')() && podReady(scene, 'client')())
  await scene.wait(3)
  const ipOf = (name: string) => scene.one<Pod>('Pod', name)?.status?.podIP ?? ''
  const { spec, status } = scene.one<Pod>('Pod', 'web') ?? {}
  const node = spec?.nodeName ?? ''
  const space = async (ip: string) => {
    const find = `for n in $(ip netns list | cut -d' ' -f1); do ip netns exec $n ip -4 -o addr show dev eth0 | grep -qw ${ip} && echo $n; done`
    return (await scene.onNode(node, find)).trim()
  }
  const [web, client] = [ipOf('web'), ipOf('client')]
  const service = scene.one<Service>('Service', 'web')?.spec?.clusterIP ?? ''
  return { node, nodeIP: status?.hostIP ?? '', web, client, service, webSpace: await space(web), clientSpace: await space(client) }
}

/** Status and curl's exit code, from the node itself or from the client's Pod. */
async function reach(scene: Scene, place: Place, what: string, from: 'node' | 'pod', target: string): Promise<void> {
  scene.note(`${what}: ${await answerOf(scene, place, from, target)}`)
}

async function answerOf(scene: Scene, { clientSpace, node }: Place, from: 'node' | 'pod', target: string): Promise<string> {
  const enter = from === 'pod' ? `ip netns exec ${clientSpace} ` : ''
  return (await scene.onNode(node, `${enter}curl -s -m 3 -o /dev/null -w '%{http_code}' http://${target}; echo " $?"`)).trim()
}

/** Whether the web server answers. What else may answer for an address, or say that nobody does, is not the node's to decide. */
async function noteReached(scene: Scene, place: Place, what: string, from: 'node' | 'pod', target: string): Promise<void> {
  const [code] = (await answerOf(scene, place, from, target)).split(' ')
  scene.note(`${what}: ${code === '200'}`)
}

/** Who the server saw last: the client, the node, or the node's end of the Pod's cable. */
async function noteCaller(scene: Scene, { client, nodeIP, web }: Place, what: string): Promise<void> {
  await scene.wait(1)
  const [caller] = (await scene.logs('web', { tailLines: 1 })).split(' ')
  const gateway = web.replace(/\d+$/, '1')
  const known = { [client]: 'the client', [nodeIP]: 'the node', [gateway]: 'the gateway' }
  scene.note(`${what}: ${known[caller ?? ''] ?? caller}`)
}

/** Sets the rules, looks, and takes them away again. */
async function withRules(scene: Scene, { node }: Place, rules: readonly string[], look: () => Promise<void>): Promise<void> {
  const set = (each: string) => `iptables ${each}`
  const taken = (each: string) => `iptables ${each.replace(/-[AI] (\S+)( 1)?/, '-D $1')}`
  const told = await scene.onNode(node, rules.map(set).join('; '))
  if (told) scene.note(told)
  try {
    await look()
  } finally {
    const end = await scene.onNode(node, rules.map(taken).join('; '))
    if (end) scene.note(end)
  }
}

export const nodeNetworkStories: readonly Story[] = [
  {
    name: 'rules-that-lead-elsewhere',
    follows,
    oneNode: true,
    async play(scene) {
      const place = await settle(scene)
      const { nodeIP, web, service } = place
      const port = `${nodeIP}:8888/`
      const both = (match: string, target: string) => [`-t nat -A PREROUTING ${match} ${target}`, `-t nat -A OUTPUT ${match} ${target}`]
      await reach(scene, place, 'a port of the node', 'node', port)
      await withRules(scene, place, both(`-p tcp -d ${nodeIP} --dport 8888`, `-j DNAT --to-destination ${web}:80`), async () => {
        await reach(scene, place, 'with a rule, from the node', 'node', port)
        await noteCaller(scene, place, 'who came from the node')
        await reach(scene, place, 'with a rule, from a Pod', 'pod', port)
        await noteCaller(scene, place, 'who came from a Pod')
        await reach(scene, place, 'another port', 'pod', `${nodeIP}:8889/`)
      })
      await reach(scene, place, 'without the rule', 'pod', port)
      const onlyOut = [`-t nat -A OUTPUT -p tcp -d ${nodeIP} --dport 8888 -j DNAT --to-destination ${web}:80`]
      await withRules(scene, place, onlyOut, async () => {
        await reach(scene, place, 'a rule for the node, from the node', 'node', port)
        await reach(scene, place, 'a rule for the node, from a Pod', 'pod', port)
      })
      const redirect = [`-t nat -A PREROUTING -p tcp -d ${nodeIP} --dport 7777 -j REDIRECT --to-ports 10256`]
      await withRules(scene, place, redirect, async () => {
        await reach(scene, place, 'sent to a port of the node itself', 'pod', `${nodeIP}:7777/healthz`)
      })
      const wrong = both(`-p tcp -d ${nodeIP} --dport 8888`, `-j DNAT --to-destination ${web}:81`)
      await withRules(scene, place, wrong, async () => {
        await reach(scene, place, 'a rule to a port where nobody listens', 'pod', port)
      })
      const chain = ['-t nat -N STORY', `-t nat -A STORY -p tcp -j DNAT --to-destination ${web}:80`]
      await scene.onNode(place.node, chain.map((each) => `iptables ${each}`).join('; '))
      await withRules(scene, place, [`-t nat -A PREROUTING -p tcp -d ${nodeIP} --dport 8888 -j STORY`], async () => {
        await reach(scene, place, 'by a chain of its own', 'pod', port)
        scene.note((await scene.onNode(place.node, 'iptables -t nat -X STORY')).trim())
      })
      await scene.onNode(place.node, 'iptables -t nat -F STORY; iptables -t nat -X STORY')
      await reach(scene, place, 'the Service, from a Pod', 'pod', service)
      await withRules(
        scene,
        place,
        both(`-d ${service}`, '-j ACCEPT').map((rule) => rule.replace(/-A (\w+)/, '-I $1 1')),
        async () => {
          await noteReached(scene, place, 'the Service left to itself, from a Pod', 'pod', service)
          await noteReached(scene, place, 'the Service left to itself, from the node', 'node', service)
        },
      )
      await reach(scene, place, 'the Service, from the node', 'node', service)
    },
  },
  {
    name: 'rules-that-hide-the-caller',
    follows,
    oneNode: true,
    async play(scene) {
      const place = await settle(scene)
      const { web, client, nodeIP } = place
      const comes = async (how: string) => {
        await reach(scene, place, how, 'pod', web)
        await noteCaller(scene, place, 'who came')
      }
      await comes('as it is')
      await withRules(scene, place, [`-t nat -I POSTROUTING 1 -p tcp -d ${web} -j MASQUERADE`], () => comes('masqueraded'))
      const named = [`-t nat -I POSTROUTING 1 -p tcp -s ${client} -d ${web} -j SNAT --to-source ${nodeIP}`]
      await withRules(scene, place, named, () => comes('by the name of the node'))
      await comes('as it was')
    },
  },
  {
    name: 'rules-that-keep-out',
    follows,
    oneNode: true,
    async play(scene) {
      const place = await settle(scene)
      const { web, client, service, nodeIP } = place
      await withRules(scene, place, [`-I FORWARD 1 -d ${web} -j DROP`], async () => {
        await reach(scene, place, 'dropped, from a Pod', 'pod', web)
        await reach(scene, place, 'dropped, by the Service', 'pod', service)
        await reach(scene, place, 'dropped, from the node', 'node', web)
      })
      await withRules(scene, place, [`-I FORWARD 1 -p tcp -d ${web} --dport 80 -j REJECT`], async () => {
        await reach(scene, place, 'rejected, from a Pod', 'pod', web)
        await reach(scene, place, 'rejected, by the Service', 'pod', service)
      })
      await withRules(scene, place, [`-I OUTPUT 1 -p tcp -d ${web} -j REJECT --reject-with tcp-reset`], async () => {
        await reach(scene, place, 'rejected on its way out, from the node', 'node', web)
        await reach(scene, place, 'rejected on its way out, from a Pod', 'pod', web)
      })
      await withRules(scene, place, [`-I INPUT 1 -s ${client} -p tcp --dport 10256 -j DROP`], async () => {
        await reach(scene, place, 'the node, from a Pod it hides from', 'pod', `${nodeIP}:10256/healthz`)
        await reach(scene, place, 'the node, from itself', 'node', `${nodeIP}:10256/healthz`)
      })
      await withRules(scene, place, [`-I FORWARD 1 -s ${web} -j DROP`], async () => {
        await reach(scene, place, 'what answers is dropped', 'pod', web)
      })
      await withRules(scene, place, [`-t raw -A PREROUTING -d ${web} -j DROP`], async () => {
        await reach(scene, place, 'dropped before it is looked at', 'pod', web)
      })
      await reach(scene, place, 'at last', 'pod', web)
    },
  },
  {
    name: 'cable-into-a-pod',
    follows,
    oneNode: true,
    async play(scene) {
      const place = await settle(scene)
      const { node, webSpace } = place
      const inside = `ip netns exec ${webSpace}`
      const on = async (what: string, line: string) => {
        const told = await scene.onNode(node, line)
        scene.note(
          `${what}: ${told
            .trim()
            .replaceAll(/@if\d+/g, '@<peer>')
            .replaceAll(/ +/g, ' ')}`,
        )
      }
      await on('made', 'ip link add story0 type veth peer name story1 && ip link show story1 > /dev/null && echo there')
      await on('moved', `ip link set story1 netns ${webSpace}; ip link show story1`)
      await on('inside', `${inside} ip -o link show story1 | grep -oE "story1|state [A-Z]+|mtu [0-9]+"`)
      await on('addressed', `ip addr add 192.168.77.1/24 dev story0; ${inside} ip addr add 192.168.77.2/24 dev story1`)
      await noteReached(scene, place, 'while it is down', 'node', '192.168.77.2')
      await on('up', `ip link set story0 up; ${inside} ip link set story1 up`)
      await scene.wait(1)
      await on('state', 'ip -o link show story0 | grep -oE "state [A-Z]+"')
      await on('routes inside', `${inside} ip route | grep 192.168.77`)
      await reach(scene, place, 'by the new cable', 'node', '192.168.77.2')
      await noteReached(scene, place, 'from another Pod', 'pod', '192.168.77.2')
      await scene.wait(1)
      const [caller] = (await scene.logs('web', { tailLines: 2 })).split(' ')
      scene.note(`who came first: ${caller === '192.168.77.1' ? 'the other end' : caller}`)
      await on('one end down', `ip link set story0 down; ${inside} ip -o link show story1 | grep -oE "NO-CARRIER|state [A-Z]+"`)
      await noteReached(scene, place, 'with one end down', 'node', '192.168.77.2')
      await reach(scene, place, 'by its own address', 'node', place.web)
      await on('taken away', `ip link del story0; ${inside} ip link show story1`)
    },
  },
]
