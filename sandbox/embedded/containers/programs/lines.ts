import type { OpenFile } from '../kernel/open-file.ts'
import type { Process, Run } from '../kernel/process.ts'
import { readEscape } from '../shell/printf.ts'
import { badOption, last, parseOptions } from './options.ts'
import { posixRegExp } from './regular.ts'
import { runCommand } from './run-command.ts'
import { cantOpen, eachInput, lines, Output, readBytes, readText } from './text.ts'

/** Programs that read text line by line. */
export const linePrograms: Record<string, Run> = {
  cat,
  tac,
  head,
  tail,
  grep,
  egrep: grep,
  fgrep: grep,
  cut,
  sort,
  uniq,
  wc,
  tr,
  tee,
  xargs,
  nl,
  rev,
  paste,
  fold,
  less: cat,
  more: cat,
  expand: cat,
  column: cat,
  comm,
  diff,
  cmp,
}

async function cat(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'nbsvteAuEST')
  const numbered = options.flags.has('n') || options.flags.has('b')
  const marks = options.flags.has('e') || options.flags.has('E') || options.flags.has('A')
  let number = 0
  const fine = await eachInput(
    process,
    options.operands,
    async (open) => {
      if (numbered || marks) {
        const out = new Output(process)
        for await (const line of lines(process, open, out)) {
          const label = numbered && !(options.flags.has('b') && line === '') ? `${String(++number).padStart(6)}\t` : ''
          await out.line(`${label}${line}${marks ? '$' : ''}`)
        }
        return out.flush()
      }
      for (;;) {
        const chunk = await open.read(65536, process)
        if (chunk.length === 0) return
        await process.print(chunk)
      }
    },
    cantOpen,
  )
  return fine ? 0 : 1
}

async function tac(process: Process): Promise<number> {
  const fine = await eachInput(process, process.args, async (open) => {
    const text = await readText(process, open)
    const all = text.replace(/\n$/, '').split('\n').reverse()
    await process.print(`${all.join('\n')}\n`)
  })
  return fine ? 0 : 1
}

function count(text: string): number {
  const match = /^([-+]?\d+)([kKmMgb]?)$/.exec(text)
  return match
    ? Number(match[1]) * ({ '': 1, b: 512, k: 1024, K: 1024, m: 1024 ** 2, M: 1024 ** 2, g: 1024 ** 3 }[match[2] as string] as number)
    : Number.NaN
}

async function head(process: Process): Promise<number> {
  const args = process.args.map((arg) => (/^-\d+$/.test(arg) ? `-n${arg.slice(1)}` : arg))
  const options = parseOptions(args, 'n:c:qv', { 'lines=': 'n', 'bytes=': 'c', quiet: 'q' })
  const bad = badOption(options)
  if (bad) return process.fail(bad)
  const bytes = last(options, 'c')
  const wanted = count(bytes ?? last(options, 'n') ?? '10')
  if (Number.isNaN(wanted)) return process.fail(`invalid number '${bytes ?? last(options, 'n')}'`)
  const several = options.operands.length > 1 && !options.flags.has('q')
  let first = true
  const fine = await eachInput(
    process,
    options.operands,
    async (open, path) => {
      if (several) await process.print(`${first ? '' : '\n'}==> ${path === '-' ? 'standard input' : path} <==\n`)
      first = false
      if (wanted < 0) {
        const text = await readText(process, open)
        if (bytes !== undefined) return process.print(text.slice(0, wanted))
        const all = text.split('\n')
        if (all.at(-1) === '') all.pop()
        const kept = all.slice(0, wanted)
        return kept.length > 0 ? process.print(`${kept.join('\n')}\n`) : undefined
      }
      let left = wanted
      while (left > 0) {
        const chunk = await open.read(65536, process)
        if (chunk.length === 0) return
        if (bytes !== undefined) {
          await process.print(chunk.subarray(0, left))
          left -= chunk.length
          continue
        }
        let end = 0
        while (left > 0 && end < chunk.length) {
          const newline = chunk.indexOf(10, end)
          if (newline === -1) {
            end = chunk.length
            break
          }
          end = newline + 1
          left--
        }
        await process.print(chunk.subarray(0, end))
      }
    },
    cantOpen,
  )
  return fine ? 0 : 1
}

