import type { ClusterContext } from '../machinery/context.ts'
import type { NodeApi } from '../machinery/node-api.ts'
import { formatQuantity, parseQuantity } from '../schema/quantity.ts'
import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../schema/types/autoscaling.v2.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { podCondition } from './pod.ts'
import { selectorText } from './selector.ts'
import { parseTime } from './time.ts'

/** How many replicas one metric asks for (pkg/controller/podautoscaler/replica_calculator.go). */

export type PodUsage = NodeApi['podUsage']

/** The count that a metric asks for. */
export interface Proposal {
  replicas: number
  /** As in "cpu resource utilization (percentage of request)". */
  metric: string
  status: MetricStatus
}

/** A metric that could not be had: the reason and sentence of the event, and the error that the whole look ends with. */
export class MetricError extends Error {
  readonly reason: string
  readonly whole: string

  constructor(reason: string, message: string, prefix: string) {
    super(message)
    this.reason = reason
    this.whole = `${prefix}: ${message}`
  }
}

export interface Surroundings {
  readonly context: ClusterContext
  readonly usage: PodUsage
  readonly namespace: string
  /** Every Pod that the target selects. */
  readonly pods: readonly Pod[]
  readonly currentReplicas: number
}

const tolerance = 0.1

/** A Pod that has just started uses more CPU than it will; for so long only what it used since it was ready counts, ms. */
const cpuInitialization = 300_000
/** How long after its start a Pod's first readiness is late, ms. */
const initialReadiness = 30_000
/** Over which a measurement goes, ms. */
const window = 15_000

/** Throws MetricError. */
export function propose(around: Surroundings, spec: MetricSpec): Proposal {
  switch (spec.type) {
    case 'Resource':
    case 'ContainerResource':
      return resourceProposal(around, spec)
    case 'Pods':
      throw unserved('Pods', `unable to get metric ${spec.pods?.metric.name}: ${noCustomMetrics}`, 'failed to get pods metric value')
    case 'Object':
      throw objectError(around, spec)
    default:
      throw externalError(around, spec)
  }
}

const noCustomMetrics = 'unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered'

function unserved(type: string, message: string, prefix: string): MetricError {
  return new MetricError(`FailedGet${type}Metric`, message, prefix)
}

function objectError({ namespace }: Surroundings, { object }: MetricSpec): MetricError {
  const { kind, name } = object?.describedObject ?? { kind: '', name: '' }
  const message = `unable to get metric ${object?.metric.name}: ${kind} on ${namespace} ${name}/${noCustomMetrics}`
  return unserved(
    'Object',
    message,
    prefixOf(object?.target, `failed to get ${object?.metric.name} object metric`, 'failed to get object metric value'),
  )
}

function externalError({ namespace }: Surroundings, { external }: MetricSpec): MetricError {
  const name = external?.metric.name ?? ''
  const missing = `the server could not find the requested resource (get ${name}.external.metrics.k8s.io)`
  const where = `${namespace}/${name}/${selectorText(external?.metric.selector)}`
  const message = `unable to get external metric ${where}: unable to fetch metrics from external metrics API: ${missing}`
  const inner =
    external?.target.averageValue === undefined ? `failed to get external metric ${name}` : `failed to get ${name} external metric`
  return unserved('External', message, `failed to get ${name} external metric value: ${inner}`)
}

function prefixOf(target: MetricTarget | undefined, average: string, whole: string): string {
  return target?.type === 'AverageValue' ? `${whole}: ${average}` : whole
}

function resourceProposal(around: Surroundings, spec: MetricSpec): Proposal {
  const { resource, containerResource } = spec
  const source = resource ?? containerResource
  const container = containerResource?.container
  const name = source?.name ?? ''
  const target = source?.target ?? { type: '' }
  const kind = container === undefined ? 'Resource' : 'ContainerResource'
  const whole =
    container === undefined ? `failed to get ${name} resource metric value` : `failed to get ${container} container metric value`
  try {
    const { replicas, value } =
      target.averageValue !== undefined
        ? byValue(around, name, container, milli(target.averageValue))
        : byUtilization(around, name, container, target.averageUtilization ?? 0)
    const described = container === undefined ? `${name} resource` : `${name} container resource`
    const metric = target.averageValue !== undefined ? `${name} resource` : `${described} utilization (percentage of request)`
    const status: MetricStatus =
      container === undefined
        ? { type: kind, resource: { name, current: value } }
        : { type: kind, containerResource: { name, container, current: value } }
    return { replicas, metric, status }
  } catch (error) {
    if (!(error instanceof CalculationError)) throw error
    const what = target.averageValue !== undefined ? 'usage' : 'utilization'
    throw new MetricError(`FailedGet${kind}Metric`, `failed to get ${name} ${what}: ${error.message}`, whole)
  }
}

class CalculationError extends Error {}

interface Calculated {
  replicas: number
  value: MetricValueStatus
}

/** Amounts in thousandths, by the Pod's name. */
type Amounts = Map<string, number>

function byUtilization(around: Surroundings, name: string, container: string | undefined, target: number): Calculated {
  const { metrics, groups } = measure(around, name, container)
  const requests: Amounts = new Map(around.pods.map((pod) => [pod.metadata.name ?? '', requestOf(pod, name, container)]))
  const ratioOf = (measured: Amounts) => {
    const known = [...measured].filter(([pod]) => requests.has(pod))
    const total = sum(known.map(([, value]) => value))
    const requested = sum(known.map(([pod]) => requests.get(pod) ?? 0))
    if (requested === 0) throw new CalculationError('no metrics returned matched known pods')
    const utilization = Math.trunc((total * 100) / requested)
    return { ratio: utilization / target, utilization, average: Math.trunc(total / known.length) }
  }
  const { ratio, utilization, average } = ratioOf(metrics)
  const missing = (pod: string) => Math.trunc(((requests.get(pod) ?? 0) * Math.max(100, target)) / 100)
  const replicas = replicasFor(around.currentReplicas, metrics, groups, ratio, missing, (all) => ratioOf(all).ratio)
  return { replicas, value: { averageUtilization: utilization, averageValue: quantityText(name, average) } }
}

