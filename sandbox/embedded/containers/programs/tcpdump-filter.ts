import { inCIDR, parseIPv4 } from '../../network/addresses.ts'
import type { SeenPacket } from '../../network/capture.ts'

/** A filter expression that cannot be read; the message is libpcap's. */
export class FilterFault extends Error {}

export type Filter = (packet: SeenPacket) => boolean

interface Outer {
  protocol: 'tcp' | 'udp' | 'icmp' | 'arp'
  source: string
  destination: string
  ports: [number, number] | undefined
}

/** The outermost packet of what is seen: of a tunnel's the one between the nodes. */
function outerOf({ hop, content }: SeenPacket): Outer {
  if (hop.tunnel) {
    const { source, destination, port } = hop.tunnel
    return { protocol: 'udp', source, destination, ports: [0, port] }
  }
  const protocol = content.type.toLowerCase() as Outer['protocol']
  const ports = protocol === 'tcp' || protocol === 'udp' ? ([hop.source.port, hop.destination.port] as [number, number]) : undefined
  return { protocol, source: hop.source.ip, destination: hop.destination.ip, ports }
}

const protocols = ['tcp', 'udp', 'icmp', 'arp', 'ip', 'ip6', 'ether', 'icmp6', 'sctp']
export const services: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  smtp: 25,
  domain: 53,
  http: 80,
  https: 443,
  mysql: 3306,
  postgresql: 5432,
  redis: 6379,
  'etcd-client': 2379,
  'etcd-server': 2380,
  'http-alt': 8080,
}

/**
 * pcap-filter's language as far as hosts, networks, ports and protocols go. Throws FilterFault.
 * @see https://www.tcpdump.org/manpages/pcap-filter.7.html
 */
export function parseFilter(text: string): Filter {
  const words = text.match(/[()]|&&|\|\||!|[^\s()!&|]+/g) ?? []
  let at = 0
  const peek = () => words[at]
  const take = () => words[at++]
  /** What the last primitive had before its value: "port 80 or 443". */
  let before: { protocol?: string; direction?: string; type?: string } = {}
  const syntax = () => new FilterFault("can't parse filter expression: syntax error")

  const any = (): Filter => {
    let left = every()
    while (peek() === 'or' || peek() === '||') {
      take()
      const [one, other] = [left, every()]
      left = (packet) => one(packet) || other(packet)
    }
    return left
  }
  const every = (): Filter => {
    let left = single()
    while (peek() === 'and' || peek() === '&&') {
      take()
      const [one, other] = [left, single()]
      left = (packet) => one(packet) && other(packet)
    }
    return left
  }
  const single = (): Filter => {
    if (peek() === 'not' || peek() === '!') {
      take()
      const inner = single()
      return (packet) => !inner(packet)
    }
    if (peek() === '(') {
      take()
      const inner = any()
      if (take() !== ')') throw syntax()
      return inner
    }
    return primitive()
  }
  const primitive = (): Filter => {
    const said: typeof before = {}
    if (protocols.includes(peek() ?? '')) said.protocol = take()
    const direction = peek()
    if (direction === 'src' || direction === 'dst') {
      take()
      said.direction = direction
      if ((peek() === 'or' || peek() === 'and') && (words[at + 1] === 'dst' || words[at + 1] === 'src')) {
        at += 2
        delete said.direction
      }
    }
    if (['host', 'net', 'port', 'portrange'].includes(peek() ?? '')) said.type = take()
    const value = peek()
    const closes = value === undefined || [')', 'and', 'or', '&&', '||'].includes(value)
    if (said.protocol && !said.direction && !said.type && closes) {
      before = said
      return ofProtocol(said.protocol)
    }
    if (closes || value === '(' || value === 'not' || value === '!') throw syntax()
    take()
    const isBare = !said.protocol && !said.direction && !said.type
    const full = isBare ? before : { type: 'host', ...said }
    if (isBare && !before.type && parseIPv4(value) === undefined) throw syntax()
    before = { type: 'host', ...full }
    const inner = match({ type: 'host', ...full }, value)
    const { protocol } = full
    return protocol ? (packet) => ofProtocol(protocol)(packet) && inner(packet) : inner
  }

  if (words.length === 0) return () => true
  const filter = any()
  if (at < words.length) throw syntax()
  return filter
}

function ofProtocol(name: string): Filter {
  if (name === 'ether') return () => true
  if (name === 'ip') return (packet) => outerOf(packet).protocol !== 'arp'
  return (packet) => outerOf(packet).protocol === name
}

function match({ protocol, direction, type }: { protocol?: string; direction?: string; type?: string }, value: string): Filter {
  const either = <T>(test: (side: T) => boolean, sides: [T, T] | undefined) =>
    sides !== undefined && ((direction !== 'dst' && test(sides[0])) || (direction !== 'src' && test(sides[1])))
  if (type === 'port' || type === 'portrange') {
    const [from = '', to = from] = type === 'port' ? [value] : value.split('-')
    const [low, high] = [from, to].map((text) => (/^\d+$/.test(text) ? Number(text) : services[text]))
    if (low === undefined || high === undefined) throw new FilterFault(`unknown port '${value}'`)
    if (low > 65_535 || high > 65_535) throw new FilterFault(`illegal port number ${value} > 65535`)
    return (packet) => either((port) => port >= low && port <= high, outerOf(packet).ports)
  }
  if (protocol === 'ether') {
    if (!/^[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}$/i.test(value)) throw new FilterFault(`unknown ether host '${value}'`)
    return ({ hop }) => either((mac) => mac === value.toLowerCase(), [hop.sourceMac, hop.destinationMac])
  }
  if (type === 'net') {
    const [address = '', bits] = value.split('/')
    const parts = address.split('.')
    const filled = [...parts, '0', '0', '0'].slice(0, 4).join('.')
    if (parseIPv4(filled) === undefined) throw new FilterFault(`unknown network '${value}'`)
    const block = `${filled}/${bits ?? parts.length * 8}`
    return (packet) => either((ip) => inCIDR(ip, block), sidesOf(packet))
  }
  if (/^\d+(?:\.\d+){3}$/.test(value) && parseIPv4(value) === undefined) throw new FilterFault(`invalid IPv4 address '${value}'`)
  if (parseIPv4(value) === undefined) throw new FilterFault(`unknown host '${value}'`)
  return (packet) => either((ip) => ip === value, sidesOf(packet))
}

/** Of ARP those that are asked for and that ask. */
function sidesOf(packet: SeenPacket): [string, string] {
  if (packet.content.type === 'ARP') {
    const addresses = packet.content.text.match(/\d+(?:\.\d+){3}/g) ?? []
    return [addresses[1] ?? addresses[0] ?? '', addresses[0] ?? '']
  }
  const { source, destination } = outerOf(packet)
  return [source, destination]
}
