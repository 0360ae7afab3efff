import { type SignalName, signalByName, signalNumbers } from '../kernel/signals.ts'
import { Errno, errorText } from '../vfs/errno.ts'
import { arithmetic } from './expand.ts'
import { formatPrintf, readEscape } from './printf.ts'
import { doubleQuoted, quoted } from './quote.ts'
import { type Shell, ShellExit } from './shell.ts'
import { TestFault, testArguments } from './test-expression.ts'
import type { Variable } from './variables.ts'

export type Builtin = (shell: Shell, args: string[], argv: string[]) => Promise<number> | number

/** Those whose assignments stay (POSIX special built-ins). */
export const specialBuiltins: ReadonlySet<string> = new Set([
  '.',
  ':',
  'eval',
  'exec',
  'exit',
  'export',
  'readonly',
  'return',
  'set',
  'shift',
  'trap',
  'unset',
  'break',
  'continue',
])

/** What the shell runs itself; every other name is looked up in PATH. */
export const builtins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  [':', () => 0],
  ['true', () => 0],
  ['false', () => 1],
  ['echo', echo],
  ['printf', printf],
  ['cd', cd],
  ['pwd', pwd],
  ['exit', exit],
  ['return', returnFrom],
  ['break', (shell, args) => leaveLoop(shell, 'break', args)],
  ['continue', (shell, args) => leaveLoop(shell, 'continue', args)],
  ['export', (shell, args) => declareAs(shell, args, 'export', (variable) => (variable.exported = true))],
  ['readonly', (shell, args) => declareAs(shell, args, 'readonly', (variable) => (variable.readonly = true))],
  ['local', local],
  ['declare', declare],
  ['typeset', declare],
  ['unset', unset],
  ['set', set],
  ['shift', shift],
  ['eval', (shell, args) => shell.script(args.join(' '))],
  ['.', source],
  ['source', source],
  ['exec', () => 0],
  ['test', (shell, args) => test(shell, 'test', args)],
  ['[', bracket],
  ['read', read],
  ['trap', trap],
  ['wait', wait],
  ['jobs', jobs],
  ['kill', kill],
  ['fg', foreground],
  ['bg', () => 0],
  ['type', type],
  ['command', command],
  ['builtin', (shell, args) => builtins.get(args[0] ?? '')?.(shell, args.slice(1), args) ?? 1],
  ['hash', () => 0],
  ['alias', alias],
  ['unalias', unalias],
  ['umask', umask],
  ['ulimit', ulimit],
  ['getopts', getopts],
  ['let', (shell, args) => (args.map((arg) => arithmetic(shell, arg)).at(-1) ? 0 : 1)],
  ['shopt', shopt],
  ['times', times],
  ['mapfile', mapfile],
  ['readarray', mapfile],
  ['history', () => 0],
  ['disown', () => 0],
])

async function echo(shell: Shell, args: string[]): Promise<number> {
  let escapes = shell.flavor === 'dash'
  let newline = true
  let index = 0
  for (; index < args.length; index++) {
    const option = args[index] as string
    if (shell.flavor === 'dash' ? option !== '-n' : !/^-[neE]+$/.test(option)) break
    if (option.includes('n')) newline = false
    if (option.includes('e')) escapes = true
    if (option.includes('E')) escapes = false
  }
  let text = args.slice(index).join(' ')
  if (escapes && text.includes('\\')) {
    let out = ''
    for (let at = 0; at < text.length; at++) {
      if (text[at] !== '\\') {
        out += text[at]
        continue
      }
      const special = readEscape(text, at)
      out += special.text
      at = special.end
      if (special.stop) {
        await shell.process.print(out)
        return 0
      }
    }
    text = out
  }
  await shell.process.print(newline ? `${text}\n` : text)
  return 0
}

async function printf(shell: Shell, args: string[]): Promise<number> {
  let rest = args
  let target: string | undefined
  if (rest[0] === '-v') {
    target = rest[1]
    rest = rest.slice(2)
  }
  if (rest[0] === '--') rest = rest.slice(1)
  if (rest.length === 0) {
    await shell.complain('printf: usage: printf [-v var] format [arguments]')
    return 2
  }
  const { text, errors } = formatPrintf(rest[0] as string, rest.slice(1))
  if (target) shell.variables.set(target, text)
  else await shell.process.print(text)
  for (const error of errors) await shell.complain(`printf: ${error}`)
  return errors.length > 0 ? 1 : 0
}

