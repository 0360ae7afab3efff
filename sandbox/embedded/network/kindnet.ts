import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node } from '../schema/types/core.v1.ts'
import { internalIP } from './hosts.ts'
import { StackError } from './stack.ts'
import type { Stacks } from './stacks.ts'

/** kindnetd looks at its routes this often. */
const period = 10_000

/** What kindnetd does on every node: a route to each other node's pods by that node's address, put back when somebody takes it away. */
export function startKindnet(ctx: ClusterContext, stacks: Stacks): Disposable {
  const stack = new DisposableStack()
  let timer: Timer | undefined
  const changed = new Set<string>()
  const sync = () => {
    timer = undefined
    const targets = ctx.cache.list<Node>(resources.nodes).map(targetOf)
    for (const { name } of targets) if (changed.has(name)) route(name, targets, stacks)
    changed.clear()
  }
  const nodeChanged = (node: Node) => {
    const target = targetOf(node)
    const targets = ctx.cache.list<Node>(resources.nodes).map(targetOf)
    for (const { name } of targets) route(name, name === target.name ? targets : [target], stacks)
  }
  stack.use(
    ctx.cache.watch<Node>(resources.nodes, ({ type, object, previous }) => {
      if (type !== 'MODIFIED' || object.spec?.podCIDR !== previous?.spec?.podCIDR || !previous?.status?.addresses) nodeChanged(object)
    }),
  )
  stack.use(
    stacks.onChange((node) => {
      changed.add(node)
      timer ??= ctx.clock.setTimeout(sync, period)
    }),
  )
  stack.defer(() => timer?.cancel())
  return stack
}

interface Target {
  name: string
  via: string | undefined
  to: string | undefined
}

function targetOf(node: Node): Target {
  return { name: node.metadata.name ?? '', via: internalIP(node), to: node.spec?.podCIDR }
}

function route(name: string, targets: readonly Target[], stacks: Stacks): void {
  const stack = stacks.node(name)
  if (!stack?.link('eth0')?.up) return
  for (const { name: other, via, to } of targets) {
    if (other === name || !via || !to) continue
    const known = stack.state.routes.find((entry) => entry.to === to)
    if (known?.via === via) continue
    try {
      stack.addRoute({ to, via, dev: 'eth0' }, true)
    } catch (error) {
      // an address that nothing leads to, of a Node that somebody wrote: kindnetd notes it in its log and goes on
      if (!(error instanceof StackError)) throw error
    }
  }
}
