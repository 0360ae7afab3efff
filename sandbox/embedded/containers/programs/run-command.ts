import type { OpenFile } from '../kernel/open-file.ts'
import type { Process } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'

/**
 * Starts a command as a child (env, xargs, find -exec, timeout...). When it cannot be started the complaint is made in
 * busybox' words and the exit code (126 or 127) is returned instead of the child.
 */
export async function startCommand(
  process: Process,
  argv: readonly string[],
  files?: ReadonlyMap<number, OpenFile>,
): Promise<Process | number> {
  const { machine } = process
  const name = argv[0] ?? ''
  let target: ReturnType<typeof machine.resolve>
  try {
    target = machine.resolve(name, process)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    if (error.code === 'ENOEXEC') return startCommand(process, ['/bin/sh', ...argv], files)
    const what = process.name === 'xargs' ? name : `can't execute '${name}'`
    await process.complain(`${process.name}: ${what}: ${error.message}\n`)
    return error.code === 'ENOENT' ? 127 : 126
  }
  const child = machine.fork(process, argv)
  for (const [fd, open] of files ?? []) child.setFile(fd, open)
  machine.prepare(child, target, [...(target.argv.length > 1 ? target.argv : [name]), ...argv.slice(1)])
  void machine.run(child, target.program.run)
  return child
}

export async function runCommand(process: Process, argv: readonly string[], files?: ReadonlyMap<number, OpenFile>): Promise<number> {
  const child = await startCommand(process, argv, files)
  if (typeof child === 'number') return child
  const status = await process.block<{ code: number }>((resolve) => child.onEnd(resolve))
  return status.code
}

/** This process becomes the command (env, nohup, nice). */
export async function becomeCommand(process: Process, argv: readonly string[]): Promise<number> {
  const { machine } = process
  const name = argv[0] ?? ''
  let target: ReturnType<typeof machine.resolve>
  try {
    target = machine.resolve(name, process)
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    if (error.code === 'ENOEXEC') return becomeCommand(process, ['/bin/sh', ...argv])
    await process.complain(`${process.name}: can't execute '${name}': ${error.message}\n`)
    return error.code === 'ENOENT' ? 127 : 126
  }
  machine.prepare(process, target, [...(target.argv.length > 1 ? target.argv : [name]), ...argv.slice(1)])
  return target.program.run(process)
}