async function cd(shell: Shell, args: string[]): Promise<number> {
  const [first] = args.filter((arg) => !/^-[LPe@]$/.test(arg) && arg !== '--')
  const back = first === '-'
  const target = back ? shell.variables.get('OLDPWD') : (first ?? shell.variables.get('HOME'))
  if (target === undefined) {
    await shell.complain(`cd: ${back ? 'OLDPWD' : 'HOME'} not set`)
    return 1
  }
  if (target === '') return 0
  const { process } = shell
  try {
    const at = process.fs.locate(target, process.who)
    if (!at.node) throw new Errno('ENOENT')
    if (at.node.type !== 'dir') throw new Errno('ENOTDIR')
    if (!process.fs.access(at.node, process.who, 1)) throw new Errno('EACCES')
    // The logical path keeps the names of links, as cd -L does.
    const logical = normalize(target.startsWith('/') ? target : `${shell.variables.get('PWD') ?? process.cwd}/${target}`)
    shell.variables.set('OLDPWD', shell.variables.get('PWD') ?? process.cwd)
    process.cwd = at.path
    shell.variables.set('PWD', args.includes('-P') ? at.path : logical)
    if (back) await process.print(`${logical}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    await shell.complain(
      shell.flavor === 'bash'
        ? `cd: ${target}: ${errorText(error)}`
        : `cd: can't cd to ${target}${shell.flavor === 'ash' ? `: ${errorText(error)}` : ''}`,
    )
    return shell.flavor === 'dash' ? 2 : 1
  }
}

export function normalize(path: string): string {
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') out.pop()
    else if (part !== '' && part !== '.') out.push(part)
  }
  return `/${out.join('/')}`
}

async function pwd(shell: Shell, args: string[]): Promise<number> {
  await shell.process.print(`${args.includes('-P') ? shell.process.cwd : (shell.variables.get('PWD') ?? shell.process.cwd)}\n`)
  return 0
}

async function exit(shell: Shell, args: string[]): Promise<number> {
  const [code] = args
  if (code === undefined) throw new ShellExit(shell.status)
  if (!/^-?\d+$/.test(code)) {
    await shell.complain(shell.flavor === 'bash' ? `exit: ${code}: numeric argument required` : `exit: Illegal number: ${code}`)
    throw new ShellExit(2)
  }
  throw new ShellExit(Number(code) & 255)
}

function returnFrom(shell: Shell, args: string[]): number {
  shell.jump = { type: 'return', count: 1 }
  return args[0] === undefined ? shell.status : Number(args[0]) & 255
}

function leaveLoop(shell: Shell, type: 'break' | 'continue', args: string[]): number {
  if (shell.loopDepth === 0) return 0
  shell.jump = { type, count: Math.min(Math.max(1, Number(args[0] ?? 1)), shell.loopDepth) }
  return 0
}

async function declareAs(shell: Shell, args: string[], name: 'export' | 'readonly', mark: (variable: Variable) => void): Promise<number> {
  const names = args.filter((arg) => arg !== '-p' && arg !== '--')
  if (names[0] === '-n') {
    for (const each of names.slice(1)) shell.variables.declare(each).exported = false
    return 0
  }
  if (names.length === 0) {
    for (const each of shell.variables.names()) {
      const variable = shell.variables.find(each) as Variable
      if (!(name === 'export' ? variable.exported : variable.readonly)) continue
      const value =
        variable.value === undefined ? '' : `=${shell.flavor === 'bash' ? doubleQuoted(variable.value) : quoted(variable.value, true)}`
      await shell.process.print(`${shell.flavor === 'bash' ? `declare -${name === 'export' ? 'x' : 'r'}` : name} ${each}${value}\n`)
    }
    return 0
  }
  let status = 0
  for (const word of names) {
    const match = /^([A-Za-z_]\w*)(?:(\+?)=(.*))?$/s.exec(word)
    if (!match) {
      await shell.complain(shell.flavor === 'bash' ? `${name}: \`${word}': not a valid identifier` : `${name}: ${word}: bad variable name`)
      status = 1
      continue
    }
    const [, key, plus, value] = match as unknown as [string, string, string, string | undefined]
    if (value !== undefined) shell.variables.set(key, plus ? (shell.variables.get(key) ?? '') + value : value)
    mark(shell.variables.declare(key))
  }
  return status
}

async function local(shell: Shell, args: string[]): Promise<number> {
  if (!shell.variables.inFunction) {
    await shell.complain(shell.flavor === 'bash' ? 'local: can only be used in a function' : 'local: not in a function')
    return 1
  }
  return declare(shell, args)
}

