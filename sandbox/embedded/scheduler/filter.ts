import type { Cycle, NodeInfo } from './snapshot.ts'

/** Why a node will not do. Resolvable: it would, if Pods of it were taken away. */
export interface Rejection {
  readonly plugin: string
  readonly reasons: readonly string[]
  readonly resolvable: boolean
}

/** Looks at one node; nothing when the node will do. */
export type NodeFilter = (info: NodeInfo) => Rejection | undefined

/** One rule of where a Pod may run. */
export interface FilterPlugin {
  readonly name: string
  /** The only nodes, by name, that come into question at all; the other rules do not look at the rest. */
  only?(cycle: Cycle): ReadonlySet<string> | undefined
  /** Looks at the cluster once; then at each node. A Rejection here speaks for all nodes; nothing means the rule has no say. */
  prepare(cycle: Cycle): NodeFilter | Rejection | undefined
}

export interface Filtered {
  readonly fitting: readonly NodeInfo[]
  readonly rejected: ReadonlyMap<string, Rejection>
  /** Set when a rule refused the Pod before any node was looked at. */
  readonly refused?: Rejection
}

/** Runs the rules on every node; the first that rejects a node is the one that counts. */
export function runFilters(plugins: readonly FilterPlugin[], cycle: Cycle): Filtered {
  const filters: NodeFilter[] = []
  for (const plugin of plugins) {
    const prepared = plugin.prepare(cycle)
    if (typeof prepared === 'function') filters.push(prepared)
    else if (prepared) return { fitting: [], rejected: new Map(cycle.nodes.map(({ name }) => [name, prepared])), refused: prepared }
  }
  const chosen = plugins.flatMap((plugin) => ({ plugin: plugin.name, names: plugin.only?.(cycle) })).filter(({ names }) => names)
  const reasons = [`node(s) didn't satisfy plugin(s) [${chosen.map(({ plugin }) => plugin).join(' ')}]`]
  const fitting: NodeInfo[] = []
  const rejected = new Map<string, Rejection>()
  for (const info of cycle.nodes) {
    const outside = chosen.length > 0 && chosen.find(({ names }) => !names?.has(info.name))
    const rejection = outside ? { plugin: outside.plugin, reasons, resolvable: false } : firstRejection(filters, info)
    if (rejection) rejected.set(info.name, rejection)
    else fitting.push(info)
  }
  return { fitting, rejected }
}

function firstRejection(filters: readonly NodeFilter[], info: NodeInfo): Rejection | undefined {
  for (const filter of filters) {
    const rejection = filter(info)
    if (rejection) return rejection
  }
  return undefined
}
