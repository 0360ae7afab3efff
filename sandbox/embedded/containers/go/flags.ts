import type { Process } from '../kernel/process.ts'
import { parseGoDuration } from './duration.ts'

/** A flag's kind, with its value where the command line does not set it. Durations are ms. */
export type Flag = string | number | boolean | { duration: number }

export interface Command<F extends Record<string, Flag> = Record<string, Flag>> {
  /** One line, as `--help` lists it. */
  short: string
  flags: F
  /** Letters that stand for flags. */
  letters?: Record<string, keyof F & string>
  /** How many arguments it takes beside flags; any number when absent. */
  args?: number
  run: (process: Process, flags: Values<F>, args: string[]) => Promise<number> | number
}

export type Values<F> = { [K in keyof F]: F[K] extends { duration: number } ? number : F[K] extends boolean ? boolean : Widened<F[K]> }
type Widened<T> = T extends number ? number : T extends string ? string : T

/** A command of a program of subcommands, its flags checked when it is written down. */
export function command<F extends Record<string, Flag>>(definition: Command<F>): Command {
  return definition as unknown as Command
}

/**
 * Runs the subcommand that the arguments name, as a program made with cobra does: flags anywhere, `--flag value` and
 * `--flag=value`, the complaint and exit code 1 for what it does not know.
 */
export async function runCommands(process: Process, program: string, commands: Readonly<Record<string, Command>>): Promise<number> {
  const at = process.args.findIndex((arg) => !arg.startsWith('-'))
  const name = at === -1 ? undefined : process.args[at]
  if (name === undefined) {
    await process.print(usage(program, commands))
    return 0
  }
  const chosen = commands[name]
  if (!chosen) return fail(process, program, `unknown command "${name}" for "${program}"`)
  try {
    const { values, operands } = parseFlags(chosen, [...process.args.slice(0, at), ...process.args.slice(at + 1)])
    if (chosen.args !== undefined && operands.length > chosen.args) {
      throw new FlagError(
        chosen.args === 0
          ? `unknown command "${operands[0]}" for "${program} ${name}"`
          : `accepts ${chosen.args} arg(s), received ${operands.length}`,
      )
    }
    if (chosen.args !== undefined && operands.length < chosen.args) {
      throw new FlagError(`accepts ${chosen.args} arg(s), received ${operands.length}`)
    }
    return await chosen.run(process, values, operands)
  } catch (error) {
    if (!(error instanceof FlagError)) throw error
    return fail(process, `${program} ${name}`, error.message)
  }
}

class FlagError extends Error {}

async function fail(process: Process, path: string, text: string): Promise<number> {
  await process.complain(`Error: ${text}\nRun '${path} --help' for usage.\n`)
  return 1
}

function usage(program: string, commands: Readonly<Record<string, Command>>): string {
  const rows = Object.entries(commands).sort(([a], [b]) => (a < b ? -1 : 1))
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, { short }]) => `  ${name.padEnd(width)} ${short}\n`)
  return `Usage:\n  ${program} [command]\n\nAvailable Commands:\n${lines.join('')}\nFlags:\n  -h, --help   help for ${program}\n\nUse "${program} [command] --help" for more information about a command.\n`
}

/** klog's own flags, which every program takes that is made of Kubernetes' parts. */
const logging: Record<string, Flag> = { v: 0, vmodule: '', 'logging-format': 'text', 'log-flush-frequency': { duration: 5000 } }

function parseFlags(command: Command, args: readonly string[]): { values: Values<Record<string, Flag>>; operands: string[] } {
  const kinds: Record<string, Flag> = { ...logging, ...command.flags }
  const values: Record<string, string | number | boolean> = {}
  for (const [name, flag] of Object.entries(kinds)) values[name] = typeof flag === 'object' ? flag.duration : flag
  const operands: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (arg === '--') {
      operands.push(...args.slice(index + 1))
      break
    }
    const match = /^(--?)([^=]+)(?:=([\s\S]*))?$/.exec(arg)
    if (!match || arg === '-') {
      operands.push(arg)
      continue
    }
    const [, dashes, word = '', text] = match
    const name = dashes === '-' && !(word in logging) ? command.letters?.[word] : word
    const kind = name === undefined ? undefined : kinds[name]
    if (name === undefined || kind === undefined) {
      throw new FlagError(dashes === '-' ? `unknown shorthand flag: '${word[0]}' in -${word}` : `unknown flag: --${word}`)
    }
    if (typeof kind === 'boolean') {
      values[name] = text === undefined || /^(?:1|t|true)$/i.test(text)
      continue
    }
    const given = text ?? args[++index]
    if (given === undefined) throw new FlagError(`flag needs an argument: --${name}`)
    values[name] = flagValue(name, kind, given)
  }
  return { values, operands }
}

function flagValue(name: string, kind: Exclude<Flag, boolean>, text: string): string | number {
  if (typeof kind === 'string') return text
  const invalid = (why: string) => new FlagError(`invalid argument "${text}" for "--${name}" flag: ${why}`)
  if (typeof kind === 'number') {
    if (!/^[-+]?\d+$/.test(text)) throw invalid(`strconv.ParseInt: parsing "${text}": invalid syntax`)
    return Number(text)
  }
  const ms = parseGoDuration(text)
  if (ms === undefined) throw invalid(`time: invalid duration "${text}"`)
  return ms
}