async function declare(shell: Shell, args: string[], argv: string[] = []): Promise<number> {
  const flags = args.filter((arg) => /^[-+][a-zA-Z]+$/.test(arg)).join('')
  const words = args.filter((arg) => !/^[-+][a-zA-Z]+$/.test(arg) && arg !== '--')
  if (flags.includes('f') || flags.includes('F')) {
    for (const [name, definition] of shell.functions)
      if (words.length === 0 || words.includes(name))
        await shell.process.print(`${flags.includes('F') ? `declare -f ${name}` : definition.source}\n`)
    return 0
  }
  if (flags.includes('p') || (words.length === 0 && argv[0] !== 'local')) {
    for (const name of words.length > 0 ? words : shell.variables.names()) {
      const variable = shell.variables.find(name)
      if (!variable) {
        await shell.complain(`declare: ${name}: not found`)
        return 1
      }
      const letters =
        `${variable.associative ? 'A' : variable.array ? 'a' : ''}${variable.integer ? 'i' : ''}${variable.readonly ? 'r' : ''}${variable.exported ? 'x' : ''}` ||
        '-'
      const value = variable.array
        ? `=(${[...variable.array].map(([key, each]) => `[${key}]=${doubleQuoted(each)}`).join(' ')})`
        : variable.value === undefined
          ? ''
          : `=${doubleQuoted(variable.value)}`
      await shell.process.print(`declare -${letters} ${name}${value}\n`)
    }
    return 0
  }
  for (const word of words) {
    const match = /^([A-Za-z_]\w*)(?:(\+?)=(.*))?$/s.exec(word)
    if (!match) {
      await shell.complain(`${argv[0] ?? 'local'}: \`${word}': not a valid identifier`)
      return 1
    }
    const [, name, plus, value] = match as unknown as [string, string, string, string | undefined]
    const before = plus ? (shell.variables.get(name) ?? '') : ''
    const variable = shell.variables.inFunction && !flags.includes('g') ? shell.variables.declareLocal(name) : shell.variables.declare(name)
    if (flags.includes('A')) {
      variable.associative = true
      variable.array ??= new Map()
    }
    if (flags.includes('a')) variable.array ??= new Map()
    if (flags.includes('i')) variable.integer = true
    if (flags.includes('x')) variable.exported = true
    if (value !== undefined) shell.variables.set(name, variable.integer ? String(arithmetic(shell, value)) : before + value)
    if (flags.includes('r')) variable.readonly = true
  }
  return 0
}

async function unset(shell: Shell, args: string[]): Promise<number> {
  const functions = args.includes('-f')
  for (const word of args.filter((arg) => arg !== '-f' && arg !== '-v')) {
    const indexed = /^(\w+)\[(.*)\]$/.exec(word)
    if (functions) shell.functions.delete(word)
    else if (indexed) shell.variables.unset(indexed[1] as string, indexed[2] as string)
    else if (shell.variables.find(word)) shell.variables.unset(word)
    else shell.functions.delete(word)
  }
  return 0
}

const longOptions: Record<string, string> = {
  errexit: 'e',
  nounset: 'u',
  xtrace: 'x',
  noglob: 'f',
  allexport: 'a',
  noclobber: 'C',
  verbose: 'v',
  noexec: 'n',
  monitor: 'm',
  notify: 'b',
  pipefail: 'pipefail',
  posix: 'posix',
  errtrace: 'E',
  ignoreeof: 'I',
}

async function set(shell: Shell, args: string[]): Promise<number> {
  if (args.length === 0) {
    for (const name of shell.variables.names()) {
      const value = shell.variables.get(name)
      if (value !== undefined) await shell.process.print(`${name}=${quoted(value, shell.flavor !== 'bash')}\n`)
    }
    return 0
  }
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (arg === '--') {
      shell.positional = args.slice(index + 1)
      return 0
    }
    if (arg === '-') {
      shell.positional = args.slice(index + 1)
      return 0
    }
    if (!/^[-+]./.test(arg)) {
      shell.positional = args.slice(index)
      return 0
    }
    const on = arg.startsWith('-')
    for (const letter of arg.slice(1)) {
      if (letter !== 'o') {
        if (on) shell.options.add(letter)
        else shell.options.delete(letter)
        continue
      }
      const name = args[++index]
      if (name === undefined) {
        for (const [long, short] of Object.entries(longOptions))
          await shell.process.print(
            on
              ? `${long.padEnd(15)}\t${shell.options.has(short) ? 'on' : 'off'}\n`
              : `set ${shell.options.has(short) ? '-' : '+'}o ${long}\n`,
          )
        return 0
      }
      const option = longOptions[name]
      if (!option) {
        await shell.complain(shell.flavor === 'bash' ? `set: ${name}: invalid option name` : `set: Illegal option -o ${name}`)
        if (shell.flavor === 'dash') throw new ShellExit(2)
        return 2
      }
      if (on) shell.options.add(option)
      else shell.options.delete(option)
    }
  }
  return 0
}

