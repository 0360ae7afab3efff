import { crc32 } from 'node:zlib'
import type { Process, Run } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'
import { join } from './files.ts'
import { badOption, last, parseOptions } from './options.ts'
import { eachInput, lines, Output, readBytes, readText } from './text.ts'
import { hasCoreutils, usage } from './usage.ts'

/** Applets of busybox that are a few lines each. */
export const smallApplets: Record<string, Run> = {
  strings,
  expand,
  unexpand,
  shuf,
  split,
  tree,
  link,
  unlink,
  dos2unix: lineEnds,
  unix2dos: lineEnds,
  crc32: checksum,
  cksum: checksum,
}

async function strings(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'fon:t:a')
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const least = Number(last(options, 'n') ?? 4)
  const radix = options.flags.has('o') ? 'o' : last(options, 't')
  const base = { o: 8, d: 10, x: 16 }[radix ?? 'd']
  if (base === undefined) return usage(process, `invalid option -- 't'`)
  const out = new Output(process)
  const fine = await eachInput(process, options.operands, async (open, path) => {
    const content = Buffer.from(await readBytes(process, open)).toString('latin1')
    for (const { index, 0: text } of content.matchAll(/[\t -~]+/g)) {
      if (text.length < least) continue
      const place = radix === undefined ? '' : `${index.toString(base).padStart(7)} `
      await out.line(`${options.flags.has('f') ? `${path}: ` : ''}${place}${text}`)
    }
  })
  await out.flush()
  return fine ? 0 : 1
}

async function expand(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'it:', { initial: 'i', 'tabs=': 't' })
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const width = Number(last(options, 't') ?? 8)
  return await eachLine(process, options.operands, (line) => {
    let column = 0
    let text = ''
    for (const [at, char] of [...line].entries()) {
      const tab = char === '\t' && !(options.flags.has('i') && /\S/.test(line.slice(0, at)))
      const length = tab ? width - (column % width) : 1
      text += tab ? ' '.repeat(length) : char
      column += length
    }
    return text
  })
}

async function unexpand(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'aft:', { all: 'a', 'first-only': 'f', 'tabs=': 't' })
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const width = Number(last(options, 't') ?? 8)
  const all = options.flags.has('a') || (options.values.has('t') && !options.flags.has('f'))
  return await eachLine(process, options.operands, (line) => {
    let column = 0
    let text = ''
    for (const [blank, word] of [...line.matchAll(/([ \t]*)([^ \t]*)/g)].map(([, blank = '', word = '']) => [blank, word] as const)) {
      const from = column
      for (const char of blank) column += char === '\t' ? width - (column % width) : 1
      const tabs = Math.floor(column / width) - Math.floor(from / width)
      const packs = tabs > 0 && (all || text === '') && (from === 0 || column - from > 1)
      text += packs ? '\t'.repeat(tabs) + ' '.repeat(column % width) : blank
      column += word.length
      text += word
    }
    return text
  })
}

async function eachLine(process: Process, operands: readonly string[], change: (line: string) => string): Promise<number> {
  const out = new Output(process)
  const fine = await eachInput(process, operands, async (open) => {
    for await (const line of lines(process, open, out)) await out.line(change(line))
  })
  await out.flush()
  return fine ? 0 : 1
}

async function shuf(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'ei:n:o:z')
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const end = options.flags.has('z') ? '\0' : '\n'
  const range = last(options, 'i')
  let rows: string[]
  if (range !== undefined) {
    const [, low, high] = /^(\d+)-(\d+)$/.exec(range) ?? []
    if (low === undefined || high === undefined || Number(low) > Number(high)) {
      return await process.fail(`${hasCoreutils(process) ? 'invalid input range:' : 'bad range'} '${range}'`)
    }
    process.allocate((Number(high) - Number(low) + 1) * 8)
    rows = Array.from({ length: Number(high) - Number(low) + 1 }, (_, index) => String(Number(low) + index))
  } else if (options.flags.has('e')) rows = [...options.operands]
  else {
    rows = []
    const fine = await eachInput(process, options.operands.slice(0, 1), async (open) => {
      rows = (await readText(process, open)).split(end)
      if (rows.at(-1) === '') rows.pop()
    })
    if (!fine) return 1
  }
  for (let at = rows.length - 1; at > 0; at--) {
    const other = Math.floor(process.machine.random() * (at + 1))
    ;[rows[at], rows[other]] = [rows[other] as string, rows[at] as string]
  }
  const text = rows
    .slice(0, Number(last(options, 'n') ?? rows.length))
    .map((row) => row + end)
    .join('')
  const file = last(options, 'o')
  if (file === undefined) await process.print(text)
  else process.fs.write(file, text, process.who)
  return 0
}