async function tail(process: Process): Promise<number> {
  const args = process.args.map((arg) =>
    /^-\d+f?$/.test(arg) ? `-n${arg.slice(1).replace('f', '')}` : /^\+\d+$/.test(arg) ? `-n${arg}` : arg,
  )
  const follow = process.args.some(
    (arg) => /^-(?:\d*f|[a-zA-Z]*[fF][a-zA-Z]*)$/.test(arg) || arg === '--follow' || arg.startsWith('--follow='),
  )
  const options = parseOptions(args, 'n:c:fFqvs:', { 'lines=': 'n', 'bytes=': 'c', follow: 'f', 'follow=?': 'f', retry: 'q' })
  const bad = badOption(options)
  if (bad) return process.fail(bad)
  const bytes = last(options, 'c')
  const spec = bytes ?? last(options, 'n') ?? '10'
  const wanted = Math.abs(count(spec))
  if (Number.isNaN(wanted)) return process.fail(`invalid number '${spec}'`)
  const several = options.operands.length > 1 && !options.flags.has('q')
  let first = true
  const followed: { path: string; open: OpenFile }[] = []
  const fine = await eachInput(
    process,
    options.operands,
    async (open, path) => {
      if (several) await process.print(`${first ? '' : '\n'}==> ${path} <==\n`)
      first = false
      if (spec.startsWith('+')) {
        const content = await readBytes(process, open)
        let start = bytes !== undefined ? wanted - 1 : 0
        if (bytes === undefined)
          for (let skip = wanted - 1; skip > 0 && start !== content.length; skip--) start = content.indexOf(10, start) + 1 || content.length
        await process.print(content.subarray(Math.max(0, start)))
      } else await lastPart(process, open, wanted, bytes !== undefined)
      if (follow && path !== '-') followed.push({ path, open: open.retain() })
    },
    cantOpen,
  )
  if (follow && (followed.length > 0 || options.flags.has('F'))) {
    for (;;) {
      await process.sleep(1000)
      for (const { open, path } of followed) {
        for (;;) {
          const chunk = await open.read(65536, process)
          if (chunk.length === 0) break
          if (several) await process.print(`\n==> ${path} <==\n`)
          await process.print(chunk)
        }
      }
    }
  }
  return fine ? 0 : 1
}

/** Keeps only what is needed of a stream; what never ends takes memory until the container has none. */
async function lastPart(process: Process, open: OpenFile, wanted: number, bytes: boolean): Promise<void> {
  let chunks: Uint8Array[] = []
  let held = 0
  let newlines = 0
  for (;;) {
    const chunk = await open.read(65536, process)
    if (chunk.length === 0) break
    chunks.push(chunk)
    held += chunk.length
    process.allocate(chunk.length)
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) newlines++
    const wait = process.spend(chunk.length * 10)
    if (wait) await wait
    if (bytes ? held > 2 * wanted + 1_000_000 : newlines > 2 * wanted + 1000) {
      const rest = cutTail(Buffer.concat(chunks), wanted, bytes)
      process.allocate(rest.length - held)
      held = rest.length
      chunks = [rest.slice()]
      newlines = Math.min(newlines, wanted)
    }
  }
  await process.print(cutTail(Buffer.concat(chunks), wanted, bytes))
  process.allocate(-held)
}

function cutTail(content: Uint8Array, wanted: number, bytes: boolean): Uint8Array {
  if (bytes) return content.subarray(Math.max(0, content.length - wanted))
  if (wanted === 0) return content.subarray(content.length)
  let start = content.length - (content.at(-1) === 10 ? 1 : 0)
  for (let left = wanted; left > 0; left--) {
    const newline = start > 0 ? content.lastIndexOf(10, start - 1) : -1
    if (newline === -1) return content
    if (left === 1) return content.subarray(newline + 1)
    start = newline
  }
  return content
}

