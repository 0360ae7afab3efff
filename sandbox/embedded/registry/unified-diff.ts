/**
 * The lines in which two texts differ, in hunks with three lines around them and without file names. Of all ways to tell a
 * difference it picks Go's. Source: pmezard/go-difflib v1.0.0, a port of Python's SequenceMatcher.
 */
export function unifiedDiff(a: readonly string[], b: readonly string[]): string {
  return groupsOf(editsOf(a, b))
    .map((edits) => hunk(a, b, edits))
    .join('')
}

/** Lines [i1, i2) of the one become lines [j1, j2) of the other. */
interface Edit {
  same: boolean
  i1: number
  i2: number
  j1: number
  j2: number
}

interface Match {
  i: number
  j: number
  size: number
}

const context = 3
/** From so many lines on those of which there are too many are not looked for. */
const long = 200

function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  const edits: Edit[] = []
  let [i, j] = [0, 0]
  for (const match of [...matches(a, b), { i: a.length, j: b.length, size: 0 }]) {
    if (i < match.i || j < match.j) edits.push({ same: false, i1: i, i2: match.i, j1: j, j2: match.j })
    i = match.i + match.size
    j = match.j + match.size
    if (match.size > 0) edits.push({ same: true, i1: match.i, i2: i, j1: match.j, j2: j })
  }
  return edits
}

/** Blocks of equal lines: the longest first, then those before and behind it. */
function matches(a: readonly string[], b: readonly string[]): Match[] {
  const places = placesOf(b)
  const found: Match[] = []
  const search = (alo: number, ahi: number, blo: number, bhi: number): void => {
    const { i, j, size } = longestMatch(a, b, places, [alo, ahi, blo, bhi])
    if (size === 0) return
    if (alo < i && blo < j) search(alo, i, blo, j)
    const last = found.at(-1)
    if (last && last.i + last.size === i && last.j + last.size === j) last.size += size
    else found.push({ i, j, size })
    if (i + size < ahi && j + size < bhi) search(i + size, ahi, j + size, bhi)
  }
  search(0, a.length, 0, b.length)
  return found
}

function placesOf(b: readonly string[]): Map<string, number[]> {
  const places = Map.groupBy(b.keys(), (index) => b[index] as string)
  if (b.length < long) return places
  const most = Math.floor(b.length / 100) + 1
  return new Map([...places].filter(([, indices]) => indices.length <= most))
}

function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  [alo, ahi, blo, bhi]: [number, number, number, number],
): Match {
  let best: Match = { i: alo, j: blo, size: 0 }
  let lengths = new Map<number, number>()
  for (let i = alo; i < ahi; i++) {
    const next = new Map<number, number>()
    for (const j of places.get(a[i] as string) ?? []) {
      if (j < blo) continue
      if (j >= bhi) break
      const size = (lengths.get(j - 1) ?? 0) + 1
      next.set(j, size)
      if (size > best.size) best = { i: i - size + 1, j: j - size + 1, size }
    }
    lengths = next
  }
  let { i, j, size } = best
  while (i > alo && j > blo && a[i - 1] === b[j - 1]) {
    i -= 1
    j -= 1
    size += 1
  }
  while (i + size < ahi && j + size < bhi && a[i + size] === b[j + size]) size += 1
  return { i, j, size }
}

/** The edits of each hunk: what stays the same for long parts them. */
function groupsOf(edits: readonly Edit[]): Edit[][] {
  const groups: Edit[][] = []
  let group: Edit[] = []
  for (const [index, edit] of edits.entries()) {
    if (!edit.same) {
      group.push(edit)
      continue
    }
    const { i1, i2, j1, j2 } = edit
    const [first, last] = [index === 0, index === edits.length - 1]
    const after = { same: true, i1, i2: Math.min(i2, i1 + context), j1, j2: Math.min(j2, j1 + context) }
    const before = { same: true, i1: Math.max(i1, i2 - context), i2, j1: Math.max(j1, j2 - context), j2 }
    if (first) group.push(before)
    else if (last) group.push(after)
    else if (i2 - i1 <= 2 * context) group.push(edit)
    else {
      group.push(after)
      groups.push(group)
      group = [before]
    }
  }
  return group.some(({ same }) => !same) ? [...groups, group] : groups
}

function hunk(a: readonly string[], b: readonly string[], edits: readonly Edit[]): string {
  const [first, last] = [edits[0] as Edit, edits.at(-1) as Edit]
  const lines = edits.flatMap(({ same, i1, i2, j1, j2 }) => [
    ...a.slice(i1, i2).map((line) => (same ? ` ${line}` : `-${line}`)),
    ...(same ? [] : b.slice(j1, j2).map((line) => `+${line}`)),
  ])
  return `@@ -${range(first.i1, last.i2)} +${range(first.j1, last.j2)} @@\n${lines.join('\n')}\n`
}

function range(start: number, stop: number): string {
  const length = stop - start
  if (length === 1) return String(start + 1)
  return `${length === 0 ? start : start + 1},${length}`
}
