import type { OpenFile } from '../kernel/open-file.ts'
import type { Process, Run } from '../kernel/process.ts'
import { badOption, last, parseOptions } from './options.ts'
import { cantOpen, eachInput, lines, Output, readText } from './text.ts'

/** Lines in order, and two files beside each other. */
export const comparePrograms: Record<string, Run> = {
  sort,
  uniq,
  comm,
  diff,
  cmp,
}

async function sort(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'nrugfbchiMVzsk:t:o:T:', {
    'numeric-sort': 'n',
    reverse: 'r',
    unique: 'u',
    'key=': 'k',
    'field-separator=': 't',
    'human-numeric-sort': 'h',
    'version-sort': 'V',
    'output=': 'o',
  })
  const bad = badOption(options)
  if (bad) return process.fail(bad, 2)
  const { flags } = options
  const all: string[] = []
  const fine = await eachInput(
    process,
    options.operands,
    async (open) => {
      for await (const line of lines(process, open)) {
        all.push(line)
        process.allocate(2 * line.length + 32)
      }
    },
    cantOpen,
  )
  if (!fine) return 2
  const separator = last(options, 't')
  const keys = (options.values.get('k') ?? []).map((text) => {
    const match = /^(\d+)(?:\.(\d+))?([a-zA-Z]*)(?:,(\d+)(?:\.(\d+))?([a-zA-Z]*))?$/.exec(text)
    const letters = `${match?.[3] ?? ''}${match?.[6] ?? ''}`
    return {
      from: Number(match?.[1] ?? 1),
      char: Number(match?.[2] ?? 1),
      to: match?.[4] ? Number(match[4]) : Number.POSITIVE_INFINITY,
      letters,
    }
  })
  const field = (line: string, key: (typeof keys)[number]) => {
    const parts = separator === undefined ? (line.match(/\s*\S+/g) ?? []) : line.split(separator)
    return parts
      .slice(key.from - 1, key.to)
      .join(separator ?? '')
      .slice(separator === undefined && key.char === 1 ? 0 : key.char - 1)
  }
  const number = (text: string, how: string) => {
    const match = /^\s*(-?\d*\.?\d+)([KMGTPE]?)/i.exec(text)
    if (!match) return 0
    return Number(match[1]) * (how === 'h' ? 1024 ** ' KMGTPE'.indexOf((match[2] as string).toUpperCase() || ' ') : 1)
  }
  const compareText = (a: string, b: string, letters: string): number => {
    const has = (letter: string) => letters.includes(letter)
    let order: number
    if (has('n') || has('g') || has('h')) order = number(a, has('h') ? 'h' : 'n') - number(b, has('h') ? 'h' : 'n')
    else if (has('V')) order = a.localeCompare(b, 'en', { numeric: true })
    else if (has('M'))
      order =
        'JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC'.indexOf(a.trim().slice(0, 3).toUpperCase()) -
        'JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC'.indexOf(b.trim().slice(0, 3).toUpperCase())
    else {
      const fold = (text: string) => (has('f') ? text.toUpperCase() : text).replace(has('b') ? /^\s+/ : /$^/, '')
      const left = fold(a)
      const right = fold(b)
      order = left < right ? -1 : left > right ? 1 : 0
    }
    return has('r') ? -order : order
  }
  const global = [...flags.keys()].filter((letter) => 'nrgfbhMV'.includes(letter)).join('')
  const byKeys = (a: string, b: string): number => {
    if (keys.length === 0) return compareText(a, b, global)
    for (const key of keys) {
      const order = compareText(field(a, key), field(b, key), key.letters === '' ? global : key.letters)
      if (order !== 0) return order
    }
    return 0
  }
  const compare = (a: string, b: string): number => {
    const order = byKeys(a, b)
    if (order !== 0 || flags.has('s') || flags.has('u')) return order
    const whole = a < b ? -1 : a > b ? 1 : 0
    return flags.has('r') ? -whole : whole
  }
  if (flags.has('c')) {
    for (let index = 1; index < all.length; index++)
      if (compare(all[index - 1] as string, all[index] as string) > 0)
        return process.fail(`${options.operands[0] ?? '-'}:${index + 1}: disorder: ${all[index]}`)
    return 0
  }
  const ordered = await inOrder(process, all, compare)
  const target = last(options, 'o')
  const open = target === undefined ? undefined : process.open(target, 'write').retain()
  const out = new Output(process, open ?? 1)
  for (const [index, line] of ordered.entries()) {
    if (!flags.has('u') || index === 0 || byKeys(ordered[index - 1] as string, line) !== 0) await out.line(line)
  }
  await out.flush()
  open?.release()
  return 0
}

