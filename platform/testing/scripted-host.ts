import type { ClusterTime, ClusterView, Skipped, TerminalView, Text, Verdict } from '../model.ts'
import type { EvidencePiece, SandboxHost, SandboxListener, SandboxOrder, StartedSandbox } from '../sandbox-host.ts'

interface ScriptedSandbox {
  order: SandboxOrder
  listener: SandboxListener
  terminals: TerminalView[]
  paused: boolean
}

/** A sandbox host without sandboxes: it keeps the contract and lets a test say what a sandbox reports. */
export class ScriptedHost implements SandboxHost {
  readonly sandboxes = new Map<string, ScriptedSandbox>()
  /** Every call that changed something: "start lease", "end lease" ... */
  readonly calls: string[] = []
  /** What `start` waits for; a test may put a promise of its own here. */
  gate: Promise<void> = Promise.resolve()
  pieces: EvidencePiece[] = []
  skip: ClusterTime['skip'] = 'yes'
  verdict: Verdict = { time: 0, points: 0, maxPoints: 10, tasks: [] }
  /** Orders `adopt` finds alive. */
  survives: (order: SandboxOrder) => boolean = () => true
  /** Why it does not find the others alive, where that is known. */
  lost: Text | null = null
  #terminals = 0

  async engines() {
    return { embedded: { capabilities: { pods: true as const } } }
  }

  async engineChoices() {
    return [
      { engine: 'embedded', missing: null },
      { engine: 'kind', missing: null },
      { engine: 'hosts', missing: { en: 'This machine has no user namespaces.', zh: '这台机器没有用户命名空间。' } },
    ]
  }

  async start(order: SandboxOrder, listener: SandboxListener, signal: AbortSignal): Promise<StartedSandbox> {
    this.calls.push(`start ${order.lease}`)
    listener({ type: 'step', step: 'starting the control plane' })
    await Promise.race([this.gate, new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))])
    this.sandboxes.set(order.lease, { order, listener, terminals: [], paused: false })
    return { ...started, engine: order.engine ?? started.engine }
  }

  async adopt(orders: readonly SandboxOrder[], listener: (lease: string) => SandboxListener) {
    const living = orders.filter(this.survives)
    for (const order of orders) if (!living.includes(order) && this.lost) listener(order.lease)({ type: 'lost', reason: this.lost })
    for (const order of living) this.sandboxes.set(order.lease, { order, listener: listener(order.lease), terminals: [], paused: false })
    return new Map(living.map((order) => [order.lease, started]))
  }

  async tryNow(lease: string) {
    this.calls.push(`try ${lease}`)
    this.#get(lease).listener({ type: 'trial', what: null })
  }

  async end(lease: string) {
    this.calls.push(`end ${lease}`)
    this.sandboxes.delete(lease)
  }

  async reset(lease: string) {
    this.calls.push(`reset ${lease}`)
    this.#get(lease).terminals = []
    return started
  }

  async pause(lease: string) {
    this.calls.push(`pause ${lease}`)
    this.#get(lease).paused = true
    this.#get(lease).terminals = []
  }

  async resume(lease: string) {
    this.calls.push(`resume ${lease}`)
    this.#get(lease).paused = false
    return started
  }

  async openTerminal(lease: string, node: string | null) {
    const view = { id: `terminal${++this.#terminals}`, title: node ?? 'shell', node }
    this.#get(lease).terminals.push(view)
    return view
  }

  async closeTerminal(lease: string, terminal: string) {
    const sandbox = this.#get(lease)
    sandbox.terminals = sandbox.terminals.filter((view) => view.id !== terminal)
  }

  async terminals(lease: string) {
    return [...(this.sandboxes.get(lease)?.terminals ?? [])]
  }

  async clusterView(lease: string): Promise<ClusterView> {
    this.#get(lease)
    return emptyCluster
  }

  async watchCluster(_lease: string, _listener: (view: ClusterView) => void, signal: AbortSignal) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  }

  async clusterTime(): Promise<ClusterTime> {
    return { now: 0, ahead: 0, skip: this.skip, skipping: null }
  }

  /** Takes until it is stopped when it goes to what happens next, which is nothing. */
  async skipAhead(lease: string, seconds: number | null, signal: AbortSignal): Promise<Skipped> {
    this.calls.push(`skip ${lease} ${seconds}`)
    if (seconds !== null) return { from: 0, to: seconds * 1000, end: 'reached' }
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    return { from: 0, to: 7, end: 'stopped' }
  }

  async handIn() {
    return { verdict: this.verdict, versions: { lab: 'v1', engine: 'embedded', kubernetes: '1.34.4' }, pieces: this.pieces }
  }

  #get(lease: string): ScriptedSandbox {
    const found = this.sandboxes.get(lease)
    if (!found) throw new Error(`There is no sandbox ${lease}`)
    return found
  }
}

const started: StartedSandbox = { engine: 'embedded', nodes: ['control-plane', 'worker'] }
const emptyCluster: ClusterView = { time: 0, nodes: [], pods: [], services: [] }
