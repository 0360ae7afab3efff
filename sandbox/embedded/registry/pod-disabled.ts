import type { PodSpec } from '../schema/types/core.v1.ts'
import { allContainers } from './pod-defaults.ts'

/**
 * Takes out of a pod's spec what belongs to features that a 1.34 server has switched off: it stores no such field unless the
 * object has it already. Source: dropDisabledFields in pkg/api/pod.
 */
export function dropDisabledPodFields(spec: PodSpec | undefined): void {
  if (!spec) return
  delete spec.hostnameOverride
  for (const container of spec.containers ?? []) delete container.restartPolicy
  for (const container of spec.initContainers ?? []) if (container.restartPolicy !== 'Always') delete container.restartPolicy
  for (const container of spec.ephemeralContainers ?? []) delete container.restartPolicy
  const images = new Set((spec.volumes ?? []).filter(({ image }) => image).map(({ name }) => name))
  for (const container of allContainers(spec)) {
    delete container.restartPolicyRules
    for (const { valueFrom } of container.env ?? []) delete valueFrom?.fileKeyRef
    if (container.lifecycle?.stopSignal !== undefined) {
      delete container.lifecycle.stopSignal
      if (Object.keys(container.lifecycle).length === 0) delete container.lifecycle
    }
    if (images.size > 0 && container.volumeMounts) {
      container.volumeMounts = container.volumeMounts.filter(({ name }) => !images.has(name))
      if (container.volumeMounts.length === 0) delete container.volumeMounts
    }
  }
  if (images.size > 0) {
    spec.volumes = spec.volumes?.filter(({ image }) => !image)
    if (!spec.volumes?.length) delete spec.volumes
  }
  for (const source of (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? [])) {
    delete source.clusterTrustBundle
    delete source.podCertificate
  }
}
