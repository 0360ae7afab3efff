import { Errno, errorText } from '../vfs/errno.ts'
import type { Shell } from './shell.ts'

export async function cd(shell: Shell, args: string[]): Promise<number> {
  const [first] = args.filter((arg) => !/^-[LPe@]$/.test(arg) && arg !== '--')
  const back = first === '-'
  const target = back ? shell.variables.get('OLDPWD') : (first ?? shell.variables.get('HOME'))
  // busybox stays where it is, and says where.
  if (target === undefined && back && shell.flavor === 'ash') {
    await shell.process.print(`${shell.process.cwd}\n`)
    return 0
  }
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
    return shell.flavor === 'bash' ? 1 : 2
  }
}

function normalize(path: string): string {
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') out.pop()
    else if (part !== '' && part !== '.') out.push(part)
  }
  return `/${out.join('/')}`
}

export async function pwd(shell: Shell, args: string[]): Promise<number> {
  await shell.process.print(`${args.includes('-P') ? shell.process.cwd : (shell.variables.get('PWD') ?? shell.process.cwd)}\n`)
  return 0
}

export async function umask(shell: Shell, args: string[]): Promise<number> {
  const [mode] = args.filter((arg) => arg !== '-S')
  if (mode === undefined) {
    await shell.process.print(`${shell.process.umask.toString(8).padStart(4, '0')}\n`)
    return 0
  }
  if (!/^[0-7]+$/.test(mode)) {
    await shell.complain(shell.flavor === 'bash' ? `umask: ${mode}: invalid octal number` : `umask: illegal mode: ${mode}`)
    return 1
  }
  shell.process.umask = Number.parseInt(mode, 8) & 0o777
  return 0
}

/** What is limited: in busybox' words with its letter, and how much a container may. */
const limits: readonly [string, string, string][] = [
  ['core file size (blocks)', 'c', 'unlimited'],
  ['data seg size (kb)', 'd', 'unlimited'],
  ['scheduling priority', 'e', '0'],
  ['file size (blocks)', 'f', 'unlimited'],
  ['pending signals', 'i', '96365'],
  ['max locked memory (kb)', 'l', '8192'],
  ['max memory size (kb)', 'm', 'unlimited'],
  ['open files', 'n', '1048576'],
  ['POSIX message queues (bytes)', 'q', '819200'],
  ['real-time priority', 'r', '0'],
  ['stack size (kb)', 's', '8192'],
  ['cpu time (seconds)', 't', 'unlimited'],
  ['max user processes', 'u', 'unlimited'],
  ['virtual memory (kb)', 'v', 'unlimited'],
  ['file locks', 'x', 'unlimited'],
]

export async function ulimit(shell: Shell, args: string[]): Promise<number> {
  const letters = (args.find((arg) => arg.startsWith('-')) ?? '-f').slice(1).replace(/[HS]/g, '') || 'f'
  if (letters.includes('a')) {
    await shell.process.print(limits.map(([name, letter, value]) => `${name.padEnd(32)}(-${letter}) ${value}\n`).join(''))
    return 0
  }
  const row = limits.find(([, letter]) => letter === letters)
  if (row && !args.some((arg) => !arg.startsWith('-'))) await shell.process.print(`${row[2]}\n`)
  return row ? 0 : 1
}

export async function times(shell: Shell): Promise<number> {
  await shell.process.print('0m0.00s 0m0.00s\n0m0.00s 0m0.00s\n')
  return 0
}