async function shift(shell: Shell, args: string[]): Promise<number> {
  const count = Number(args[0] ?? 1)
  if (count > shell.positional.length) {
    if (shell.flavor === 'dash') {
      await shell.complain("shift: can't shift that many")
      throw new ShellExit(2)
    }
    return 1
  }
  shell.positional = shell.positional.slice(count)
  return 0
}

async function source(shell: Shell, args: string[], argv: string[]): Promise<number> {
  const path = args[0]
  if (path === undefined) {
    await shell.complain(`${argv[0]}: filename argument required`)
    return 2
  }
  const { process } = shell
  let content: Uint8Array
  try {
    const found = path.includes('/') ? path : searchScript(shell, path)
    content = await process.readWhole(found)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    if (shell.flavor === 'bash') {
      await shell.complain(`${path}: ${errorText(error)}`)
      return 1
    }
    await shell.complain(`${argv[0]}: can't open '${path}': ${errorText(error)}`)
    throw new ShellExit(2)
  }
  const { positional } = shell
  if (args.length > 1) shell.positional = args.slice(1)
  try {
    const status = await shell.script(new TextDecoder().decode(content))
    if (shell.jump?.type === 'return') shell.jump = undefined
    return status
  } finally {
    if (args.length > 1) shell.positional = positional
  }
}

function searchScript(shell: Shell, name: string): string {
  for (const folder of (shell.variables.get('PATH') ?? '').split(':')) {
    if (shell.process.fs.find(`${folder}/${name}`, shell.process.who)?.type === 'file') return `${folder}/${name}`
  }
  return name
}

async function test(shell: Shell, name: string, args: string[]): Promise<number> {
  try {
    return testArguments(shell.process, args) ? 0 : 1
  } catch (error) {
    if (!(error instanceof TestFault)) throw error
    await shell.complain(`${name}: ${error.message}`)
    return 2
  }
}

async function bracket(shell: Shell, args: string[]): Promise<number> {
  if (args.at(-1) !== ']') {
    await shell.complain(shell.flavor === 'bash' ? "[: missing `]'" : '[: missing ]')
    return 2
  }
  return test(shell, '[', args.slice(0, -1))
}

async function read(shell: Shell, args: string[]): Promise<number> {
  let raw = false
  let delimiter = '\n'
  let prompt = ''
  let timeout: number | undefined
  let fd = 0
  let limit = Number.POSITIVE_INFINITY
  let array: string | undefined
  const names: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (!/^-[a-zA-Z]/.test(arg) || names.length > 0) {
      names.push(arg)
      continue
    }
    for (let letter = 1; letter < arg.length; letter++) {
      const option = arg[letter] as string
      const value = () => {
        const rest = arg.slice(letter + 1)
        letter = arg.length
        return rest !== '' ? rest : (args[++index] ?? '')
      }
      if (option === 'r') raw = true
      else if (option === 'd') delimiter = value()
      else if (option === 'p') prompt = value()
      else if (option === 't') timeout = Number(value())
      else if (option === 'n' || option === 'N') limit = Number(value())
      else if (option === 'u') fd = Number(value())
      else if (option === 'a') array = value()
    }
  }
  if (prompt && shell.process.files.get(0)?.kind === 'tty') await shell.process.complain(prompt)
  const { process } = shell
  let text = ''
  let ended = true
  let complete = false
  const reading = async (): Promise<void> => {
    for (;;) {
      const line = await shell.readLine(fd, delimiter === '' ? '\0' : delimiter, limit)
      if (line === undefined) {
        ended = true
        return
      }
      ended = false
      text += line.text
      if (!raw && /(?:^|[^\\])(?:\\\\)*\\$/.test(line.text) && line.ended) {
        text = text.slice(0, -1)
        continue
      }
      complete = line.ended
      return
    }
  }
  if (timeout === undefined) await reading()
  else {
    const timedOut = await process.block<boolean>((resolve, reject) => {
      const timer = process.machine.after(timeout * 1000, () => resolve(true))
      reading().then(() => {
        timer.cancel()
        resolve(false)
      }, reject)
      return () => timer.cancel()
    })
    if (timedOut) return shell.flavor === 'bash' ? 142 : 1
  }
  if (array !== undefined) {
    const fields = splitFields(raw ? text : text, shell.ifs ?? ' \t\n', Number.POSITIVE_INFINITY, raw)
    shell.variables.setArray(array, new Map(fields.map((field, index) => [String(index), field])))
    return ended ? 1 : 0
  }
  if (names.length === 0) shell.variables.set('REPLY', raw ? text : unquoted(text))
  else {
    const fields = splitFields(text, shell.ifs ?? ' \t\n', names.length, raw)
    names.forEach((name, index) => {
      shell.variables.set(name, fields[index] ?? '')
    })
  }
  return ended || (!complete && limit === Number.POSITIVE_INFINITY) ? 1 : 0
}

