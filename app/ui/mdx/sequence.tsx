/** Who says what to whom, top to bottom. */
export interface SequenceProps {
  actors: string[]
  steps: { from: string; to: string; text: string; reply?: boolean }[]
}

export function Sequence(props: SequenceProps) {
  return (
    <div className="drawing">
      <SequenceSheet {...props} width={620} place="wide" />
      <SequenceSheet {...props} width={330} place="narrow" />
    </div>
  )
}

function SequenceSheet({ actors, steps, width, place }: SequenceProps & { width: number; place: string }) {
  const lane = width / actors.length
  const x = (actor: string) => (actors.indexOf(actor) + 0.5) * lane
  const names = actors.map((actor) => wrap(actor, Math.floor((lane - 12) / 7.3)))
  const head = 18 + 14 * Math.max(...names.map((lines) => lines.length))
  const wrapped = steps.map((step) => {
    const span = step.from === step.to ? lane : Math.max(lane, Math.abs(x(step.from) - x(step.to)))
    return { step, lines: wrap(step.text, Math.floor((span + lane * 0.5) / 7.3)) }
  })
  const tops: number[] = []
  let y = head + 22
  for (const each of wrapped) {
    y += each.lines.length * 15 + 6
    tops.push(y)
    y += each.step.from === each.step.to ? 34 : 18
  }
  const height = y + 4
  const label = steps.map((step) => `${step.from} → ${step.to}: ${step.text}.`).join(' ')
  return (
    <svg viewBox={`0 0 ${width} ${height}`} className={`drawing-sheet drawing-${place}`} role="img" aria-label={label}>
      {actors.map((actor, index) => (
        <g key={actor} className="s-actor">
          <path d={`M${x(actor)} ${head + 2}V${height}`} className="s-life" />
          <rect x={x(actor) - lane / 2 + 3} y={2} width={lane - 6} height={head} />
          {names[index]!.map((line, row) => (
            <text key={line} x={x(actor)} y={6 + head / 2 + (row - (names[index]!.length - 1) / 2) * 14} textAnchor="middle">
              {line}
            </text>
          ))}
        </g>
      ))}
      {wrapped.map(({ step, lines }, index) => {
        const at = tops[index]!
        const from = x(step.from)
        const to = x(step.to)
        const self = from === to
        const toward = Math.sign(to - from)
        const middle = self ? Math.min(from, width - lane) : (from + to) / 2
        return (
          <g key={at} className="s-step" data-reply={step.reply || undefined}>
            <path d={self ? `M${from} ${at}h22v16h-20` : `M${from} ${at}H${to - toward * 2}`} />
            <path d={self ? `M${from + 8} ${at + 11}l-6 5 6 5` : `M${to - toward * 9} ${at - 5}l${toward * 8} 5 ${-toward * 8} 5`} />
            {lines.map((line, row) => (
              <text
                key={line}
                x={self ? from + 6 : middle}
                y={at - 6 - (lines.length - 1 - row) * 15}
                textAnchor={self ? 'start' : 'middle'}
              >
                {line}
              </text>
            ))}
          </g>
        )
      })}
    </svg>
  )
}

function measure(text: string): number {
  return [...text].reduce((sum, character) => sum + (/\p{Script=Han}/u.test(character) ? 1.7 : 1), 0)
}

/** Breaks between words, and anywhere in Chinese, so that no line is wider than `most` characters. */
function wrap(text: string, most: number): string[] {
  const pieces = text.match(/\p{Script=Han}|[^\s\p{Script=Han}]+\s*|\s+/gu) ?? [text]
  const lines: string[] = []
  let line = ''
  for (const piece of pieces) {
    if (line && measure(line + piece.trimEnd()) > most) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
  }
  return line.trim() ? [...lines, line.trimEnd()] : lines
}
