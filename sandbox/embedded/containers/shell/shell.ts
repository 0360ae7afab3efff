import type { OpenFile } from '../kernel/open-file.ts'
import { Pipe } from '../kernel/pipe.ts'
import type { ExitStatus, Process } from '../kernel/process.ts'
import { type SignalName, signalNumbers, signalTexts } from '../kernel/signals.ts'
import { Stackless } from '../stackless.ts'
import { Errno, errorText } from '../vfs/errno.ts'
import { type AndOr, type Command, type FunctionDefinition, type List, type Pipeline, type Simple, SyntaxFault } from './ast.ts'
import { type Builtin, builtins, specialBuiltins } from './builtins.ts'
import { complaint, type Source } from './complaint.ts'
import { compound } from './compound.ts'
import { ExpansionFault, evaluateWord, expandText, expandWords } from './expand.ts'
import { Parser } from './parser.ts'
import type { ScriptProgress } from './progress.ts'
import { quoted } from './quote.ts'
import { redirect } from './redirections.ts'
import { becomeProgram, external } from './starting.ts'
import { isVariableName, ReadonlyFault, Variables } from './variables.ts'

export type Flavor = 'ash' | 'dash' | 'bash'

/** Leaves the shell from any depth. */
export class ShellExit extends Stackless {
  readonly code: number
  constructor(code: number) {
    super(`exit ${code}`)
    this.code = code
  }
}

export interface Job {
  id: number
  process: Process
  text: string
  done?: ExitStatus
}

/** CPU time that one command of a script is charged with, and a new process. */
const stepPrice = 20_000
export const forkPrice = 250_000
const functionDepth = 500
const nestedAtOnce = 16

/**
 * A POSIX shell with the parts of bash that people use, run by one Process. It walks the syntax tree, and waits wherever a
 * real shell would: for pipes, children, the clock.
 */
export class Shell {
  process: Process
  readonly flavor: Flavor
  variables: Variables
  readonly functions: Map<string, FunctionDefinition>
  readonly aliases = new Map<string, string>()
  readonly options: Set<string>
  readonly shopt: Set<string>
  positional: string[] = []
  name: string
  source: Source = 'stdin'
  /** Of the environment, under names that no variable can have: passed on as they are, but for dash. */
  private readonly passedOn: ReadonlyMap<string, string>
  status = 0
  /** Exit codes of the last pipeline's members: bash's PIPESTATUS. */
  pipeStatus: number[] = [0]
  lastBackground = 0
  interactive = false
  jobs: Job[] = []
  /** break, continue, return on their way out. */
  jump: { type: 'break' | 'continue' | 'return'; count: number } | undefined
  loopDepth = 0
  /** Greater than zero where set -e does not apply. */
  unchecked = 0
  readonly traps = new Map<SignalName | 'EXIT' | 'ERR' | 'DEBUG', string>()
  private readonly pendingTraps: SignalName[] = []
  /** Ends a `wait` when a trapped signal comes. */
  private onTrap: (() => void) | undefined
  private substitutionStatus = 0
  private depth = 0
  /** Lists that are being run inside of each other. */
  private nested = 0
  line = 1
  /** The command with which sh -c may end: it replaces the shell. */
  private lastCommand: Simple | undefined
  /** Where getopts stands inside a word. */
  getoptsAt = 0
  getoptsIndex = 1
  readonly isSubshell: boolean

