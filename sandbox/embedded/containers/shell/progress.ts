import type { Process } from '../kernel/process.ts'
import { sleepDuration } from '../programs/duration.ts'
import type { Command, List } from './ast.ts'
import type { Shell } from './shell.ts'
import type { StoredVariable } from './variables.ts'

type Item = List['items'][number]

/** Where a script stood: JSON. */
interface Place {
  /** The statement of the script's top level that was under way, and since when (cluster ms). */
  item: number
  since: number
  status: number
  /** Statements before it that were started with & and run on. */
  background: number[]
  variables: StoredVariable[]
}

/** What makes the surroundings of later statements: done again, since nothing else brings it back. */
const surroundings = new Set(['trap', 'set', 'shopt', 'alias', 'umask', 'ulimit', 'shift'])

/**
 * Lets a container's main script go on after a restart of the platform and in a fork: at the statement of its top level
 * where it stood, with its variables and the rest of a sleep. Where more hangs on what has run than can be brought back
 * (programs that went into the background by themselves, functions from other files), it begins again.
 */
export class ScriptProgress {
  private readonly shell: Shell
  private readonly before: Place | undefined
  private item = -1
  private since = 0
  private readonly functions = new Set<string>()
  private readonly background = new Map<number, Process>()

  constructor(shell: Shell) {
    this.shell = shell
    this.before = shell.process.resume<Place>()
    if (!this.before) return
    shell.variables.restore(this.before.variables)
    shell.status = this.before.status
  }

  /** The script comes to a statement: it is run, has been run, or is a sleep of which so many ms are left. */
  take(item: Item): 'run' | 'skip' | number {
    const { before, shell } = this
    this.item++
    const command = only(item)
    if (command?.type === 'function') this.functions.add(command.name)
    if (before && this.item < before.item) {
      if (item.background) return before.background.includes(this.item) ? 'run' : 'skip'
      return command && again(command) ? 'run' : 'skip'
    }
    const now = shell.process.machine.now()
    const resumed = before?.item === this.item
    this.since = resumed ? before.since : now
    shell.process.save(() => this.place())
    const sleeps = resumed && !item.background && command && sleepOf(command)
    return sleeps ? Math.max(0, this.since + sleeps - now) : 'run'
  }

  /** The statement just taken runs in the background. */
  started(process: Process): void {
    this.background.set(this.item, process)
  }

  private place(): Place | undefined {
    const { process, functions, variables, status } = this.shell
    const running = [...this.background].filter(([, child]) => !child.ended)
    const stored = variables.stored()
    const known = [...functions.keys()].every((name) => this.functions.has(name))
    const named = running.some(([, { pid }]) => stored.some(({ value }) => value === String(pid)))
    if (!known || named || process.machine.hasDaemons) return undefined
    return { item: this.item, since: this.since, status, background: running.map(([item]) => item), variables: stored }
  }
}

function only({ command }: Item): Command | undefined {
  const { first, rest } = command
  return rest.length === 0 && first.commands.length === 1 && !first.negated ? first.commands[0] : undefined
}

function again(command: Command): boolean {
  if (command.type !== 'simple') return command.type === 'function'
  const name = command.words[0]?.text ?? ''
  return surroundings.has(name) || (name === 'exec' && command.words.length === 1)
}

function sleepOf(command: Command): number | undefined {
  if (command.type !== 'simple' || command.words[0]?.text !== 'sleep') return undefined
  const duration = sleepDuration(command.words.slice(1).map(({ text }) => text))
  return typeof duration === 'number' && Number.isFinite(duration) ? duration : undefined
}
