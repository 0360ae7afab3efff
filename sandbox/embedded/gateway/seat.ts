import type { ClusterContext } from '../machinery/context.ts'
import { type Resource, resources } from '../machinery/object.ts'
import { startGatewayController } from './controller.ts'
import { type IngressRoutes, ingressClasses, ingressRoutes } from './ingress.ts'
import { type ResolvedGateway, resolveGateways } from './resolve.ts'
import { gatewayResources } from './types.ts'

/** What the built-in gateway's programs see of their cluster beside its network: as a client of the API would, by watches. */
export interface GatewaySeat {
  readonly ctx: ClusterContext
  /** Does the controller's work until it is disposed. */
  control(): Disposable
  /** The rules of all Ingresses of the built-in class, as they are at each call; disposing ends the watches. */
  ingresses(onChange: () => void): View<IngressRoutes>
  /** A Gateway with its routes; undefined while there is none of this name. */
  gateway(namespace: string, name: string, onChange: () => void): View<ResolvedGateway | undefined>
}

export interface View<T> extends Disposable {
  read(): T
}

/** @param controller the context in which the controller works, with the client of its ServiceAccount */
export function createGatewaySeat(controller: ClusterContext): GatewaySeat {
  const { namespaces, secrets, services } = resources
  return {
    ctx: controller,
    control: () => startGatewayController(controller),
    ingresses: (onChange) =>
      view(controller, [ingressClasses, resources.ingresses, secrets, services], () => ingressRoutes(controller), onChange),
    gateway: (namespace, name, onChange) =>
      view(
        controller,
        [...Object.values(gatewayResources), namespaces, secrets, services],
        () =>
          resolveGateways(controller).gateways.find(
            ({ gateway: { metadata } }) => metadata.name === name && metadata.namespace === namespace,
          ),
        onChange,
      ),
  }
}

/** Computes once and again when what it was computed from has changed. */
function view<T>({ cache }: ClusterContext, watched: readonly Resource[], compute: () => T, onChange: () => void): View<T> {
  const stack = new DisposableStack()
  let current: { value: T } | undefined
  // Until all watches stand, what they tell is what is read first; later, changes of one moment are told once.
  let telling = true
  const tell = () => {
    telling = false
    if (!stack.disposed) onChange()
  }
  for (const resource of watched) {
    stack.use(
      cache.watch(resource, () => {
        current = undefined
        if (telling) return
        telling = true
        queueMicrotask(tell)
      }),
    )
  }
  telling = false
  return {
    read() {
      current ??= { value: compute() }
      return current.value
    },
    [Symbol.dispose]: () => stack.dispose(),
  }
}
