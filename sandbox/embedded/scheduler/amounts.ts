import { parseQuantity } from '../schema/quantity.ts'
import type { Container, Pod, PodSpec } from '../schema/types/core.v1.ts'

/** Amounts by resource name: CPU in thousandths of a core, everything else in whole units. */
export type Amounts = Record<string, number>

const nothing: Readonly<Amounts> = {}

type ResourceList = Readonly<Record<string, string | number>> | undefined

export function amountsOf(list: ResourceList): Readonly<Amounts> {
  if (!list) return nothing
  const known = parsed.get(list)
  if (known) return known
  const amounts: Amounts = {}
  for (const name in list) amounts[name] = amountOf(name, list[name] ?? 0)
  if (Object.isFrozen(list)) parsed.set(list, amounts)
  return amounts
}

/** Of stored objects, which are frozen and share with the versions before them what did not change. */
const parsed = new WeakMap<NonNullable<ResourceList>, Readonly<Amounts>>()

/** One quantity, rounded up. */
export function amountOf(name: string, quantity: string | number): number {
  const { nano } = parseQuantity(quantity)
  const unit = name === 'cpu' ? 1_000_000n : 1_000_000_000n
  return Number((nano + unit - 1n) / unit)
}

/**
 * What a Pod asks of its node: its containers and sidecars together, or the init container that asks most with the
 * sidecars started before it; its own resources where it has any; and its overhead.
 *
 * @param missing what a container that asks for no CPU or memory is taken to use
 */
export function podRequests({ spec }: Pod, missing: Readonly<Amounts> = nothing): Readonly<Amounts> {
  if (!spec) return nothing
  const cache = missing === nothing ? plain : guessed
  const known = cache.get(spec)
  if (known?.missing === missing) return known.total
  const total = sumRequests(spec, missing)
  // Stored objects are frozen, and share their spec with what had another status; what somebody is still writing at is asked for once.
  if (Object.isFrozen(spec)) cache.set(spec, { missing, total })
  return total
}

const plain = new WeakMap<PodSpec, { missing: Readonly<Amounts>; total: Amounts }>()
const guessed = new WeakMap<PodSpec, { missing: Readonly<Amounts>; total: Amounts }>()

function sumRequests(spec: PodSpec, missing: Readonly<Amounts>): Amounts {
  const total: Amounts = {}
  for (const container of spec.containers) add(total, containerRequests(container, missing))
  const sidecars: Amounts = {}
  const peak: Amounts = {}
  for (const container of spec.initContainers ?? []) {
    const requests = containerRequests(container, missing)
    if (container.restartPolicy === 'Always') {
      add(total, requests)
      add(sidecars, requests)
      raise(peak, sidecars)
    } else {
      raise(peak, sum(requests, sidecars))
    }
  }
  raise(total, peak)
  Object.assign(total, amountsOf(spec.resources?.requests))
  add(total, amountsOf(spec.overhead))
  return total
}

function containerRequests(container: Container, missing: Readonly<Amounts>): Amounts {
  return { ...missing, ...amountsOf(container.resources?.requests) }
}

export function add(target: Amounts, amounts: Readonly<Amounts>): void {
  for (const name in amounts) target[name] = (target[name] ?? 0) + (amounts[name] ?? 0)
}

function raise(target: Amounts, amounts: Readonly<Amounts>): void {
  for (const name in amounts) target[name] = Math.max(target[name] ?? 0, amounts[name] ?? 0)
}

function sum(a: Readonly<Amounts>, b: Readonly<Amounts>): Amounts {
  const total = { ...a }
  add(total, b)
  return total
}