function byValue(around: Surroundings, name: string, container: string | undefined, target: number): Calculated {
  const { metrics, groups } = measure(around, name, container)
  const averageOf = (measured: Amounts) => Math.trunc(sum([...measured.values()]) / measured.size)
  const average = averageOf(metrics)
  const replicas = replicasFor(
    around.currentReplicas,
    metrics,
    groups,
    average / target,
    () => target,
    (all) => averageOf(all) / target,
  )
  return { replicas, value: { averageValue: quantityText(name, average) } }
}

interface Groups {
  ready: number
  unready: string[]
  missing: string[]
}

/** What the Pods that count use, and how many of the others there are of which kind. */
function measure(around: Surroundings, name: string, container: string | undefined): { metrics: Amounts; groups: Groups } {
  const { usage, namespace, pods } = around
  const figures = pods.map((pod) => ({ pod: pod.metadata.name ?? '', containers: usage(namespace, pod.metadata.name ?? '') }))
  if (figures.every(({ containers }) => containers === undefined)) {
    throw new CalculationError(`unable to get metrics for resource ${name}: no metrics returned from resource metrics API`)
  }
  const metrics: Amounts = new Map()
  for (const { pod, containers = [] } of figures) {
    const chosen = container === undefined ? containers : containers.filter((one) => one.name === container)
    const amounts = chosen.map(({ cpuNanoCores, memoryBytes }) => (name === 'cpu' ? Math.ceil(cpuNanoCores / 1e6) : memoryBytes * 1000))
    if (chosen.length > 0) metrics.set(pod, sum(amounts))
  }
  const { groups, ignored } = groupPods(around, metrics, name)
  for (const pod of [...ignored, ...groups.unready]) metrics.delete(pod)
  if (metrics.size === 0) throw new CalculationError('did not receive metrics for targeted pods (pods might be unready)')
  return { metrics, groups }
}

function groupPods({ context, pods }: Surroundings, metrics: Amounts, resource: string): { groups: Groups; ignored: string[] } {
  const groups: Groups = { ready: 0, unready: [], missing: [] }
  const ignored: string[] = []
  for (const pod of pods) {
    const { name = '', deletionTimestamp } = pod.metadata
    const { phase } = pod.status ?? {}
    if (deletionTimestamp || phase === 'Failed') ignored.push(name)
    else if (phase === 'Pending') groups.unready.push(name)
    else if (!metrics.has(name)) groups.missing.push(name)
    else if (resource === 'cpu' && isWarmingUp(pod, context.clock.now())) groups.unready.push(name)
    else groups.ready++
  }
  return { groups, ignored }
}

function isWarmingUp(pod: Pod, now: number): boolean {
  const ready = podCondition(pod, 'Ready')
  if (!ready || !pod.status?.startTime) return true
  const started = parseTime(pod.status.startTime)
  const changed = parseTime(ready.lastTransitionTime)
  if (started + cpuInitialization > now) return ready.status === 'False' || now < changed + window
  return ready.status === 'False' && started + initialReadiness > changed
}

function requestOf(pod: Pod, name: string, container: string | undefined): number {
  const { containers = [], initContainers = [], resources } = pod.spec ?? {}
  if (container === undefined && resources?.requests) {
    const request = resources.requests[name]
    if (request === undefined) throw new CalculationError(`missing pod-level request for ${name} in Pod ${pod.metadata.name}`)
    return milli(request)
  }
  const counted = [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')]
  return sum(
    counted
      .filter((one) => container === undefined || one.name === container)
      .map((one) => {
        const request = one.resources?.requests?.[name]
        if (request !== undefined) return milli(request)
        throw new CalculationError(`missing request for ${name} in container ${one.name} of Pod ${pod.metadata.name}`)
      }),
  )
}

/**
 * Pods without figures count as busy enough when some would be taken away and as idle when some would be added; those that are
 * not ready as idle in the latter case. What would turn the direction, or is too small, changes nothing.
 *
 * @param assumed what a Pod without figures is taken to use when Pods would be taken away
 */
function replicasFor(
  current: number,
  metrics: Amounts,
  { ready, unready, missing }: Groups,
  ratio: number,
  assumed: (pod: string) => number,
  ratioOf: (metrics: Amounts) => number,
): number {
  const upWithUnready = unready.length > 0 && ratio > 1
  if (!upWithUnready && missing.length === 0) return isTolerated(ratio) ? current : Math.ceil(ratio * ready)
  const all = new Map(metrics)
  if (ratio !== 1) for (const pod of missing) all.set(pod, ratio < 1 ? assumed(pod) : 0)
  if (upWithUnready) for (const pod of unready) all.set(pod, 0)
  const next = ratioOf(all)
  if (isTolerated(next) || (ratio < 1 && next > 1) || (ratio > 1 && next < 1)) return current
  const replicas = Math.ceil(next * all.size)
  return (next < 1 && replicas > current) || (next > 1 && replicas < current) ? current : replicas
}

function isTolerated(ratio: number): boolean {
  return 1 - tolerance <= ratio && ratio <= 1 + tolerance
}

function milli(quantity: string | number): number {
  return Number(parseQuantity(quantity).nano / 1_000_000n)
}

function quantityText(name: string, amount: number): string {
  return formatQuantity({ nano: BigInt(amount) * 1_000_000n, format: name === 'memory' ? 'binary' : 'decimal' })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
