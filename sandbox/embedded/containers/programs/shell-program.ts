import type { Process, Program } from '../kernel/process.ts'
import { interact } from '../shell/interactive.ts'
import { ScriptProgress } from '../shell/progress.ts'
import { type Flavor, Shell } from '../shell/shell.ts'
import { Errno } from '../vfs/errno.ts'
import { readText } from './text.ts'

/** sh, ash, dash, bash. */
export function shellProgram(flavor: Flavor): Program {
  return { run: (process) => run(process, flavor), memoryBytes: flavor === 'bash' ? 1600 * 1024 : 800 * 1024 }
}

async function run(process: Process, flavor: Flavor): Promise<number> {
  const shell = new Shell(process, flavor)
  shell.shellPid = process.pid
  const { args } = process
  let command = false
  let interactive = false
  let fromStdin = false
  let login = process.argv[0]?.startsWith('-') ?? false
  let index = 0
  for (; index < args.length; index++) {
    const arg = args[index] as string
    if (arg === '--' || arg === '-') {
      index++
      break
    }
    if (arg === '--version' && flavor === 'bash') {
      await process.print('GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\n')
      return 0
    }
    if (arg.startsWith('--')) {
      if (arg === '--login') login = true
      continue
    }
    if (!/^[-+]./.test(arg)) break
    for (const letter of arg.slice(1)) {
      if (letter === 'c') command = true
      else if (letter === 'i') interactive = true
      else if (letter === 's') fromStdin = true
      else if (letter === 'l') login = true
      else if (letter === 'o') {
        const name = args[++index]
        if (name === 'pipefail') shell.options.add('pipefail')
        else if (name) shell.options.add(name === 'errexit' ? 'e' : name === 'nounset' ? 'u' : name === 'xtrace' ? 'x' : name)
      } else if (arg.startsWith('-')) shell.options.add(letter)
      else shell.options.delete(letter)
    }
  }
  const rest = args.slice(index)
  if (login && process.fs.find('/etc/profile', process.who)) await shell.script('. /etc/profile')
  const progress = process === process.machine.init ? new ScriptProgress(shell) : undefined
  if (command) {
    if (rest[0] === undefined) {
      await process.complain(`${shell.name}: -c requires an argument\n`)
      return 2
    }
    shell.source = rest[1] === undefined ? 'command' : 'named command'
    if (rest[1] !== undefined) shell.name = rest[1]
    shell.positional = rest.slice(2)
    return shell.life(() => shell.script(rest[0] as string, { replace: true, progress }))
  }
  if (rest[0] !== undefined && !fromStdin) {
    const path = rest[0]
    shell.positional = rest.slice(1)
    try {
      const content = await process.readWhole(path)
      shell.name = path
      shell.source = 'file'
      return await shell.life(() => shell.script(new TextDecoder().decode(content), { progress }))
    } catch (error) {
      if (!(error instanceof Errno)) throw error
      const text =
        flavor === 'bash'
          ? `${path}: ${error.message}`
          : flavor === 'dash'
            ? `0: cannot open ${path}: ${error.code === 'ENOENT' ? 'No such file' : error.message}`
            : `can't open '${path}': ${error.message}`
      await process.complain(`${shell.name}: ${text}\n`)
      return error.code === 'EISDIR' ? 126 : flavor === 'bash' ? (error.code === 'ENOENT' ? 127 : 126) : 2
    }
  }
  shell.positional = rest
  const stdin = process.files.get(0)
  if (interactive || stdin?.kind === 'tty') return shell.life(() => interact(shell))
  if (!stdin) return 0
  // Commands may read the rest of the script themselves, but hardly ever do: it is taken whole.
  const text = await readText(process, stdin)
  return shell.life(() => shell.script(text))
}
