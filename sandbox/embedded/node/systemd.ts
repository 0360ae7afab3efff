import type { Clock, Timer } from '../clock.ts'
import { type SignalName, signalNumbers } from '../containers/kernel/signals.ts'
import type { Records } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import type { Journal } from './journal.ts'

/** A service that a node's systemd looks after. */
export interface Service {
  /** With its suffix: kubelet.service. */
  name: string
  description: string
  documentation: string
  /** The unit's file. */
  file: string
  dropIns: string[]
  /** What `systemctl cat` shows. */
  text: string
  slice: string
  executable: string
  /** The process id that the service had when the node was made. */
  firstPid: number
  /** What the process is called with, besides its name. */
  args(): string
  /** A file without which systemd does not start it. */
  condition?: { path: string; met(): boolean }
  /** Throws ServiceFailure where the process ends at once. */
  start(pid: number): void
  stop(): void
  /** ms until one that has failed is started again. */
  restartAfter: number
}

/** A service's process ends by itself, with the lines that it writes, or is killed. */
export class ServiceFailure extends Error {
  readonly exitCode: number
  readonly signal: SignalName | undefined
  constructor(message: string, exitCode = 1, signal?: SignalName) {
    super(message)
    this.exitCode = exitCode
    this.signal = signal
  }

  /** What a signal makes of a service; those that are asked to end do so in good order. */
  static bySignal(signal: SignalName): ServiceFailure {
    return signal === 'TERM' || signal === 'INT' ? new ServiceFailure('', 0) : new ServiceFailure('', 0, signal)
  }
}

export interface UnitState {
  active: 'active' | 'inactive' | 'failed' | 'activating'
  sub: 'running' | 'dead' | 'failed' | 'auto-restart'
  /** Cluster ms of the last change. */
  since: number
  /** Of the process that runs, or ran last. */
  pid: number
  /** How the last process ended, where it ended by itself. */
  exitCode?: number
  /** How long it was up, ms, once it is not. */
  duration?: number
  enabled: boolean
}

/** The services of one node: which run, and starting and stopping them. */
export class Systemd implements Disposable {
  private readonly node: string
  private readonly clock: Clock
  private readonly records: Records
  private readonly journal: Journal
  private readonly services = new Map<string, Service>()
  private readonly states = new Map<string, UnitState>()
  private readonly timers = new Map<string, Timer>()
  private readonly takePid: () => number

  /**
   * @param bootedAt cluster ms at which services count as started that nobody has touched
   * @param takePid a number for a new process
   */
  constructor(
    node: string,
    clock: Clock,
    records: Records,
    journal: Journal,
    services: readonly Service[],
    bootedAt: number,
    takePid: () => number,
  ) {
    this.takePid = takePid
    this.node = node
    this.clock = clock
    this.records = records
    this.journal = journal
    for (const service of services) {
      const fresh: UnitState = { active: 'active', sub: 'running', since: bootedAt, pid: service.firstPid, enabled: true }
      const state = copyOf(records.get<UnitState>(this.key(service.name))) ?? fresh
      this.services.set(service.name, service)
      this.states.set(service.name, state)
    }
  }

  /** Starts the processes of the services that are to run, in order: the cluster begins, or is brought back. */
  boot(): void {
    for (const [name, service] of this.services) {
      const state = this.of(name)
      if (state.active === 'activating') this.again(service)
      else if (state.active === 'active') this.run(service, state.pid, state.since)
    }
  }

  names(): string[] {
    return [...this.services.keys()]
  }

  /** By its name with or without the suffix. */
  find(name: string): { service: Service; state: Readonly<UnitState> } | undefined {
    const full = name.includes('.') ? name : `${name}.service`
    const service = this.services.get(full)
    return service && { service, state: this.of(full) }
  }

  isRunning(name: string): boolean {
    return this.states.get(name)?.sub === 'running'
  }

  start(name: string): void {
    const found = this.find(name)
    if (!found || found.state.active === 'active') return
    this.timers.get(found.service.name)?.cancel()
    this.launch(found.service)
  }

