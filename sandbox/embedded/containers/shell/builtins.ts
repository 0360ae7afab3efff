import { Errno, errorText } from '../vfs/errno.ts'
import { foreground, jobs, kill, trap, wait } from './builtins-of-jobs.ts'
import { cd, pwd, times, ulimit, umask } from './builtins-of-surroundings.ts'
import { bracket, echo, mapfile, printf, read, test } from './builtins-of-text.ts'
import { declare, declareAs, getopts, local, set, shift, shopt, unset } from './builtins-of-variables.ts'
import { arithmetic } from './expand.ts'
import { type Shell, ShellExit } from './shell.ts'

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
      builtin: `${name} is a ${shell.flavor !== 'bash' && specialBuiltins.has(name) ? 'special ' : ''}shell builtin`,
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
  shell.process.env = shell.environment()
  return shell.process.machine.search(name, shell.process)
}

async function command(shell: Shell, args: string[]): Promise<number> {
  if (args[0] === '-v' || args[0] === '-V') {
    let status = 0
    // busybox and dash look at the first name only.
    for (const name of shell.flavor === 'bash' ? args.slice(1) : args.slice(1, 2)) {
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
      if (shell.flavor === 'ash') await shell.process.complain(`alias: ${word} not found\n`)
      else await shell.complain(`alias: ${word}: not found`)
      status = 1
    }
  }
  return status
}

async function unalias(shell: Shell, args: string[]): Promise<number> {
  if (args[0] === '-a') shell.aliases.clear()
  let status = 0
  for (const name of args.filter((arg) => arg !== '-a')) {
    if (shell.aliases.delete(name)) continue
    if (shell.flavor === 'ash') await shell.process.complain(`unalias: ${name} not found\n`)
    else await shell.complain(`unalias: ${name}: not found`)
    status = 1
  }
  return status
}
