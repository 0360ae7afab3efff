import { linearRegExp } from '../../machinery/linear-regexp.ts'
import type { Process, Run } from '../kernel/process.ts'
import { badOption, last, parseOptions } from './options.ts'
import { posixRegExp } from './regular.ts'
import { blocks, eachInput, Output } from './text.ts'
import { usage } from './usage.ts'

/** Lines that match. */
export const grepPrograms: Record<string, Run> = {
  grep,
  egrep: grep,
  fgrep: grep,
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
    if (pattern === undefined) return (await usage(process, 'no pattern')) && 2
    patterns.push(...pattern.split('\n'))
  }
  const extended = process.name === 'egrep' || flags.has('E') || flags.has('P')
  const fixed = process.name === 'fgrep' || flags.has('F')
  let regexps: RegExp[]
  try {
    regexps = patterns.map((pattern) => {
      const plain = fixed ? pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&') : posixRegExp(pattern, extended).source
      const whole = flags.has('x') ? `^(?:${plain})$` : flags.has('w') ? `(?<!\\w)(?:${plain})(?!\\w)` : plain
      return linearRegExp(whole === '(?:)' ? '' : whole, `g${flags.has('i') ? 'i' : ''}`)
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
    reading: for await (const block of blocks(process, open, out)) {
      for (const line of block) {
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
        if (flags.has('l') || flags.has('L')) break reading
        if (!flags.has('c')) {
          for (let index = 0; index < held.length; index++) await show(held[index] as string, number - held.length + index, '-')
          held.length = 0
          if (flags.has('o'))
            for (const match of found) await out.line(`${prefix ? `${prefix}:` : ''}${flags.has('n') ? `${number}:` : ''}${match}`)
          else await show(line, number, ':')
          trailing = after
        }
        if (hits >= limit) break reading
      }
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
