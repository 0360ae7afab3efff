/**
 * Reads the output of main.go on standard input and writes ../protobuf.json (the wire form of every type) and
 * ../types/<group>.ts (its JSON form as TypeScript). Run by `npm run generate:schema`.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Field {
  name: string
  number: number
  type: string
  container?: 'list' | 'map' | 'map-of-lists'
  inline?: boolean
  optional?: boolean
  pointer?: boolean
  omitZero?: boolean
}
interface Output {
  kinds: Record<string, string>
  types: Record<string, Field[]>
}

const here = import.meta.dirname
const output = JSON.parse(readFileSync(0, 'utf8')) as Output

/** Types whose JSON is not the object that their Go fields suggest. */
const special: Record<string, string> = {
  'meta.v1.Time': 'string',
  'meta.v1.MicroTime': 'string',
  'meta.v1.Duration': 'string',
  'resource.Quantity': 'string | number',
  'util.intstr.IntOrString': 'string | number',
  'runtime.RawExtension': 'Record<string, unknown>',
  'meta.v1.FieldsV1': 'Record<string, unknown>',
  'apiextensions.v1.JSON': 'unknown',
  'apiextensions.v1.JSONSchemaPropsOrArray': 'JSONSchemaProps | JSONSchemaProps[]',
  'apiextensions.v1.JSONSchemaPropsOrBool': 'JSONSchemaProps | boolean',
  'apiextensions.v1.JSONSchemaPropsOrStringArray': 'JSONSchemaProps | string[]',
}
const scalars: Record<string, string> = {
  string: 'string',
  bool: 'boolean',
  int32: 'number',
  int64: 'number',
  double: 'number',
  bytes: 'string',
}

writeFileSync(join(here, '..', 'protobuf.json'), `${JSON.stringify(wireForm(output))}\n`)
rmSync(join(here, '..', 'types'), { recursive: true, force: true })
mkdirSync(join(here, '..', 'types'))
for (const [group, names] of groups(output)) writeFileSync(join(here, '..', 'types', `${group}.ts`), typesOf(group, names))

/**
 * { kinds: {"apps/v1/Deployment": type}, types: {type: [[jsonName, number, type, container, flags]]} }, where flags
 * are 1 inline, 2 left out of JSON when empty, 4 a pointer in Go, 8 left out even when it is an empty struct.
 */
function wireForm({ kinds, types }: Output): object {
  const rows = Object.entries(types).map(([name, fields]) => [
    name,
    fields.filter((f) => f.number > 0).map((f) => [f.name, f.number, f.type, f.container ?? '', flags(f)]),
  ])
  return { kinds, types: Object.fromEntries(rows) }
}

function flags(field: Field): number {
  return (field.inline ? 1 : 0) | (field.optional ? 2 : 0) | (field.pointer ? 4 : 0) | (field.omitZero ? 8 : 0)
}

function groups({ types }: Output): Map<string, string[]> {
  const byGroup = new Map<string, string[]>()
  for (const name of Object.keys(types).sort()) {
    const group = name.slice(0, name.lastIndexOf('.'))
    if (group === 'resource' || group === 'runtime' || group === 'util.intstr') continue
    byGroup.set(group, [...(byGroup.get(group) ?? []), name])
  }
  return byGroup
}

function typesOf(group: string, names: string[]): string {
  const imports = new Map<string, Set<string>>()
  const kinds = new Map(
    Object.entries(output.kinds)
      .filter(([gvk]) => !gvk.startsWith('v1/') || group === 'core.v1')
      .map(([gvk, type]) => [type, gvk]),
  )
  const reference = (type: string): string => {
    if (type.startsWith('named:')) return `${reference(type.slice(6))}[]`
    const known = scalars[type] ?? special[type]
    if (known) return known
    const owner = type.slice(0, type.lastIndexOf('.'))
    const name = type.slice(type.lastIndexOf('.') + 1)
    if (owner === group) return name
    imports.set(owner, (imports.get(owner) ?? new Set()).add(name))
    return name
  }
  const bodies = names
    .filter((name) => !special[name])
    .map((name) => {
      const short = name.slice(name.lastIndexOf('.') + 1)
      const gvk = kinds.get(name)
      const parents: string[] = []
      const lines: string[] = []
      for (const field of output.types[name] ?? []) {
        if (field.inline || field.name === '') {
          if (field.type === 'meta.v1.TypeMeta') continue
          parents.push(field.inline && field.pointer ? `Partial<${reference(field.type)}>` : reference(field.type))
          continue
        }
        const item = reference(field.type)
        const wrapped = item.includes('|') ? `(${item})` : item
        const type =
          field.container === 'list'
            ? `${wrapped}[]`
            : field.container === 'map'
              ? `Record<string, ${item}>`
              : field.container === 'map-of-lists'
                ? `Record<string, ${item}[]>`
                : item
        const isMeta = field.name === 'metadata'
        lines.push(
          `  ${/^[A-Za-z_]\w*$/.test(field.name) ? field.name : `'${field.name}'`}${field.optional && !isMeta ? '?' : ''}: ${type}`,
        )
      }
      if (output.types[name]?.some((f) => f.type === 'meta.v1.TypeMeta')) {
        const version = gvk?.slice(0, gvk.lastIndexOf('/'))
        lines.unshift(
          `  apiVersion${gvk ? `: '${version}'` : '?: string'}`,
          `  kind${gvk ? `: '${gvk.slice(gvk.lastIndexOf('/') + 1)}'` : '?: string'}`,
        )
      }
      return `export interface ${short}${parents.length ? ` extends ${parents.join(', ')}` : ''} {\n${lines.join('\n')}\n}\n`
    })
  const head = [...imports].sort().map(([owner, set]) => `import type { ${[...set].sort().join(', ')} } from './${owner}.ts'\n`)
  return `// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.\n${head.join('')}\n${bodies.join('\n')}`
}
