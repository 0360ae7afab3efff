/** What happens when: spans of a state and marks of single tries, over seconds. */
type SpanKind = 'starting' | 'ready' | 'not-ready' | 'stopped'

export interface TimelineProps {
  seconds: number
  rows: {
    label: string
    spans?: { from: number; to: number; kind: SpanKind; text?: string }[]
    marks?: { at: number; ok: boolean; text?: string }[]
  }[]
}

export function Timeline(props: TimelineProps) {
  return (
    <div className="drawing">
      <TimelineSheet {...props} width={620} place="wide" />
      <TimelineSheet {...props} width={320} place="narrow" />
    </div>
  )
}

function TimelineSheet({ seconds, rows, width, place }: TimelineProps & { width: number; place: 'wide' | 'narrow' }) {
  // In a narrow place labels stand above their rows instead of beside them.
  const beside = place === 'wide' ? Math.min(170, Math.max(60, ...rows.map((row) => measure(row.label) * 7.4 + 16))) : 0
  const rowHeight = place === 'wide' ? 44 : 58
  const x = (second: number) => beside + ((width - beside - 10) * second) / seconds
  const height = rows.length * rowHeight + 30
  const step = tick(seconds, place === 'wide' ? 10 : 6)
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step)
  return (
    <svg viewBox={`0 0 ${width} ${height}`} className={`drawing-sheet drawing-${place}`} role="img" aria-label={tell(rows)}>
      {ticks.map((at) => (
        <g key={at}>
          <path d={`M${x(at)} 4V${height - 24}`} className="t-tick" />
          <text x={x(at)} y={height - 6} textAnchor={at === 0 ? 'start' : 'middle'} className="t-tick-label">
            {at} s
          </text>
        </g>
      ))}
      <path d={`M${beside} ${height - 24}H${width}`} className="t-axis" />
      {rows.map((row, index) => {
        const base = index * rowHeight + (place === 'wide' ? 6 : 20)
        return (
          <g key={row.label}>
            <text x={0} y={place === 'wide' ? base + 20 : base - 4} className="t-row-label">
              {row.label}
            </text>
            {row.spans?.map((span) => (
              <g key={span.from} className="t-span" data-kind={span.kind}>
                <rect x={x(span.from)} y={base} width={Math.max(2, x(span.to) - x(span.from))} height={30} />
                {span.text && measure(span.text) * 6.8 < x(span.to) - x(span.from) - 8 ? (
                  <text x={x(span.from) + 6} y={base + 19}>
                    {span.text}
                  </text>
                ) : null}
              </g>
            ))}
            {row.marks?.map((mark) => (
              <g key={mark.at} className="t-mark" data-ok={mark.ok} transform={`translate(${x(mark.at)} ${base + 15})`}>
                {mark.ok ? <circle r="5" /> : <path d="M-4.5-4.5l9 9M4.5-4.5l-9 9" />}
                {mark.text ? (
                  <text x="9" y="4">
                    {mark.text}
                  </text>
                ) : null}
              </g>
            ))}
          </g>
        )
      })}
    </svg>
  )
}

function tick(seconds: number, most: number): number {
  return [1, 2, 5, 10, 15, 20, 30, 60, 120, 300].find((step) => seconds / step <= most) ?? 600
}

/** Width in characters: Chinese takes nearly two. */
function measure(text: string): number {
  return [...text].reduce((sum, character) => sum + (/\p{Script=Han}/u.test(character) ? 1.7 : 1), 0)
}

function tell(rows: TimelineProps['rows']): string {
  return rows
    .map((row) => {
      const spans = row.spans?.map((span) => `${span.from}-${span.to} s ${span.text ?? span.kind}`) ?? []
      const marks = row.marks?.map((mark) => `${mark.at} s ${mark.ok ? '✓' : '✗'}${mark.text ? ` ${mark.text}` : ''}`) ?? []
      return `${row.label}: ${[...spans, ...marks].join(', ')}.`
    })
    .join(' ')
}
