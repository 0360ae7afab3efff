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

const pod = { w: 96, h: 76, gap: 8 }
/**
 * Between rows there is room for a door that stands open. `least` holds two
 * Pods side by side; an empty control plane needs no more than its name.
 */
const room = { pad: 12, foot: 26, gap: 14, rowGap: 32, least: 224, leastEmpty: 140 }

export function arrange(view: ClusterView, width: number): Sheet {
  const services = placeServices(view.services, width)
  const top = services.length > 0 ? Math.max(...services.map((each) => each.y + each.h)) + 40 : room.rowGap
  const rooms: PlacedRoom[] = []
  const pods: PlacedPod[] = []
  let y = top
  for (const row of rowsOf(view, width)) {
    const h = Math.max(...row.map((each) => roomHeight(each.held.length, each.w)))
    let x = 0
    for (const { node, held, w } of row) {
      rooms.push({ x, y, w, h, name: node.name, kind: 'node', ready: node.ready, unschedulable: node.unschedulable })
      pods.push(...placePods(held, { x, y, w, h }))
      x += w + room.gap
    }
    y += h + room.rowGap
  }
  const nowhere = podsOf(view.pods, null)
  if (nowhere.length > 0) {
    const box = { x: 0, y, w: width, h: roomHeight(nowhere.length, width) }
    rooms.push({ ...box, name: '', kind: 'nowhere', ready: true, unschedulable: false })
    pods.push(...placePods(nowhere, box))
    y += box.h + room.rowGap
  }
  return { width, height: y - room.rowGap + 4, rooms, pods, services, lines: linesOf(services, pods) }
}

function toneOf(one: PodView): PodTone {
  if (one.ready && !one.terminating) return 'ready'
  if (/^(Completed|Succeeded)$/.test(one.status)) return 'done'
  if (/CrashLoopBackOff|Error|ErrImagePull|ImagePullBackOff|Evicted|Failed|OOMKilled|Invalid/.test(one.status)) return 'failed'
  return 'waiting'
}

/** Nodes in rows, as many as fit; what is left of a row is shared by the rooms that hold Pods. */
function rowsOf(view: ClusterView, width: number): { node: ClusterView['nodes'][number]; held: PodView[]; w: number }[][] {
  const rows: { node: ClusterView['nodes'][number]; held: PodView[]; w: number }[][] = []
  let left = 0
  for (const node of view.nodes) {
    const held = podsOf(view.pods, node.name)
    const w = Math.min(width, node.controlPlane && held.length === 0 ? room.leastEmpty : room.least)
    if (left < w) {
      rows.push([])
      left = width
    }
    rows.at(-1)!.push({ node, held, w })
    left -= w + room.gap
  }
  for (const row of rows) {
    const growing = row.some((each) => each.w !== room.leastEmpty) ? row.filter((each) => each.w !== room.leastEmpty) : row
    const spare = width - row.reduce((sum, each) => sum + each.w, 0) - room.gap * (row.length - 1)
    for (const each of growing) each.w += spare / growing.length
  }
  return rows
}

function podsOf(all: PodView[], node: string | null): PodView[] {
  return all.filter((each) => each.node === node).sort((a, b) => a.name.localeCompare(b.name))
}

function perRow(w: number): number {
  return Math.max(1, Math.floor((w - room.pad * 2 + pod.gap) / (pod.w + pod.gap)))
}

function roomHeight(count: number, w: number): number {
  if (count === 0) return 64
  const rows = Math.ceil(count / perRow(w))
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
