import { type OpenFile, RegularFile } from '../kernel/open-file.ts'
import type { Process, Run } from '../kernel/process.ts'
import { readEscape } from '../shell/printf.ts'
import { Errno } from '../vfs/errno.ts'
import { sizeOf } from '../vfs/node.ts'
import { comparePrograms } from './compare.ts'
import { grepPrograms } from './grep.ts'
import { badOption, last, parseOptions } from './options.ts'
import { runCommand } from './run-command.ts'
import { cantOpen, eachInput, lines, Output, readBytes, readText } from './text.ts'
import { hasCoreutils, usage } from './usage.ts'

/** Programs that read text line by line. */
export const linePrograms: Record<string, Run> = {
  cat,
  tac,
  head,
  tail,
  cut,
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
  column: cat,
  ...grepPrograms,
  ...comparePrograms,
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

function takesValue(option: string | undefined): boolean {
  return option !== undefined && /^(-[fFqv]*[nc]|--lines|--bytes)$/.test(option)
}

async function tail(process: Process): Promise<number> {
  const args = process.args.map((arg, index) =>
    /^-\d+f?$/.test(arg)
      ? `-n${arg.slice(1).replace('f', '')}`
      : /^\+\d+$/.test(arg) && !takesValue(process.args[index - 1])
        ? `-n${arg}`
        : arg,
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
  const followed: Followed[] = []
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
  if (options.flags.has('F')) {
    for (const [index, path] of options.operands.entries()) if (followed[index]?.path !== path) followed.splice(index, 0, { path })
  }
  if (follow && followed.length > 0) return followAll(process, followed, { retry: options.flags.has('F'), headings: several })
  return fine ? 0 : 1
}

interface Followed {
  path: string
  open?: OpenFile
  /** Said of it already. */
  missing?: boolean
}

/** What comes to files, for ever; with `retry` what is at their paths later, too. */
async function followAll(
  process: Process,
  followed: Followed[],
  { retry, headings }: { retry: boolean; headings: boolean },
): Promise<never> {
  let shown = followed.at(-1)
  for (;;) {
    await process.sleep(1000)
    for (const each of followed) {
      const next = retry ? await reopened(process, each) : undefined
      for (;;) {
        const { open } = each
        if (!open) break
        // One that was cut off begins anew.
        if (open instanceof RegularFile && sizeOf(open.node) > 0 && sizeOf(open.node) < open.offset) {
          if (hasCoreutils(process)) await process.complain(`${process.name}: ${each.path}: file truncated\n`)
          open.offset = 0
        }
        const chunk = await open.read(65536, process)
        if (chunk.length === 0) break
        if (headings && shown !== each) await process.print(`\n==> ${each.path} <==\n`)
        shown = each
        await process.print(chunk)
      }
      if (!next) continue
      each.open?.release()
      each.open = next
    }
  }
}

/** What is at the path now, where that is another file than before; says so in busybox' words, or in coreutils'. */
async function reopened(process: Process, each: Followed): Promise<OpenFile | undefined> {
  const { path, open, missing } = each
  const coreutils = hasCoreutils(process)
  const node = process.fs.find(path, process.who)
  const same = open instanceof RegularFile ? open.node === node || (node?.type === 'file' && node.generate !== undefined) : open && node
  if (same && !missing) return undefined
  try {
    const next = process.open(path, 'read').retain()
    each.missing = false
    const how = open && !(coreutils && missing) ? 'been replaced' : 'appeared'
    const text = coreutils ? `'${path}' has ${how};  following new file` : `${path} has ${how}; following end of new file`
    await process.complain(`${process.name}: ${text}\n`)
    return next
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    const text = coreutils ? `'${path}' has become inaccessible` : `${path} has been renamed or deleted`
    if (open && !(coreutils && missing)) await process.complain(`${process.name}: ${text}: ${error.message}\n`)
    each.missing = true
    return undefined
  }
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
  if (first === undefined) return usage(process, 'missing operand')
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
