import { goNumber } from '../machinery/go-number.ts'
import type { ProbeType } from './prober.ts'

/** Whose probe it is, by the labels of its figures. */
export interface ProbeLabels {
  container: string
  namespace: string
  pod: string
  pod_uid: string
  type: ProbeType
}

/** What the probes of one kind of one container have come to, since its kubelet knows the Pod. */
export class ProbeCounts {
  failed = 0
  successful = 0
  /** Seconds that the successful ones took together. */
  seconds = 0
  /** How many took at most so long, by bound. */
  readonly within = bounds.map(() => 0)

  /** `ms`: how long it took. */
  success(ms: number): void {
    this.successful++
    this.seconds += ms / 1000
    for (const [index, bound] of bounds.entries()) if (ms / 1000 <= bound) this.within[index] = (this.within[index] ?? 0) + 1
  }
}

/** Prometheus' own for a histogram, in seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** /metrics/probes of a kubelet (pkg/kubelet/prober, prober_manager.go). `started`: when the kubelet did, in ms. */
export function probeMetrics(probes: readonly { labels: ProbeLabels; counts: ProbeCounts }[], started: number): string {
  const known = probes
    .filter(({ counts }) => counts.successful + counts.failed > 0)
    .sort((a, b) => (keyOf(a.labels) < keyOf(b.labels) ? -1 : 1))
  const durations = known.flatMap(({ labels: { container, namespace, pod, type }, counts }) => {
    if (counts.successful === 0) return []
    const labels = `container="${container}",namespace="${namespace}",pod="${pod}",probe_type="${shownTypes[type]}"`
    const name = 'prober_probe_duration_seconds'
    return [
      ...bounds.map((bound, index) => `${name}_bucket{${labels},le="${bound}"} ${counts.within[index]}`),
      `${name}_bucket{${labels},le="+Inf"} ${counts.successful}`,
      `${name}_sum{${labels}} ${goNumber(counts.seconds, 6)}`,
      `${name}_count{${labels}} ${counts.successful}`,
    ]
  })
  const totals = known.flatMap(({ labels: { container, namespace, pod, pod_uid, type }, counts }) => {
    const labels = `container="${container}",namespace="${namespace}",pod="${pod}",pod_uid="${pod_uid}",probe_type="${shownTypes[type]}"`
    return (['failed', 'successful'] as const).flatMap((result) =>
      counts[result] > 0 ? [`prober_probe_total{${labels},result="${result}"} ${goNumber(counts[result], 6)}`] : [],
    )
  })
  const families = [
    ['prober_probe_duration_seconds', 'histogram', '[ALPHA] Duration in seconds for a probe response.', durations],
    [
      'prober_probe_total',
      'counter',
      '[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.',
      totals,
    ],
    [
      'process_start_time_seconds',
      'gauge',
      '[ALPHA] Start time of the process since unix epoch in seconds.',
      [`process_start_time_seconds ${goNumber(started / 1000, 6)}`],
    ],
  ] as const
  return families
    .filter(([, , , lines]) => lines.length > 0)
    .flatMap(([name, type, help, lines]) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines])
    .map((line) => `${line}\n`)
    .join('')
}

export const shownTypes = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const

/** Samples come in the order of their labels' values. */
function keyOf({ container, namespace, pod, pod_uid, type }: ProbeLabels): string {
  return [container, namespace, pod, pod_uid, shownTypes[type]].join('\u0000')
}
