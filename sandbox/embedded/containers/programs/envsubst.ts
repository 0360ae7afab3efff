import type { Process } from '../kernel/process.ts'
import { readText } from './text.ts'

/** gettext's envsubst: $NAME and ${NAME} in its input become the environment's values; with an argument only the names in that. */
export async function envsubst(process: Process): Promise<number> {
  const stdin = process.files.get(0)
  const text = stdin ? await readText(process, stdin) : ''
  const wanted = process.args[0] === undefined ? undefined : new Set(process.args[0].match(/\w+/g))
  const value = (whole: string, name: string) => (wanted && !wanted.has(name) ? whole : (process.env.get(name) ?? ''))
  await process.print(text.replace(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g, (whole, braced, bare) => value(whole, braced ?? bare)))
  return 0
}