  stop(name: string): void {
    const found = this.find(name)
    if (!found) return
    const { service, state } = found
    this.timers.get(service.name)?.cancel()
    if (state.active === 'inactive') return
    if (state.sub === 'running') {
      this.say(service, `Stopping ${this.title(service)}...`)
      service.stop()
      this.say(service, `${service.name}: Deactivated successfully.`)
    }
    this.say(service, `Stopped ${this.title(service)}.`)
    const now = this.clock.now()
    this.set(service, { ...state, active: 'inactive', sub: 'dead', since: now, duration: now - state.since, exitCode: 0 })
  }

  restart(name: string): void {
    this.stop(name)
    this.start(name)
  }

  /** A service's process ends by itself, or is killed: systemd starts it again. */
  ended(name: string, failure: ServiceFailure): void {
    const found = this.find(name)
    if (found?.state.sub !== 'running') return
    found.service.stop()
    this.fail(found.service, found.state.pid, failure)
  }

  setEnabled(name: string, enabled: boolean): void {
    const found = this.find(name)
    if (found) this.set(found.service, { ...found.state, enabled })
  }

  [Symbol.dispose](): void {
    for (const timer of this.timers.values()) timer.cancel()
  }

  private of(name: string): UnitState {
    return this.states.get(name) as UnitState
  }

  private launch(service: Service): void {
    const { condition } = service
    const now = this.clock.now()
    if (condition && !condition.met()) {
      const why = `was skipped because of an unmet condition check (ConditionPathExists=${condition.path}).`
      this.say(service, `${this.title(service)} ${why}`)
      this.set(service, { ...this.of(service.name), active: 'inactive', sub: 'dead', since: now })
      return
    }
    this.say(service, `Started ${this.title(service)}.`)
    this.run(service, this.takePid(), now)
  }

  private run(service: Service, pid: number, since: number): void {
    const { enabled } = this.of(service.name)
    const before = this.states.get(service.name)
    const state: UnitState = { active: 'active', sub: 'running', since, pid, enabled }
    if (before?.pid === pid && before.active === 'active') this.states.set(service.name, state)
    else this.set(service, state)
    try {
      service.start(pid)
    } catch (error) {
      if (!(error instanceof ServiceFailure)) throw error
      this.fail(service, pid, error)
    }
  }

  private fail(service: Service, pid: number, { message, exitCode, signal }: ServiceFailure): void {
    if (message !== '')
      this.journal.write({ unit: service.name, identifier: service.executable.split('/').pop() ?? '', pid, text: message })
    if (signal !== undefined) {
      this.say(service, `${service.name}: Main process exited, code=killed, status=${signalNumbers[signal]}/${signal}`)
      this.say(service, `${service.name}: Failed with result 'signal'.`)
    } else if (exitCode === 0) this.say(service, `${service.name}: Deactivated successfully.`)
    else {
      this.say(service, `${service.name}: Main process exited, code=exited, status=${exitCode}/FAILURE`)
      this.say(service, `${service.name}: Failed with result 'exit-code'.`)
    }
    const state = this.of(service.name)
    this.set(service, { ...state, active: 'activating', sub: 'auto-restart', since: this.clock.now(), pid, exitCode })
    this.again(service)
  }

  private again(service: Service): void {
    this.timers.get(service.name)?.cancel()
    const timer = this.clock.setTimeout(() => {
      this.say(service, `${service.name}: Scheduled restart job, restart counter is at ${this.counted(service)}.`)
      this.launch(service)
    }, service.restartAfter)
    this.timers.set(service.name, timer)
  }

  private counted(service: Service): number {
    const before = this.journal.entries().findLast(({ unit, text }) => unit === service.name && text.includes('restart counter is at'))
    return Number(/is at (\d+)/.exec(before?.text ?? '')?.[1] ?? 0) + 1
  }

  private title(service: Service): string {
    return `${service.name} - ${service.description}`
  }

  private say(service: Service, text: string): void {
    this.journal.write({ unit: service.name, identifier: 'systemd', pid: 1, text })
  }

  private set(service: Service, state: UnitState): void {
    this.states.set(service.name, state)
    this.records.put(this.key(service.name), state)
  }

  private key(unit: string): string {
    return `node/unit/${this.node}/${unit}`
  }
}
