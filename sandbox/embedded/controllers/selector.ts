import type { LabelSelector } from '../schema/types/meta.v1.ts'

type Labels = Readonly<Record<string, string>> | undefined

/** Whether labels satisfy an API LabelSelector: none selects nothing, an empty one everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (!selector) return false
  if (selector.matchLabels && !matchesLabels(selector.matchLabels, labels)) return false
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const value = labels?.[key]
    if (operator === 'In' && (value === undefined || !values?.includes(value))) return false
    if (operator === 'NotIn' && value !== undefined && values?.includes(value)) return false
    if (operator === 'Exists' && value === undefined) return false
    if (operator === 'DoesNotExist' && value !== undefined) return false
  }
  return true
}

/** Whether labels hold every pair of a plain selector such as a Service's. */
export function matchesLabels(selector: Readonly<Record<string, string>>, labels: Labels): boolean {
  for (const key in selector) if (labels?.[key] !== selector[key]) return false
  return true
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return !selector || (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0)
}

/** As Go prints a *LabelSelector. */
export function selectorText(selector: LabelSelector | undefined): string {
  if (!selector) return 'nil'
  const labels = Object.entries(selector.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) => `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  )
  const pairs = labels.map(([key, value]) => `${key}: ${value},`).join('')
  return `&LabelSelector{MatchLabels:map[string]string{${pairs}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`
}