/** Splits a line as read does: the last name takes the rest. */
function splitFields(line: string, ifs: string, count: number, raw: boolean): string[] {
  const white = [...ifs].filter((char) => /[ \t\n]/.test(char)).join('')
  const isWhite = (char: string | undefined) => char !== undefined && white.includes(char)
  const fields: string[] = []
  let at = 0
  while (isWhite(line[at])) at++
  while (at < line.length) {
    if (fields.length === count - 1) {
      let end = line.length
      while (end > at && isWhite(line[end - 1])) end--
      let rest = line.slice(at, end)
      // One closing separator after the last field is dropped with it.
      if (
        rest.length > 0 &&
        ifs.includes(rest.at(-1) as string) &&
        !isWhite(rest.at(-1)) &&
        [...rest.slice(0, -1)].every((char) => !ifs.includes(char))
      )
        rest = rest.slice(0, -1)
      fields.push(raw ? rest : unquoted(rest))
      return fields
    }
    let field = ''
    while (at < line.length && !ifs.includes(line[at] as string)) {
      if (line[at] === '\\' && !raw) at++
      field += line[at] ?? ''
      at++
    }
    fields.push(field)
    while (isWhite(line[at])) at++
    if (at < line.length && ifs.includes(line[at] as string)) {
      at++
      while (isWhite(line[at])) at++
    }
  }
  return fields
}

function unquoted(text: string): string {
  return text.replace(/\\(.)/gs, '$1')
}

async function trap(shell: Shell, args: string[]): Promise<number> {
  const words = args[0] === '--' ? args.slice(1) : args
  if (words.length === 0 || words[0] === '-p') {
    for (const [signal, action] of shell.traps)
      await shell.process.print(
        `trap -- ${quoted(action, true)} ${shell.flavor === 'bash' && signal !== 'EXIT' && signal !== 'ERR' && signal !== 'DEBUG' ? 'SIG' : ''}${signal}\n`,
      )
    return 0
  }
  if (words[0] === '-l') {
    await shell.process.print(`${Object.keys(signalNumbers).join(' ')}\n`)
    return 0
  }
  const reset =
    words[0] === '-' || /^\d+$/.test(words[0] as string) || (words.length === 1 && signalByName(words[0] as string) !== undefined)
  const action = reset ? undefined : (words[0] as string)
  const signals = reset && words[0] !== '-' ? words : words.slice(1)
  let status = 0
  for (const word of signals) {
    const name = word.toUpperCase().replace(/^SIG/, '')
    const signal = word === '0' || name === 'EXIT' ? 'EXIT' : name === 'ERR' || name === 'DEBUG' ? name : signalByName(word)
    if (!signal) {
      await shell.complain(
        shell.flavor === 'bash'
          ? `trap: ${word}: invalid signal specification`
          : `trap: ${word}: ${shell.flavor === 'dash' ? 'bad trap' : 'invalid signal specification'}`,
      )
      status = 1
      continue
    }
    if (signal === 'KILL' || signal === 'STOP') continue
    shell.setTrap(signal, action)
  }
  return status
}

async function wait(shell: Shell, args: string[]): Promise<number> {
  const targets = args.filter((arg) => !arg.startsWith('-'))
  if (targets.length === 0) {
    const pending = shell.jobs.filter((job) => !job.done)
    const status = await shell.waitInterruptibly(
      Promise.all(pending.map((job) => job.process.wait())).then((all) => (args.includes('-n') ? (all[0]?.code ?? 127) : 0)),
    )
    if (status < 128 || shell.jobs.every((job) => job.done)) shell.jobs = []
    return status
  }
  let status = 0
  for (const target of targets) {
    const job = findJob(shell, target)
    if (!job) {
      if (shell.flavor === 'bash') await shell.complain(`wait: pid ${target} is not a child of this shell`)
      status = 127
      continue
    }
    status = await shell.waitInterruptibly(job.process.wait().then((ended) => ended.code))
  }
  return status
}

