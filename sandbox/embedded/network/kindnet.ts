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
    const targets = ctx.cache.list<Node>(resources.nodes).map((node) => ({
      name: node.metadata.name ?? '',
      via: internalIP(node),
      to: node.spec?.podCIDR,
    }))
    for (const { name } of targets) route(name, targets, stacks)
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

interface Target {
  name: string
  via: string | undefined
  to: string | undefined
}

function route(name: string, targets: readonly Target[], stacks: Stacks): void {
  const stack = stacks.node(name)
  if (!stack?.link('eth0')?.up) return
  // The first route to a place is the one that counts.
  const known = new Map(stack.state.routes.toReversed().map(({ to, via }) => [to, via]))
  for (const { name: other, via, to } of targets) {
    if (other !== name && via && to && known.get(to) !== via) stack.addRoute({ to, via, dev: 'eth0' }, true)
  }
}
