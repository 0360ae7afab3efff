import { parseQuantity } from '../schema/quantity.ts'
import type { Pressure } from './node.ts'

/** What a node has of something, and has left of it: bytes, files or processes. */
export interface Observation {
  capacity: number
  available: number
}

export type StarvedResource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids'

export interface Threshold {
  signal: string
  /** As written. */
  quantity: string
  /** ms that it must have been met for; a hard one is met at once. */
  grace: number
  hard: boolean
  /** As written: how much more than the threshold there must be before it counts as resolved. */
  reclaim: string | undefined
}

/** What a kubelet's configuration says of eviction, signal by signal. */
export interface EvictionSettings {
  evictionHard: Record<string, string>
  evictionSoft: Record<string, string>
  evictionSoftGracePeriod: Record<string, string>
  evictionMinimumReclaim: Record<string, string>
}

/** By signal: the resource as events name it, and the condition that follows. */
export const signals: Readonly<Record<string, { resource: StarvedResource; condition: Pressure }>> = {
  'memory.available': { resource: 'memory', condition: 'MemoryPressure' },
  'nodefs.available': { resource: 'ephemeral-storage', condition: 'DiskPressure' },
  'nodefs.inodesFree': { resource: 'inodes', condition: 'DiskPressure' },
  'imagefs.available': { resource: 'ephemeral-storage', condition: 'DiskPressure' },
  'imagefs.inodesFree': { resource: 'inodes', condition: 'DiskPressure' },
  'containerfs.available': { resource: 'ephemeral-storage', condition: 'DiskPressure' },
  'containerfs.inodesFree': { resource: 'inodes', condition: 'DiskPressure' },
  'pid.available': { resource: 'pids', condition: 'PIDPressure' },
}

/**
 * The thresholds of a configuration; those of 0% and 100% are none. Throws Error in the kubelet's words.
 * @see k8s.io/kubernetes/pkg/kubelet/eviction/helpers.go ParseThresholdConfig
 */
export function parseThresholds(settings: EvictionSettings): Threshold[] {
  const { evictionHard, evictionSoft, evictionSoftGracePeriod, evictionMinimumReclaim } = settings
  for (const given of [evictionHard, evictionSoft, evictionSoftGracePeriod, evictionMinimumReclaim]) {
    const unknown = Object.keys(given).find((signal) => !(signal in signals))
    if (unknown !== undefined) throw new Error(`unsupported eviction signal ${unknown}`)
  }
  const of = (given: Record<string, string>, hard: boolean) =>
    Object.entries(given).flatMap(([signal, quantity]): Threshold[] => {
      if (quantity === '0%' || quantity === '100%') return []
      if (quantity.endsWith('%') ? !(Number.parseFloat(quantity) > 0) : !isQuantity(quantity))
        throw new Error(`eviction threshold ${signal} must be positive: ${quantity}`)
      const period = evictionSoftGracePeriod[signal]
      if (!hard && period === undefined) throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`)
      return [{ signal, quantity, grace: hard ? 0 : durationMs(period ?? ''), hard, reclaim: evictionMinimumReclaim[signal] }]
    })
  return [...of(evictionHard, true), ...of(evictionSoft, false)]
}

/** Whether less is left than a threshold allows; with `enforceReclaim`, less than what must have been won back. */
export function isBelow(threshold: Threshold, observations: Record<string, Observation>, enforceReclaim = false): boolean {
  const observation = observations[threshold.signal]
  if (!observation) return false
  const { capacity, available } = observation
  const more = enforceReclaim && threshold.reclaim !== undefined ? amountOf(threshold.reclaim, capacity) : 0
  return available < amountOf(threshold.quantity, capacity) + more
}

/** A quantity or a share of a capacity. */
function amountOf(quantity: string, capacity: number): number {
  return quantity.endsWith('%') ? Math.floor((capacity * Number.parseFloat(quantity)) / 100) : wholeOf(quantity)
}

/** A threshold as the message of an eviction has it. */
export function thresholdText({ quantity, signal }: Threshold, observations: Record<string, Observation>): string {
  return quantity.endsWith('%') ? binaryQuantity(amountOf(quantity, observations[signal]?.capacity ?? 0)) : quantity
}

/** What is left, as the message of an eviction has it. */
export function availableText({ signal }: Threshold, observations: Record<string, Observation>): string {
  const available = observations[signal]?.available ?? 0
  const { resource } = signals[signal] as (typeof signals)[string]
  return resource === 'inodes' || resource === 'pids' ? decimalQuantity(available) : binaryQuantity(available)
}

export function wholeOf(quantity: string | number | undefined): number {
  return Number(parseQuantity(quantity ?? 0).nano / 1_000_000_000n)
}

/** As Go prints a quantity of bytes: by the largest binary unit that leaves no rest. */
export function binaryQuantity(bytes: number): string {
  return inUnits(bytes, 1024, ['', 'Ki', 'Mi', 'Gi', 'Ti'])
}

function decimalQuantity(count: number): string {
  return inUnits(count, 1000, ['', 'k', 'M', 'G', 'T'])
}

function inUnits(whole: number, step: number, units: readonly string[]): string {
  let amount = Math.floor(whole)
  let unit = 0
  while (amount > 0 && amount % step === 0 && unit < units.length - 1) {
    amount /= step
    unit++
  }
  return `${amount}${units[unit]}`
}

/** 1m30s, as Go reads it: ms. */
export function durationMs(text: string): number {
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  return [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce((sum, [, amount, unit = 's']) => sum + Number(amount) * (units[unit] ?? 0), 0)
}

function isQuantity(text: string): boolean {
  return /^\d+(?:\.\d+)?(?:[kMGTPE]i?|m|e\d+)?$/.test(text)
}