function findJob(shell: Shell, word: string) {
  if (!word.startsWith('%')) return shell.jobs.find((job) => job.process.pid === Number(word))
  if (word === '%%' || word === '%+' || word === '%') return shell.jobs.at(-1)
  if (word === '%-') return shell.jobs.at(-2) ?? shell.jobs.at(-1)
  const id = Number(word.slice(1))
  return Number.isNaN(id) ? shell.jobs.findLast((job) => job.text.startsWith(word.slice(1))) : shell.jobs.find((job) => job.id === id)
}

async function jobs(shell: Shell, args: string[]): Promise<number> {
  for (const job of shell.jobs) {
    const state = !job.done ? 'Running' : job.done.code === 0 ? 'Done' : `Exit ${job.done.code}`
    const mark = job === shell.jobs.at(-1) ? '+' : job === shell.jobs.at(-2) ? '-' : ' '
    if (args.includes('-p')) await shell.process.print(`${job.process.pid}\n`)
    else
      await shell.process.print(
        `[${job.id}]${mark}  ${args.includes('-l') ? `${job.process.pid} ` : ''}${state.padEnd(24)}${job.text}${job.done ? '' : ' &'}\n`,
      )
  }
  shell.jobs = shell.jobs.filter((job) => !job.done)
  return 0
}

/** Tells of background jobs that ended, before a prompt. */
export async function reportJobs(shell: Shell): Promise<void> {
  if (shell.jobs.some((job) => job.done)) {
    for (const job of shell.jobs) {
      if (!job.done) continue
      const state = job.done.code === 0 ? 'Done' : job.done.signal === 'TERM' ? 'Terminated' : `Done(${job.done.code})`
      await shell.process.complain(`[${job.id}]+  ${state.padEnd(24)}${job.text}\n`)
    }
    shell.jobs = shell.jobs.filter((job) => !job.done)
  }
}

async function kill(shell: Shell, args: string[]): Promise<number> {
  if (args[0] === '-l') {
    const number = Number(args[1])
    const names = Object.entries(signalNumbers)
    if (args[1] !== undefined)
      await shell.process.print(`${names.find(([, value]) => value === (number > 128 ? number - 128 : number))?.[0] ?? args[1]}\n`)
    else await shell.process.print(`${names.map(([name]) => name).join('\n')}\n`)
    return 0
  }
  let signal: SignalName | undefined = 'TERM'
  let rest = args
  if (rest[0] === '-s' || rest[0] === '-n') {
    signal = signalByName(rest[1] ?? '')
    rest = rest.slice(2)
  } else if (/^-./.test(rest[0] ?? '') && rest[0] !== '--') {
    signal = rest[0] === '-0' ? undefined : signalByName((rest[0] as string).slice(1))
    if (!signal && rest[0] !== '-0') {
      await shell.complain(
        shell.flavor === 'bash'
          ? `kill: ${(rest[0] as string).slice(1)}: invalid signal specification`
          : `kill: invalid signal number or name: ${(rest[0] as string).slice(1)}`,
      )
      return 1
    }
    rest = rest.slice(1)
  }
  if (rest[0] === '--') rest = rest.slice(1)
  if (rest.length === 0) {
    await shell.complain('kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]')
    return 2
  }
  let status = 0
  const { machine } = shell.process
  for (const word of rest) {
    const job = word.startsWith('%') ? findJob(shell, word) : undefined
    const pid = job ? job.process.pid : Number(word)
    if (pid < 0 && machine.killGroup(-pid, signal ?? 'CONT')) continue
    const target = machine.processes.get(pid)
    if (!target) {
      await shell.complain(shell.flavor === 'bash' ? `kill: (${word}) - No such process` : `kill: can't kill pid ${word}: No such process`)
      status = 1
      continue
    }
    if (signal) target.kill(signal)
  }
  // The killed run no further before the next command does.
  await new Promise<void>((resolve) => setImmediate(resolve))
  if (shell.process.ended) throw new Errno('ESRCH')
  return status
}

async function foreground(shell: Shell, args: string[]): Promise<number> {
  const job = findJob(shell, args[0] ?? '%%')
  if (!job) {
    await shell.complain('fg: no current job')
    return 1
  }
  await shell.process.print(`${job.text}\n`)
  shell.jobs = shell.jobs.filter((each) => each !== job)
  const [status] = await shell.foreground([job.process])
  return status?.code ?? 0
}

