import { numberOf, type SeenPacket } from '../../network/capture.ts'
import type { Link, Stack } from '../../network/stack.ts'
import type { Process } from '../kernel/process.ts'
import { formatTime } from './format.ts'
import { last, parseOptions } from './options.ts'
import { type Filter, FilterFault, parseFilter, services } from './tcpdump-filter.ts'

const version = 'tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)\nOpenSSL 3.0.19 27 Jan 2026\n'

interface Style {
  numeric: boolean
  ethernet: boolean
  verbose: boolean
  quick: boolean
  /** How often -t was given. */
  time: number
  any: boolean
}

/** Shows the packets that pass a device, as they pass, until it is interrupted or has seen enough. */
export async function tcpdump(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'i:nc:evqts:lUpKSDw:r:AxXhNQ:B:', {
    'interface=': 'i',
    'list-interfaces': 'D',
    'count=': 'z',
    version: 'V',
    help: 'h',
    'immediate-mode': 'I',
    'snapshot-length=': 's',
    'no-promiscuous-mode': 'p',
    number: '#',
    print: 'P',
  })
  const { flags } = options
  if (flags.has('V') || flags.has('h')) {
    await process.print(version)
    return 0
  }
  if (options.unknown !== undefined || options.missing !== undefined) {
    const what =
      options.missing === undefined ? `invalid option -- '${options.unknown}'` : `option requires an argument -- '${options.missing}'`
    await process.complain(`tcpdump: ${what}\n${version}Usage: tcpdump [-DdeflnNOpqtuUvxX#] [ -c count ] [ -i interface ] [ expression ]\n`)
    return 1
  }
  for (const [letter, what] of [
    ['w', 'packets are modelled here, not made of bytes: there is nothing to write into a file'],
    ['r', 'no packet files on the embedded engine'],
    ['A', 'packets are modelled here, not made of bytes: there are none to print'],
    ['x', 'packets are modelled here, not made of bytes: there are none to print'],
    ['X', 'packets are modelled here, not made of bytes: there are none to print'],
  ] as const) {
    if (flags.has(letter)) return await process.fail(`-${letter}: ${what}; the kind engine has them`)
  }
  const { network } = process.machine
  const stack = network.node?.stack ?? network.stack
  if (!stack || !network.capture) return await process.fail('no suitable device found')
  if (flags.has('D')) {
    await process.print(
      devicesOf(stack)
        .map((text, index) => `${index + 1}.${text}\n`)
        .join(''),
    )
    return 0
  }
  const device = last(options, 'i') ?? stack.links.find(({ kind, up }) => kind === 'ethernet' && up)?.name ?? 'any'
  if (process.uid !== 0) {
    await process.complain(
      `tcpdump: ${device}: You don't have permission to perform this capture on that device\n(socket: Operation not permitted)\n`,
    )
    return 1
  }
  const link = stack.link(device)
  if (!link && device !== 'any') {
    await process.complain(`tcpdump: ${device}: No such device exists\n(No such device exists)\n`)
    return 1
  }
  if (link && !link.up) {
    await process.complain(`tcpdump: ${device}: That device is not up\n`)
    return 1
  }
  let filter: Filter
  try {
    filter = parseFilter(options.operands.join(' '))
  } catch (error) {
    if (!(error instanceof FilterFault)) throw error
    return await process.fail(error.message)
  }
  const count = last(options, 'c')
  if (count !== undefined && !(Number(count) > 0)) return await process.fail(`invalid packet count ${count}`)
  const style: Style = {
    numeric: flags.has('n'),
    ethernet: flags.has('e'),
    verbose: flags.has('v'),
    quick: flags.has('q'),
    time: flags.get('t') ?? 0,
    any: device === 'any',
  }
  const kind = style.any ? 'LINUX_SLL2 (Linux cooked v2)' : 'EN10MB (Ethernet)'
  const listening = `listening on ${device}, link-type ${kind}, snapshot length 262144 bytes\n`
  await process.complain(
    `${style.any ? 'tcpdump: data link type LINUX_SLL2\n' : ''}tcpdump: ${
      style.verbose ? '' : 'verbose output suppressed, use -v[v]... for full protocol decode\n'
    }${listening}`,
  )
  return await watch(process, device, filter, Number(count ?? Number.POSITIVE_INFINITY), style)
}

