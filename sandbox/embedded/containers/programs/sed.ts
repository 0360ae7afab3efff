import { linearRegExp } from '../../machinery/linear-regexp.ts'
import type { OpenFile } from '../kernel/open-file.ts'
import type { Process } from '../kernel/process.ts'
import { badOption, parseOptions } from './options.ts'
import { posixRegExp } from './regular.ts'
import { blocks, cantOpen, eachInput, Output, readText } from './text.ts'
import { usage } from './usage.ts'

type Address = { line: number } | { last: true } | { regexp: RegExp } | { step: [number, number] }

interface Command {
  from?: Address
  to?: Address | { more: number }
  negated: boolean
  name: string
  text: string
  regexp?: RegExp
  replacement?: string
  flags?: string
  label?: string
  /** Of { }: the index after its end. */
  end?: number
  active?: boolean
  until?: number
  map?: Map<string, string>
}

/** sed: the commands = a b c d D g G h H i l n N p P q Q r s t w x y { } : # with all kinds of addresses. */
export async function sed(process: Process): Promise<number> {
  const args = process.args.map((arg) => (/^-i.+/.test(arg) || arg === '--in-place' ? '-i' : arg))
  const options = parseOptions(args, 'nEre:f:is', {
    quiet: 'n',
    silent: 'n',
    'regexp-extended': 'E',
    'expression=': 'e',
    'file=': 'f',
    'in-place=?': 'i',
  })
  const bad = badOption(options)
  if (bad) return process.fail(bad)
  const scripts = [...(options.values.get('e') ?? [])]
  for (const path of options.values.get('f') ?? []) scripts.push(new TextDecoder().decode(await process.readWhole(path)).replace(/\n$/, ''))
  const operands = [...options.operands]
  if (scripts.length === 0) {
    const script = operands.shift()
    if (script === undefined) return usage(process, 'no script')
    scripts.push(script)
  }
  let commands: Command[]
  try {
    commands = compile(scripts.join('\n'), options.flags.has('E') || options.flags.has('r'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return process.fail(error.message)
  }
  const quiet = options.flags.has('n')
  if (!options.flags.has('i')) {
    const out = new Output(process)
    const runner = new Runner(process, commands, quiet, out)
    let status = 0
    const sources = async function* (): AsyncGenerator<readonly string[]> {
      for (const path of operands.length > 0 ? operands : ['-']) {
        const opened: OpenFile[] = []
        const fine = await eachInput(process, [path], async (open) => void opened.push(open.retain()), cantOpen)
        if (!fine) status = 1
        for (const open of opened) {
          yield* blocks(process, open, out)
          open.release()
        }
      }
    }
    const code = await runner.run(sources())
    await out.flush()
    return code || status
  }
  for (const path of operands) {
    if (!process.fs.find(path, process.who)) return process.fail(`${path}: No such file or directory`)
    const open = process.open(path, 'read').retain()
    const text = await readText(process, open)
    open.release()
    let result = ''
    const sink = {
      add: async (each: string) => void (result += each),
      line: async (each: string) => void (result += `${each}\n`),
      flush: async () => {},
    }
    const content = text.replace(/\n$/, '').split('\n')
    const source = async function* (): AsyncGenerator<readonly string[]> {
      if (text !== '') yield content
    }
    for (const command of commands) command.active = false
    await new Runner(process, commands, quiet, sink).run(source())
    process.fs.write(path, result, process.who)
  }
  return 0
}

function compile(script: string, extended: boolean): Command[] {
  const commands: Command[] = []
  const open: number[] = []
  let at = 0
  let lastRegexp: RegExp | undefined
  const fail = (text: string): never => {
    throw new SyntaxError(text)
  }
  const until = (delimiter: string, keepEscapes = true): string => {
    let text = ''
    let inBracket = false
    for (; at < script.length; at++) {
      const char = script[at] as string
      if (char === '\\') {
        const next = script[at + 1] ?? ''
        at++
        if (next === delimiter && delimiter !== '\\') text += keepEscapes && /[.*+?()[\]{}|^$&]/.test(next) ? next : next
        else if (next === '\n') text += keepEscapes ? '\\\n' : '\n'
        else text += `\\${next}`
        continue
      }
      if (char === '[' && keepEscapes) inBracket = true
      if (char === ']') inBracket = false
      if (char === delimiter && !(inBracket && keepEscapes && delimiter === '/')) break
      text += char
    }
    if (at >= script.length) fail(`unmatched '${delimiter}'`)
    at++
    return text
  }
  const address = (): Address | undefined => {
    const number = /^(\d+)(?:~(\d+))?/.exec(script.slice(at))
    if (number) {
      at += number[0].length
      return number[2] !== undefined ? { step: [Number(number[1]), Number(number[2])] } : { line: Number(number[1]) }
    }
    if (script[at] === '$') {
      at++
      return { last: true }
    }
    if (script[at] === '/' || script[at] === '\\') {
      const delimiter = script[at] === '\\' ? (script[++at] as string) : '/'
      at++
      const source = until(delimiter)
      const flags = /^[IM]*/.exec(script.slice(at))?.[0] ?? ''
      at += flags.length
      if (source === '') return { regexp: lastRegexp ?? fail('no previous regexp') }
      lastRegexp = posixRegExp(source, extended, flags.includes('I') ? 'i' : '')
      return { regexp: lastRegexp }
    }
    return undefined
  }
  while (at < script.length) {
    while (/[\s;]/.test(script[at] ?? '')) at++
    if (at >= script.length) break
    if (script[at] === '#') {
      while (at < script.length && script[at] !== '\n') at++
      continue
    }
    const command: Command = { negated: false, name: '', text: '' }
    command.from = address()
    if (command.from && script[at] === ',') {
      at++
      if (script[at] === '+') {
        at++
        const count = /^\d+/.exec(script.slice(at))?.[0] ?? fail('unexpected ,')
        at += count.length
        command.to = { more: Number(count) }
      } else command.to = address() ?? fail('unexpected ,')
    }
    while (script[at] === ' ') at++
    while (script[at] === '!') {
      command.negated = true
      at++
    }
    while (script[at] === ' ') at++
    command.name = script[at++] ?? fail('missing command')
    switch (command.name) {
      case '{':
        open.push(commands.length)
        break
      case '}': {
        const start = open.pop() ?? fail("unexpected '}'")
        ;(commands[start] as Command).end = commands.length
        continue
      }
      case 's': {
        const delimiter = script[at++] as string
        const source = until(delimiter)
        command.replacement = until(delimiter, false)
        const flags = /^(?:[gpiIeM]|\d+)*/.exec(script.slice(at))?.[0] ?? ''
        at += flags.length
        command.flags = flags
        if (script[at] === 'w') {
          const end = script.indexOf('\n', at)
          command.text = script.slice(at + 1, end === -1 ? undefined : end).trim()
          at = end === -1 ? script.length : end
        }
        command.regexp =
          source === '' ? lastRegexp : posixRegExp(source, extended, `g${/[iI]/.test(flags) ? 'i' : ''}${flags.includes('M') ? 'm' : ''}`)
        if (!command.regexp) fail('no previous regexp')
        if (source === '') command.regexp = linearRegExp((command.regexp as RegExp).source, 'g')
        lastRegexp = command.regexp
        break
      }
      case 'y': {
        const delimiter = script[at++] as string
        const from = [...until(delimiter, false).replaceAll('\\n', '\n').replaceAll('\\\\', '\\')]
        const to = [...until(delimiter, false).replaceAll('\\n', '\n').replaceAll('\\\\', '\\')]
        if (from.length !== to.length) fail('strings for y command have different lengths')
        command.map = new Map(from.map((char, index) => [char, to[index] as string]))
        break
      }
      case 'a':
      case 'i':
      case 'c': {
        while (script[at] === ' ' || script[at] === '\t') at++
        if (script[at] === '\\') {
          at++
          while (script[at] === ' ' || script[at] === '\t') at++
          if (script[at] === '\n') at++
        }
        let text = ''
        for (; at < script.length && script[at] !== '\n'; at++) {
          if (script[at] === '\\' && at + 1 < script.length) at++
          text += script[at]
        }
        command.text = text
        break
      }
      case ':':
      case 'b':
      case 't':
      case 'T':
      case 'r':
      case 'w': {
        const end = /[\n;}]/.exec(script.slice(at))
        const stop =
          command.name === 'r' || command.name === 'w' || command.name === ':'
            ? (/\n/.exec(script.slice(at)) ?? (command.name === ':' ? end : null))
            : end
        command.text = script.slice(at, stop ? at + stop.index : undefined).trim()
        at = stop ? at + stop.index : script.length
        break
      }
      case 'q':
      case 'Q': {
        const code = /^\s*\d+/.exec(script.slice(at))?.[0] ?? ''
        at += code.length
        command.text = code.trim()
        break
      }
      default:
        if (!'=dDgGhHlnNpPxz'.includes(command.name)) fail(`unsupported command ${command.name}`)
    }
    commands.push(command)
    while (script[at] === ' ' || script[at] === '\t') at++
    if (at < script.length && !/[;\n}#]/.test(script[at] as string) && command.name !== '{') fail(`bad option in substitution expression`)
  }
  if (open.length > 0) fail("unmatched '{'")
  return commands
}

class Runner {
  private readonly process: Process
  private readonly commands: readonly Command[]
  private readonly quiet: boolean
  private readonly out: Pick<Output, 'add' | 'line' | 'flush'>
  private hold = ''
  private number = 0
  /** Lines that have been read, and how many of them have been taken. */
  private lines: readonly string[] = []
  private taken = 0
  private source: AsyncGenerator<readonly string[]> = (async function* () {})()
  private readonly written = new Map<string, string>()

  constructor(process: Process, commands: readonly Command[], quiet: boolean, out: Pick<Output, 'add' | 'line' | 'flush'>) {
    this.process = process
    this.commands = commands
    this.quiet = quiet
    this.out = out
  }

  async run(source: AsyncGenerator<readonly string[]>): Promise<number> {
    this.source = source
    await this.readOn()
    let space = await this.next()
    let restart = false
    while (space !== undefined) {
      const wait = this.process.spend(2000)
      if (wait) await wait
      const result = await this.cycle(space)
      const writing = !this.quiet && !result.deleted && this.out.line(result.space)
      if (writing) await writing
      for (const text of result.appended) await this.out.line(text)
      if (result.quit !== undefined) return result.quit
      restart = result.rest !== undefined
      const next = restart ? result.rest : this.next()
      space = next instanceof Promise ? await next : next
    }
    return 0
  }

  /** The next line, as soon as it is known whether there is another one after it. */
  private next(): Promise<string | undefined> | string | undefined {
    if (this.atEnd) return undefined
    const line = this.lines[this.taken++]
    this.number++
    return this.atEnd ? this.readOn().then(() => line) : line
  }

  private async readOn(): Promise<void> {
    const { done, value } = await this.source.next()
    if (done) return
    this.lines = value
    this.taken = 0
  }

  private get atEnd(): boolean {
    return this.taken >= this.lines.length
  }

  private async cycle(start: string): Promise<{ space: string; deleted: boolean; appended: string[]; quit?: number; rest?: string }> {
    let space = start
    const appended: string[] = []
    let substituted = false
    const jump = (label: string) =>
      label === '' ? this.commands.length : this.commands.findIndex((each) => each.name === ':' && each.text === label)
    for (let at = 0; at < this.commands.length; at++) {
      const command = this.commands[at] as Command
      if (!this.selects(command, space)) {
        if (command.name === '{') at = (command.end as number) - 1
        continue
      }
      switch (command.name) {
        case 'd':
          return { space, deleted: true, appended }
        case 'D': {
          const newline = space.indexOf('\n')
          if (newline === -1) return { space, deleted: true, appended }
          return { space, deleted: true, appended, rest: space.slice(newline + 1) }
        }
        case 'p':
          await this.out.line(space)
          break
        case 'P':
          await this.out.line(space.split('\n')[0] as string)
          break
        case '=':
          await this.out.line(String(this.number))
          break
        case 'l':
          await this.out.line(`${JSON.stringify(space).slice(1, -1).replaceAll('\\"', '"')}$`)
          break
        case 'n': {
          if (!this.quiet) await this.out.line(space)
          const next = await this.next()
          if (next === undefined) return { space, deleted: true, appended, quit: 0 }
          space = next
          break
        }
        case 'N': {
          const next = await this.next()
          if (next === undefined) return { space, deleted: false, appended, quit: 0 }
          space = `${space}\n${next}`
          break
        }
        case 'g':
          space = this.hold
          break
        case 'G':
          space = `${space}\n${this.hold}`
          break
        case 'h':
          this.hold = space
          break
        case 'H':
          this.hold = `${this.hold}\n${space}`
          break
        case 'x':
          ;[space, this.hold] = [this.hold, space]
          break
        case 'z':
          space = ''
          break
        case 'a':
          appended.push(command.text)
          break
        case 'i':
          await this.out.line(command.text)
          break
        case 'c':
          if (!command.to || !command.active || command.negated) await this.out.line(command.text)
          return { space, deleted: true, appended }
        case 'r': {
          const node = this.process.fs.find(command.text, this.process.who)
          if (node) appended.push(new TextDecoder().decode(await this.process.readWhole(command.text)).replace(/\n$/, ''))
          break
        }
        case 'w':
          this.save(command.text, space)
          break
        case 's': {
          const result = substitute(command, space)
          if (result === undefined) break
          substituted = true
          space = result
          if (command.flags?.includes('p')) await this.out.line(space)
          if (command.text) this.save(command.text, space)
          break
        }
        case 'y':
          space = [...space].map((char) => command.map?.get(char) ?? char).join('')
          break
        case 'b':
          at = jump(command.text)
          break
        case 't':
          if (substituted) {
            substituted = false
            at = jump(command.text)
          }
          break
        case 'T':
          if (!substituted) at = jump(command.text)
          substituted = false
          break
        case 'q':
          return { space, deleted: false, appended, quit: Number(command.text || 0) }
        case 'Q':
          return { space, deleted: true, appended, quit: Number(command.text || 0) }
      }
    }
    return { space, deleted: false, appended }
  }

  private save(path: string, line: string): void {
    const text = `${this.written.get(path) ?? ''}${line}\n`
    this.written.set(path, text)
    this.process.fs.write(path, text, this.process.who)
  }

  private selects(command: Command, space: string): boolean {
    return this.inRange(command, space) !== command.negated
  }

  private inRange(command: Command, space: string): boolean {
    const { from, to } = command
    if (!from) return true
    if (!to) return this.matches(from, space)
    if (command.active) {
      if (command.until !== undefined ? this.number >= command.until : !('more' in to) && this.matches(to, space)) command.active = false
      if (!('more' in to) && 'line' in to && this.number > to.line) {
        command.active = false
        return this.number <= to.line
      }
      return true
    }
    if (!this.matches(from, space) && !('line' in from && from.line === 0 && this.number === 1)) return false
    command.until = 'more' in to ? this.number + to.more : undefined
    command.active = 'more' in to ? to.more > 0 : 'line' in to ? to.line > this.number : true
    return true
  }

  private matches(address: Address, space: string): boolean {
    if ('line' in address) return address.line === this.number
    if ('last' in address) return this.atEnd
    if ('step' in address)
      return address.step[1] === 0
        ? this.number === address.step[0]
        : this.number >= address.step[0] && (this.number - address.step[0]) % address.step[1] === 0
    address.regexp.lastIndex = 0
    return address.regexp.test(space)
  }
}

function substitute(command: Command, space: string): string | undefined {
  const regexp = command.regexp as RegExp
  const flags = command.flags ?? ''
  const all = flags.includes('g')
  const nth = Number(/\d+/.exec(flags)?.[0] ?? 1)
  let count = 0
  let changed = false
  regexp.lastIndex = 0
  const result = space.replace(regexp, (...groups: unknown[]) => {
    count++
    const match = groups[0] as string
    if (count < nth || (count > nth && !all)) return match
    changed = true
    return expandReplacement(command.replacement as string, groups as (string | undefined)[])
  })
  return changed ? result : undefined
}

function expandReplacement(template: string, groups: readonly (string | undefined)[]): string {
  let out = ''
  let mode: '' | 'U' | 'L' = ''
  let once: '' | 'u' | 'l' = ''
  const put = (text: string) => {
    let each = mode === 'U' ? text.toUpperCase() : mode === 'L' ? text.toLowerCase() : text
    if (once !== '' && each !== '') {
      each = (once === 'u' ? each[0]?.toUpperCase() : each[0]?.toLowerCase()) + each.slice(1)
      once = ''
    }
    out += each
  }
  for (let at = 0; at < template.length; at++) {
    const char = template[at] as string
    if (char === '&') put(groups[0] ?? '')
    else if (char !== '\\') put(char)
    else {
      const next = template[++at] ?? ''
      if (/\d/.test(next)) put(typeof groups[Number(next)] === 'string' ? (groups[Number(next)] as string) : '')
      else if (next === 'n') put('\n')
      else if (next === 't') put('\t')
      else if (next === 'U' || next === 'L') mode = next
      else if (next === 'E') mode = ''
      else if (next === 'u' || next === 'l') once = next
      else put(next)
    }
  }
  return out
}
