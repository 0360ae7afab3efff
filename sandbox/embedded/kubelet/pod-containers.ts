import type { Container, Pod } from '../schema/types/core.v1.ts'

/** A container of any of a pod's three lists. */
export function containerNamed(pod: Pod, name: string): Container | undefined {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {}
  return [...containers, ...initContainers, ...(ephemeralContainers as Container[])].find((container) => container.name === name)
}

/** Where in its pod's spec a container stands, as events tell it. */
export function fieldPathOf(pod: Pod, { name }: Container): string {
  const { initContainers = [], ephemeralContainers = [] } = pod.spec ?? {}
  const named = (other: { name: string }) => other.name === name
  const list = initContainers.some(named) ? 'initContainers' : ephemeralContainers.some(named) ? 'ephemeralContainers' : 'containers'
  return `spec.${list}{${name}}`
}