async function watch(process: Process, device: string, filter: Filter, most: number, style: Style): Promise<number> {
  const queue: SeenPacket[] = []
  let taken = 0
  let interrupted = false
  let wake = () => {}
  for (const signal of ['INT', 'TERM'] as const) {
    process.trap(signal, () => {
      interrupted = true
      wake()
    })
  }
  using _listening = process.machine.network.capture?.((packet) => {
    if ((device !== 'any' && packet.hop.device !== device) || taken >= most || !filter(packet)) return
    taken++
    queue.push(packet)
    wake()
  })
  let shown = 0
  for (;;) {
    const packet = queue.shift()
    if (packet) {
      await process.print(`${packetText(packet, style)}\n`)
      if (++shown >= most) break
    } else if (interrupted) break
    else {
      await process.block<void>((resolve) => {
        wake = resolve
      })
    }
  }
  if (interrupted) await process.print('\n')
  const packets = (number: number) => `${number} packet${number === 1 ? '' : 's'}`
  await process.complain(`${packets(shown)} captured\n${packets(taken)} received by filter\n${packets(0)} dropped by kernel\n`)
  return 0
}

/** One packet as tcpdump prints it; what is inside a tunnel on lines of its own. */
function packetText(packet: SeenPacket, style: Style): string {
  const { hop } = packet
  const micros = Math.floor((packet.time % 1) * 1000)
  const clock = `${formatTime('%T', packet.time)}.${String(Math.floor(packet.time % 1000)).padStart(3, '0')}${String(micros).padStart(3, '0')} `
  const time = style.time === 1 ? '' : style.time >= 4 ? `${formatTime('%F', packet.time)} ${clock}` : clock
  const device = style.any ? `${hop.device.padEnd(5)} ${hop.direction.padEnd(3)} ` : ''
  const ip = ipText(packet, style)
  if (!hop.tunnel) return `${time}${device}${framed(packet, style, hop.sourceMac, hop.destinationMac, ip.length, ip.text, style.any)}`
  const { tunnel } = hop
  const inner = { ...hop, tunnel: undefined }
  const frame = ip.length + 14
  const length = frame + 36
  const port = 32_768 + (numberOf(`${hop.source.ip}:${hop.source.port}>${hop.destination.ip}:${hop.destination.port}`) % 28_232)
  const is =
    tunnel.port === 4789 ? `VXLAN, flags [I] (0x08), vni ${tunnel.vni}` : `OTV, flags [I] (0x08), overlay 0, instance ${tunnel.vni}`
  const what = style.quick ? `UDP, length ${frame + 8}` : is
  const head = header(style, { ttl: 64, id: numberOf(`${packet.time}`) % 65_536, flags: 'none', protocol: 'UDP (17)', length })
  const outer = `${head}${tunnel.source}.${port} > ${tunnel.destination}.${tunnel.port}: ${what}`
  const first = framed(packet, style, hop.sourceMac, hop.destinationMac, length, outer, style.any)
  if (style.quick) return `${time}${device}${first}`
  const within = framed(
    { ...packet, hop: inner as SeenPacket['hop'] },
    style,
    tunnel.sourceMac,
    tunnel.destinationMac,
    ip.length,
    ip.text,
    false,
  )
  return `${time}${device}${first}\n${within}`
}

/** With -e the frame's addresses, kind and length come first. */
function framed({ hop, content }: SeenPacket, style: Style, from: string, to: string, length: number, text: string, any: boolean): string {
  const [name, number, short] = content.type === 'ARP' && !hop.tunnel ? ['ARP', '0x0806', 'ARP, '] : ['IPv4', '0x0800', 'IP ']
  if (!style.ethernet) return `${short}${text}`
  if (any) return `ifindex ${hop.index} ${from} ethertype ${name} (${number}), length ${length + 20}: ${text}`
  return `${from} > ${to}, ethertype ${name} (${number}), length ${length + 14}: ${text}`
}

function header(
  style: Style,
  { ttl, id, flags, protocol, length }: { ttl: number; id: number; flags: string; protocol: string; length: number },
): string {
  return style.verbose ? `(tos 0x0, ttl ${ttl}, id ${id}, offset 0, flags [${flags}], proto ${protocol}, length ${length})\n    ` : ''
}