async function grep(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'EFGPivncloqhHrRwxsLaze:f:m:A:B:C:', {
    'ignore-case': 'i',
    'invert-match': 'v',
    'line-number': 'n',
    count: 'c',
    quiet: 'q',
    'only-matching': 'o',
    'extended-regexp': 'E',
    'fixed-strings': 'F',
    recursive: 'r',
    color: 'z',
    'color=?': 'z',
    'files-with-matches': 'l',
    'no-messages': 's',
    'regexp=': 'e',
    'max-count=': 'm',
    'after-context=': 'A',
    'before-context=': 'B',
    'context=': 'C',
  })
  const bad = badOption(options)
  if (bad) {
    await process.complain(`${process.name}: ${bad}\n`)
    return 2
  }
  const { flags } = options
  const patterns = (options.values.get('e') ?? []).flatMap((each) => each.split('\n'))
  for (const path of options.values.get('f') ?? [])
    patterns.push(
      ...new TextDecoder()
        .decode(await process.readWhole(path))
        .replace(/\n$/, '')
        .split('\n'),
    )
  const operands = [...options.operands]
  if (!flags.has('e') && !flags.has('f')) {
    const pattern = operands.shift()
    if (pattern === undefined) return process.fail('no pattern', 2)
    patterns.push(...pattern.split('\n'))
  }
  const extended = process.name === 'egrep' || flags.has('E') || flags.has('P')
  const fixed = process.name === 'fgrep' || flags.has('F')
  let regexps: RegExp[]
  try {
    regexps = patterns.map((pattern) => {
      const plain = fixed ? pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&') : posixRegExp(pattern, extended).source
      const whole = flags.has('x') ? `^(?:${plain})$` : flags.has('w') ? `(?<!\\w)(?:${plain})(?!\\w)` : plain
      return new RegExp(whole === '(?:)' ? '' : whole, `g${flags.has('i') ? 'i' : ''}`)
    })
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return process.fail(`bad regex '${patterns[0]}': ${error.message.replace(/^.*: /, '')}`, 2)
  }
  const matchesIn = (line: string): string[] => {
    const found: string[] = []
    for (const regexp of regexps) {
      regexp.lastIndex = 0
      for (const match of line.matchAll(regexp)) found.push(match[0])
      if (found.length > 0 && !flags.has('o')) break
    }
    return found
  }
  const recursive = flags.has('r') || flags.has('R')
  const files = recursive ? expandFolders(process, operands.length > 0 ? operands : ['.']) : operands
  const names = flags.has('H') || ((files.length > 1 || recursive) && !flags.has('h'))
  const limit = Number(last(options, 'm') ?? Number.POSITIVE_INFINITY)
  const after = Number(last(options, 'A') ?? last(options, 'C') ?? 0)
  const before = Number(last(options, 'B') ?? last(options, 'C') ?? 0)
  const out = new Output(process)
  let any = false
  const fine = await eachInput(process, files, async (open, path) => {
    const label = path === '-' ? '(standard input)' : path
    const prefix = names ? `${label}` : ''
    let hits = 0
    let number = 0
    let trailing = 0
    let printed = 0
    const held: string[] = []
    const show = async (line: string, at: number, mark: string) => {
      if ((before > 0 || after > 0) && printed > 0 && at > printed + 1) await out.line('--')
      printed = at
      await out.line(`${prefix ? `${prefix}${mark}` : ''}${flags.has('n') ? `${at}${mark}` : ''}${line}`)
    }
    for await (const line of lines(process, open, out)) {
      number++
      const found = matchesIn(line)
      if (found.length > 0 === flags.has('v')) {
        if (trailing > 0) {
          trailing--
          await show(line, number, '-')
        } else if (before > 0) {
          held.push(line)
          if (held.length > before) held.shift()
        }
        continue
      }
      hits++
      any = true
      if (flags.has('q')) return
      if (flags.has('l') || flags.has('L')) break
      if (!flags.has('c')) {
        for (let index = 0; index < held.length; index++) await show(held[index] as string, number - held.length + index, '-')
        held.length = 0
        if (flags.has('o'))
          for (const match of found) await out.line(`${prefix ? `${prefix}:` : ''}${flags.has('n') ? `${number}:` : ''}${match}`)
        else await show(line, number, ':')
        trailing = after
      }
      if (hits >= limit) break
    }
    if (flags.has('c')) await out.line(`${prefix ? `${prefix}:` : ''}${hits}`)
    if (flags.has('l') && hits > 0) await out.line(label)
    if (flags.has('L') && hits === 0) await out.line(label)
  })
  await out.flush()
  return any ? (fine || flags.has('q') ? 0 : 2) : fine || flags.has('s') ? 1 : 2
}