const keywords = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'case',
  'esac',
  'for',
  'while',
  'until',
  'do',
  'done',
  'in',
  '{',
  '}',
  '!',
  '[[',
  'function',
  'time',
  'select',
])

async function type(shell: Shell, args: string[]): Promise<number> {
  let status = 0
  const onlyKind = args.includes('-t')
  const onlyPath = args.includes('-p') || args.includes('-P')
  for (const name of args.filter((arg) => !/^-[atpP]+$/.test(arg))) {
    const path = shellSearch(shell, name)
    const kind = shell.aliases.has(name)
      ? 'alias'
      : keywords.has(name)
        ? 'keyword'
        : shell.functions.has(name)
          ? 'function'
          : builtins.has(name)
            ? 'builtin'
            : path
              ? 'file'
              : undefined
    if (!kind) {
      status = shell.flavor === 'bash' ? 1 : 127
      if (!onlyKind && !onlyPath) {
        if (shell.flavor === 'bash') await shell.complain(`type: ${name}: not found`)
        else await shell.process.print(`${name}: not found\n`)
      }
      continue
    }
    const text: Record<typeof kind, string> = {
      alias: `${name} is an alias for ${shell.aliases.get(name)}`,
      keyword: `${name} is a shell keyword`,
      function: `${name} is a function`,
      builtin: `${name} is a shell builtin`,
      file: `${name} is ${path}`,
    }
    if (onlyKind) await shell.process.print(`${kind}\n`)
    else if (onlyPath) await shell.process.print(kind === 'file' ? `${path}\n` : '')
    else
      await shell.process.print(
        `${text[kind]}\n${kind === 'function' && shell.flavor === 'bash' ? `${shell.functions.get(name)?.source}\n` : ''}`,
      )
  }
  return status
}

function shellSearch(shell: Shell, name: string): string | undefined {
  if (name.includes('/')) return shell.process.fs.find(name, shell.process.who)?.type === 'file' ? name : undefined
  shell.process.env = shell.variables.exported()
  return shell.process.machine.search(name, shell.process)
}

async function command(shell: Shell, args: string[]): Promise<number> {
  if (args[0] === '-v' || args[0] === '-V') {
    let status = 0
    for (const name of args.slice(1)) {
      const own = keywords.has(name) || shell.functions.has(name) || builtins.has(name)
      const path = own ? name : shell.aliases.has(name) ? `alias ${name}='${shell.aliases.get(name)}'` : shellSearch(shell, name)
      if (path === undefined) status = shell.flavor === 'bash' ? 1 : 127
      else if (args[0] === '-v') await shell.process.print(`${path}\n`)
      else await type(shell, [name])
    }
    return status
  }
  const words = args.filter((arg, index) => !(index === 0 && (arg === '-p' || arg === '--')))
  if (words.length === 0) return 0
  const builtin = builtins.get(words[0] as string)
  if (builtin) return builtin(shell, words.slice(1), words)
  return shell.simple(
    {
      type: 'simple',
      assignments: [],
      words: words.map((text) => ({ parts: [{ type: 'quoted', text }], text })),
      redirections: [],
      line: shell.line,
    },
    false,
  )
}

async function alias(shell: Shell, args: string[]): Promise<number> {
  if (args.length === 0)
    for (const [name, value] of shell.aliases) await shell.process.print(`${shell.flavor === 'bash' ? 'alias ' : ''}${name}='${value}'\n`)
  let status = 0
  for (const word of args) {
    const at = word.indexOf('=')
    if (at > 0) shell.aliases.set(word.slice(0, at), word.slice(at + 1))
    else if (shell.aliases.has(word))
      await shell.process.print(`${shell.flavor === 'bash' ? 'alias ' : ''}${word}='${shell.aliases.get(word)}'\n`)
    else {
      await shell.complain(`alias: ${word}: not found`)
      status = 1
    }
  }
  return status
}

function unalias(shell: Shell, args: string[]): number {
  if (args[0] === '-a') shell.aliases.clear()
  else for (const name of args) if (!shell.aliases.delete(name)) return 1
  return 0
}

async function umask(shell: Shell, args: string[]): Promise<number> {
  const [mode] = args.filter((arg) => arg !== '-S')
  if (mode === undefined) {
    await shell.process.print(`${shell.process.umask.toString(8).padStart(4, '0')}\n`)
    return 0
  }
  if (!/^[0-7]+$/.test(mode)) {
    await shell.complain(`umask: ${mode}: invalid octal number`)
    return 1
  }
  shell.process.umask = Number.parseInt(mode, 8) & 0o777
  return 0
}

