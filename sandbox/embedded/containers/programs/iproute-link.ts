import { macOf, netnsOf, type Stack, StackError, vxlanOverhead } from '../../network/stack.ts'
import type { Process } from '../kernel/process.ts'
import { namespacesOf } from './nsenter.ts'

/** The smallest packets that IPv4 has to get through, bytes. */
const smallestMtu = 68

/** `ip link add`: a bridge, a vxlan device, a dummy, or a pair of veths whose second end may be in another namespace. Throws StackError. */
export function addLink(process: Process, stack: Stack, place: string, words: readonly string[]): void {
  const at = words.indexOf('type')
  const type = at === -1 ? undefined : words[at + 1]
  if (type === undefined) throw new StackError('EINVAL', 'Not enough information: "type" argument is required', 1)
  const [own, more] = [words.slice(0, at), words.slice(at + 2)]
  const name = after(own, 'name') ?? after(own, 'dev') ?? own[0] ?? unused(stack, type)
  const mtu = (fallback: number, from = own) => mtuOf(from) ?? fallback
  const mac = (each: string, from = own) =>
    after(from, 'address') ?? macOf(`${process.machine.hostname}/${place}/${each}/${process.machine.random()}`)
  if (type === 'bridge') stack.addLink({ name, kind: 'bridge', mac: mac(name), mtu: mtu(1500), up: false, queue: 1000 })
  else if (type === 'dummy') stack.addLink({ name, kind: 'dummy', mac: mac(name), mtu: mtu(1500), up: false, queue: 1000 })
  else if (type === 'vxlan') {
    const id = after(more, 'id') ?? after(more, 'vni')
    if (id === undefined) throw new StackError('EINVAL', 'vxlan: missing virtual network identifier', 1)
    const dev = after(more, 'dev')
    const local = after(more, 'local') ?? stack.addressOf(dev ?? 'eth0') ?? ''
    const port = Number(after(more, 'dstport') ?? 8472)
    const vxlan = { id: Number(id), local, ...(dev !== undefined && { dev }), port, learning: !more.includes('nolearning') }
    const most = dev === undefined ? Number.POSITIVE_INFINITY : (stack.link(dev)?.mtu ?? 1500) - vxlanOverhead
    stack.addLink({ name, kind: 'vxlan', mac: mac(name), mtu: Math.min(mtu(1500), most), up: false, vxlan, queue: 1000 })
  } else if (type === 'veth') {
    const namespaces = namespacesOf(process)
    if (!namespaces) throw new StackError('EOPNOTSUPP', 'RTNETLINK answers: Operation not supported')
    const [, ...peer] = more[0] === 'peer' ? more : ['']
    const other = after(peer, 'name') ?? (peer[0] !== undefined && peer[0] !== 'netns' ? peer[0] : unused(stack, type, name))
    const there = after(peer, 'netns')
    const first = { namespace: place, name, mac: mac(name), mtu: mtu(1500) }
    const second = {
      namespace: there === undefined ? place : namespaceOf(process, there),
      name: other,
      mac: mac(other, peer),
      mtu: mtu(first.mtu, peer),
    }
    namespaces.addPair([first, second])
  } else throw new StackError('EOPNOTSUPP', 'Error: Unknown device type.')
}

/** `ip link set`. Throws StackError. */
export function setLink(process: Process, stack: Stack, place: string, words: readonly string[]): void {
  const [first, ...others] = words
  const [name, rest] = first === 'dev' ? [others[0], others.slice(1)] : [first, others]
  if (name === undefined) throw new StackError('EINVAL', 'Not enough information: "dev" argument is required.', 255)
  const mtu = mtuOf(rest)
  const target = after(rest, 'netns')
  const namespace = target === undefined ? undefined : namespaceOf(process, target)
  const master = after(rest, 'master')
  const address = after(rest, 'address')
  stack.device(name)
  stack.setLink(name, {
    ...(rest.includes('up') && { up: true }),
    ...(rest.includes('down') && { up: false }),
    ...(mtu !== undefined && { mtu }),
    ...(address !== undefined && { mac: address }),
    ...(master !== undefined && { master }),
    ...(rest.includes('nomaster') && { master: null }),
  })
  const to = after(rest, 'name')
  if (to !== undefined) stack.rename(name, to)
  if (namespace === undefined) return
  const namespaces = namespacesOf(process)
  if (!namespaces) throw new StackError('EOPNOTSUPP', 'RTNETLINK answers: Operation not supported')
  namespaces.move(place, to ?? name, namespace)
}

/** A namespace by its name or by the number of a process in it; '' is the node's own. */
function namespaceOf(process: Process, name: string): string {
  if (namespacesOf(process)?.names().includes(name)) return name
  const inside = process.machine.others.find(({ pid, pod }) => `${pid}` === name || (pod && netnsOf(pod.uid) === name))
  if (name === '1' || (inside && !inside.network)) return ''
  if (inside?.pod) return netnsOf(inside.pod.uid)
  throw new StackError('EINVAL', `Error: argument "${name}" is wrong: Invalid "netns" value\n`, 255)
}

function mtuOf(words: readonly string[]): number | undefined {
  const text = after(words, 'mtu')
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new StackError('EINVAL', `Error: argument "${text}" is wrong: Invalid "mtu" value\n`, 255)
  if (Number(text) < smallestMtu) throw new StackError('EINVAL', 'Error: mtu less than device minimum.')
  return Number(text)
}

/** The first name of this kind that no device has. */
function unused(stack: Stack, type: string, taken?: string): string {
  for (let number = 0; ; number++) {
    const name = `${type}${number}`
    if (!stack.link(name) && name !== taken) return name
  }
}

function after(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name)
  return at === -1 ? undefined : words[at + 1]
}
