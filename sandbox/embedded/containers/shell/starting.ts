import type { ExitStatus, Process } from '../kernel/process.ts'
import { Errno, errorText } from '../vfs/errno.ts'
import type { Simple } from './ast.ts'
import { complaint } from './complaint.ts'
import { expandText } from './expand.ts'
import { redirect } from './redirections.ts'
import { forkPrice, Shell, ShellExit } from './shell.ts'

export async function external(shell: Shell, command: Simple, argv: string[], replace: boolean): Promise<number> {
  const child = replace ? shell.process : shell.process.machine.fork(shell.process, argv)
  if (!replace) {
    if (shell.interactive) child.pgid = child.pid
    const wait = shell.process.spend(forkPrice)
    if (wait) await wait
  }
  const undo = await redirect(shell, child, command.redirections, !replace)
  if (!undo) {
    if (!replace) child.end({ code: 1 })
    return shell.status
  }
  const env = shell.environment()
  for (const assignment of command.assignments) env.set(assignment.name, await expandText(shell, assignment.value))
  env.set('_', argv[0] as string)
  child.env = env
  const failure = await start(shell, child, argv)
  if (failure !== undefined) {
    undo()
    if (!replace) child.end({ code: failure })
    return (shell.status = failure)
  }
  if (replace) return (shell.status = shell.replacedBy as number)
  const [status] = await shell.foreground([child])
  return (shell.status = (status as ExitStatus).code)
}

/** Starts a program in a process; returns the exit code (after the message) when it cannot be. */
async function start(shell: Shell, child: Process, argv: string[]): Promise<number | undefined> {
  const name = argv[0] as string
  let target: ReturnType<Process['machine']['resolve']>
  try {
    target = child.machine.resolve(name, child)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    if (error.code === 'ENOEXEC') return startScript(shell, child, argv)
    await notStarted(shell, child, name, error)
    return error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 127 : 126
  }
  const full = [...(target.argv.length > 1 ? target.argv : [name]), ...argv.slice(1)]
  child.machine.prepare(child, target, full)
  if (child !== shell.process) {
    void child.machine.run(child, target.program.run)
    return undefined
  }
  shell.replacedBy = await target.program.run(child)
  return undefined
}

/** A file without #! is a script for shell same kind of shell. */
async function startScript(shell: Shell, child: Process, argv: string[]): Promise<number | undefined> {
  const path = (argv[0] as string).includes('/') ? (argv[0] as string) : (child.machine.search(argv[0] as string, child) as string)
  const content = await child.readWhole(path)
  if (content.includes(0)) {
    await shell.complain(`${argv[0]}: cannot execute binary file: Exec format error`)
    return 126
  }
  const life = async () => {
    child.argv = ['sh', ...argv]
    const own = new Shell(child, shell.flavor)
    own.name = path
    own.source = 'file'
    own.positional = argv.slice(1)
    own.shellPid = child.pid
    return own.life(() => own.script(new TextDecoder().decode(content)))
  }
  if (child === shell.process) shell.replacedBy = await life()
  else void child.machine.run(child, life)
  return undefined
}

async function notStarted(shell: Shell, child: Process, name: string, error: Errno): Promise<void> {
  const isDirectory = name.includes('/') && child.fs.find(name, child.who)?.type === 'dir'
  const text =
    error.code === 'ENOENT' && (!name.includes('/') || shell.flavor !== 'bash')
      ? shell.flavor === 'bash'
        ? 'command not found'
        : 'not found'
      : isDirectory && shell.flavor === 'bash'
        ? 'Is a directory'
        : errorText(error)
  await child.complain(`${complaint(shell, `${name}: ${text}`, shell.line)}\n`)
}

export async function becomeProgram(shell: Shell, command: Simple, argv: string[]): Promise<number> {
  const undo = await redirect(shell, shell.process, command.redirections, true)
  if (!undo) throw new ShellExit(1)
  let words = argv.slice(1)
  if (words[0] === '--') words = words.slice(1)
  if (words[0] === '-a') words = words.slice(2)
  if (words.length === 0) return (shell.status = 0)
  const env = shell.environment()
  for (const assignment of command.assignments) env.set(assignment.name, await expandText(shell, assignment.value))
  shell.process.env = env
  const failure = await start(shell, shell.process, words)
  if (failure !== undefined) throw new ShellExit(failure)
  shell.traps.clear()
  throw new ShellExit(shell.replacedBy as number)
}
