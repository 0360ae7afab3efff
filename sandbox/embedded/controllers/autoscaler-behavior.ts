import type { HorizontalPodAutoscalerSpec, HPAScalingRules } from '../schema/types/autoscaling.v2.ts'

/** How fast and how far an autoscaler may go (pkg/controller/podautoscaler/horizontal.go, normalizeDesiredReplicas...). */

/** What is remembered of an autoscaler between looks. Times are ms since the epoch. */
export interface AutoscalerMemory {
  recommendations: { time: number; replicas: number }[]
  /** How many Pods were added (or, negative, taken away). */
  changes: { time: number; difference: number }[]
}

/** The count that may be set now, and what the conditions say of it. */
export interface Decision {
  replicas: number
  ableToScale: { reason: string; message: string }
  limited: { status: 'True' | 'False'; reason: string; message: string }
}

const defaultUp: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const defaultDown: HPAScalingRules = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
}

/** Longest window and period that a behavior may name, ms: what is older need not be remembered. */
const longest = 3_600_000

const ready = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' }
const stabilized = {
  up: {
    reason: 'ScaleUpStabilized',
    message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
  },
  down: {
    reason: 'ScaleDownStabilized',
    message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
  },
}
const within = { reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' }
const tooMany = { reason: 'TooManyReplicas', message: 'the desired replica count is more than the maximum replica count' }
const tooFew = { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' }
const tooFast = { reason: 'ScaleUpLimit', message: 'the desired replica count is increasing faster than the maximum scale rate' }
const tooSoon = { reason: 'ScaleDownLimit', message: 'the desired replica count is decreasing faster than the maximum scale rate' }

/** Holds a recommendation back as the spec asks: nothing hasty, nothing faster than the policies, nothing out of range. */
export function decide(
  spec: HorizontalPodAutoscalerSpec,
  memory: AutoscalerMemory,
  recommended: number,
  current: number,
  now: number,
): Decision {
  memory.recommendations = memory.recommendations.filter(({ time }) => time > now - longest)
  memory.changes = memory.changes.filter(({ time }) => time > now - longest)
  const { behavior, minReplicas = 1, maxReplicas } = spec
  const up = { ...defaultUp, ...behavior?.scaleUp }
  const down = { ...defaultDown, ...behavior?.scaleDown }
  const stable = behavior ? stabilize(memory, up, down, recommended, current, now) : highestRecent(memory, recommended, now)
  memory.recommendations.push({ time: now, replicas: recommended })
  const ableToScale = stable === recommended ? ready : behavior && recommended >= current ? stabilized.up : stabilized.down
  const [replicas, limit] = behavior
    ? withinRates(memory, { up, down, minReplicas, maxReplicas }, stable, current, now)
    : withinRange(minReplicas, maxReplicas, stable, current)
  return { replicas, ableToScale, limited: { status: replicas === stable ? 'False' : 'True', ...limit } }
}

/** Without a behavior only scaling down is held back, for five minutes. */
function highestRecent(memory: AutoscalerMemory, recommended: number, now: number): number {
  const since = now - (defaultDown.stabilizationWindowSeconds ?? 0) * 1000
  return Math.max(recommended, ...memory.recommendations.filter(({ time }) => time >= since).map(({ replicas }) => replicas))
}

function stabilize(
  memory: AutoscalerMemory,
  up: HPAScalingRules,
  down: HPAScalingRules,
  recommended: number,
  current: number,
  now: number,
): number {
  const recent = ({ stabilizationWindowSeconds = 0 }: HPAScalingRules) => {
    const since = now - stabilizationWindowSeconds * 1000
    return memory.recommendations.filter(({ time }) => time > since).map(({ replicas }) => replicas)
  }
  const floor = Math.min(recommended, ...recent(up))
  const ceiling = Math.max(recommended, ...recent(down))
  return Math.min(Math.max(current, floor), ceiling)
}

type Limit = { reason: string; message: string }

/** Without a behavior a target may double, or grow to four, at once. */
function withinRange(least: number, maxReplicas: number, desired: number, current: number): [number, Limit] {
  const rate = Math.max(2 * current, 4)
  const most = Math.min(maxReplicas, rate)
  if (desired < least) return [least, tooFew]
  if (desired > most) return [most, maxReplicas > rate ? tooFast : tooMany]
  return [desired, within]
}

interface Range {
  up: HPAScalingRules
  down: HPAScalingRules
  minReplicas: number
  maxReplicas: number
}

function withinRates(
  memory: AutoscalerMemory,
  { up, down, minReplicas, maxReplicas }: Range,
  desired: number,
  current: number,
  now: number,
): [number, Limit] {
  if (desired > current) {
    const rate = Math.max(current, farthest(memory, up, current, now, 1))
    const most = Math.min(maxReplicas, rate)
    if (desired > most) return [most, maxReplicas > rate ? tooFast : tooMany]
  } else if (desired < current) {
    const rate = Math.min(current, farthest(memory, down, current, now, -1))
    const least = Math.max(minReplicas, rate)
    if (desired < least) return [least, minReplicas < rate ? tooSoon : tooFew]
  }
  return [desired, within]
}

/** The farthest count that the policies of one direction allow. */
function farthest(memory: AutoscalerMemory, rules: HPAScalingRules, current: number, now: number, sign: 1 | -1): number {
  if (rules.selectPolicy === 'Disabled') return current
  const allowed = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const since = now - periodSeconds * 1000
    const start = memory.changes.filter(({ time }) => time > since).reduce((count, { difference }) => count - difference, current)
    if (type === 'Pods') return start + sign * value
    return sign > 0 ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100))
  })
  return (rules.selectPolicy === 'Min') === sign > 0 ? Math.min(...allowed) : Math.max(...allowed)
}