/** Lines that are sorted, or merged, at once. */
const sortedAtOnce = 1_000
/** Nanoseconds for a line each time that it is looked at. */
const comparePrice = 2_000

/** Sorts in pieces, so that a long file holds up nobody else. */
async function inOrder(process: Process, all: string[], compare: (a: string, b: string) => number): Promise<string[]> {
  const pay = async (lines: number) => {
    const wait = process.spend(lines * comparePrice)
    if (wait) await wait
  }
  let runs: string[][] = []
  for (let at = 0; at < all.length; at += sortedAtOnce) {
    runs.push(all.slice(at, at + sortedAtOnce).sort(compare))
    await pay(sortedAtOnce)
  }
  while (runs.length > 1) {
    const merged: string[][] = []
    for (let at = 0; at < runs.length; at += 2) merged.push(await mergedRuns(runs[at] as string[], runs[at + 1] ?? [], compare, pay))
    runs = merged
  }
  return runs[0] ?? []
}

async function mergedRuns(
  left: string[],
  right: string[],
  compare: (a: string, b: string) => number,
  pay: (lines: number) => Promise<void>,
): Promise<string[]> {
  if (right.length === 0) return left
  const result: string[] = []
  for (let i = 0, j = 0; i < left.length || j < right.length; ) {
    const takesLeft = j >= right.length || (i < left.length && compare(left[i] as string, right[j] as string) <= 0)
    result.push((takesLeft ? left[i++] : right[j++]) as string)
    if (result.length % sortedAtOnce === 0) await pay(sortedAtOnce)
  }
  return result
}

async function uniq(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'cduif:s:w:', { count: 'c', repeated: 'd', unique: 'u', 'ignore-case': 'i' })
  const skip = Number(last(options, 'f') ?? 0)
  const key = (line: string) => {
    const text = line
      .replace(new RegExp(`^(?:\\s*\\S+){0,${skip}}`), '')
      .slice(Number(last(options, 's') ?? 0), last(options, 'w') === undefined ? undefined : Number(last(options, 'w')))
    return options.flags.has('i') ? text.toLowerCase() : text
  }
  const out = new Output(process)
  let previous: string | undefined
  let repeats = 0
  const emit = async () => {
    if (previous === undefined || (options.flags.has('d') && repeats < 2) || (options.flags.has('u') && repeats > 1)) return
    await out.line(options.flags.has('c') ? `${String(repeats).padStart(7)} ${previous}` : previous)
  }
  const fine = await eachInput(
    process,
    options.operands.slice(0, 1),
    async (open) => {
      for await (const line of lines(process, open, out)) {
        if (previous !== undefined && key(previous) === key(line)) repeats++
        else {
          await emit()
          previous = line
          repeats = 1
        }
      }
    },
    cantOpen,
  )
  await emit()
  await out.flush()
  return fine ? 0 : 1
}

async function twoFiles(process: Process, operands: readonly string[]): Promise<[string[], string[]]> {
  const texts: string[] = []
  for (const path of operands.slice(0, 2))
    texts.push(
      path === '-' ? await readText(process, process.files.get(0) as OpenFile) : new TextDecoder().decode(await process.readWhole(path)),
    )
  const split = (text = '') => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))
  return [split(texts[0]), split(texts[1])]
}