  constructor(process: Process, flavor: Flavor, from?: Shell) {
    this.process = process
    this.flavor = flavor
    this.isSubshell = from !== undefined
    const grow = (bytes: number) => process.allocate(bytes)
    if (from) {
      this.variables = from.variables.copy(grow)
      this.functions = new Map(from.functions)
      this.options = new Set(from.options)
      this.shopt = new Set(from.shopt)
      this.positional = [...from.positional]
      this.name = from.name
      this.source = from.source
      this.passedOn = from.passedOn
      this.status = from.status
      this.lastBackground = from.lastBackground
      this.loopDepth = from.loopDepth
      this.unchecked = from.unchecked
      this.depth = from.depth
      for (const [name, value] of from.aliases) this.aliases.set(name, value)
      for (const [signal, action] of from.traps) if (action === '') this.traps.set(signal, '')
      return
    }
    this.variables = Variables.fromEnvironment(process.env, grow)
    this.passedOn = new Map(flavor === 'dash' ? [] : [...process.env].filter(([name]) => !isVariableName(name)))
    this.functions = new Map()
    this.options = new Set()
    this.shopt = new Set()
    this.name = process.argv[0] ?? 'sh'
    if (!this.variables.get('PATH')) this.variables.set('PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
    const pwd = this.variables.declare('PWD')
    pwd.value = process.cwd
    pwd.exported = true
    const level = Number(this.variables.get('SHLVL') ?? 0)
    const shlvl = this.variables.declare('SHLVL')
    shlvl.value = String(level + 1)
    shlvl.exported = true
    if (!this.variables.get('IFS')) this.variables.declare('IFS').value = ' \t\n'
    this.variables.declare('OPTIND').value = '1'
    if (flavor === 'bash') {
      this.variables.declare('BASH_VERSION').value = '5.2.15(1)-release'
      this.variables.declare('BASH').value = '/bin/bash'
      this.variables.declare('HOSTNAME').value = process.machine.hostname
    }
  }

  /** What a command that it starts finds in its environment. */
  environment(): Map<string, string> {
    return this.variables.exported(this.passedOn)
  }

  get ifs(): string | undefined {
    return this.variables.get('IFS') ?? (this.variables.find('IFS') ? '' : ' \t\n')
  }

  /** Value of a variable, positional or special parameter. */
  parameter(name: string): string | undefined {
    switch (name) {
      case '?':
        return String(this.status)
      case '$':
        return String(this.shellPid)
      case '!':
        return this.lastBackground ? String(this.lastBackground) : ''
      case '#':
        return String(this.positional.length)
      case '0':
        return this.name
      case '-':
        return [...this.options].filter((option) => option.length === 1).join('') + (this.interactive ? 'i' : '')
      case '@':
      case '*':
        return this.positional.join(' ')
      case 'RANDOM':
        return String(Math.floor(this.process.machine.random() * 32768))
      case 'SECONDS':
        return String(Math.floor((this.process.machine.now() - this.process.startedAt) / 1000))
      case 'LINENO':
        return String(this.line)
      case 'PPID':
        return String(this.process.ppid)
      case 'UID':
      case 'EUID':
        if (this.flavor === 'bash') return String(this.process.uid)
        break
      case 'BASHPID':
        return String(this.process.pid)
      case 'EPOCHSECONDS':
        return String(Math.floor(this.process.machine.now() / 1000))
    }
    if (/^\d+$/.test(name)) return this.positional[Number(name) - 1]
    return this.variables.get(name)
  }

  /** $$ stays the main shell's in a subshell. */
  shellPid = 0

  /** Runs a script to its end and returns the status. With `last` a final simple command may replace the shell (sh -c). */
  async script(source: string, options: { replace?: boolean; progress?: ScriptProgress } = {}): Promise<number> {
    const parser = new Parser(source, { aliases: this.aliases, bash: this.flavor === 'bash' })
    try {
      let list = parser.next()
      while (list) {
        // To know whether a line is the last, the next one is read before it runs: only for sh -c, where that shows nowhere.
        const ahead = options.replace ? this.peekNext(parser) : 'later'
        this.lastCommand = ahead ? undefined : this.replaceable(list)
        await this.list(list, options.progress)
        if (this.jump?.type === 'return') break
        list = ahead === 'later' ? parser.next() : ahead
      }
    } catch (error) {
      if (error instanceof SyntaxFault) {
        // busybox begins its own with a small letter.
        const text =
          this.flavor === 'ash'
            ? error.message
                .replace(/^Unterminated backquoted string/, 'EOF in backquote substitution')
                .replace(/^Unterminated/, 'unterminated')
            : error.message
        await this.complain(`syntax error: ${text}`, error.line)
        return (this.status = 2)
      }
      throw error
    }
    this.jump = undefined
    return this.status
  }

  private peekNext(parser: Parser): List | 'later' | undefined {
    try {
      return parser.next()
    } catch (error) {
      if (error instanceof SyntaxFault) return 'later'
      throw error
    }
  }

  /** May the last command of this last line replace the shell? Not while a trap or a job still needs it. */
  private replaceable(list: List): Simple | undefined {
    if (this.traps.size > 0) return undefined
    const item = list.items.at(-1)
    if (!item || item.background || list.items.some((each) => each.background)) return undefined
    const { first, rest } = item.command
    const pipeline = rest.at(-1)?.pipeline ?? first
    const command = pipeline.commands.length === 1 && !pipeline.negated && !pipeline.timed ? pipeline.commands[0] : undefined
    if (command?.type !== 'simple') return undefined
    const name = command.words[0]?.text ?? ''
    return name === '' || builtins.has(name) || this.functions.has(name) ? undefined : command
  }

  /** Ends the shell: the EXIT trap runs, then the code is what the process ends with. */
  async finish(code: number): Promise<number> {
    const action = this.traps.get('EXIT')
    this.traps.delete('EXIT')
    this.status = code
    if (!action) return code
    try {
      await this.script(action)
      return code
    } catch (error) {
      if (error instanceof ShellExit) return error.code
      throw error
    }
  }

  async list(list: List, progress?: ScriptProgress): Promise<number> {
    // what waits for nothing is walked on one stack, which is not endless
    if (++this.nested % nestedAtOnce === 0) await undefined
    try {
      for (const item of list.items) {
        const { command, background, line } = item
        this.line = line
        const turn = progress?.take(item) ?? 'run'
        if (turn === 'skip') continue
        if (typeof turn === 'number') {
          await this.process.sleep(turn)
          this.status = 0
        } else if (background) {
          const child = this.background(command)
          progress?.started(child)
        } else await this.andOr(command)
        if (this.pendingTraps.length > 0) await this.runTraps()
        if (this.jump) break
      }
    } finally {
      this.nested--
    }
    return this.status
  }

  private andOr(command: AndOr): Promise<number> {
    return command.rest.length === 0 ? this.pipeline(command.first) : this.chain(command)
  }

  private async chain({ first, rest }: AndOr): Promise<number> {
    this.unchecked++
    try {
      await this.pipeline(first)
      for (let index = 0; index < rest.length && !this.jump; index++) {
        const { operator, pipeline } = rest[index] as AndOr['rest'][number]
        if ((operator === '&&') !== (this.status === 0)) continue
        if (index === rest.length - 1) this.unchecked--
        try {
          await this.pipeline(pipeline)
        } finally {
          if (index === rest.length - 1) this.unchecked++
        }
      }
    } finally {
      this.unchecked--
    }
    return this.status
  }

  private async pipeline(pipeline: Pipeline): Promise<number> {
    const started = this.process.machine.now()
    if (pipeline.negated) this.unchecked++
    try {
      if (pipeline.commands.length === 1) this.pipeStatus = [await this.command(pipeline.commands[0] as Command)]
      else await this.pipe(pipeline.commands)
    } finally {
      if (pipeline.negated) this.unchecked--
    }
    if (pipeline.negated) this.status = this.status === 0 ? 1 : 0
    else if (this.status !== 0 && this.unchecked === 0 && !this.jump) {
      const action = this.traps.get('ERR')
      if (action) await this.trapAction(action)
      if (this.options.has('e')) throw new ShellExit(this.status)
    }
    if (pipeline.timed) {
      const seconds = (this.process.machine.now() - started) / 1000
      const form = (value: number) =>
        this.flavor === 'bash'
          ? `${Math.floor(value / 60)}m${(value % 60).toFixed(3)}s`
          : `${Math.floor(value / 60)}m ${(value % 60).toFixed(2)}s`
      await this.process.complain(`${this.flavor === 'bash' ? '\n' : ''}real\t${form(seconds)}\nuser\t${form(0)}\nsys\t${form(0)}\n`)
    }
    return this.status
  }

  private async pipe(commands: readonly Command[]): Promise<void> {
    const members: Process[] = []
    let input: OpenFile | undefined
    const group = this.interactive ? -1 : undefined
    for (let index = 0; index < commands.length; index++) {
      const last = index === commands.length - 1
      const pipe = last ? undefined : new Pipe()
      const child = this.process.machine.fork(this.process)
      if (group !== undefined) child.pgid = members[0]?.pid ?? child.pid
      if (input) child.setFile(0, input)
      if (pipe) child.setFile(1, pipe.writer())
      members.push(child)
      this.runForked(child, commands[index] as Command)
      input?.release()
      input = pipe?.reader().retain()
    }
    const statuses = await this.foreground(members)
    const codes = statuses.map((status) => status.code)
    this.pipeStatus = codes
    this.status = codes[codes.length - 1] as number
    if (this.options.has('pipefail')) this.status = codes.findLast((code) => code !== 0) ?? 0
  }

  /** Waits for children that hold the terminal meanwhile. */
  async foreground(members: readonly Process[]): Promise<ExitStatus[]> {
    const { terminal } = this.process
    const group = (members[0] as Process).pgid
    if (this.interactive && terminal) {
      terminal.foreground = group
      terminal.raw = false
      terminal.echo = true
    }
    try {
      const statuses: ExitStatus[] = []
      for (const member of members) statuses.push(await this.ended(member))
      const last = statuses[statuses.length - 1] as ExitStatus
      if (last.signal && !this.isSubshell) await this.announce(last.signal)
      return statuses
    } finally {
      if (this.interactive && terminal) terminal.foreground = this.process.pgid
    }
  }

  /** Tells how a child was ended by a signal, where this shell does. */
  async announce(signal: SignalName): Promise<void> {
    if (signal === 'INT' && this.interactive) return this.process.complain('\n')
    const text = signalTexts[signal]
    if (text && signal !== 'PIPE' && (this.interactive || this.flavor !== 'bash')) await this.process.complain(`${text}\n`)
  }

  ended(child: Process): Promise<ExitStatus> {
    if (child.status) return Promise.resolve(child.status)
    return this.process.block((resolve) => child.onEnd(resolve))
  }

  private background(command: AndOr): Process {
    const child = this.process.machine.fork(this.process)
    if (this.interactive) child.pgid = child.pid
    else child.setFile(0, child.open('/dev/null', 'read'))
    const simple = command.rest.length === 0 && command.first.commands.length === 1 && !command.first.negated
    if (simple) this.runForked(child, command.first.commands[0] as Command)
    else
      this.runForked(child, {
        type: 'compound',
        body: { type: 'group', list: { items: [{ command, background: false, line: this.line }] } },
        redirections: [],
        line: this.line,
      })
    this.lastBackground = child.pid
    const job: Job = { id: Math.max(0, ...this.jobs.map((each) => each.id)) + 1, process: child, text: describeCommand(command) }
    this.jobs.push(job)
    child.onEnd((status) => {
      job.done = status
    })
    if (this.interactive) this.process.terminal?.show(`[${job.id}] ${child.pid}\r\n`)
    this.status = 0
    return child
  }

  /** Runs a command as the whole life of a forked process. */
  runForked(child: Process, command: Command): void {
    void this.process.machine.run(child, async () => {
      // not before its parent has gone on: who reads what it writes comes after it
      await child.spend(forkPrice)
      const subshell = new Shell(child, this.flavor, this)
      subshell.shellPid = this.shellPid
      return await subshell.life(async () => (command.type === 'simple' ? subshell.simple(command, true) : subshell.command(command)))
    })
  }

  /** Turns what can end a shell into its exit code. */
  async life(body: () => Promise<number>): Promise<number> {
    try {
      await body()
      return await this.finish(this.status)
    } catch (error) {
      if (error instanceof ShellExit) return this.finish(error.code)
      if (error instanceof ExpansionFault) {
        await this.complain(error.message)
        return this.finish(this.flavor === 'bash' ? 1 : 2)
      }
      throw error
    }
  }

  command(command: Command): Promise<number> | number {
    const wait = this.process.spend(stepPrice)
    return wait ? wait.then(() => this.commandNow(command)) : this.commandNow(command)
  }

  private commandNow(command: Command): Promise<number> | number {
    if (command.type === 'simple')
      return this.simple(command, command === this.lastCommand && this.traps.size === 0 && this.jobs.every((job) => job.done))
    if (command.type === 'function') {
      this.functions.set(command.name, command)
      return (this.status = 0)
    }
    return compound(this, command)
  }

  /** A simple command. With `replace` this process becomes the program (the last command of sh -c, a member of a pipeline). */
  async simple(command: Simple, replace: boolean): Promise<number> {
    this.line = command.line
    this.substitutionStatus = 0
    let argv: string[]
    try {
      const words = expandWords(this, command.words)
      argv = words instanceof Promise ? await words : words
      if (argv.length === 0) return await this.assignOnly(command)
    } catch (error) {
      if (error instanceof ExpansionFault) return this.expansionFailed(error)
      if (error instanceof ReadonlyFault) return this.readonlyFailed(error)
      throw error
    }
    const name = argv[0] as string
    if (this.options.has('x')) await this.trace(command, argv)
    const definition = this.functions.get(name)
    if (definition) return await this.withRedirections(command, () => this.call(definition, argv, command))
    const builtin = builtins.get(name)
    if (!builtin) return await external(this, command, argv, replace)
    if (name === 'exec') return await becomeProgram(this, command, argv)
    return await this.withRedirections(command, () => this.builtin(builtin, argv, command))
  }

  private async builtin(builtin: Builtin, argv: string[], command: Simple): Promise<number> {
    const name = argv[0] as string
    const restore = command.assignments.length > 0 ? await this.temporaryAssignments(command, specialBuiltins.has(name)) : undefined
    try {
      const status = builtin(this, argv.slice(1), argv)
      return (this.status = typeof status === 'number' ? status : await status)
    } catch (error) {
      if (error instanceof ReadonlyFault) return this.readonlyFailed(error)
      if (!(error instanceof Errno)) throw error
      await this.complain(
        `${name}: ${error.code === 'EPIPE' || error.code === 'ENOSPC' || error.code === 'EBADF' ? 'write error: ' : ''}${errorText(error)}`,
      )
      return (this.status = 1)
    } finally {
      restore?.()
    }
  }

  private async assignOnly(command: Simple): Promise<number> {
    const undo = await redirect(this, this.process, command.redirections)
    if (!undo) return this.status
    undo()
    if (this.options.has('x') && command.assignments.length > 0) await this.trace(command, [])
    await this.assign(command)
    return (this.status = this.substitutionStatus)
  }

  async assign(command: Simple): Promise<void> {
    for (const { name, index, append, value, array } of command.assignments) {
      if (array) {
        const items = new Map(append ? this.variables.find(name)?.array : undefined)
        const { associative } = this.variables.find(name) ?? {}
        let next = Math.max(-1, ...[...items.keys()].map(Number).filter((each) => !Number.isNaN(each))) + 1
        for (const item of array) {
          if (item.index) {
            const key = await expandText(this, item.index)
            const position = associative ? key : String(await evaluateWord(this, item.index))
            items.set(position, await expandText(this, item.value))
            next = Number(position) + 1
          } else for (const text of await expandWords(this, [item.value])) items.set(String(next++), text)
        }
        this.variables.setArray(name, items)
        continue
      }
      let text = await expandText(this, value)
      const variable = this.variables.find(name)
      let key: string | undefined
      if (index) key = variable?.associative ? await expandText(this, index) : String(await evaluateWord(this, index))
      if (append) {
        const old = (key === undefined ? this.variables.get(name) : variable?.array?.get(key)) ?? ''
        text = variable?.integer ? String(BigInt(old || '0') + BigInt(text || '0')) : old + text
      } else if (variable?.integer) text = String(await evaluateWord(this, value))
      this.variables.set(name, text, key)
      if (this.options.has('a')) this.variables.declare(name).exported = true
    }
  }

  private async temporaryAssignments(command: Simple, keep: boolean): Promise<() => void> {
    if (keep || command.words.length > command.assignments.length) {
      const declares = /^(?:declare|local|typeset|readonly|export)$/.test(command.words[0]?.text ?? '')
      if (declares) {
        // The builtin declares first; the arrays are filled right after it.
        return () => {}
      }
    }
    const before = command.assignments.map(({ name }) => [name, { ...this.variables.find(name) }] as const)
    await this.assign(command)
    if (keep) return () => {}
    return () => {
      for (const [name, old] of before) {
        if (old.value === undefined && !old.array) this.variables.unset(name)
        else Object.assign(this.variables.declare(name), old)
      }
    }
  }

  private withRedirections(command: Simple, run: () => Promise<number>): Promise<number> {
    return command.redirections.length === 0 ? run() : this.redirected(command, run)
  }

  private async redirected(command: Simple, run: () => Promise<number>): Promise<number> {
    const undo = await redirect(this, this.process, command.redirections)
    if (!undo) return this.status
    try {
      return await run()
    } finally {
      undo()
    }
  }

  private async call(definition: FunctionDefinition, argv: string[], command: Simple): Promise<number> {
    if (this.depth >= functionDepth) {
      await this.complain(`${definition.name}: maximum function nesting level exceeded (${functionDepth})`)
      throw new ShellExit(2)
    }
    const positional = this.positional
    const restore = command.assignments.length > 0 ? await this.temporaryAssignments(command, false) : undefined
    this.positional = argv.slice(1)
    this.variables.pushScope()
    this.depth++
    const { loopDepth } = this
    this.loopDepth = 0
    try {
      await compound(this, definition.body)
      if (this.jump?.type === 'return') this.jump = undefined
      return this.status
    } finally {
      this.depth--
      this.loopDepth = loopDepth
      this.variables.popScope()
      this.positional = positional
      restore?.()
    }
  }

  /** What the program came to that has taken this process over. */
  replacedBy: number | undefined

  /** $(..): the output without its trailing newlines. */
  async substitute(list: List): Promise<string> {
    const pipe = new Pipe()
    const reader = pipe.reader().retain()
    const child = this.process.machine.fork(this.process)
    child.setFile(1, pipe.writer())
    const only = list.items.length === 1 ? list.items[0] : undefined
    const commands = only && !only.background && only.command.rest.length === 0 ? only.command.first : undefined
    const simple = commands && commands.commands.length === 1 && !commands.negated && !commands.timed ? commands.commands[0] : undefined
    this.runForked(child, simple ?? { type: 'compound', body: { type: 'group', list }, redirections: [], line: this.line })
    const chunks: Uint8Array[] = []
    let taken = 0
    try {
      for (;;) {
        const chunk = await reader.read(65536, this.process)
        if (chunk.length === 0) break
        taken += chunk.length
        this.process.allocate(chunk.length)
        chunks.push(chunk)
      }
    } finally {
      reader.release()
      if (!this.process.ended) this.process.allocate(-taken)
    }
    const status = await this.ended(child)
    this.substitutionStatus = status.code
    this.status = status.code
    return new TextDecoder().decode(Buffer.concat(chunks)).replaceAll('\0', '').replace(/\n+$/, '')
  }

  /** <(..) and >(..): a path under /dev/fd that leads to the other process. */
  async processSubstitution(direction: '<' | '>', list: List): Promise<string> {
    const pipe = new Pipe()
    const child = this.process.machine.fork(this.process)
    let fd = 63
    while (this.process.files.has(fd)) fd--
    if (direction === '<') {
      child.setFile(1, pipe.writer())
      this.process.setFile(fd, pipe.reader())
    } else {
      child.setFile(0, pipe.reader())
      this.process.setFile(fd, pipe.writer())
    }
    this.runForked(child, { type: 'compound', body: { type: 'group', list }, redirections: [], line: this.line })
    return `/dev/fd/${fd}`
  }

  /** One line of a descriptor, byte by byte so that nothing behind it is taken. */
  async readLine(fd: number, delimiter = '\n', limit = Number.POSITIVE_INFINITY): Promise<{ text: string; ended: boolean } | undefined> {
    const open = this.process.files.get(fd)
    if (!open) throw new Errno('EBADF')
    const bytes: number[] = []
    const stop = delimiter.charCodeAt(0) || 0
    while (bytes.length < limit) {
      const chunk = await open.read(1, this.process)
      const byte = chunk[0]
      if (byte === undefined) return bytes.length === 0 ? undefined : { text: Buffer.from(bytes).toString(), ended: false }
      if (byte === stop) break
      bytes.push(byte)
      const wait = this.process.spend(200)
      if (wait) await wait
      if (bytes.length % 4096 === 0) this.process.allocate(4096)
    }
    return { text: Buffer.from(bytes).toString(), ended: true }
  }

  /** Sets what a signal does; undefined restores the default, '' ignores it. */
  setTrap(signal: SignalName | 'EXIT' | 'ERR' | 'DEBUG', action: string | undefined): void {
    if (action === undefined) this.traps.delete(signal)
    else this.traps.set(signal, action)
    if (signal === 'EXIT' || signal === 'ERR' || signal === 'DEBUG') return
    if (action === undefined)
      this.process.trap(signal, this.interactive && (signal === 'INT' || signal === 'TERM' || signal === 'QUIT') ? 'ignore' : undefined)
    else if (action === '') this.process.trap(signal, 'ignore')
    else
      this.process.trap(signal, () => {
        this.pendingTraps.push(signal)
        this.onTrap?.()
      })
  }

  async runTraps(): Promise<void> {
    for (let signal = this.pendingTraps.shift(); signal; signal = this.pendingTraps.shift()) {
      const action = this.traps.get(signal)
      if (action) await this.trapAction(action)
    }
  }

  private async trapAction(action: string): Promise<void> {
    const { status, jump } = this
    this.jump = undefined
    await this.script(action)
    this.status = status
    this.jump ??= jump
  }

  /** Waits for something as the wait builtin does: a trapped signal ends it with 128+n. */
  async waitInterruptibly(done: Promise<number>): Promise<number> {
    if (this.pendingTraps[0]) return 128 + signalNumbers[this.pendingTraps[0]]
    try {
      return await this.process.block<number>((resolve, reject) => {
        this.onTrap = () => resolve(128 + signalNumbers[this.pendingTraps[0] as SignalName])
        done.then(resolve, reject)
      })
    } finally {
      this.onTrap = undefined
    }
  }

  async expansionFailed(error: ExpansionFault): Promise<number> {
    await this.complain(error.message)
    if (!this.interactive) throw new ShellExit(this.flavor === 'bash' ? 1 : 2)
    return (this.status = 1)
  }

  private async readonlyFailed(error: ReadonlyFault): Promise<number> {
    await this.complain(this.flavor === 'bash' ? `${error.message}: readonly variable` : `${error.message}: is read only`)
    if (!this.interactive && this.flavor !== 'bash') throw new ShellExit(2)
    return (this.status = 1)
  }

  /** A message of the shell itself, worded with name and line as each shell does. */
  async complain(text: string, line = this.line): Promise<void> {
    await this.process.complain(`${complaint(this, text, line)}\n`)
  }

  private async trace(command: Simple, argv: readonly string[]): Promise<void> {
    const prefix = this.variables.get('PS4') ?? '+ '
    const assignments: string[] = []
    if (argv.length === 0)
      for (const { name, value, array } of command.assignments)
        if (!array) assignments.push(`${name}=${quoted(await expandText(this, value)).replace(/^''$/, '')}`)
    await this.process.complain(`${prefix}${[...assignments, ...argv.map((word) => quoted(word))].join(' ')}\n`)
  }
}

function describeCommand(command: AndOr): string {
  const simple = command.first.commands.map((each) => (each.type === 'simple' ? each.words.map((word) => word.text).join(' ') : '{ ... }'))
  return simple.join(' | ')
}
