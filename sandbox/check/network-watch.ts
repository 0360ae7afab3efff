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
  if (signal.aborted) return
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
  listener(await known.now())
}

type Listener = (state: NetworkState | null) => void

const watched = new WeakMap<Looker, Map<string, Watched>>()

/**
 * Calls `look` again and again until the signal aborts: soon after each sign that somebody is at work in the sandbox, and
 * every few seconds besides. Never before the last look is over; `look` must not reject.
 */
export function lookAgain(sandbox: Pick<Sandbox, 'onNodeActivity'>, look: () => Promise<void>, signal: AbortSignal): void {
  let timer: NodeJS.Timeout | undefined
  let dueAt = Number.POSITIVE_INFINITY
  let lookedAt = performance.now()
  let looking = Promise.resolve()
  const schedule = (wait: number) => {
    const due = performance.now() + wait
    if (signal.aborted || due >= dueAt) return
    clearTimeout(timer)
    dueAt = due
    timer = setTimeout(() => {
      dueAt = Number.POSITIVE_INFINITY
      lookedAt = performance.now()
      looking = looking.then(look).then(rest)
    }, wait)
  }
  const rest = () => schedule(sandbox.onNodeActivity ? slowPoll : poll)
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  sandbox.onNodeActivity?.(() => schedule(Math.max(afterActivity, lookedAt + atMostEvery - performance.now())), signal)
  rest()
}

class Watched {
  private readonly sandbox: Looker
  private readonly node: string
  private readonly listeners = new Set<Listener>()
  private readonly abort = new AbortController()
  private state: NetworkState | null = null
  private settings = ''
  private readonly first: Promise<void>

  constructor(sandbox: Looker, node: string) {
    this.sandbox = sandbox
    this.node = node
    this.first = this.look().then(() => {
      lookAgain(sandbox, () => this.look(), this.abort.signal)
    })
  }

  get idle(): boolean {
    return this.listeners.size === 0
  }

  join(listener: Listener): void {
    this.listeners.add(listener)
  }

  leave(listener: Listener): void {
    this.listeners.delete(listener)
    if (this.idle) this.abort.abort()
  }

  /** The state as it is known, once it was looked at. */
  async now(): Promise<NetworkState | null> {
    await this.first
    return this.state
  }

  private async look(): Promise<void> {
    // a node that does not answer may be on its way back: the next look sees
    this.state = await lookAtNetwork(this.sandbox, this.node).catch(() => null)
    const settings = this.state ? settingsOf(this.state) : 'none'
    const changed = this.settings !== '' && settings !== this.settings
    this.settings = settings
    if (changed) for (const listener of this.listeners) listener(this.state)
  }
}
