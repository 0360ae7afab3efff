import { type OpenFile, RegularFile } from '../kernel/open-file.ts'
import { Pipe } from '../kernel/pipe.ts'
import type { ExitStatus, Process } from '../kernel/process.ts'
import { type SignalName, signalNumbers, signalTexts } from '../kernel/signals.ts'
import { Errno, errorText } from '../vfs/errno.ts'
import { file } from '../vfs/node.ts'
import {
  type AndOr,
  type Command,
  type Compound,
  type FunctionDefinition,
  type List,
  type Pipeline,
  type Redirection,
  type Simple,
  SyntaxFault,
} from './ast.ts'
import { builtins, specialBuiltins } from './builtins.ts'
import { complaint, type Source } from './complaint.ts'
import { ExpansionFault, evaluateWord, expandPattern, expandText, expandWords } from './expand.ts'
import { Parser } from './parser.ts'
import { matches } from './pattern.ts'
import type { ScriptProgress } from './progress.ts'
import { quoted } from './quote.ts'
import { evaluateTest } from './test-expression.ts'
import { isVariableName, ReadonlyFault, Variables } from './variables.ts'

export type Flavor = 'ash' | 'dash' | 'bash'

/** Leaves the shell from any depth. */
export class ShellExit extends Error {
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
const forkPrice = 250_000
const functionDepth = 500

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
    return new Map([...this.passedOn, ...this.variables.exported()])
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
    const parser = new Parser(source, { aliases: this.aliases })
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
        await this.complain(`syntax error: ${error.message}`, error.line)
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
    return this.status
  }

  private async andOr(command: AndOr): Promise<number> {
    const { rest } = command
    if (rest.length === 0) return this.pipeline(command.first)
    this.unchecked++
    try {
      await this.pipeline(command.first)
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
      const form = (value: number) => `${Math.floor(value / 60)}m${(value % 60).toFixed(this.flavor === 'bash' ? 3 : 2)}${'s'}`
      const gap = this.flavor === 'bash' ? '\t' : '\t'
      await this.process.complain(`\nreal${gap}${form(seconds)}\nuser${gap}${form(0)}\nsys${gap}${form(0)}\n`)
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

  private async announce(signal: SignalName): Promise<void> {
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
      const wait = child.spend(forkPrice)
      if (wait) await wait
      const subshell = new Shell(child, this.flavor, this)
      subshell.shellPid = this.shellPid
      return subshell.life(() => (command.type === 'simple' ? subshell.simple(command, true) : subshell.command(command)))
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

  async command(command: Command): Promise<number> {
    const wait = this.process.spend(stepPrice)
    if (wait) await wait
    if (command.type === 'simple')
      return this.simple(command, command === this.lastCommand && this.traps.size === 0 && this.jobs.every((job) => job.done))
    if (command.type === 'function') {
      this.functions.set(command.name, command)
      return (this.status = 0)
    }
    return this.compound(command)
  }

  private async compound(command: Compound): Promise<number> {
    if (command.redirections.length === 0) return this.compoundBody(command)
    const undo = await this.redirect(this.process, command.redirections)
    if (!undo) return this.status
    try {
      return await this.compoundBody(command)
    } finally {
      undo()
    }
  }

  private async compoundBody(command: Compound): Promise<number> {
    const { body } = command
    switch (body.type) {
      case 'group':
        return this.list(body.list)
      case 'subshell': {
        const child = this.process.machine.fork(this.process)
        if (this.interactive) child.pgid = child.pid
        this.runForked(child, { type: 'compound', body: { type: 'group', list: body.list }, redirections: [], line: command.line })
        const [status] = await this.foreground([child])
        return (this.status = (status as ExitStatus).code)
      }
      case 'if':
        for (const branch of body.branches) {
          if (await this.condition(branch.condition)) return this.list(branch.body)
          if (this.jump) return this.status
        }
        if (body.otherwise) return this.list(body.otherwise)
        return (this.status = 0)
      case 'loop':
        return this.loop(
          async () => (await this.condition(body.condition)) !== body.until,
          () => this.list(body.body),
        )
      case 'for': {
        const words = body.words ? await expandWords(this, body.words) : [...this.positional]
        let index = 0
        return this.loop(
          async () => {
            if (index >= words.length) return false
            this.variables.set(body.name, words[index++] as string)
            return true
          },
          () => this.list(body.body),
        )
      }
      case 'select':
        return this.select(body)
      case 'forArithmetic': {
        await evaluateWord(this, body.start)
        let first = true
        return this.loop(
          async () => {
            if (!first) await evaluateWord(this, body.step)
            first = false
            return body.condition.text.trim() === '' || (await evaluateWord(this, body.condition)) !== 0n
          },
          () => this.list(body.body),
        )
      }
      case 'case':
        return this.caseCommand(body)
      case 'arithmetic':
        return (this.status = (await evaluateWord(this, body.expression)) !== 0n ? 0 : 1)
      case 'test':
        return (this.status = (await evaluateTest(this, body.expression)) ? 0 : 1)
    }
  }

  private async caseCommand(body: Compound['body'] & { type: 'case' }): Promise<number> {
    const subject = await expandText(this, body.word)
    this.status = 0
    let falling = false
    for (const branch of body.branches) {
      let hit = falling
      for (const pattern of branch.patterns) {
        if (hit) break
        hit = matches(await expandPattern(this, pattern), subject, this.shopt.has('nocasematch'))
      }
      if (!hit) continue
      await this.list(branch.body)
      if (branch.end === ';;' || this.jump) return this.status
      falling = branch.end === ';&'
    }
    return this.status
  }

  private async select(body: Compound['body'] & { type: 'select' }): Promise<number> {
    const words = body.words ? await expandWords(this, body.words) : [...this.positional]
    const menu = words.map((word, index) => `${index + 1}) ${word}\n`).join('')
    await this.process.complain(menu)
    return this.loop(
      async () => {
        await this.process.complain(this.variables.get('PS3') ?? '#? ')
        const line = await this.readLine(0)
        if (line === undefined) return false
        this.variables.set('REPLY', line.text)
        this.variables.set(body.name, words[Number(line.text) - 1] ?? '')
        return true
      },
      () => this.list(body.body),
    )
  }

  private async condition(list: List): Promise<boolean> {
    this.unchecked++
    try {
      return (await this.list(list)) === 0
    } finally {
      this.unchecked--
    }
  }

  private async loop(more: () => Promise<boolean>, body: () => Promise<number>): Promise<number> {
    this.loopDepth++
    let status = 0
    try {
      while (!this.jump && (await more())) {
        status = await body()
        if (this.leaves()) break
      }
      this.leaves()
    } finally {
      this.loopDepth--
    }
    return (this.status = status)
  }

  /** After a round of a loop: is it over? Takes its part of break and continue. */
  private leaves(): boolean {
    const { jump } = this
    if (!jump) return false
    if (jump.type === 'return') return true
    if (jump.count > 1) {
      jump.count--
      return true
    }
    this.jump = undefined
    return jump.type === 'break'
  }

  /** A simple command. With `replace` this process becomes the program (the last command of sh -c, a member of a pipeline). */
  async simple(command: Simple, replace: boolean): Promise<number> {
    this.line = command.line
    this.substitutionStatus = 0
    let argv: string[]
    try {
      argv = await expandWords(this, command.words)
      if (argv.length === 0) return await this.assignOnly(command)
    } catch (error) {
      if (error instanceof ExpansionFault) return this.expansionFailed(error)
      if (error instanceof ReadonlyFault) return this.readonlyFailed(error)
      throw error
    }
    const name = argv[0] as string
    if (this.options.has('x')) await this.trace(command, argv)
    const definition = this.functions.get(name)
    if (definition) return this.withRedirections(command, () => this.call(definition, argv, command))
    const builtin = builtins.get(name)
    if (builtin) {
      if (name === 'exec') return this.exec(command, argv)
      return this.withRedirections(command, async () => {
        const restore = await this.temporaryAssignments(command, specialBuiltins.has(name))
        try {
          return (this.status = await builtin(this, argv.slice(1), argv))
        } catch (error) {
          if (error instanceof ReadonlyFault) return this.readonlyFailed(error)
          if (!(error instanceof Errno)) throw error
          await this.complain(
            `${name}: ${error.code === 'EPIPE' || error.code === 'ENOSPC' || error.code === 'EBADF' ? 'write error: ' : ''}${errorText(error)}`,
          )
          return (this.status = 1)
        } finally {
          restore()
        }
      })
    }
    return this.external(command, argv, replace)
  }

  private async assignOnly(command: Simple): Promise<number> {
    const undo = await this.redirect(this.process, command.redirections)
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
    if (command.assignments.length === 0) return () => {}
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

  private async withRedirections(command: Simple, run: () => Promise<number>): Promise<number> {
    if (command.redirections.length === 0) return run()
    const undo = await this.redirect(this.process, command.redirections)
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
    const restore = await this.temporaryAssignments(command, false)
    this.positional = argv.slice(1)
    this.variables.pushScope()
    this.depth++
    const { loopDepth } = this
    this.loopDepth = 0
    try {
      await this.compound(definition.body)
      if (this.jump?.type === 'return') this.jump = undefined
      return this.status
    } finally {
      this.depth--
      this.loopDepth = loopDepth
      this.variables.popScope()
      this.positional = positional
      restore()
    }
  }

  private async external(command: Simple, argv: string[], replace: boolean): Promise<number> {
    const child = replace ? this.process : this.process.machine.fork(this.process, argv)
    if (!replace) {
      if (this.interactive) child.pgid = child.pid
      const wait = this.process.spend(forkPrice)
      if (wait) await wait
    }
    const undo = await this.redirect(child, command.redirections, !replace)
    if (!undo) {
      if (!replace) child.end({ code: 1 })
      return this.status
    }
    const env = this.environment()
    for (const assignment of command.assignments) env.set(assignment.name, await expandText(this, assignment.value))
    env.set('_', argv[0] as string)
    child.env = env
    const failure = await this.start(child, argv)
    if (failure !== undefined) {
      undo()
      if (!replace) child.end({ code: failure })
      return (this.status = failure)
    }
    if (replace) return (this.status = this.replacedBy as number)
    const [status] = await this.foreground([child])
    return (this.status = (status as ExitStatus).code)
  }

  private replacedBy: number | undefined

  /** Starts a program in a process; returns the exit code (after the message) when it cannot be. */
  private async start(child: Process, argv: string[]): Promise<number | undefined> {
    const name = argv[0] as string
    let target: ReturnType<Process['machine']['resolve']>
    try {
      target = child.machine.resolve(name, child)
    } catch (error) {
      if (!(error instanceof Errno)) throw error
      if (error.code === 'ENOEXEC') return this.startScript(child, argv)
      await this.notStarted(child, name, error)
      return error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 127 : 126
    }
    const full = [...(target.argv.length > 1 ? target.argv : [name]), ...argv.slice(1)]
    child.machine.prepare(child, target, full)
    if (child !== this.process) {
      void child.machine.run(child, target.program.run)
      return undefined
    }
    this.replacedBy = await target.program.run(child)
    return undefined
  }

  /** A file without #! is a script for this same kind of shell. */
  private async startScript(child: Process, argv: string[]): Promise<number | undefined> {
    const path = (argv[0] as string).includes('/') ? (argv[0] as string) : (child.machine.search(argv[0] as string, child) as string)
    const content = await child.readWhole(path)
    if (content.includes(0)) {
      await this.complain(`${argv[0]}: cannot execute binary file: Exec format error`)
      return 126
    }
    const life = async () => {
      child.argv = ['sh', ...argv]
      const shell = new Shell(child, this.flavor)
      shell.name = path
      shell.source = 'file'
      shell.positional = argv.slice(1)
      shell.shellPid = child.pid
      return shell.life(() => shell.script(new TextDecoder().decode(content)))
    }
    if (child === this.process) this.replacedBy = await life()
    else void child.machine.run(child, life)
    return undefined
  }

  private async notStarted(child: Process, name: string, error: Errno): Promise<void> {
    const isDirectory = name.includes('/') && child.fs.find(name, child.who)?.type === 'dir'
    const text =
      error.code === 'ENOENT' && (!name.includes('/') || this.flavor !== 'bash')
        ? this.flavor === 'bash'
          ? 'command not found'
          : 'not found'
        : isDirectory && this.flavor === 'bash'
          ? 'Is a directory'
          : errorText(error)
    await child.complain(`${complaint(this, `${name}: ${text}`, this.line)}\n`)
  }

  private async exec(command: Simple, argv: string[]): Promise<number> {
    const undo = await this.redirect(this.process, command.redirections, true)
    if (!undo) throw new ShellExit(1)
    let words = argv.slice(1)
    if (words[0] === '--') words = words.slice(1)
    if (words[0] === '-a') words = words.slice(2)
    if (words.length === 0) return (this.status = 0)
    const env = this.environment()
    for (const assignment of command.assignments) env.set(assignment.name, await expandText(this, assignment.value))
    this.process.env = env
    const failure = await this.start(this.process, words)
    if (failure !== undefined) throw new ShellExit(failure)
    this.traps.clear()
    throw new ShellExit(this.replacedBy as number)
  }

  /** Applies redirections; returns how to undo them, or undefined after an error (status is set). `keep` leaves the old ones closed. */
  async redirect(process: Process, redirections: readonly Redirection[], keep = false): Promise<(() => void) | undefined> {
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
        target = await expandText(this, redirection.target)
        await this.applyRedirection(process, redirection, target, put)
      } catch (error) {
        if (error instanceof ExpansionFault) {
          undo()
          await this.expansionFailed(error)
          return undefined
        }
        if (!(error instanceof Errno)) throw error
        undo()
        await this.complain(redirectionText(this.flavor, redirection, target, error), this.line)
        this.status = this.flavor === 'bash' ? 1 : this.flavor === 'dash' ? 2 : 1
        return undefined
      }
    }
    return undo
  }

  private async applyRedirection(
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
        return put(redirection.fd ?? 0, this.textFile(target))
      case '<<<':
        return put(redirection.fd ?? 0, this.textFile(`${target}\n`))
      case '>':
      case '>|':
        if (operator === '>' && this.options.has('C') && process.fs.find(target, process.who)?.type === 'file') throw new Errno('EEXIST')
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

  private textFile(text: string): OpenFile {
    return new RegularFile(file(text), undefined, false, this.process.machine.now)
  }

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

  private async expansionFailed(error: ExpansionFault): Promise<number> {
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

function describeCommand(command: AndOr): string {
  const simple = command.first.commands.map((each) => (each.type === 'simple' ? each.words.map((word) => word.text).join(' ') : '{ ... }'))
  return simple.join(' | ')
}
