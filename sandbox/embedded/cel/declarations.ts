import { type CelType, listOf, mapOf, opaque, optionalOf, param, struct, typeOfType, types } from './types.ts'
import type { Value } from './values.ts'

/** What may be spent on work that no unit of cost stands for; see budget.ts. */
export interface Work {
  spend(steps: number): void
}

export type Evaluate = (args: readonly Value[], work: Work) => Value

export interface Overload {
  readonly id: string
  readonly isMember: boolean
  readonly args: readonly CelType[]
  readonly result: CelType
  /** Names of the type variables in it. */
  readonly params: readonly string[]
  readonly evaluate: Evaluate
}

export interface FunctionDeclaration {
  readonly name: string
  readonly overloads: readonly Overload[]
  /** One of the language's own, which say less when no overload takes the values. */
  readonly isStandard: boolean
}

/** Functions by name; what is declared twice has the overloads of both. */
export class Library {
  readonly functions = new Map<string, FunctionDeclaration>()
  private readonly isStandard: boolean

  constructor(isStandard = false) {
    this.isStandard = isStandard
  }

  /**
   * Declares an overload by its signature, such as `string::charAt(int): string` for a method, `ip.isCanonical(string): bool` for
   * a function; single capitals are type variables.
   */
  declare(id: string, signature: string, evaluate: Evaluate): this {
    const { name, ...overload } = parsedSignature(signature)
    const known = this.functions.get(name)
    const overloads = [...(known?.overloads ?? []), { id, ...overload, evaluate }]
    this.functions.set(name, { name, overloads, isStandard: this.isStandard })
    return this
  }
}

/** All functions of several libraries. */
export function joined(
  libraries: readonly { readonly functions: ReadonlyMap<string, FunctionDeclaration> }[],
): ReadonlyMap<string, FunctionDeclaration> {
  const all = new Map<string, FunctionDeclaration>()
  for (const { functions } of libraries) {
    for (const [name, declared] of functions) {
      const known = all.get(name)
      all.set(name, known ? { ...known, overloads: [...known.overloads, ...declared.overloads] } : declared)
    }
  }
  return all
}

export const kubernetesTypes = {
  Authorizer: struct('kubernetes.authorization.Authorizer'),
  PathCheck: struct('kubernetes.authorization.PathCheck'),
  GroupCheck: struct('kubernetes.authorization.GroupCheck'),
  ResourceCheck: struct('kubernetes.authorization.ResourceCheck'),
  Decision: struct('kubernetes.authorization.Decision'),
  URL: struct('kubernetes.URL'),
  Quantity: struct('kubernetes.Quantity'),
  Format: struct('kubernetes.NamedFormat'),
  Semver: struct('kubernetes.Semver'),
  IP: opaque('net.IP'),
  CIDR: opaque('net.CIDR'),
} as const

const byName: Readonly<Record<string, CelType>> = { ...types, ...kubernetesTypes }

function parsedSignature(signature: string): { name: string; isMember: boolean; args: CelType[]; result: CelType; params: string[] } {
  const [, receiver, name = '', args = '', result = ''] = /^(?:(.+)::)?([@\w.!?:[\]+*/%<>=&|-]+)\((.*)\): (.+)$/.exec(signature) ?? []
  const given = [...(receiver ? [receiver] : []), ...split(args)].map(parsedType)
  const returned = parsedType(result)
  const params = new Set<string>()
  const visit = (type: CelType) => {
    if (type.kind === 'param') params.add(type.name)
    for (const one of type.params) visit(one)
  }
  for (const type of [...given, returned]) visit(type)
  return { name, isMember: receiver !== undefined, args: given, result: returned, params: [...params] }
}

function parsedType(text: string): CelType {
  const [, name = '', inner] = /^(\w+)(?:\((.*)\))?$/.exec(text) ?? []
  const params = inner === undefined ? [] : split(inner).map(parsedType)
  const [first, second] = params
  if (name === 'list' && first) return listOf(first)
  if (name === 'map' && first && second) return mapOf(first, second)
  if (name === 'optional' && first) return optionalOf(first)
  if (name === 'type' && first) return typeOfType(first)
  if (/^[A-Z]$/.test(name)) return param(name)
  const type = byName[name]
  if (!type) throw new Error(`no such type in a signature: ${text}`)
  return type
}

/** At the commas that stand in no brackets. */
function split(text: string): string[] {
  const parts: string[] = []
  let [depth, start] = [0, 0]
  for (const [index, character] of [...text].entries()) {
    if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, index).trim())
      start = index + 1
    }
  }
  const last = text.slice(start).trim()
  return last ? [...parts, last] : parts
}
