import type { NodeHost } from '../../node/host.ts'
import type { Process } from './process.ts'

export interface PidNamespaceOptions {
  /** The number of the first process; 1 unless given. */
  first?: () => number
  /** Where the numbers after that come from. */
  next?: () => number
  /** It is the node's own: all that runs there is seen. Nothing while the node has not begun. */
  node?: () => NodeHost | undefined
}

/** The processes that know each other by number. A container has one of its own unless its pod shares it, or the node's. */
export class PidNamespace {
  readonly processes = new Map<number, Process>()
  readonly node: PidNamespaceOptions['node']
  private count = 0
  private readonly options: PidNamespaceOptions

  constructor(options: PidNamespaceOptions = {}) {
    this.options = options
    this.node = options.node
  }

  take(): number {
    const { first, next } = this.options
    const count = ++this.count
    if (count === 1) return first?.() ?? 1
    return next?.() ?? count
  }

  add(process: Process): void {
    this.processes.set(process.pid, process)
  }

  /** With its first process all others end. */
  ended(process: Process): void {
    this.processes.delete(process.pid)
    if (process.pid !== 1) return
    for (const other of [...this.processes.values()].reverse()) other.end({ code: 137, signal: 'KILL' })
  }
}
