import { arithmetic } from './expand.ts'
import { doubleQuoted, quoted } from './quote.ts'
import { type Shell, ShellExit } from './shell.ts'
import type { Variable } from './variables.ts'

export async function declareAs(
  shell: Shell,
  args: string[],
  name: 'export' | 'readonly',
  mark: (variable: Variable) => void,
): Promise<number> {
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
      await shell.complain(
        shell.flavor === 'bash' ? `${name}: \`${word}': not a valid identifier` : `${name}: ${word.replace(/=.*/s, '')}: bad variable name`,
      )
      status = shell.flavor === 'bash' ? 1 : 2
      continue
    }
    const [, key, plus, value] = match as unknown as [string, string, string, string | undefined]
    if (value !== undefined) shell.variables.set(key, plus ? (shell.variables.get(key) ?? '') + value : value)
    mark(shell.variables.declare(key))
  }
  return status
}

export async function local(shell: Shell, args: string[]): Promise<number> {
  if (!shell.variables.inFunction) {
    await shell.complain(shell.flavor === 'bash' ? 'local: can only be used in a function' : 'local: not in a function')
    return shell.flavor === 'bash' ? 1 : 2
  }
  return declare(shell, args)
}

export async function declare(shell: Shell, args: string[], argv: string[] = []): Promise<number> {
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

export async function unset(shell: Shell, args: string[]): Promise<number> {
  const functions = args.includes('-f')
  for (const word of args.filter((arg) => arg !== '-f' && arg !== '-v')) {
    const indexed = /^(\w+)\[(.*)\]$/.exec(word)
    if (functions) shell.functions.delete(word)
    else if (!/^[A-Za-z_]/.test(word)) {
      await shell.complain(shell.flavor === 'bash' ? `unset: \`${word}': not a valid identifier` : `unset: ${word}: bad variable name`)
      return shell.flavor === 'bash' ? 1 : 2
    } else if (indexed) shell.variables.unset(indexed[1] as string, indexed[2] as string)
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

export async function set(shell: Shell, args: string[]): Promise<number> {
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

export async function shift(shell: Shell, args: string[]): Promise<number> {
  const count = Number(args[0] ?? 1)
  if (!Number.isInteger(count) || count < 0) {
    await shell.complain(shell.flavor === 'bash' ? `shift: ${args[0]}: numeric argument required` : `shift: Illegal number: ${args[0]}`)
    return shell.flavor === 'bash' ? 1 : 2
  }
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

export async function getopts(shell: Shell, args: string[]): Promise<number> {
  if (args.length < 2) {
    await shell.complain(
      shell.flavor === 'bash' ? 'getopts: usage: getopts optstring name [arg ...]' : 'getopts: usage: getopts optstring var [arg]',
    )
    return 2
  }
  const [spec = '', name = '', ...given] = args
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

export async function shopt(shell: Shell, args: string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith('-'))
  if (args.includes('-s')) for (const name of names) shell.shopt.add(name)
  else if (args.includes('-u')) for (const name of names) shell.shopt.delete(name)
  else for (const name of names) await shell.process.print(`${name.padEnd(15)}\t${shell.shopt.has(name) ? 'on' : 'off'}\n`)
  return 0
}
