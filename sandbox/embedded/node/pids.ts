import type { Records } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'

/** Where the numbers of what comes after a node's own services begin: theirs are lower. */
const first = 700

interface Stored {
  last: number
  given: Record<string, number>
}

/** Those of each node of a cluster. */
export function processNumbers(records: Records): (node: string) => NodePids {
  const known = new Map<string, NodePids>()
  return (node) => {
    let pids = known.get(node)
    if (!pids) known.set(node, (pids = new NodePids(records, node)))
    return pids
  }
}

/**
 * The process numbers of one node, each given once. A container's first process keeps its number across restarts of the
 * cluster's process; all others live no longer than that.
 */
export class NodePids {
  private readonly records: Records
  private readonly key: string
  private readonly stored: Stored
  private readonly others = new WeakMap<object, number>()

  constructor(records: Records, node: string) {
    this.records = records
    this.key = `node/pids/${node}`
    this.stored = copyOf(records.get<Stored>(this.key)) ?? { last: first, given: {} }
  }

  /** The next free number. */
  take(): number {
    return ++this.stored.last
  }

  /** The number of what is known by a text, which keeps it. */
  of(key: string): number {
    const { given } = this.stored
    const known = given[key]
    if (known !== undefined) return known
    const pid = this.take()
    given[key] = pid
    this.records.put(this.key, this.stored)
    return pid
  }

  /** The number of a process, for as long as there is one. */
  ofProcess(process: object): number {
    const known = this.others.get(process)
    if (known !== undefined) return known
    const pid = this.take()
    this.others.set(process, pid)
    return pid
  }

  /** Forgets what is not among these. */
  keep(keys: ReadonlySet<string>): void {
    const { given } = this.stored
    const gone = Object.keys(given).filter((key) => !keys.has(key))
    if (gone.length === 0) return
    for (const key of gone) delete given[key]
    this.records.put(this.key, this.stored)
  }
}
