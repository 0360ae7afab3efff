/** Where everything of a cluster stands on the sheet. Pure; lengths in the sheet's units (CSS px at scale 1). */
import type { ClusterView, PodView, ServiceView } from '../../../platform/model.ts'

export interface Box {
  x: number
  y: number
  w: number
  h: number
}

export interface PlacedPod extends Box {
  pod: PodView
  tone: PodTone
}

export interface PlacedRoom extends Box {
  name: string
  kind: 'node' | 'nowhere'
  ready: boolean
  unschedulable: boolean
}

export interface PlacedService extends Box {
  service: ServiceView
}

export interface PlacedLine {
  id: string
  from: [number, number]
  to: [number, number]
  carries: boolean
}

export interface Sheet {
  width: number
  height: number
  rooms: PlacedRoom[]
  pods: PlacedPod[]
  services: PlacedService[]
  lines: PlacedLine[]
}

/** ready; waiting: on its way; failed: will not get better by waiting; done: ran to its end. */
export type PodTone = 'ready' | 'waiting' | 'failed' | 'done'

const pod = { w: 104, h: 76, gap: 10 }
const room = { pad: 14, foot: 26, gap: 14 }

export function arrange(view: ClusterView, width: number): Sheet {
  const services = placeServices(view.services, width)
  const top = services.length > 0 ? Math.max(...services.map((each) => each.y + each.h)) + 40 : 4
  const rooms: PlacedRoom[] = []
  const pods: PlacedPod[] = []
  const columns = Math.min(view.nodes.length, Math.max(1, Math.floor((width + room.gap) / 232)))
  let y = top
  for (let start = 0; start < view.nodes.length; start += columns) {
    const row = view.nodes.slice(start, start + columns)
    const w = (width - room.gap * (columns - 1)) / columns
    const held = row.map((node) => podsOf(view.pods, node.name))
    const h = Math.max(...held.map((each) => roomHeight(each.length, w)))
    for (const [column, node] of row.entries()) {
      const x = column * (w + room.gap)
      rooms.push({ x, y, w, h, name: node.name, kind: 'node', ready: node.ready, unschedulable: node.unschedulable })
      pods.push(...placePods(held[column]!, { x, y, w, h }))
    }
    y += h + room.gap
  }
  const nowhere = podsOf(view.pods, null)
  if (nowhere.length > 0) {
    const box = { x: 0, y, w: width, h: roomHeight(nowhere.length, width) }
    rooms.push({ ...box, name: '', kind: 'nowhere', ready: true, unschedulable: false })
    pods.push(...placePods(nowhere, box))
    y += box.h + room.gap
  }
  return { width, height: y - room.gap + 4, rooms, pods, services, lines: linesOf(services, pods) }
}

export function toneOf(one: PodView): PodTone {
  if (one.ready && !one.terminating) return 'ready'
  if (/^(Completed|Succeeded)$/.test(one.status)) return 'done'
  if (/CrashLoopBackOff|Error|ErrImagePull|ImagePullBackOff|Evicted|Failed|OOMKilled|Invalid/.test(one.status)) return 'failed'
  return 'waiting'
}

function podsOf(all: PodView[], node: string | null): PodView[] {
  return all.filter((each) => each.node === node).sort((a, b) => a.name.localeCompare(b.name))
}

function perRow(w: number): number {
  return Math.max(1, Math.floor((w - room.pad * 2 + pod.gap) / (pod.w + pod.gap)))
}

function roomHeight(count: number, w: number): number {
  const rows = Math.max(1, Math.ceil(count / perRow(w)))
  return room.pad + rows * (pod.h + pod.gap) - pod.gap + room.pad + room.foot
}

function placePods(held: PodView[], box: Box): PlacedPod[] {
  const across = perRow(box.w)
  return held.map((each, index) => ({
    pod: each,
    tone: toneOf(each),
    x: box.x + room.pad + (index % across) * (pod.w + pod.gap),
    y: box.y + room.pad + 6 + Math.floor(index / across) * (pod.h + pod.gap),
    w: Math.min(pod.w, box.w - room.pad * 2),
    h: pod.h,
  }))
}

function placeServices(all: ServiceView[], width: number): PlacedService[] {
  let x = 0
  let y = 0
  return all.map((service) => {
    const w = Math.min(width, Math.max(96, service.name.length * 7.4 + 40))
    if (x > 0 && x + w > width) {
      x = 0
      y += 38
    }
    const placed = { service, x, y, w, h: 28 }
    x += w + 16
    return placed
  })
}

function linesOf(services: PlacedService[], pods: PlacedPod[]): PlacedLine[] {
  return services.flatMap((from) =>
    from.service.endpoints.flatMap((endpoint): PlacedLine[] => {
      const to = pods.find((each) => each.pod.name === endpoint.pod && each.pod.namespace === from.service.namespace)
      if (!to) return []
      return [
        {
          id: `${from.service.uid}-${to.pod.uid}`,
          from: [from.x + Math.min(24, from.w / 2), from.y + from.h],
          to: [to.x + to.w / 2, to.y],
          carries: endpoint.ready,
        },
      ]
    }),
  )
}