/** -l lines or -b bytes a file: xaa, xab ... */
async function split(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'l:b:a:')
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const [input = '-', prefix = 'x'] = options.operands
  const letters = Number(last(options, 'a') ?? 2)
  const size = last(options, 'b')
  const [, digits = '', unit = ''] = /^(\d+)([bkm]?)$/.exec(size ?? last(options, 'l') ?? '1000') ?? []
  const count = Number(digits) * ({ '': 1, b: 512, k: 1024, m: 1024 ** 2 }[unit] ?? 1)
  if (!(count > 0)) return await process.fail(`invalid number '${size ?? last(options, 'l')}'`)
  let part = 0
  const fine = await eachInput(process, [input], async (open) => {
    const content = await readBytes(process, open)
    for (let at = 0; at < content.length; ) {
      let end = Math.min(content.length, at + count)
      if (size === undefined) {
        end = at
        for (let line = 0; line < count && end < content.length; line++) end = content.indexOf(10, end) + 1 || content.length
      }
      if (part >= 26 ** letters) throw new SuffixesExhausted()
      const suffix = Array.from({ length: letters }, (_, index) =>
        String.fromCharCode(97 + (Math.floor(part / 26 ** (letters - 1 - index)) % 26)),
      ).join('')
      process.fs.write(prefix + suffix, content.subarray(at, end), process.who)
      part++
      at = end
    }
  }).catch((error: unknown) => {
    if (!(error instanceof SuffixesExhausted)) throw error
    return undefined
  })
  return fine === undefined ? await process.fail('suffixes exhausted') : fine ? 0 : 1
}

class SuffixesExhausted extends Error {}

/** As busybox draws it: without what is hidden, links with what they lead to. */
async function tree(process: Process): Promise<number> {
  const out = new Output(process)
  let folders = 0
  let files = 0
  const show = async (path: string, lead: string): Promise<void> => {
    const entries = process.fs.list(path, process.who).filter(([name]) => !name.startsWith('.'))
    for (const [index, [name, node]] of entries.entries()) {
      const final = index === entries.length - 1
      await out.line(`${lead}${final ? '`-- ' : '|-- '}${name}${node.type === 'link' ? ` -> ${node.target}` : ''}`)
      const wait = process.spend(2000)
      if (wait) await wait
      if (node.type !== 'dir') {
        files++
        continue
      }
      folders++
      if (process.fs.access(node, process.who, 4)) await show(join(path, name), `${lead}${final ? '    ' : '|   '}`)
    }
  }
  for (const path of process.args.length > 0 ? process.args : ['.']) {
    const node = process.fs.find(path, process.who)
    if (node?.type !== 'dir') await out.line(`${path} [error opening dir]`)
    else {
      await out.line(path)
      await show(path, '')
    }
  }
  await out.line(`\n${folders} directories, ${files} files`)
  await out.flush()
  return 0
}

async function link(process: Process): Promise<number> {
  const [from, to, ...more] = process.args
  if (from === undefined || to === undefined || more.length > 0) return usage(process, 'missing operand')
  const what = hasCoreutils(process) ? `cannot create link '${to}' to '${from}'` : `can't create hardlink '${to}' to '${from}'`
  return await attempt(process, what, () => process.fs.link(from, to, process.who))
}

async function unlink(process: Process): Promise<number> {
  const [path, ...more] = process.args
  if (path === undefined || more.length > 0) return usage(process, 'missing operand')
  return await attempt(process, hasCoreutils(process) ? `cannot unlink '${path}'` : `can't remove file '${path}'`, () =>
    process.fs.unlink(path, process.who),
  )
}

async function attempt(process: Process, what: string, action: () => void): Promise<number> {
  try {
    action()
    return 0
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    return await process.fail(`${what}: ${error.message}`)
  }
}

/** dos2unix and unix2dos: files in place, or the standard input. */
async function lineEnds(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'ud')
  const bad = badOption(options)
  if (bad) return usage(process, bad)
  const toDos = options.flags.has('d') || (process.name === 'unix2dos' && !options.flags.has('u'))
  const changed = (content: Uint8Array) => {
    const text = Buffer.from(content).toString('latin1').replaceAll('\r\n', '\n')
    return Buffer.from(toDos ? text.replaceAll('\n', '\r\n') : text, 'latin1')
  }
  if (options.operands.length === 0) {
    const stdin = process.files.get(0)
    if (stdin) await process.print(changed(await readBytes(process, stdin)))
    return 0
  }
  for (const path of options.operands) {
    const code = await attempt(process, `can't open '${path}'`, () => {
      const content = process.open(path, 'read')
      content.retain().release()
    })
    if (code !== 0) return code
    process.fs.write(path, changed(await process.readWhole(path)), process.who)
  }
  return 0
}

async function checksum(process: Process): Promise<number> {
  const posix = process.name === 'cksum'
  const fine = await eachInput(
    process,
    process.args,
    async (open, path) => {
      const content = await readBytes(process, open)
      const name = path === '-' ? '' : ` ${path}`
      await process.print(
        posix ? `${posixSum(content)} ${content.length}${name}\n` : `${crc32(content).toString(16).padStart(8, '0')}${name}\n`,
      )
    },
    (path, error) => `can't open '${path}': ${error.message}`,
  )
  return fine ? 0 : 1
}

/** The check sum of POSIX' cksum: the highest bit first, with the length at the end. */
function posixSum(content: Uint8Array): number {
  let sum = 0
  const take = (byte: number) => {
    sum ^= byte << 24
    for (let bit = 0; bit < 8; bit++) sum = sum < 0 ? (sum << 1) ^ 0x04c11db7 : sum << 1
  }
  for (const byte of content) take(byte)
  for (let length = content.length; length > 0; length = Math.floor(length / 256)) take(length & 255)
  return ~sum >>> 0
}
