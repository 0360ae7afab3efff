import type { DeclaredType } from './declared-type.ts'
import { Environment } from './environment.ts'
import { type CelType, listOf, mapOf, optionalOf, struct, types } from './types.ts'

/** An environment in which `self` and `oldSelf` have the type of a schema, so that a field that it does not have is found. */
export function schemaEnvironment(type: DeclaredType, options: { optionalOldSelf: boolean; stored: boolean }): Environment {
  const structs = new Map<string, ReadonlyMap<string, CelType>>()
  const self = celType(type, rootName, structs)
  const oldSelf = options.optionalOldSelf ? optionalOf(self) : self
  return new Environment({ self, oldSelf }, { structs, stored: options.stored })
}

/** The real server counts them; it is no name that a dotted expression could mean. */
const rootName = 'selfType1'

/** A declared type as expressions have it, under a name; its structs are added to those given. */
export function celType(type: DeclaredType, name: string, structs: Map<string, ReadonlyMap<string, CelType>>): CelType {
  switch (type.kind) {
    case 'list':
      return listOf(type.element ? celType(type.element, `${name}.@idx`, structs) : types.dyn)
    case 'map':
      return mapOf(types.string, type.element ? celType(type.element, `${name}.@elem`, structs) : types.dyn)
    case 'object': {
      const fields = Object.entries(type.fields ?? {}).filter(([field]) => /^[A-Za-z_]\w*$/.test(field))
      structs.set(name, new Map(fields.map(([field, part]) => [field, celType(part, `${name}.${field}`, structs)])))
      return struct(name)
    }
    default:
      return types[type.kind]
  }
}
