import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node } from '../schema/types/core.v1.ts'
import { internalIP } from './hosts.ts'
import type { Stacks } from './stacks.ts'

/** kindnetd looks at its routes this often. */
const period = 10_000

/** What kindnetd does on every node: a route to each other node's pods by that node's address, put back when somebody takes it away. */
export function startKindnet(ctx: ClusterContext, stacks: Stacks): Disposable {
  const stack = new DisposableStack()
  let timer: Timer | undefined
  const sync = () => {
    timer = undefined
    const nodes = ctx.cache.list<Node>(resources.nodes)
    for (const { metadata } of nodes) route(metadata.name ?? '', nodes, stacks)
  }
  stack.use(
    ctx.cache.watch<Node>(resources.nodes, ({ type, object, previous }) => {
      if (type !== 'MODIFIED' || object.spec?.podCIDR !== previous?.spec?.podCIDR || !previous?.status?.addresses) sync()
    }),
  )
  stack.use(
    stacks.onChange(() => {
      timer ??= ctx.clock.setTimeout(sync, period)
    }),
  )
  stack.defer(() => timer?.cancel())
  return stack
}

function route(name: string, nodes: readonly Node[], stacks: Stacks): void {
  const stack = stacks.node(name)
  for (const node of nodes) {
    const via = internalIP(node)
    const to = node.spec?.podCIDR
    if (!stack?.link('eth0')?.up || node.metadata.name === name || !via || !to) continue
    const known = stack.state.routes.find((entry) => entry.to === to)
    if (known?.via !== via) stack.addRoute({ to, via, dev: 'eth0' }, true)
  }
}
