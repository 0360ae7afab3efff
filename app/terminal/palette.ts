import type { ITheme } from '@xterm/xterm'

/** Sixteen inks for each ground, every one of them readable on it (4.5:1; black on blueprint and white on paper excepted by use). */
const paper = {
  black: '#191d2b',
  red: '#a8281e',
  green: '#17693a',
  yellow: '#7d5007',
  blue: '#2440b8',
  magenta: '#8a2c86',
  cyan: '#0b6470',
  white: '#656b7b',
  brightBlack: '#5b6172',
  brightRed: '#bb2f23',
  brightGreen: '#1b7540',
  brightYellow: '#8a5a0a',
  brightBlue: '#3451d0',
  brightMagenta: '#9b3a97',
  brightCyan: '#107180',
  brightWhite: '#3a4050',
} satisfies ITheme

const blueprint = {
  black: '#33415f',
  red: '#ff9d90',
  green: '#72d398',
  yellow: '#efbf67',
  blue: '#9db7ff',
  magenta: '#e2a6e8',
  cyan: '#7fd3e0',
  white: '#d5dbe8',
  brightBlack: '#8f9bb3',
  brightRed: '#ffb5ab',
  brightGreen: '#94e2b2',
  brightYellow: '#f6d08c',
  brightBlue: '#b9cbff',
  brightMagenta: '#edc0f1',
  brightCyan: '#a2e2eb',
  brightWhite: '#ffffff',
} satisfies ITheme

/** The terminal's colours as the page stands now. */
export function terminalTheme(element: Element): ITheme {
  const dark = matchesDark()
  const token = (name: string) => resolve(element, name)
  return {
    ...(dark ? blueprint : paper),
    background: token('--term-paper'),
    foreground: token('--term-ink'),
    cursor: token('--accent'),
    cursorAccent: token('--term-paper'),
    selectionBackground: dark ? '#3a559c' : '#c3cffa',
    selectionInactiveBackground: dark ? '#2c3f70' : '#dde3f8',
  }
}

/** Calls back when the reader or the system changes the colours, until the signal aborts. */
export function onThemeChange(listener: () => void, signal: AbortSignal): void {
  window.addEventListener('themechange', listener, { signal })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', listener, { signal })
}

function matchesDark(): boolean {
  const chosen = document.documentElement.dataset.theme
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
}

/** light-dark() resolves only where a colour is computed. */
function resolve(element: Element, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return colour
}
