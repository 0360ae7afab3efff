import type { Resolution } from './checker.ts'
import { noSuchOverload } from './comparison.ts'
import type { Work } from './declarations.ts'
import type { CelType } from './types.ts'
import { CelMap, Failure, Optional, runtimeType, type Value } from './values.ts'

/** Calls the overload that takes the values; which one is known beforehand only where their types are. */
export function call({ declared, overloads, hasTarget }: Resolution, args: readonly Value[], work: Work): Value {
  const candidates = overloads.length === 1 ? overloads : declared.overloads.filter((one) => one.isMember === hasTarget)
  for (const overload of candidates) if (takes(overload.args, args)) return overload.evaluate(args, work)
  if (declared.name === 'size') return new Failure('no such overload: size')
  if (declared.isStandard) return noSuchOverload
  return new Failure(`no such overload: ${declared.name}(${args.map((arg) => runtimeType(arg).name).join(', ')})`)
}

/** Whether a failed argument fails the call. */
export function isStrict(name: string): boolean {
  return name !== '@not_strictly_false'
}

function takes(types: readonly CelType[], values: readonly Value[]): boolean {
  if (types.length !== values.length) return false
  for (let index = 0; index < types.length; index++) if (!fits(types[index] as CelType, values[index] as Value)) return false
  return true
}

/** Of lists and maps the first item stands for all. */
function fits(type: CelType, value: Value): boolean {
  switch (type.kind) {
    case 'dyn':
    case 'param':
      return true
    case 'int':
      return typeof value === 'bigint'
    case 'string':
      return typeof value === 'string'
    case 'double':
      return typeof value === 'number'
    case 'list': {
      if (!Array.isArray(value)) return false
      const [first] = value as readonly Value[]
      return first === undefined || fits(type.params[0] as CelType, first)
    }
    case 'map': {
      if (!(value instanceof CelMap)) return false
      for (const [key, held] of value.entries()) return fits(type.params[0] as CelType, key) && fits(type.params[1] as CelType, held)
      return true
    }
    case 'opaque':
      if (type.name === 'optional_type') {
        return value instanceof Optional && (value.value === undefined || fits(type.params[0] as CelType, value.value))
      }
      return runtimeType(value).name === type.name
    case 'bool':
      // what is not strictly false may be anything
      return typeof value === 'boolean' || value instanceof Failure
    default:
      return runtimeType(value).name === type.name
  }
}
