'use client'
import { useState } from 'react'
import { type Theme, themeCookie } from './theme.ts'

type Choice = Theme | 'system'
const order: readonly Choice[] = ['system', 'light', 'dark']

/** Steps through system, light and dark. The choice is a cookie, so that the server's first byte already has it. */
export function ThemeToggle({ start, label, names }: { start: Choice; label: string; names: Record<Choice, string> }) {
  const [choice, setChoice] = useState(start)
  const step = () => {
    const next = order[(order.indexOf(choice) + 1) % order.length]!
    setChoice(next)
    if (next === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = next
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser that is served
    document.cookie = `${themeCookie}=${next === 'system' ? '' : next}; Path=/; SameSite=Lax; Max-Age=${next === 'system' ? 0 : 31_536_000}`
    window.dispatchEvent(new Event('themechange'))
  }
  return (
    <button
      type="button"
      className="masthead-tool"
      onClick={step}
      aria-label={`${label}: ${names[choice]}`}
      title={`${label}: ${names[choice]}`}
    >
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
        <circle cx="10" cy="10" r="7" fill="none" stroke="currentColor" strokeWidth="1.5" />
        {choice === 'dark' ? <circle cx="10" cy="10" r="7" fill="currentColor" /> : null}
        {choice === 'system' ? <path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor" /> : null}
      </svg>
    </button>
  )
}
