import type { PodSpec } from '../schema/types/core.v1.ts'

/** The warnings that kubectl shows for a pod that is accepted and yet odd. Source: pkg/api/pod/warnings.go. */
export function podWarnings(spec: PodSpec | undefined, prefix: string): string[] {
  if (!spec) return []
  const warnings: string[] = []
  const at = (path: string) => `${prefix}spec.${path}`
  for (const label of [
    'beta.kubernetes.io/arch',
    'beta.kubernetes.io/os',
    'failure-domain.beta.kubernetes.io/region',
    'failure-domain.beta.kubernetes.io/zone',
  ]) {
    if (spec.nodeSelector && label in spec.nodeSelector)
      warnings.push(
        `${at(`nodeSelector[${label}]`)}: deprecated since v1.14; use "${label.replace('beta.', '').replace('failure-domain', 'topology')}" instead`,
      )
  }
  for (const [index, container] of (spec.containers ?? []).entries()) {
    const names = new Set<string>()
    for (const [position, variable] of (container.env ?? []).entries()) {
      if (names.has(variable.name)) {
        warnings.push(
          `${at(`containers[${index}].env[${position}]`)}: hides previous definition of "${variable.name}", which may be dropped when using apply`,
        )
      }
      names.add(variable.name)
    }
  }
  const grace = spec.terminationGracePeriodSeconds
  if (grace !== undefined && grace < 0)
    warnings.push(`${at('terminationGracePeriodSeconds')}: must be >= 0; negative values are invalid and will be treated as 1`)
  return warnings
}
