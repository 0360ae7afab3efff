/**
 * A cluster in plan. Nodes are rooms, Pods stand in them with their containers inside, a Service is a counter at the top with a
 * line to each endpoint. Drawn twice, for a wide and a narrow place; the stylesheet shows the one that fits.
 */
import type { ClusterView, PodView } from '../../../platform/model.ts'
import { arrange, type PlacedLine, type PlacedPod, type PlacedRoom, type PlacedService, type Sheet } from './arrange.ts'

export interface Packet {
  from: string
  to: string
  lost?: boolean
}

export interface DrawingWords {
  /** Under the room of Pods that no node has taken yet. */
  nowhere: string
  notReady: string
  cordoned: string
}

const plain: DrawingWords = { nowhere: 'not scheduled', notReady: 'NotReady', cordoned: 'cordoned' }

export interface DrawingProps {
  /** What a screen reader says in place of the picture (unless Pods can be picked, then each says itself). */
  label: string
  cluster: ClusterView
  packets?: Packet[]
  words?: DrawingWords
  /** Makes each Pod reachable by pointer and keyboard. */
  onPick?: (pod: PodView | null) => void
  sentence?: (pod: PodView) => string
}

export function ClusterDrawing(props: DrawingProps) {
  return (
    <div className="drawing">
      <SheetDrawing {...props} sheet={arrange(props.cluster, 620)} place="wide" />
      <SheetDrawing {...props} sheet={arrange(props.cluster, 320)} place="narrow" />
    </div>
  )
}

function SheetDrawing({
  sheet,
  place,
  label,
  packets = [],
  words = plain,
  onPick,
  sentence,
}: DrawingProps & { sheet: Sheet; place: string }) {
  return (
    <svg
      viewBox={`-2 -2 ${sheet.width + 4} ${sheet.height + 4}`}
      className={`drawing-sheet drawing-${place}`}
      role={onPick ? 'group' : 'img'}
      aria-label={label}
      style={{ maxWidth: sheet.width * 1.2 }}
    >
      {sheet.rooms.map((room) => (
        <Room key={`${room.kind}-${room.name}`} room={room} words={words} />
      ))}
      {sheet.lines.map((line) => (
        <Line key={line.id} line={line} />
      ))}
      {sheet.services.map((service) => (
        <Counter key={service.service.uid} placed={service} />
      ))}
      {sheet.pods.map((placed) => (
        <Pod key={placed.pod.uid} placed={placed} onPick={onPick} sentence={sentence} />
      ))}
      {packets.map((packet) => (
        <PacketMark key={`${packet.from}-${packet.to}`} packet={packet} sheet={sheet} />
      ))}
    </svg>
  )
}

function Room({ room, words }: { room: PlacedRoom; words: DrawingWords }) {
  const door = 34
  const state =
    room.kind === 'nowhere'
      ? words.nowhere
      : [room.ready ? '' : words.notReady, room.unschedulable ? words.cordoned : ''].filter(Boolean).join(', ')
  const right = room.x + room.w
  return (
    <g className="d-room" data-kind={room.kind} data-ready={room.ready}>
      <path
        d={
          room.kind === 'nowhere'
            ? `M${room.x} ${room.y}h${room.w}v${room.h}h${-room.w}z`
            : `M${right - 18} ${room.y}H${right}v${room.h}H${room.x}V${room.y}H${right - 18 - door}`
        }
        className="d-wall"
      />
      {room.kind === 'node' && !room.unschedulable ? (
        <path
          className="d-door"
          d={`M${right - 18} ${room.y}v${-door * 0.72}M${right - 18} ${room.y - door * 0.72}A${door} ${door} 0 0 0 ${right - 18 - door} ${room.y}`}
        />
      ) : null}
      {room.unschedulable ? (
        <path className="d-bar" d={`M${right - 18 - door} ${room.y - 4}h${door}M${right - 18 - door} ${room.y + 4}h${door}`} />
      ) : null}
      <text x={room.x + 14} y={room.y + room.h - 11} className="d-name">
        {shorten(room.name, Math.floor((room.w - (state ? 110 : 28)) / 7.3))}
      </text>
      {state ? (
        <text
          x={room.kind === 'nowhere' ? room.x + 14 : right - 14}
          y={room.y + room.h - 11}
          textAnchor={room.kind === 'nowhere' ? 'start' : 'end'}
          className="d-state"
        >
          {state}
        </text>
      ) : null}
    </g>
  )
}

function Counter({ placed }: { placed: PlacedService }) {
  const { x, y, w, h, service } = placed
  return (
    <g className="d-service">
      <path d={`M${x} ${y}h${w}l-9 ${h}H${x + 9}z`} className="d-counter" />
      <text x={x + w / 2} y={y + h / 2 + 4} textAnchor="middle">
        {shorten(service.name, Math.floor((w - 24) / 7))}
      </text>
    </g>
  )
}

