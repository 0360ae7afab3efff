/**
 * Values at a JSONPath of the kind that printer columns and scale paths use: `.spec.replicas`,
 * `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[*].name`, `.metadata.labels.app\.kubernetes\.io/name`.
 */
export function jsonPath(path: string, object: unknown): unknown[] {
  let values: unknown[] = [object]
  for (const step of stepsOf(path)) values = values.flatMap(step)
  return values.filter((value) => value !== undefined)
}

type Step = (value: unknown) => unknown[]

const compiled = new Map<string, Step[]>()

function stepsOf(path: string): Step[] {
  const known = compiled.get(path)
  if (known) return known
  const steps: Step[] = []
  const text = path.replace(/^\{(.*)\}$/s, '$1').replace(/^\$/, '')
  for (const match of text.matchAll(token)) {
    const [, name, quoted, inside] = match
    if (name !== undefined) steps.push(name === '*' ? all : field(name.replaceAll('\\', '')))
    else if (quoted !== undefined) steps.push(field(quoted))
    else if (inside !== undefined) steps.push(subscript(inside))
  }
  compiled.set(path, steps)
  return steps
}

const token = /\.((?:\\.|[^.[\]\\])+)|\['((?:[^'])*)'\]|\[((?:[^[\]]|\[[^\]]*\])*)\]/g

function subscript(text: string): Step {
  if (text === '*') return all
  const filter = text.match(/^\?\(@(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)\)$/)
  if (filter) {
    const [, path = '', operator = '', literal = ''] = filter
    const wanted = /^['"]/.test(literal) ? literal.slice(1, -1) : literal
    return (value) =>
      Array.isArray(value) ? value.filter((item) => jsonPath(path, item).some((found) => compare(found, operator, wanted))) : []
  }
  const [start = '', end] = text.split(':')
  if (end !== undefined)
    return (value) => (Array.isArray(value) ? value.slice(Number(start || 0), end === '' ? undefined : Number(end)) : [])
  return (value) => (Array.isArray(value) ? [value.at(Number(start))] : [])
}

function compare(found: unknown, operator: string, wanted: string): boolean {
  if (operator === '==') return String(found) === wanted
  if (operator === '!=') return String(found) !== wanted
  const [left, right] = [Number(found), Number(wanted)]
  if (operator === '<') return left < right
  if (operator === '>') return left > right
  return operator === '<=' ? left <= right : left >= right
}

function field(name: string): Step {
  return (value) =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? [(value as Record<string, unknown>)[name]] : []
}

function all(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : []
}
