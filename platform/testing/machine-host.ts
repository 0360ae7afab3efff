import type { ClusterTime, ClusterView, Skipped, Verdict } from '../model.ts'
import type { SandboxHost, SandboxListener, SandboxOrder, StartedSandbox } from '../sandbox-host.ts'
import type { Life } from './mortal.ts'

/** What runs on a machine, whatever process of the platform is there to look after it. */
export class Machine {
  readonly running = new Map<string, 'half' | 'up' | 'paused'>()
  /** What must never happen. */
  readonly violations: string[] = []
  /** 0 to 1, the next one; decides what fails. */
  readonly chance: () => number

  constructor(chance: () => number) {
    this.chance = chance
  }
}

/** The sandboxes of a machine as one process of the platform reaches them, for as long as it lives. */
export class MachineHost implements SandboxHost {
  private readonly machine: Machine
  private readonly life: Life
  private readonly listeners = new Map<string, SandboxListener>()

  constructor(machine: Machine, life: Life) {
    this.machine = machine
    this.life = life
  }

  async engines() {
    return { embedded: { capabilities: { pods: true as const } } }
  }

  async engineChoices() {
    return [{ engine: 'embedded', missing: null }]
  }

  async start({ lease }: SandboxOrder, listener: SandboxListener, signal: AbortSignal): Promise<StartedSandbox> {
    const { running, chance, violations } = this.machine
    await this.pass()
    if (running.has(lease)) violations.push(`${lease} was started while it ran`)
    running.set(lease, 'half')
    for (const step of ['nodes', 'control plane']) {
      listener({ type: 'step', step })
      await this.pass()
      if (signal.aborted || chance() < 0.08) {
        running.delete(lease)
        throw signal.aborted ? signal.reason : new Error('The cluster could not be made')
      }
    }
    running.set(lease, 'up')
    this.listeners.set(lease, listener)
    await this.pass()
    return started
  }

  async adopt(orders: readonly SandboxOrder[], listener: (lease: string) => SandboxListener) {
    const { running, chance } = this.machine
    const found = new Map<string, StartedSandbox>()
    for (const [lease, state] of [...running]) {
      await this.pass()
      if (state === 'half' || !orders.some((order) => order.lease === lease) || chance() < 0.08) running.delete(lease)
      else {
        this.listeners.set(lease, listener(lease))
        running.set(lease, 'up')
        found.set(lease, started)
      }
    }
    return found
  }

  async end(lease: string) {
    await this.pass()
    this.machine.running.delete(lease)
    await this.pass()
  }

  async reset(lease: string) {
    const listener = this.listeners.get(lease)
    await this.end(lease)
    if (!listener) throw new Error('This sandbox does not run')
    return this.start({ lease, lab: null, lesson: null, engine: null }, listener, new AbortController().signal)
  }

  async pause(lease: string) {
    await this.pass()
    if (!this.machine.running.has(lease)) throw new Error('This sandbox does not run')
    this.machine.running.set(lease, 'paused')
    await this.pass()
  }

  async resume(lease: string) {
    await this.pass()
    if (!this.machine.running.has(lease)) throw new Error('This sandbox does not run')
    this.machine.running.set(lease, 'up')
    await this.pass()
    return started
  }

  /** A sandbox breaks by itself. */
  lose(lease: string): void {
    this.listeners.get(lease)?.({ type: 'lost', reason: { en: 'its memory ran out', zh: '内存耗尽' } })
  }

  async openTerminal(_lease: string, node: string | null) {
    return { id: 'terminal', title: 'shell', node }
  }

  async closeTerminal() {}

  async terminals() {
    return []
  }

  async clusterView(): Promise<ClusterView> {
    return { time: 0, nodes: [], pods: [], services: [] }
  }

  async watchCluster(_lease: string, _listener: (view: ClusterView) => void, signal: AbortSignal) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  }

  async clusterTime(): Promise<ClusterTime> {
    return { now: 0, ahead: 0, skip: 'no-clock', skipping: null }
  }

  async skipAhead(): Promise<Skipped> {
    throw new Error('These clusters have no clock')
  }

  async tryNow() {}

  async handIn() {
    await this.pass()
    const verdict: Verdict = { time: 0, points: 0, maxPoints: 10, tasks: [] }
    return { verdict, versions: { lab: 'v1', engine: 'embedded', kubernetes: '1.34.4' }, pieces: [] }
  }

  /** A step of the process, some moments long. */
  private async pass(): Promise<void> {
    for (let moments = Math.floor(this.machine.chance() * 4); moments > 0; moments--) await new Promise((resolve) => setImmediate(resolve))
    await this.life.step()
  }
}

const started: StartedSandbox = { engine: 'embedded', nodes: ['control-plane'] }
