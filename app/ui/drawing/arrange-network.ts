/** Where the devices of a network figure stand. Pure; lengths in the sheet's units (CSS px at scale 1). */
import type { Box } from './arrange.ts'

/** A host (or node) with what hangs between its Pods and its cable. */
export interface NetworkHost {
  name: string
  /** The address of eth0. */
  nic: string
  bridge?: { name: string; address?: string }
  /** A tunnel's end; `port`: plugged into the bridge, otherwise reached by a route. */
  tunnel?: { name: string; address?: string; port?: boolean }
  /** Network namespaces: containers or Pods. `loose`: no cable to the bridge. */
  spaces?: { name: string; address?: string; loose?: boolean }[]
}

export interface NetworkView {
  hosts: NetworkHost[]
  /** What is written at the cable between the hosts. */
  underlay?: string
  /** Names along the way: a space's, or 'host/bridge' 'host/tunnel' 'host/nic'. */
  path?: string[]
  /** It ends at the last of the path. */
  lost?: boolean
}

export interface Device extends Box {
  id: string
  kind: 'space' | 'bridge' | 'tunnel' | 'nic'
  name: string
  address: string
}

export interface Wire {
  from: [number, number]
  to: [number, number]
  /** Crossed by a route, not by a cable. */
  routed: boolean
}

export interface NetworkSheet {
  width: number
  height: number
  rooms: (Box & { name: string })[]
  devices: Device[]
  wires: Wire[]
  underlay: { y: number; from: number; to: number; text: string } | null
  path: [number, number][]
  /** Where the packet is drawn, and whether it travels inside another. */
  packet: { at: [number, number]; wrapped: boolean } | null
}

const space = { h: 46, gap: 8, most: 104 }
const nic = { w: 86, h: 38 }
const gap = 26

export function arrangeNetwork(view: NetworkView, width: number): NetworkSheet {
  const between = width < 400 ? 10 : 16
  const w = (width - between * (view.hosts.length - 1)) / view.hosts.length
  const has = (part: (host: NetworkHost) => unknown) => view.hosts.some((host) => part(host))
  const bridgeY = 14 + (has((host) => host.spaces?.length) ? space.h + gap : 0)
  const tunnelY = bridgeY + (has((host) => host.bridge) ? 30 + gap : 0)
  const nicY = tunnelY + (has((host) => host.tunnel) ? 38 + gap : 0)
  const wall = nicY + nic.h / 2 + 8
  const rooms: NetworkSheet['rooms'] = []
  const devices: Device[] = []
  const wires: Wire[] = []
  view.hosts.forEach((host, index) => {
    const x = index * (w + between)
    rooms.push({ name: host.name, x, y: 2, w, h: wall - 2 })
    const card: Device = { id: `${host.name}/nic`, kind: 'nic', name: 'eth0', address: host.nic, x: x + w - nic.w - 12, y: nicY, ...nic }
    devices.push(card)
    const middle = way(card)
    const bridge: Device | null = host.bridge
      ? {
          id: `${host.name}/bridge`,
          kind: 'bridge',
          name: host.bridge.name,
          address: host.bridge.address ?? '',
          x: x + 10,
          y: bridgeY,
          w: w - 20,
          h: 30,
        }
      : null
    if (bridge) devices.push(bridge)
    const spaces = host.spaces ?? []
    const each = Math.min(space.most, (w - 20 - space.gap * (spaces.length - 1)) / Math.max(1, spaces.length))
    spaces.forEach(({ name, address = '', loose }, place) => {
      const box: Device = { id: name, kind: 'space', name, address, x: x + 10 + place * (each + space.gap), y: 14, w: each, h: space.h }
      devices.push(box)
      if (bridge && !loose) wires.push({ from: foot(box), to: [foot(box)[0], bridge.y], routed: false })
    })
    const tunnel: Device | null = host.tunnel
      ? {
          id: `${host.name}/tunnel`,
          kind: 'tunnel',
          name: host.tunnel.name,
          address: host.tunnel.address ?? '',
          x: card.x + card.w - 92,
          y: tunnelY,
          w: 92,
          h: 38,
        }
      : null
    if (tunnel) {
      devices.push(tunnel)
      if (bridge) wires.push({ from: [middle, bridge.y + bridge.h], to: [middle, tunnel.y], routed: !host.tunnel?.port })
      wires.push({ from: [middle, tunnel.y + tunnel.h], to: [middle, card.y], routed: true })
    } else if (bridge?.address) {
      wires.push({ from: [middle, bridge.y + bridge.h], to: [middle, card.y], routed: true })
    }
  })
  const cards = devices.filter((device) => device.kind === 'nic')
  const cable = nicY + nic.h + 22
  const underlay = cards.length > 1 ? { y: cable, from: way(cards[0]!), to: way(cards.at(-1)!), text: view.underlay ?? '' } : null
  const path = pathOf(view.path ?? [], devices, cable)
  return {
    width,
    height: (underlay ? cable + (underlay.text ? 22 : 6) : nicY + nic.h) + 4,
    rooms,
    devices,
    wires,
    underlay,
    path,
    packet: packetOf(view, path, cable),
  }
}

/** Corners of the way through these devices; along a bridge it turns, between two cards it goes down to the cable. */
function pathOf(names: readonly string[], devices: readonly Device[], cable: number): [number, number][] {
  const stops = names.map((name) => {
    const found = devices.find((device) => device.id === name)
    if (!found) throw new Error(`network figure: nothing is called ${name}; there are ${devices.map(({ id }) => id).join(', ')}`)
    return found
  })
  return stops.flatMap((stop, index): [number, number][] => {
    const x = way(stop)
    const y = stop.kind === 'bridge' ? stop.y + stop.h - 7 : stop.y + stop.h / 2
    const before = stops[index - 1]
    const after = stops[index + 1]
    if (stop.kind === 'bridge')
      return [
        [before ? way(before) : x, y],
        [after ? way(after) : before ? way(before) : x, y],
      ]
    if (stop.kind === 'space') return [[x, stop.y + stop.h]]
    if (stop.kind === 'nic' && after?.kind === 'nic')
      return [
        [x, y],
        [x, cable],
      ]
    if (stop.kind === 'nic' && before?.kind === 'nic')
      return [
        [x, cable],
        [x, y],
      ]
    return [[x, y]]
  })
}

function packetOf({ path: names = [] }: NetworkView, path: readonly [number, number][], cable: number): NetworkSheet['packet'] {
  if (path.length < 2) return null
  const onCable = path.filter(([, y]) => y === cable)
  if (onCable.length === 2)
    return { at: [(onCable[0]![0] + onCable[1]![0]) / 2, cable], wrapped: names.some((name) => name.endsWith('/tunnel')) }
  const [from, to] = [path.at(-2)!, path.at(-1)!]
  return { at: [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2], wrapped: false }
}

/** Where lines run through a device: at the side of what is written in it. */
function way({ kind, x, w }: Device): number {
  return kind === 'space' ? x + w / 2 : x + w - 12
}

function foot({ x, y, w, h }: Box): [number, number] {
  return [x + w / 2, y + h]
}
