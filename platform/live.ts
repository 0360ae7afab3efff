import type { Log } from './log.ts'
import type { SandboxEvent } from './model.ts'
import type { SandboxHost } from './sandbox-host.ts'

type Listener = (event: SandboxEvent) => void

/**
 * Who looks at which lease right now. What happens to a lease is told to all of them; the cluster itself is watched only
 * while somebody looks and the cluster is there.
 */
export class LiveLeases {
  readonly #host: SandboxHost
  readonly #log: Log
  readonly #audiences = new Map<string, Audience>()

  constructor(host: SandboxHost, log: Log) {
    this.#host = host
    this.#log = log
  }

  /**
   * Tells `listener` everything from now on. What happens before `begin` is called is kept and told after what `begin`
   * was given, so that nothing is lost between reading the present state and listening.
   */
  join(lease: string, listener: Listener, signal: AbortSignal): { begin: (present: SandboxEvent[]) => void } {
    const audience = this.#audiences.get(lease) ?? { listeners: new Set<Listener>(), watch: null }
    this.#audiences.set(lease, audience)
    let waiting: SandboxEvent[] | null = []
    const receive: Listener = (event) => {
      if (waiting) waiting.push(event)
      else listener(event)
    }
    audience.listeners.add(receive)
    const leave = () => {
      audience.listeners.delete(receive)
      if (audience.listeners.size > 0) return
      audience.watch?.abort()
      this.#audiences.delete(lease)
    }
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    return {
      begin: (present) => {
        const kept = waiting ?? []
        waiting = null
        for (const event of [...present, ...kept]) if (!signal.aborted) listener(event)
      },
    }
  }

  tell(lease: string, event: SandboxEvent): void {
    const audience = this.#audiences.get(lease)
    if (!audience) return
    for (const listener of audience.listeners) listener(event)
    if (event.type !== 'lease') return
    if (event.lease.state === 'ready') this.#watchCluster(lease)
    else {
      audience.watch?.abort()
      audience.watch = null
    }
  }

  /** Shows the cluster as it is to one who just joined, and watches it from now on. The lease is ready. */
  showCluster(lease: string, listener: Listener, signal: AbortSignal): void {
    const audience = this.#audiences.get(lease)
    if (!audience) return
    if (!audience.watch) this.#watchCluster(lease)
    else
      this.#look(lease, (event) => signal.aborted || listener(event)).catch((error: unknown) =>
        this.#log.warn({ lease, err: error }, 'the cluster cannot be shown'),
      )
  }

  #watchCluster(lease: string): void {
    const audience = this.#audiences.get(lease)
    if (!audience || audience.watch) return
    const watch = new AbortController()
    audience.watch = watch
    const show = (event: SandboxEvent) => {
      if (!watch.signal.aborted) this.tell(lease, event)
    }
    const follow = async () => {
      await this.#look(lease, show)
      if (!watch.signal.aborted) await this.#host.watchCluster(lease, (view) => show({ type: 'cluster', view }), watch.signal)
    }
    follow()
      .catch((error: unknown) => {
        if (!watch.signal.aborted) this.#log.warn({ lease, err: error }, 'the cluster cannot be watched')
      })
      .finally(() => {
        if (audience.watch === watch) audience.watch = null
      })
  }

  /** The cluster and its time as they are now. */
  async #look(lease: string, listener: Listener): Promise<void> {
    listener({ type: 'time', time: await this.#host.clusterTime(lease) })
    listener({ type: 'cluster', view: await this.#host.clusterView(lease) })
  }
}

interface Audience {
  listeners: Set<Listener>
  watch: AbortController | null
}