async function ulimit(shell: Shell, args: string[]): Promise<number> {
  const rows: [string, string, string][] = [
    ['core file size', 'blocks, -c', 'unlimited'],
    ['data seg size', 'kb, -d', 'unlimited'],
    ['file size', 'blocks, -f', 'unlimited'],
    ['locked memory', 'kb, -l', '8192'],
    ['memory', 'kb, -m', 'unlimited'],
    ['nofiles', '-n', '1048576'],
    ['nprocs', '-p', 'unlimited'],
    ['stack size', 'kb, -s', '8192'],
    ['cpu time', 'seconds, -t', 'unlimited'],
    ['address space', 'kb, -v', 'unlimited'],
  ]
  const option = args[0] ?? '-f'
  if (option === '-a') {
    await shell.process.print(rows.map(([name, unit, value]) => `${`${name}`.padEnd(28)} (${unit}) ${value}\n`).join(''))
    return 0
  }
  const row = rows.find(([, unit]) => unit.endsWith(option.slice(0, 2)))
  if (row && args.length < 2) await shell.process.print(`${row[2]}\n`)
  return row ? 0 : 1
}

async function getopts(shell: Shell, args: string[]): Promise<number> {
  const [spec = '', name = 'opt', ...given] = args
  const words = given.length > 0 ? given : shell.positional
  const silent = spec.startsWith(':')
  let index = Number(shell.variables.get('OPTIND') ?? '1')
  if (index === 1 && shell.getoptsAt > 0 && shell.getoptsIndex !== 1) shell.getoptsAt = 0
  const word = words[index - 1]
  const end = () => {
    shell.getoptsAt = 0
    shell.variables.set(name, '?')
    return 1
  }
  if (word === undefined || !word.startsWith('-') || word === '-') return end()
  if (word === '--') {
    shell.variables.set('OPTIND', String(index + 1))
    return end()
  }
  const at = Math.max(1, shell.getoptsAt)
  const option = word[at] as string
  const takes = option !== ':' ? spec.indexOf(option) : -1
  const advance = () => {
    shell.getoptsAt = 0
    index++
  }
  if (at + 1 < word.length) shell.getoptsAt = at + 1
  else advance()
  shell.variables.unset('OPTARG')
  if (takes === -1) {
    shell.variables.set(name, '?')
    if (silent) shell.variables.set('OPTARG', option)
    else
      await shell.process.complain(shell.flavor === 'bash' ? `${shell.name}: illegal option -- ${option}\n` : `Illegal option -${option}\n`)
  } else if (spec[takes + 1] === ':') {
    let value: string | undefined
    if (shell.getoptsAt > 0) {
      value = word.slice(at + 1)
      advance()
    } else value = words[index++ - 1]
    if (value === undefined) {
      shell.variables.set(name, silent ? ':' : '?')
      if (silent) shell.variables.set('OPTARG', option)
      else
        await shell.process.complain(
          shell.flavor === 'bash' ? `${shell.name}: option requires an argument -- ${option}\n` : `No arg for -${option} option\n`,
        )
      index = Math.min(index, words.length + 1)
    } else {
      shell.variables.set('OPTARG', value)
      shell.variables.set(name, option)
    }
  } else shell.variables.set(name, option)
  shell.variables.set('OPTIND', String(index))
  shell.getoptsIndex = index
  return 0
}

async function shopt(shell: Shell, args: string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith('-'))
  if (args.includes('-s')) for (const name of names) shell.shopt.add(name)
  else if (args.includes('-u')) for (const name of names) shell.shopt.delete(name)
  else for (const name of names) await shell.process.print(`${name.padEnd(15)}\t${shell.shopt.has(name) ? 'on' : 'off'}\n`)
  return 0
}

async function times(shell: Shell): Promise<number> {
  await shell.process.print('0m0.00s 0m0.00s\n0m0.00s 0m0.00s\n')
  return 0
}

async function mapfile(shell: Shell, args: string[]): Promise<number> {
  const trim = args.includes('-t')
  const name = args.findLast((arg) => !arg.startsWith('-')) ?? 'MAPFILE'
  const items = new Map<string, string>()
  for (;;) {
    const line = await shell.readLine(0)
    if (line === undefined) break
    items.set(String(items.size), trim || !line.ended ? line.text : `${line.text}\n`)
  }
  shell.variables.setArray(name, items)
  return 0
}
