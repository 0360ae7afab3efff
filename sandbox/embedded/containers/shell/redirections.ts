import { type OpenFile, RegularFile } from '../kernel/open-file.ts'
import type { Process } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'
import { file } from '../vfs/node.ts'
import type { Redirection } from './ast.ts'
import { ExpansionFault, expandText } from './expand.ts'
import type { Flavor, Shell } from './shell.ts'

/** Applies redirections; returns how to undo them, or undefined after an error (status is set). `keep` leaves the old ones closed. */
export async function redirect(
  shell: Shell,
  process: Process,
  redirections: readonly Redirection[],
  keep = false,
): Promise<(() => void) | undefined> {
  const saved = new Map<number, OpenFile | undefined>()
  const undo = () => {
    for (const [fd, old] of saved) {
      if (old) {
        process.setFile(fd, old)
        old.release()
      } else process.closeFile(fd)
    }
  }
  const put = (fd: number, open: OpenFile | undefined) => {
    if (!keep && !saved.has(fd)) saved.set(fd, process.files.get(fd)?.retain())
    if (open) process.setFile(fd, open)
    else process.closeFile(fd)
  }
  for (const redirection of redirections) {
    let target = ''
    try {
      target = await expandText(shell, redirection.target)
      await applyRedirection(shell, process, redirection, target, put)
    } catch (error) {
      if (error instanceof ExpansionFault) {
        undo()
        await shell.expansionFailed(error)
        return undefined
      }
      if (!(error instanceof Errno)) throw error
      undo()
      await shell.complain(redirectionText(shell.flavor, redirection, target, error), shell.line)
      shell.status = shell.flavor === 'bash' ? 1 : shell.flavor === 'dash' ? 2 : 1
      return undefined
    }
  }
  return undo
}

async function applyRedirection(
  shell: Shell,
  process: Process,
  redirection: Redirection,
  target: string,
  put: (fd: number, open: OpenFile | undefined) => void,
): Promise<void> {
  const { operator } = redirection
  switch (operator) {
    case '<':
      return put(redirection.fd ?? 0, process.open(target, 'read'))
    case '<<':
      return put(redirection.fd ?? 0, textFile(shell, target))
    case '<<<':
      return put(redirection.fd ?? 0, textFile(shell, `${target}\n`))
    case '>':
    case '>|':
      if (operator === '>' && shell.options.has('C') && process.fs.find(target, process.who)?.type === 'file') throw new Errno('EEXIST')
      return put(redirection.fd ?? 1, process.open(target, 'write'))
    case '>>':
      return put(redirection.fd ?? 1, process.open(target, 'append'))
    case '<>':
      return put(redirection.fd ?? 0, process.open(target, 'both'))
    case '&>':
    case '&>>': {
      const open = process.open(target, operator === '&>' ? 'write' : 'append')
      put(1, open)
      return put(2, open)
    }
    case '<&':
    case '>&': {
      const fd = redirection.fd ?? (operator === '<&' ? 0 : 1)
      if (target === '-') return put(fd, undefined)
      if (!/^\d+-?$/.test(target)) {
        if (operator !== '>&' || redirection.fd !== undefined) throw new Errno('EBADF')
        const open = process.open(target, 'write')
        put(1, open)
        return put(2, open)
      }
      const source = process.files.get(Number.parseInt(target, 10))
      if (!source) throw new Errno('EBADF')
      put(fd, source)
      if (target.endsWith('-')) put(Number.parseInt(target, 10), undefined)
    }
  }
}

function textFile(shell: Shell, text: string): OpenFile {
  return new RegularFile(file(text), undefined, false, shell.process.machine.now)
}

function redirectionText(flavor: Flavor, redirection: Redirection, target: string, error: Errno): string {
  const text = error.message
  if (error.code === 'EBADF') return `${target}: ${flavor === 'ash' ? 'bad file descriptor' : text}`
  if (flavor === 'bash') return error.code === 'EEXIST' ? `${target}: cannot overwrite existing file` : `${target}: ${text}`
  const reading = redirection.operator === '<'
  const short =
    error.code === 'ENOENT' && flavor === 'dash'
      ? reading
        ? 'No such file'
        : 'Directory nonexistent'
      : error.code === 'ENOENT' && !reading
        ? 'nonexistent directory'
        : error.code === 'ENOENT'
          ? 'no such file'
          : text
  return `${reading ? "can't open" : "can't create"} ${target}: ${short}`.replace("can't", flavor === 'dash' ? 'cannot' : "can't")
}