/** What is in the frame, and its length in bytes. */
function ipText({ hop, content, time }: SeenPacket, style: Style): { text: string; length: number } {
  const { source, destination, ttl } = hop
  if (content.type === 'ARP') return { text: `${style.verbose ? 'Ethernet (len 6), IPv4 (len 4), ' : ''}${content.text}`, length: 28 }
  const id = numberOf(`${source.ip}/${Math.floor(time * 1000)}`) % 65_536
  const port = (number: number) => {
    const name = style.numeric ? undefined : Object.keys(services).find((each) => services[each] === number)
    return name ?? String(number)
  }
  if (content.type === 'ICMP') {
    const length = content.length + 20
    const head = header(style, { ttl, id, flags: content.text.includes('request') ? 'DF' : 'none', protocol: 'ICMP (1)', length })
    const text = /^echo/.test(content.text) ? content.text : `${content.text}, length ${content.length}`
    return { text: `${head}${source.ip} > ${destination.ip}: ICMP ${text}`, length }
  }
  const ends = `${source.ip}.${port(source.port)} > ${destination.ip}.${port(destination.port)}`
  if (content.type === 'UDP') {
    const length = content.length + 28
    const head = header(style, { ttl, id, flags: 'DF', protocol: 'UDP (17)', length })
    return { text: `${head}${ends}: ${(!style.quick && content.text) || `UDP, length ${content.length}`}`, length }
  }
  const { flags, seq, ack, payload } = content
  const opens = flags.startsWith('S')
  const reset = flags.startsWith('R')
  const length = 20 + (opens ? 40 : reset ? 20 : 32) + payload.length
  const head = header(style, { ttl, id: flags === 'S.' ? 0 : id, flags: 'DF', protocol: 'TCP (6)', length })
  if (style.quick) return { text: `${head}${ends}: tcp ${payload.length}`, length }
  const stampOf = (ip: string) => (numberOf(ip) + Math.floor(time)) >>> 0
  const stamps = `TS val ${stampOf(source.ip)} ecr ${flags === 'S' ? 0 : stampOf(destination.ip)}`
  const parts = [
    `Flags [${flags}]`,
    ...(style.verbose ? [`cksum 0x${(numberOf(`${seq}/${ack}/${flags}`) % 65_536).toString(16).padStart(4, '0')} (correct)`] : []),
    ...(flags === '.' ? [] : [`seq ${seq}${payload.length > 0 ? `:${seq + payload.length}` : ''}`]),
    ...(flags === 'S' ? [] : [`ack ${ack}`]),
    `win ${reset ? 0 : flags === 'S' ? 64_240 : flags === 'S.' ? 65_160 : 63}`,
    ...(reset ? [] : [opens ? `options [mss 1460,sackOK,${stamps},nop,wscale 10]` : `options [nop,nop,${stamps}]`]),
    `length ${payload.length}`,
  ]
  return { text: `${head}${ends}: ${parts.join(', ')}${httpText(payload, source.port, destination.port, style)}`, length }
}

/** tcpdump looks into what goes over the usual ports of HTTP. */
function httpText(payload: Uint8Array, from: number, to: number, { verbose }: Style): string {
  if (payload.length === 0 || ![80, 8080, 3128].some((port) => port === from || port === to)) return ''
  const text = Buffer.from(payload).toString('latin1')
  const begins = /^(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|HTTP\/1\.\d) ?/.test(text)
  if (!verbose) return begins ? `: HTTP: ${text.split('\r\n')[0]}` : ': HTTP'
  const head = begins ? (text.split('\r\n\r\n')[0] ?? '') : ''
  const lines = begins ? [...head.split('\r\n'), ''].map((line) => `\n\t${line}`).join('') : ''
  return `: HTTP, length: ${payload.length}${lines}`
}

function devicesOf(stack: Stack): string[] {
  const up = ({ up: isUp, kind }: Link) => (isUp ? ` [${kind === 'loopback' ? 'Loopback' : 'Up, Running, Connected'}]` : ' [none]')
  const loopback = stack.links.filter(({ kind }) => kind === 'loopback')
  const others = stack.links.filter(({ kind }) => kind !== 'loopback').toSorted((one, other) => Number(other.up) - Number(one.up))
  return [
    ...others.map((link) => `${link.name}${up(link)}`),
    'any (Pseudo-device that captures on all interfaces) [Up, Running]',
    ...loopback.map((link) => `${link.name}${up(link)}`),
  ]
}
