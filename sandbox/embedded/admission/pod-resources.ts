import { maxQuantities, parseQuantities, type Quantities, sumQuantities } from '../machinery/quantities.ts'
import type { Container, Pod } from '../schema/types/core.v1.ts'

/**
 * What a pod asks for as a whole: its containers and sidecars together, or what its init containers need at most while
 * they run, whichever is more, and the overhead of its runtime (KEP 753).
 */
export function podRequests(pod: Pod): Quantities {
  const most = total(pod, (container) => container.resources?.requests, pod.spec?.resources?.requests)
  return sumQuantities(most, parseQuantities(pod.spec?.overhead))
}

/**
 * The same of limits; a name that any container leaves open is summed over the others, as the real server does, and the overhead
 * raises limits but makes none.
 */
export function podLimits(pod: Pod): Quantities {
  const most = total(pod, (container) => container.resources?.limits, pod.spec?.resources?.limits)
  const overhead = Object.entries(parseQuantities(pod.spec?.overhead)).filter(([name]) => (most[name]?.nano ?? 0n) > 0n)
  return sumQuantities(most, Object.fromEntries(overhead))
}

function total(pod: Pod, of: (container: Container) => Amounts | undefined, ofPod: Amounts | undefined): Quantities {
  let running: Quantities = {}
  for (const container of pod.spec?.containers ?? []) running = sumQuantities(running, parseQuantities(of(container)))
  let sidecars: Quantities = {}
  let initial: Quantities = {}
  for (const container of pod.spec?.initContainers ?? []) {
    const own = parseQuantities(of(container))
    if (container.restartPolicy === 'Always') {
      running = sumQuantities(running, own)
      sidecars = sumQuantities(sidecars, own)
      initial = maxQuantities(initial, sidecars)
    } else {
      initial = maxQuantities(initial, sumQuantities(sidecars, own))
    }
  }
  return { ...maxQuantities(running, initial), ...parseQuantities(ofPod) }
}

type Amounts = Readonly<Record<string, string | number>>
