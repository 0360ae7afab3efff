import { builtins } from './builtins.ts'
import type { Shell } from './shell.ts'

/** Where a shell's commands come from: it decides how its messages begin. */
export type Source = 'file' | 'named command' | 'command' | 'stdin'

/** Built-ins of ash that are applets of busybox: their messages know neither themselves nor a line. */
const applets = new Set(['test', '[', '[[', 'echo', 'printf', 'kill'])

/** A message of the shell itself, with name and line as each shell puts them (ash_vmsg for busybox). */
export function complaint(shell: Shell, text: string, line: number): string {
  const { name, flavor, source, interactive } = shell
  if (flavor === 'bash') return `${name}: ${interactive ? '' : `line ${line}: `}${text}`
  if (flavor === 'dash') return `${name}: ${interactive ? '' : `${line}: `}${text}`
  const [, word = '', rest = ''] = /^(\S+): ([\s\S]*)$/.exec(text) ?? []
  if (applets.has(word) && !rest.endsWith(': no such job')) return `${name}: ${rest}`
  // What follows -c is counted from zero.
  const shown = source === 'command' || source === 'named command' ? line - 1 : line
  const where = interactive ? '' : `line ${shown}: `
  if (builtins.has(word)) return `${name}: ${word}: ${where}${rest}`
  return source === 'file' || source === 'named command' ? `${name}: ${where}${text}` : `${name}: ${text}`
}
