import { type CelType, isDyn, isDynOrError, listOf, mapOf, sameType, typeOfType, types } from './types.ts'

/** What type variables stand for, by their names. */
export type Substitutions = ReadonlyMap<string, CelType>

/**
 * The substitutions under which each type of a list fits the other list's;
 * undefined when there are none. Source: cel-go's checker/types.go.
 */
export function assignable(known: Substitutions, from: readonly CelType[], to: readonly CelType[]): Substitutions | undefined {
  const found = new Map(known)
  return listFits(found, from, to) ? found : undefined
}

/** A type with everything known put in; variables that stand for nothing become dyn, when asked to. */
export function substituted(known: Substitutions, type: CelType, toDyn: boolean): CelType {
  if (type.kind === 'param') {
    const meant = known.get(type.name)
    if (meant) return substituted(known, meant, toDyn)
    return toDyn ? types.dyn : type
  }
  if (type.params.length === 0) return type
  const params = type.params.map((one) => substituted(known, one, toDyn))
  const [first, second] = params as [CelType, CelType]
  if (type.kind === 'list') return listOf(first)
  if (type.kind === 'map') return mapOf(first, second)
  return type.kind === 'type' ? typeOfType(first) : { ...type, params }
}

export function mostGeneral(a: CelType, b: CelType): CelType {
  return isLessSpecific(a, b) ? a : b
}

type Mutable = Map<string, CelType>

function fits(known: Mutable, a: CelType, b: CelType): boolean {
  if (b.kind === 'param') {
    const { valid, hadOne } = substitutes(known, a, b)
    if (valid) return true
    if (hadOne) return false
  }
  if (a.kind === 'param') return substitutes(known, b, a).valid
  if (isDynOrError(a) || isDynOrError(b)) return true
  if (a.kind === 'null') return isNullable(b)
  if (b.kind === 'null') return isNullable(a)
  switch (a.kind) {
    case 'type':
      return b.kind === 'type'
    case 'opaque':
    case 'list':
    case 'map':
      return a.kind === b.kind && a.name === b.name && listFits(known, a.params, b.params)
    default:
      return a.kind === b.kind && a.name === b.name
  }
}

function listFits(known: Mutable, from: readonly CelType[], to: readonly CelType[]): boolean {
  return from.length === to.length && from.every((one, index) => fits(known, one, to[index] as CelType))
}

function isNullable({ kind, nullable }: CelType): boolean {
  return nullable === true || ['opaque', 'struct', 'duration', 'timestamp', 'null'].includes(kind)
}

/** Whether a variable can stand for a type, and whether it stood for one. */
function substitutes(known: Mutable, type: CelType, variable: CelType): { valid: boolean; hadOne: boolean } {
  if (type.kind === variable.kind && sameType(type, variable)) return { valid: true, hadOne: true }
  const meant = known.get(variable.name)
  if (meant) {
    if (type.kind === meant.kind && sameType(type, meant)) return { valid: true, hadOne: true }
    if (!fits(known, type, meant)) return { valid: false, hadOne: true }
    const general = mostGeneral(type, meant)
    if (isAbsentFrom(known, variable, general)) known.set(variable.name, general)
    return { valid: true, hadOne: true }
  }
  if (!isAbsentFrom(known, variable, type)) return { valid: false, hadOne: false }
  known.set(variable.name, type)
  return { valid: true, hadOne: false }
}

function isAbsentFrom(known: Mutable, variable: CelType, within: CelType): boolean {
  if (sameType(variable, within)) return false
  if (within.kind === 'param') {
    const meant = known.get(within.name)
    return !meant || isAbsentFrom(known, variable, meant)
  }
  return within.params.every((one) => isAbsentFrom(known, variable, one))
}

function isLessSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === 'param') return true
  if (isDyn(b) || b.kind === 'param' || a.kind !== b.kind) return false
  if (a.kind === 'type') return true
  if (a.kind === 'opaque' || a.kind === 'list' || a.kind === 'map') {
    return (
      a.name === b.name &&
      a.params.length === b.params.length &&
      a.params.every((one, index) => isLessSpecific(one, b.params[index] as CelType))
    )
  }
  return sameType(a, b)
}
