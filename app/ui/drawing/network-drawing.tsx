/** Hosts with their bridges, tunnels and cards, and the way of one packet through them. Same language as the cluster's drawing. */
import { arrangeNetwork, type Device, type NetworkSheet, type NetworkView } from './arrange-network.ts'

export function NetworkDrawing({ label, view }: { label: string; view: NetworkView }) {
  return (
    <div className="drawing">
      <NetworkSheetDrawing sheet={arrangeNetwork(view, 620)} place="wide" label={label} lost={view.lost ?? false} />
      <NetworkSheetDrawing sheet={arrangeNetwork(view, 340)} place="narrow" label={label} lost={view.lost ?? false} />
    </div>
  )
}

function NetworkSheetDrawing({ sheet, place, label, lost }: { sheet: NetworkSheet; place: string; label: string; lost: boolean }) {
  const { path, packet, underlay } = sheet
  const end = path.at(-1)
  return (
    <svg
      viewBox={`-2 -2 ${sheet.width + 4} ${sheet.height + 4}`}
      className={`drawing-sheet drawing-${place}`}
      role="img"
      aria-label={label}
      style={{ maxWidth: sheet.width * 1.2 }}
    >
      {sheet.rooms.map((room) => (
        <g key={room.name} className="d-room">
          <rect x={room.x} y={room.y} width={room.w} height={room.h} className="d-wall" />
          <text x={room.x + 12} y={room.y + room.h - 10} className="d-name">
            {room.name}
          </text>
        </g>
      ))}
      {underlay ? (
        <g className="n-underlay">
          <path d={`M${underlay.from} ${underlay.y}H${underlay.to}`} />
          {sheet.devices
            .filter((device) => device.kind === 'nic')
            .map((device) => (
              <path key={device.id} d={`M${device.x + device.w - 12} ${device.y + device.h}V${underlay.y}`} />
            ))}
          <text x={(underlay.from + underlay.to) / 2} y={underlay.y + 19} textAnchor="middle">
            {underlay.text}
          </text>
        </g>
      ) : null}
      {sheet.wires.map(({ from, to, routed }) => (
        <path key={`${from}-${to}`} d={`M${from[0]} ${from[1]}L${to[0]} ${to[1]}`} className="n-wire" data-routed={routed || undefined} />
      ))}
      {sheet.devices.map((device) => (
        <DeviceMark key={device.id} device={device} />
      ))}
      {path.length > 1 ? (
        <path d={`M${path.map(([x, y]) => `${x} ${y}`).join('L')}`} className="n-path" data-lost={lost || undefined} />
      ) : null}
      {packet ? <PacketMark packet={packet} /> : null}
      {sheet.devices.map((device) => (
        <DeviceText key={device.id} device={device} />
      ))}
      {end && lost ? <path d={`M${end[0] - 6} ${end[1] - 6}l12 12M${end[0] + 6} ${end[1] - 6}l-12 12`} className="d-cross" /> : null}
      {end && !lost && path.length > 1 ? <circle cx={end[0]} cy={end[1]} r="4" className="n-end" /> : null}
    </svg>
  )
}

function DeviceMark({ device: { x, y, w, h, kind } }: { device: Device }) {
  const outline = kind === 'space' ? `M${x} ${y}h${w - 10}l10 10v${h - 10}H${x}z` : `M${x} ${y}h${w}v${h}h${-w}z`
  return (
    <g className="n-device" data-kind={kind}>
      <path d={outline} />
    </g>
  )
}

/** Over the packet's way, so that it can be read. */
function DeviceText({ device: { x, y, w, h, kind, name, address } }: { device: Device }) {
  const beside = kind === 'bridge'
  const inset = w < 80 ? 4 : 8
  return (
    <g className="n-text" data-kind={kind}>
      <text x={x + inset} y={beside ? y + 15 : y + (address ? h / 2 - 4 : h / 2 + 4)} className="n-name">
        {name}
      </text>
      {address ? (
        <text x={beside ? x + 16 + name.length * 7 : x + inset} y={beside ? y + 15 : y + h / 2 + 11} className="n-address">
          {address}
        </text>
      ) : null}
    </g>
  )
}

function PacketMark({ packet: { at, wrapped } }: { packet: NonNullable<NetworkSheet['packet']> }) {
  const [x, y] = at
  return (
    <g className="d-packet">
      {wrapped ? <path d={`M${x} ${y - 13}l13 13-13 13-13-13z`} className="n-wrapping" /> : null}
      <path d={`M${x} ${y - 6}l6 6-6 6-6-6z`} className="d-packet-body" />
    </g>
  )
}
