import type { Sandbox } from '../engine.ts'
import { lookScript, type NetworkState, parseNetwork, settingsOf } from './network.ts'

/** How long after a sign of somebody's work it is looked at, and how often at most. ms. */
const afterActivity = 150
const atMostEvery = 1_000
/** How often without any sign: where the engine gives signs of what people do, and where it does not. ms. */
const slowPoll = 10_000
const poll = 3_000

type Looker = Pick<Sandbox, 'exec' | 'onNodeActivity'>

/** Reads the network of a node now. Rejects when the node does not answer. */
export async function lookAtNetwork(sandbox: Looker, node: string): Promise<NetworkState> {
  const { exitCode, stdout, stderr } = await sandbox.exec(['sh', '-c', lookScript], { node })
  if (exitCode !== 0) throw new Error(`The network of ${node} could not be read (${exitCode}): ${stderr.trim()}`)
  return parseNetwork(stdout)
}

/**
 * Tells the network of a node now (and then resolves) and after each change of its settings, until the signal aborts; null
 * when the node does not answer. Looks when somebody is at work in the sandbox and every few seconds besides; those who
 * watch the same node of the same sandbox share the looks.
 */
export async function watchNetwork(
  sandbox: Looker,
  node: string,
  onState: (state: NetworkState | null) => void,
  signal: AbortSignal,
): Promise<void> {
  const nodes = watched.get(sandbox) ?? new Map<string, Watched>()
  watched.set(sandbox, nodes)
  const known = nodes.get(node) ?? new Watched(sandbox, node)
  nodes.set(node, known)
  const listener: Listener = (state) => {
    if (!signal.aborted) onState(state)
  }
  known.join(listener)
  signal.addEventListener(
    'abort',
    () => {
      known.leave(listener)
      if (known.idle) nodes.delete(node)
    },
    { once: true },
  )
  onState(await known.first)
}

type Listener = (state: NetworkState | null) => void

const watched = new WeakMap<Looker, Map<string, Watched>>()

class Watched {
  private readonly sandbox: Looker
  private readonly node: string
  private readonly listeners = new Set<Listener>()
  private readonly abort = new AbortController()
  private state: NetworkState | null = null
  private settings = ''
  private timer: NodeJS.Timeout | undefined
  private dueAt = Number.POSITIVE_INFINITY
  private lookedAt = Number.NEGATIVE_INFINITY
  private looking: Promise<NetworkState | null>

  constructor(sandbox: Looker, node: string) {
    this.sandbox = sandbox
    this.node = node
    this.looking = this.look()
    sandbox.onNodeActivity?.(
      () => this.schedule(Math.max(afterActivity, this.lookedAt + atMostEvery - performance.now())),
      this.abort.signal,
    )
  }

  /** The state as it is known, once it was looked at. */
  get first(): Promise<NetworkState | null> {
    return this.looking.then(() => this.state)
  }

  get idle(): boolean {
    return this.listeners.size === 0
  }

  join(listener: Listener): void {
    this.listeners.add(listener)
  }

  leave(listener: Listener): void {
    this.listeners.delete(listener)
    if (!this.idle) return
    this.abort.abort()
    clearTimeout(this.timer)
  }

  private schedule(wait: number): void {
    const dueAt = performance.now() + wait
    if (this.abort.signal.aborted || dueAt >= this.dueAt) return
    clearTimeout(this.timer)
    this.dueAt = dueAt
    this.timer = setTimeout(() => {
      this.dueAt = Number.POSITIVE_INFINITY
      this.looking = this.looking.then(() => this.look())
    }, wait)
  }

  private async look(): Promise<NetworkState | null> {
    this.lookedAt = performance.now()
    // a node that does not answer may be on its way back: the next look sees
    this.state = await lookAtNetwork(this.sandbox, this.node).catch(() => null)
    const settings = this.state ? settingsOf(this.state) : 'none'
    if (settings !== this.settings) for (const listener of this.settings === '' ? [] : this.listeners) listener(this.state)
    this.settings = settings
    this.schedule(this.sandbox.onNodeActivity ? slowPoll : poll)
    return this.state
  }
}
