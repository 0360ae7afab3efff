import { readFileSync, writeFileSync } from 'node:fs'

const mark = '# '

/**
 * What is known to be answered otherwise than by a real server, with why it is: titles by lines, each group below its reason, which
 * begins with #. What stands above all reasons has '' for one.
 */
export function readDifferences(file: URL): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>()
  let reason = ''
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    if (line.startsWith(mark)) reason = line.slice(mark.length)
    else reasons.set(line, reason)
  }
  return reasons
}

/** Writes what differs now: with the reasons that are known, and what has none above them all. */
export function writeDifferences(file: URL, titles: readonly string[]): void {
  const known = readDifferences(file)
  const groups = Map.groupBy(titles, (title) => known.get(title) ?? '')
  const { '': without = [], ...others } = Object.fromEntries(groups)
  const lines = [...without, ...Object.entries(others).flatMap(([reason, group]) => [mark + reason, ...group])]
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
}
