import { matchesLabels } from '../controllers/selector.ts'
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration } from '../schema/types/core.v1.ts'

/** Whether a Pod's nodeSelector and required node affinity allow a node. */
export function matchesNode(pod: Pod, node: Node): boolean {
  if (!matchesLabels(pod.spec?.nodeSelector ?? {}, node.metadata.labels)) return false
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return !required || matchesNodeSelector(required, node)
}

/** One term is enough; none at all matches nothing. */
export function matchesNodeSelector(selector: NodeSelector, node: Node): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

/** A term without requirements matches nothing. */
export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  if (matchExpressions.length === 0 && matchFields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  const fields: Record<string, string | undefined> = { 'metadata.name': node.metadata.name }
  return (
    matchExpressions.every((one) => matchesRequirement(one, labels[one.key])) &&
    matchFields.every((one) => matchesRequirement(one, fields[one.key]))
  )
}

function matchesRequirement({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return compareNumbers(value, values[0], (a, b) => a > b)
    case 'Lt':
      return compareNumbers(value, values[0], (a, b) => a < b)
    default:
      return false
  }
}

function compareNumbers(a: string | undefined, b: string | undefined, holds: (a: number, b: number) => boolean): boolean {
  const numbers = [Number(a), Number(b)] as const
  return a !== undefined && b !== undefined && numbers.every(Number.isInteger) && holds(...numbers)
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')
}

/** The first taint of one of the effects that no toleration covers. */
export function untoleratedTaint(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  effects: readonly string[],
): Taint | undefined {
  return taints.find((taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)))
}

/** Effects that keep new Pods from a node. */
export const noScheduleEffects = ['NoSchedule', 'NoExecute'] as const