function expandFolders(process: Process, paths: readonly string[]): string[] {
  const files: string[] = []
  for (const path of paths) {
    const node = process.fs.find(path, process.who)
    if (node?.type === 'dir')
      files.push(
        ...expandFolders(
          process,
          process.fs.list(path, process.who).map(([name]) => `${path.replace(/\/$/, '')}/${name}`),
        ),
      )
    else files.push(path)
  }
  return files
}

/** 1,3-5,7- */
function ranges(text: string): ((position: number) => boolean) | undefined {
  const parts = text.split(',').map((part) => /^(\d*)(-?)(\d*)$/.exec(part))
  if (parts.some((part) => !part || part[0] === '' || part[0] === '-')) return undefined
  return (position) =>
    parts.some((part) => {
      const [, from, dash, to] = part as RegExpExecArray
      const low = from === '' ? 1 : Number(from)
      const high = dash === '' ? low : to === '' ? Number.POSITIVE_INFINITY : Number(to)
      return position >= low && position <= high
    })
}

async function cut(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'd:f:c:b:sn', {
    'delimiter=': 'd',
    'fields=': 'f',
    'characters=': 'c',
    'only-delimited': 's',
    'output-delimiter=': 'O',
    complement: 'n',
  })
  const fields = last(options, 'f')
  const wanted = ranges(fields ?? last(options, 'c') ?? last(options, 'b') ?? '')
  if (!wanted) return process.fail('expected a list of bytes, characters, or fields')
  const delimiter = last(options, 'd') ?? '\t'
  const joiner = last(options, 'O') ?? delimiter
  const out = new Output(process)
  const fine = await eachInput(
    process,
    options.operands,
    async (open) => {
      for await (const line of lines(process, open, out)) {
        if (fields === undefined) await out.line([...line].filter((_, index) => wanted(index + 1)).join(''))
        else if (!line.includes(delimiter)) {
          if (!options.flags.has('s')) await out.line(line)
        } else
          await out.line(
            line
              .split(delimiter)
              .filter((_, index) => wanted(index + 1))
              .join(joiner),
          )
      }
    },
    cantOpen,
  )
  await out.flush()
  return fine ? 0 : 1
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
  all.sort(compare)
  const result = flags.has('u') ? all.filter((line, index) => index === 0 || byKeys(all[index - 1] as string, line) !== 0) : all
  const text = result.length > 0 ? `${result.join('\n')}\n` : ''
  const target = last(options, 'o')
  if (target === undefined) await process.print(text)
  else process.fs.write(target, text, process.who)
  return 0
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

async function wc(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'lwcmL', { lines: 'l', words: 'w', bytes: 'c', chars: 'm' })
  const { flags } = options
  const shown = ['l', 'w', 'c', 'm', 'L'].filter((flag) => (flags.size === 0 ? 'lwc'.includes(flag) : flags.has(flag)))
  const totals = [0, 0, 0, 0, 0]
  const row = (counts: readonly number[], path: string | undefined) => {
    const cells = shown.map((flag) => String(counts['lwcmL'.indexOf(flag)]))
    const alone = cells.length === 1
    const text = alone ? (cells[0] as string) : cells.map((cell) => cell.padStart(9)).join(' ')
    return process.print(`${text}${path === undefined ? '' : ` ${path}`}\n`)
  }
  const fine = await eachInput(
    process,
    options.operands,
    async (open, path) => {
      const counts = [0, 0, 0, 0, 0]
      let inWord = false
      let width = 0
      for (;;) {
        const chunk = await open.read(65536, process)
        if (chunk.length === 0) break
        const wait = process.spend(chunk.length * 20)
        if (wait) await wait
        counts[2] = (counts[2] as number) + chunk.length
        for (const byte of chunk) {
          if (byte === 10) {
            counts[0] = (counts[0] as number) + 1
            counts[4] = Math.max(counts[4] as number, width)
            width = 0
          } else width++
          const white = byte === 32 || (byte >= 9 && byte <= 13)
          if (!white && !inWord) counts[1] = (counts[1] as number) + 1
          inWord = !white
          if ((byte & 0xc0) !== 0x80) counts[3] = (counts[3] as number) + 1
        }
      }
      counts.forEach((each, index) => {
        totals[index] = (totals[index] as number) + each
      })
      await row(counts, path === '-' && options.operands.length === 0 ? undefined : path)
    },
    cantOpen,
  )
  if (options.operands.length > 1) await row(totals, 'total')
  return fine ? 0 : 1
}