async function comm(process: Process): Promise<number> {
  const options = parseOptions(process.args, '123')
  const [a, b] = await twoFiles(process, options.operands)
  const out = new Output(process)
  const column = async (number: 1 | 2 | 3, line: string) => {
    if (options.flags.has(String(number))) return
    const tabs = [1, 2].filter((each) => each < number && !options.flags.has(String(each))).length
    await out.line('\t'.repeat(tabs) + line)
  }
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (right === undefined || (left !== undefined && left < right)) {
      await column(1, left as string)
      i++
    } else if (left === undefined || right < left) {
      await column(2, right)
      j++
    } else {
      await column(3, left)
      i++
      j++
    }
  }
  await out.flush()
  return 0
}

async function cmp(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'sl')
  const [first = '', second = ''] = options.operands
  const a = await process.readWhole(first)
  const b = await process.readWhole(second)
  const length = Math.min(a.length, b.length)
  let line = 1
  for (let at = 0; at < length; at++) {
    if (a[at] !== b[at]) {
      if (!options.flags.has('s')) await process.print(`${first} ${second} differ: char ${at + 1}, line ${line}\n`)
      return 1
    }
    if (a[at] === 10) line++
  }
  if (a.length === b.length) return 0
  if (!options.flags.has('s')) await process.complain(`cmp: EOF on ${a.length < b.length ? first : second}\n`)
  return 1
}

/** Unified output, as busybox' diff makes it. */
async function diff(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'uqrNabBwiU:', { unified: 'u', brief: 'q', recursive: 'r' })
  const [first = '', second = ''] = options.operands
  const [a, b] = await twoFiles(process, options.operands)
  if (a.join('\n') === b.join('\n')) return 0
  if (options.flags.has('q')) {
    await process.print(`Files ${first} and ${second} differ\n`)
    return 1
  }
  const table: Uint32Array[] = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1))
  if (a.length * b.length > 25_000_000) return process.fail('files are too large', 2)
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      (table[i] as Uint32Array)[j] =
        a[i] === b[j] ? (table[i + 1]?.[j + 1] ?? 0) + 1 : Math.max(table[i + 1]?.[j] ?? 0, table[i]?.[j + 1] ?? 0)
  const edits: { mark: ' ' | '-' | '+'; text: string; a: number; b: number }[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) edits.push({ mark: ' ', text: a[i] as string, a: i++, b: j++ })
    else if (i < a.length && (j >= b.length || (table[i + 1]?.[j] ?? 0) >= (table[i]?.[j + 1] ?? 0)))
      edits.push({ mark: '-', text: a[i] as string, a: i++, b: j })
    else edits.push({ mark: '+', text: b[j] as string, a: i, b: j++ })
  }
  let text = `--- ${first}\n+++ ${second}\n`
  for (let at = 0; at < edits.length; ) {
    if (edits[at]?.mark === ' ') {
      at++
      continue
    }
    const start = Math.max(0, at - 3)
    let end = at
    for (let quiet = 0; end < edits.length && quiet <= 6; end++) quiet = edits[end]?.mark === ' ' ? quiet + 1 : 0
    let stop = end
    while (stop > at && edits[stop - 1]?.mark === ' ') stop--
    const hunk = edits.slice(start, Math.min(edits.length, stop + 3))
    const left = hunk.filter((edit) => edit.mark !== '+').length
    const right = hunk.filter((edit) => edit.mark !== '-').length
    const range = (from: number, length: number) => `${length === 0 ? from : from + 1}${length === 1 ? '' : `,${length}`}`
    text += `@@ -${range(hunk[0]?.a ?? 0, left)} +${range(hunk[0]?.b ?? 0, right)} @@\n${hunk.map((edit) => `${edit.mark}${edit.text}\n`).join('')}`
    at = Math.min(edits.length, stop + 3)
  }
  await process.print(text)
  return 1
}
