import { partAsJson } from '../schema/go-empty.ts'
import types from '../schema/internal-types.json' with { type: 'json' }

const fieldsOf = new Map(
  Object.entries(types).map(([type, fields]) => [
    type,
    fields.split(' ').map((field): [name: string, type: string] => {
      const colon = field.indexOf(':')
      return colon < 0 ? ['', field] : [field.slice(0, colon), field.slice(colon + 1)]
    }),
  ]),
)

/**
 * A value as the API server has it in hand: the names of Go's fields in their order, unset ones as null, empty or zero. Some errors
 * show it so. `type` is that of the API, `core.v1.PodSpec`.
 */
export function goShape(value: unknown, type: string): unknown {
  if (value === undefined || value === null) return null
  // these types the API server and the API share
  if (type.startsWith('meta.v1.')) return partAsJson(value, type)
  return shaped(value, type.replace(/^(\w+)\.\w+\./, '$1.'))
}

function shaped(value: unknown, type: string): unknown {
  const given = value ?? undefined
  if (type.startsWith('*')) return given === undefined ? null : type === '*' ? given : shaped(given, type.slice(1))
  if (type.startsWith('[]')) return Array.isArray(given) ? given.map((item) => shaped(item, type.slice(2))) : null
  const zero = { s: '', b: false, i: 0, q: '0' }[type]
  if (zero !== undefined) return given ?? zero
  if (!fieldsOf.has(type)) return given ?? null
  return structOf((given ?? {}) as Record<string, unknown>, type)
}

function structOf(source: Record<string, unknown>, type: string): Record<string, unknown> {
  const known = new Map(
    Object.entries(type === 'core.PodSpec' ? podSpec(source) : source).map(([name, item]) => [name.toLowerCase(), item]),
  )
  const result: Record<string, unknown> = {}
  for (const [name, field] of fieldsOf.get(type) ?? []) {
    if (name) result[name] = shaped(known.get(otherNames[`${type}.${name}`] ?? name.toLowerCase()), field)
    // the metadata of a template has the names that it has in the API
    else if (field === 'metav1.ObjectMeta') Object.assign(result, partAsJson(source['metadata'], 'meta.v1.ObjectMeta'))
    else Object.assign(result, structOf(source, field.replace(/^\*/, '')))
  }
  return result
}

/** What the API calls otherwise, by type and field. */
const otherNames: Record<string, string> = {
  'core.AzureDiskVolumeSource.DataDiskURI': 'diskuri',
  ...Object.fromEntries(
    ['RBDVolumeSource', 'RBDPersistentVolumeSource'].flatMap((type) => [
      [`core.${type}.CephMonitors`, 'monitors'],
      [`core.${type}.RBDImage`, 'image'],
      [`core.${type}.RBDPool`, 'pool'],
      [`core.${type}.RadosUser`, 'user'],
    ]),
  ),
}

/** What the API has beside a Pod's security context lies in it. */
function podSpec(spec: Record<string, unknown>): Record<string, unknown> {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers, securityContext } = spec
  const host = { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers }
  return { ...spec, securityContext: securityContext && { ...(securityContext as object), ...host } }
}
