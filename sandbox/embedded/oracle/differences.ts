import { readFileSync, writeFileSync } from 'node:fs'

const mark = '# '

/**
 * What is known to be answered otherwise than by a real server, with why it is: titles by lines, each group below its reason, which
 * begins with #. Throws where a title stands above all reasons.
 */
export function readDifferences(file: URL): ReadonlyMap<string, string> {
  const { reasons, without } = parsed(file)
  if (without.length > 0) throw new Error(`${file.pathname} has differences without a reason:\n${without.join('\n')}`)
  return reasons
}

/** Writes what differs now: with the reasons that are known, and what has none above them all. */
export function writeDifferences(file: URL, titles: readonly string[]): void {
  const { reasons } = parsed(file)
  const without = titles.filter((title) => !reasons.has(title))
  const groups = Map.groupBy(
    titles.filter((title) => reasons.has(title)),
    (title) => reasons.get(title) as string,
  )
  const lines = [...without, ...[...groups].flatMap(([reason, group]) => [mark + reason, ...group])]
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
}

function parsed(file: URL): { reasons: Map<string, string>; without: string[] } {
  const reasons = new Map<string, string>()
  const without: string[] = []
  let reason: string | undefined
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    if (line.startsWith(mark)) reason = line.slice(mark.length)
    else if (reason === undefined) without.push(line)
    else reasons.set(line, reason)
  }
  return { reasons, without }
}
