import type { Schema } from '../schema/index.ts'

const reference = /"\$ref":"#\/components\/schemas\/([^"]+)"/g

/** The component schemas that a value refers to, and those which these refer to. */
export function definitionsOf(value: unknown, all: Readonly<Record<string, Schema>>): Record<string, Schema> {
  const found = new Map<string, Schema>()
  const follow = (part: unknown) => {
    for (const [, name = ''] of JSON.stringify(part).matchAll(reference)) {
      const schema = all[name]
      if (!schema || found.has(name)) continue
      found.set(name, schema)
      follow(schema)
    }
  }
  follow(value)
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Schemas together with the built-in ones that they refer to. */
export function withDefinitions(own: Record<string, Schema>, all: Readonly<Record<string, Schema>>): Record<string, Schema> {
  return { ...own, ...definitionsOf(own, all) }
}