function Line({ line }: { line: PlacedLine }) {
  const path = curve(line.from, line.to)
  return (
    <g className="d-line" data-carries={line.carries}>
      <path d={path} />
      {line.carries ? <circle cx={line.to[0]} cy={line.to[1] - 1} r="3" /> : null}
    </g>
  )
}

function Pod({ placed, onPick, sentence }: { placed: PlacedPod; onPick?: DrawingProps['onPick']; sentence?: DrawingProps['sentence'] }) {
  const { pod, tone, w, h } = placed
  const cell = Math.min(24, (w - 16 - (pod.containers.length - 1) * 5) / Math.max(1, pod.containers.length))
  const reach = onPick
    ? {
        tabIndex: 0,
        role: 'img',
        'aria-label': sentence?.(pod) ?? pod.name,
        onFocus: () => onPick(pod),
        onBlur: () => onPick(null),
        onPointerEnter: () => onPick(pod),
        onPointerLeave: () => onPick(null),
      }
    : {}
  return (
    <g
      className="d-pod"
      data-tone={tone}
      data-leaving={pod.terminating || undefined}
      style={{ transform: `translate(${placed.x}px, ${placed.y}px)` }}
      {...reach}
    >
      <path d={`M0 0h${w - 12}l12 12v${h - 12}H0z`} className="d-body" />
      <Tone tone={tone} x={w - 17} y={h - 15} />
      <text x="8" y="16" className="d-podname">
        {shorten(pod.name, Math.floor((w - 20) / 6.4))}
      </text>
      {pod.containers.map((container, index) => (
        <g
          key={container.name}
          className="d-container"
          data-state={container.state}
          data-ready={container.ready}
          transform={`translate(${8 + index * (cell + 5)} 24)`}
        >
          <rect width={cell} height={24} />
          {container.state === 'terminated' ? <path d={`M4 4L${cell - 4} 20M${cell - 4} 4L4 20`} /> : null}
          {container.state === 'running' && !container.ready ? (
            <path d={`M0 24L${cell} 0M0 12L${cell / 2} 0M${cell / 2} 24L${cell} 12`} />
          ) : null}
        </g>
      ))}
      <text x="8" y={h - 10} className="d-status">
        {shorten(pod.status, Math.floor((w - 30) / 6.2))}
      </text>
    </g>
  )
}

function Tone({ tone, x, y }: { tone: PlacedPod['tone']; x: number; y: number }) {
  const d = { ready: 'M1 5l3 3 5.5-6.5', waiting: 'M0.5 5h9', failed: 'M1 1l8 8M9 1L1 9', done: 'M1 1h8v8H1z' }[tone]
  return <path className="d-tone" d={d} transform={`translate(${x} ${y})`} />
}

function PacketMark({ packet, sheet }: { packet: Packet; sheet: Sheet }) {
  const from = centre(sheet, packet.from, 'foot')
  const to = centre(sheet, packet.to, 'head')
  if (!from || !to) return null
  const path = curve(from, to)
  const at = packet.lost ? 0.62 : 0.55
  const x = from[0] + (to[0] - from[0]) * at
  const y = from[1] + (to[1] - from[1]) * at
  return (
    <g className="d-packet" data-lost={packet.lost || undefined}>
      {packet.lost ? <path d={path} className="d-lost-path" /> : null}
      <path d={`M${x} ${y - 6}l6 6-6 6-6-6z`} className="d-packet-body" />
      {packet.lost ? <path d={`M${x + 8} ${y - 5}l9 9M${x + 17} ${y - 5}l-9 9`} className="d-cross" /> : null}
    </g>
  )
}

function centre(sheet: Sheet, name: string, side: 'head' | 'foot'): [number, number] | null {
  const box = sheet.pods.find((each) => each.pod.name === name)
  if (box) return [box.x + box.w / 2, side === 'head' ? box.y : box.y + box.h]
  const service = sheet.services.find((each) => each.service.name === name)
  return service ? [service.x + Math.min(24, service.w / 2), service.y + service.h] : null
}

function curve([x1, y1]: [number, number], [x2, y2]: [number, number]): string {
  const middle = (y2 - y1) * 0.55
  return `M${x1} ${y1}C${x1} ${y1 + middle} ${x2} ${y2 - middle} ${x2} ${y2}`
}

/** At most so many characters, losing the middle: the ends of a Pod's name tell most. */
function shorten(text: string, most: number): string {
  if (text.length <= most) return text
  const tail = Math.ceil((most - 1) / 2)
  return `${text.slice(0, most - 1 - tail)}…${text.slice(-tail)}`
}
