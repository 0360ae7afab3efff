import { isDeepStrictEqual } from 'node:util'

type Node = Record<string, unknown>
type Section = 'paths' | 'definitions' | 'parameters'

/** An OpenAPI v2 document but for its head. */
export type Sections = Record<Section, Node>

/** Another server's document, and under which paths it is that server's to say what there is. */
export interface RemoteVersion2 {
  readonly prefix: string
  readonly document: Partial<Sections>
}

const kinds = 'x-kubernetes-group-version-kind'

/**
 * What another server's document adds to a known one (kube-openapi, aggregator.go): its paths that are new, with what they refer
 * to. What is known by the same name and is something else gets another name.
 */
export function additionOf({ prefix, document }: RemoteVersion2, known: (section: Section, name: string) => unknown): Sections {
  const { paths = {}, definitions = {}, parameters = {} } = document
  const kept = Object.fromEntries(Object.entries(paths).filter(([path]) => path.startsWith(prefix) && !known('paths', path)))
  const used = usedBy(kept, { paths, definitions, parameters })
  const renames = { ...renamesOf('definitions', used.definitions, known), ...renamesOf('parameters', used.parameters, known) }
  return {
    paths: renamed(kept, renames) as Node,
    definitions: named('definitions', used.definitions, renames, (value, name) => withKindsOf(value, known('definitions', name))),
    parameters: named('parameters', used.parameters, renames, (value) => value),
  }
}

function usedBy(paths: Node, all: Sections): Omit<Sections, 'paths'> {
  const used = { definitions: {} as Node, parameters: {} as Node }
  const follow = (value: unknown) => {
    for (const [, section, name = ''] of JSON.stringify(value).matchAll(/"\$ref":"#\/(definitions|parameters)\/([^"]+)"/g)) {
      const place = section as 'definitions' | 'parameters'
      if (name in used[place] || !(name in all[place])) continue
      used[place][name] = all[place][name]
      follow(all[place][name])
    }
  }
  follow(paths)
  return used
}

/** By the reference as it is, the one that it is to be. */
function renamesOf(section: 'definitions' | 'parameters', used: Node, known: (section: Section, name: string) => unknown) {
  const renames: Record<string, string> = {}
  const taken = new Set<string>()
  for (const [name, value] of Object.entries(used)) {
    let next = name
    for (let count = 2; isOther(known(section, next), value) || (next !== name && (taken.has(next) || next in used)); count++)
      next = `${name}_v${count}`
    if (next === name) continue
    taken.add(next)
    renames[`#/${section}/${name}`] = `#/${section}/${next}`
  }
  return renames
}

function isOther(known: unknown, value: unknown): boolean {
  return known !== undefined && !isDeepStrictEqual(withoutKinds(known), withoutKinds(value))
}

function withoutKinds(value: unknown): Node {
  const { [kinds]: _, ...rest } = value as Node
  return rest
}

function named(
  section: 'definitions' | 'parameters',
  used: Node,
  renames: Readonly<Record<string, string>>,
  finished: (value: unknown, name: string) => unknown,
): Node {
  const start = `#/${section}/`
  const entries = Object.entries(used).map(([name, value]) => {
    const next = (renames[start + name] ?? start + name).slice(start.length)
    return [next, finished(renamed(value, renames), next)] as const
  })
  return Object.fromEntries(entries)
}

function renamed(value: unknown, renames: Readonly<Record<string, string>>): unknown {
  if (Object.keys(renames).length === 0) return value
  return JSON.parse(JSON.stringify(value), (key, part) => (key === '$ref' ? (renames[part as string] ?? part) : part))
}

/** A definition that both have is of the kinds of both. */
function withKindsOf(value: unknown, known: unknown): unknown {
  if (!known) return value
  const texts = [known, value].flatMap(
    (one) => ((one as Node)[kinds] as { group: string; version: string; kind: string }[] | undefined) ?? [],
  )
  const all = new Map(texts.map((one) => [`${one.group}/${one.version}.${one.kind}`, one]))
  if (all.size === 0) return known
  return { ...(known as Node), [kinds]: [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one) }
}
