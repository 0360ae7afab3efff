/** A frame as it is on the cable: each header with what is inside it. */
export interface FrameFigureProps {
  /** From the outside in. */
  layers: { name: string; text?: string; bytes?: number; outer?: boolean }[]
}

export function FrameFigure({ layers }: FrameFigureProps) {
  return (
    <div className="drawing">
      <FrameSheet layers={layers} width={620} inset={16} place="wide" />
      <FrameSheet layers={layers} width={340} inset={7} place="narrow" />
    </div>
  )
}

const line = 25

function FrameSheet({ layers, width, inset, place }: FrameFigureProps & { width: number; inset: number; place: string }) {
  const height = layers.length * line + (layers.length - 1) * 5 + 8
  const label = layers.map(({ name, text, bytes }) => `${name}${text ? ` ${text}` : ''}${bytes ? ` ${bytes} B` : ''}.`).join(' ')
  return (
    <svg viewBox={`-2 -2 ${width + 4} ${height + 4}`} className={`drawing-sheet drawing-${place}`} role="img" aria-label={label}>
      {layers.map(({ name, text, bytes, outer }, level) => {
        const x = level * inset
        const y = level * line
        const w = width - 2 * x
        return (
          <g key={`${name}-${text}`} className="f-layer" data-outer={outer || undefined}>
            <rect x={x} y={y} width={w} height={height - y - level * 5} />
            <text x={x + 10} y={y + 17} className="f-name">
              {name}
            </text>
            {text ? (
              <text x={x + 18 + name.length * 7.4} y={y + 17} className="f-text">
                {text}
              </text>
            ) : null}
            {bytes ? (
              <text x={x + w - 10} y={y + 17} textAnchor="end" className="f-bytes">
                {bytes} B
              </text>
            ) : null}
          </g>
        )
      })}
    </svg>
  )
}
