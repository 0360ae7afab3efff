'use client'
import type { KeyboardEvent, PointerEvent } from 'react'

interface Props {
  label: string
  /** Between two columns, or between two rows. */
  between: 'columns' | 'rows'
  /** Per cent of the whole, of the pane that this line ends (or begins, with `from` 'end'). */
  value: number
  from?: 'start' | 'end'
  min: number
  max: number
  onChange: (value: number) => void
}

/** The line between two panes: dragged, or moved with the arrow keys. */
export function Splitter({ label, between, value, from = 'start', min, max, onChange }: Props) {
  const set = (next: number) => onChange(Math.min(max, Math.max(min, Math.round(next * 10) / 10)))
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return
    const whole = event.currentTarget.parentElement!.getBoundingClientRect()
    const at = between === 'columns' ? (event.clientX - whole.left) / whole.width : (event.clientY - whole.top) / whole.height
    set((from === 'start' ? at : 1 - at) * 100)
  }
  const key = (event: KeyboardEvent) => {
    const [back, forth] = between === 'columns' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowUp', 'ArrowDown']
    const step = event.key === back ? -2 : event.key === forth ? 2 : 0
    if (step === 0) return
    event.preventDefault()
    set(value + (from === 'start' ? step : -step))
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a separator that moves is a widget, which <hr> is not
    <div
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={between === 'columns' ? 'vertical' : 'horizontal'}
      aria-valuenow={Math.round(value)}
      aria-valuemin={min}
      aria-valuemax={max}
      className="splitter"
      data-between={between}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onKeyDown={key}
    />
  )
}