function characters(text: string): string[] {
  let source = text
  const named: Record<string, string> = {
    upper: 'A-Z',
    lower: 'a-z',
    alpha: 'A-Za-z',
    digit: '0-9',
    alnum: 'A-Za-z0-9',
    space: ' \\t\\n\\r\\f\\v',
    blank: ' \\t',
    punct: '!-/:-@[-`{-~',
    xdigit: '0-9A-Fa-f',
    print: ' -~',
    cntrl: '\\001-\\037',
  }
  source = source.replace(/\[:(\w+):\]/g, (_, name: string) => named[name] ?? '')
  const out: string[] = []
  for (let at = 0; at < source.length; at++) {
    let char = source[at] as string
    if (char === '\\') {
      const escaped = readEscape(source, at)
      char = escaped.text.length === 2 ? (escaped.text[1] as string) : escaped.text
      at = escaped.end
    }
    if (source[at + 1] === '-' && at + 2 < source.length && source[at + 2] !== ']') {
      const end = source[at + 2] === '\\' ? readEscape(source, at + 2).text : (source[at + 2] as string)
      for (let code = char.charCodeAt(0); code <= end.charCodeAt(0); code++) out.push(String.fromCharCode(code))
      at += source[at + 2] === '\\' ? readEscape(source, at + 2).end - at : 2
    } else out.push(char)
  }
  return out
}

async function tr(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'dscCt', { delete: 'd', 'squeeze-repeats': 's', complement: 'c' }, true)
  const { flags } = options
  const [first, second] = options.operands
  if (first === undefined) return process.fail('missing operand')
  const complement = flags.has('c') || flags.has('C')
  const from = characters(first)
  const set = new Set(from)
  const to = second === undefined ? [] : characters(second)
  const map = new Map<string, string>()
  if (!flags.has('d') && !complement)
    from.forEach((char, index) => {
      map.set(char, to[Math.min(index, to.length - 1)] ?? char)
    })
  const squeezed = flags.has('s')
    ? new Set(second === undefined || (flags.has('d') && second !== undefined) ? (second === undefined ? from : to) : to)
    : undefined
  let previous = ''
  const decoder = new TextDecoder()
  const stdin = process.files.get(0)
  if (!stdin) return 0
  for (;;) {
    const chunk = await stdin.read(65536, process)
    if (chunk.length === 0) return 0
    const wait = process.spend(chunk.length * 20)
    if (wait) await wait
    let text = ''
    for (const char of decoder.decode(chunk, { stream: true })) {
      const inSet = set.has(char) !== complement
      if (flags.has('d') && inSet) continue
      const next = flags.has('d') || !inSet ? char : complement ? (to.at(-1) ?? char) : (map.get(char) ?? char)
      if (squeezed && next === previous && (complement && second === undefined ? inSet : squeezed.has(next))) continue
      previous = next
      text += next
    }
    await process.print(text)
  }
}

async function tee(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'ai', { append: 'a' })
  const sinks = options.operands.map((path) => process.open(path, options.flags.has('a') ? 'append' : 'write').retain())
  const stdin = process.files.get(0)
  for (;;) {
    const chunk = stdin ? await stdin.read(65536, process) : new Uint8Array(0)
    if (chunk.length === 0) break
    await process.print(chunk)
    for (const sink of sinks) await sink.write(chunk, process)
  }
  for (const sink of sinks) sink.release()
  return 0
}

