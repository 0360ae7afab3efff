import { readFileSync } from 'node:fs'

/**
 * `node internal.ts FOLDER > ../internal-types.json`: how the types are built that the API server works with, read from the Go
 * sources of k8s.io/kubernetes in FOLDER. Some errors show a value of them. For each type its fields in order, `Name:type`; a
 * field without a name lies in its parent. Types: s, b, i, q (a quantity), another type's name, with `[]` a list, with `*` one
 * that may be null; a bare `*` is shown as it is in the API.
 */
const roots = [
  ...['core.PodSpec', 'core.PodTemplateSpec', 'core.PersistentVolumeSpec', 'core.PersistentVolumeClaimSpec', 'core.SecurityContext'],
  ...['core.ScopeSelector', 'core.Taint', 'core.Toleration', 'authorization.NonResourceAttributes'],
  ...['batch.JobSpec', 'networking.ParentReference', 'networking.IngressClassSpec', 'policy.PodDisruptionBudgetSpec'],
  ...['storage.VolumeAttachmentSpec', 'storage.CSINodeDriver', 'resource.ResourceClaimSpec', 'resource.ResourceClaimTemplateSpec'],
  'resource.AllocationResult',
  ...['apps.DeploymentStrategy', 'apps.DaemonSetUpdateStrategy', 'apps.StatefulSetUpdateStrategy'],
]

const structs = new Map<string, [name: string, type: string][]>()
const named = new Map<string, string>()
const folder = process.argv[2] ?? '.'
for (const name of ['core', 'batch', 'networking', 'policy', 'storage', 'resource', 'apps', 'authorization']) read(name)
const found: Record<string, string> = {}
const waiting = [...roots]
for (let type = waiting.pop(); type; type = waiting.pop()) {
  const home = type.split('.')[0] as string
  found[type] ??= (structs.get(type) ?? []).map(([field, given]) => `${field ? `${field}:` : ''}${resolved(given, home)}`).join(' ')
}
const sorted = Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)))
process.stdout.write(`${JSON.stringify(sorted)}\n`)

function read(home: string): void {
  const text = readFileSync(`${folder}/pkg/apis/${home}/types.go`, 'utf8').replace(/\/\*.*?\*\//gs, '')
  for (const [, name, body = ''] of text.matchAll(/^type (\w+) struct \{\n(.*?)^\}/gms)) {
    const lines = body.split('\n').map((line) => line.replace(/\/\/.*|`.*`/g, '').trim())
    const fields = lines.filter(Boolean).map((line): [string, string] => {
      const [first = '', ...rest] = line.split(/\s+/)
      return rest.length > 0 ? [first, rest.join(' ')] : ['', first]
    })
    structs.set(`${home}.${name}`, fields)
  }
  for (const [, name, type = ''] of text.matchAll(/^type (\w+) ([\w.[\]]+)$/gm)) named.set(`${home}.${name}`, type)
}

function resolved(type: string, home: string): string {
  if (type.startsWith('*')) return `*${resolved(type.slice(1), home)}`
  if (type === '[]byte' || type.startsWith('map[')) return '*'
  if (type.startsWith('[]')) return `[]${resolved(type.slice(2), home)}`
  if (['string', 'types.UID', 'types.NodeName'].includes(type)) return 's'
  if (type === 'bool') return 'b'
  if (/^u?int\d*$/.test(type)) return 'i'
  if (type === 'resource.Quantity' && home !== 'resource') return 'q'
  if (type === 'metav1.ObjectMeta') return type
  if (/^(metav1|intstr|runtime|time|apiresource)\./.test(type)) return type.endsWith('.Quantity') ? 'q' : '*'
  const [left = '', right] = type.split('.')
  const full = right === undefined ? `${home}.${left}` : `${left === 'api' ? 'core' : left}.${right}`
  const alias = named.get(full)
  if (alias !== undefined) return resolved(alias, full.split('.')[0] as string)
  if (!structs.has(full)) return '*'
  waiting.push(full)
  return full
}
