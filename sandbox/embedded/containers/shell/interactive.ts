import { Errno } from '../vfs/errno.ts'
import { type List, SyntaxFault } from './ast.ts'
import { reportJobs } from './builtins-of-jobs.ts'
import { ExpansionFault } from './expand.ts'
import { Parser } from './parser.ts'
import { type Shell, ShellExit } from './shell.ts'

/** A shell at a terminal: prompt, line, command, until exit or Ctrl-D. */
export async function interact(shell: Shell): Promise<number> {
  const { process } = shell
  const { terminal } = process
  shell.interactive = true
  process.trap('TERM', 'ignore')
  process.trap('QUIT', 'ignore')
  let interrupt = (): void => {}
  process.trap('INT', () => interrupt())
  if (terminal) terminal.foreground = process.pgid
  let pending = ''
  // Ctrl-C leaves the read waiting: the next line is the one it gets.
  let reading: Promise<{ text: string; ended: boolean } | undefined> | undefined
  for (;;) {
    await reportJobs(shell)
    await process.complain(pending === '' ? prompt(shell) : (shell.variables.get('PS2') ?? '> '))
    const line = await process.block<{ text: string; ended: boolean } | 'interrupted' | undefined>((resolve, reject) => {
      interrupt = () => resolve('interrupted')
      reading ??= shell.readLine(0)
      reading.then(resolve, reject)
    })
    interrupt = () => {}
    if (line !== 'interrupted') reading = undefined
    if (line === 'interrupted') {
      pending = ''
      shell.status = 130
      await process.complain('\n')
      continue
    }
    if (line === undefined) {
      if (terminal) await process.complain(shell.flavor === 'bash' ? 'exit\n' : '\n')
      return shell.status
    }
    const source = `${pending}${line.text}\n`
    pending = ''
    let lists: List[]
    try {
      lists = parse(shell, source)
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      if (error.incomplete) {
        pending = source
        continue
      }
      await shell.complain(`syntax error: ${error.message}`)
      shell.status = 2
      continue
    }
    try {
      for (const list of lists) await shell.list(list)
    } catch (error) {
      if (error instanceof ShellExit && terminal && shell.flavor === 'bash' && !shell.options.has('e')) await process.complain('exit\n')
      if (error instanceof ExpansionFault || error instanceof Errno) {
        await shell.complain(error.message)
        shell.status = 1
      } else throw error
    }
    shell.jump = undefined
    if (shell.status === 130) await shell.runTraps()
  }
}

function parse(shell: Shell, source: string): List[] {
  const parser = new Parser(source, { aliases: shell.aliases, bash: shell.flavor === 'bash' })
  const lists: List[] = []
  for (let list = parser.next(); list; list = parser.next()) lists.push(list)
  return lists
}

/** PS1 as busybox' ash (\w \$) and bash show it. */
function prompt(shell: Shell): string {
  const format = shell.variables.get('PS1')
  const mark = shell.process.uid === 0 ? '#' : '$'
  const home = shell.variables.get('HOME')
  const cwd = shell.variables.get('PWD') ?? shell.process.cwd
  const short = home && home !== '/' && (cwd === home || cwd.startsWith(`${home}/`)) ? `~${cwd.slice(home.length)}` : cwd
  if (format === undefined) {
    if (shell.flavor === 'bash') return `${userName(shell)}@${shell.process.machine.hostname}:${short}${mark} `
    return shell.flavor === 'dash' ? `${mark} ` : `${short} ${mark} `
  }
  return format.replace(/\\\[|\\\]/g, '').replace(/\\([wWuhH$ne\\])/g, (_, letter: string) => {
    const values: Record<string, string> = {
      w: short,
      W: short.split('/').at(-1) || short,
      u: userName(shell),
      h: shell.process.machine.hostname,
      H: shell.process.machine.hostname,
      $: mark,
      n: '\n',
      e: '\x1b',
      '\\': '\\',
    }
    return values[letter] ?? letter
  })
}

function userName(shell: Shell): string {
  return shell.process.uid === 0 ? 'root' : 'I have no name!'
}