async function xargs(process: Process): Promise<number> {
  const options = parseOptions(
    process.args,
    '0rtpn:I:L:P:s:d:i',
    { null: '0', 'no-run-if-empty': 'r', 'max-args=': 'n', 'replace=': 'I', 'delimiter=': 'd', 'max-procs=': 'P' },
    true,
  )
  const stdin = process.files.get(0)
  const text = stdin ? await readText(process, stdin) : ''
  const replace = last(options, 'I')
  const delimiter = options.flags.has('0') ? '\0' : last(options, 'd')?.replace('\\n', '\n')
  let words: string[]
  if (delimiter !== undefined) words = text.split(delimiter).filter((word, index, all) => word !== '' || index < all.length - 1)
  else if (replace !== undefined || options.flags.has('L'))
    words = text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
  else
    words = [...text.matchAll(/(?:"([^"]*)"|'([^']*)'|\\(.)|[^\s"'\\])+/gs)].map((match) =>
      match[0].replace(/"([^"]*)"|'([^']*)'|\\(.)/gs, '$1$2$3'),
    )
  const command = options.operands.length > 0 ? options.operands : ['echo']
  const size = replace !== undefined ? 1 : Number(last(options, 'n') ?? last(options, 'L') ?? 5000)
  const batches: string[][] = []
  for (let at = 0; at < words.length; at += size) batches.push(words.slice(at, at + size))
  if (batches.length === 0 && !options.flags.has('r') && replace === undefined) batches.push([])
  let status = 0
  const devNull = process.open('/dev/null', 'read')
  for (const batch of batches) {
    const argv = replace !== undefined ? command.map((word) => word.replaceAll(replace, batch[0] as string)) : [...command, ...batch]
    if (options.flags.has('t')) await process.complain(`${argv.join(' ')}\n`)
    const code = await runCommand(process, argv, new Map([[0, devNull]]))
    if (code === 126 || code === 127) return code
    if (code !== 0) status = code === 255 ? 124 : 123
  }
  return status
}

async function nl(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'b:w:s:n:v:i:')
  const out = new Output(process)
  let number = 0
  const fine = await eachInput(process, options.operands, async (open) => {
    for await (const line of lines(process, open, out)) {
      const counts = last(options, 'b') === 'a' || line !== ''
      await out.line(
        counts
          ? `${String(++number).padStart(Number(last(options, 'w') ?? 6))}${last(options, 's') ?? '\t'}${line}`
          : `${' '.repeat(7)}${line}`,
      )
    }
  })
  await out.flush()
  return fine ? 0 : 1
}

async function rev(process: Process): Promise<number> {
  const out = new Output(process)
  const fine = await eachInput(process, process.args, async (open) => {
    for await (const line of lines(process, open, out)) await out.line([...line].reverse().join(''))
  })
  await out.flush()
  return fine ? 0 : 1
}

async function paste(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'd:s')
  const delimiters = characters(last(options, 'd') ?? '\t')
  const files: string[][] = []
  await eachInput(process, options.operands, async (open) => {
    files.push((await readText(process, open)).replace(/\n$/, '').split('\n'))
  })
  const joined = (cells: readonly string[]) =>
    cells.reduce((text, cell, index) => (index === 0 ? cell : text + (delimiters[(index - 1) % delimiters.length] ?? '') + cell), '')
  if (options.flags.has('s')) for (const file of files) await process.print(`${joined(file)}\n`)
  else
    for (let row = 0; row < Math.max(0, ...files.map((file) => file.length)); row++)
      await process.print(`${joined(files.map((file) => file[row] ?? ''))}\n`)
  return 0
}

async function fold(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'w:sb')
  const width = Number(last(options, 'w') ?? 80)
  const out = new Output(process)
  await eachInput(process, options.operands, async (open) => {
    for await (const line of lines(process, open, out))
      for (let at = 0; at < Math.max(1, line.length); at += width) await out.line(line.slice(at, at + width))
  })
  await out.flush()
  return 0
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
