import { type Document, isMap, isScalar, isSeq, type LineCounter } from 'yaml'

/**
 * The fields that stand twice in a JSON text, as sigs.k8s.io/json names them in strict decoding: `duplicate field "spec.foo"`.
 * The text is known to be valid.
 */
export function duplicatesInJson(text: string): string[] {
  const found = new Set<string>()
  eachField(text, (path, again) => {
    if (again) found.add(`duplicate field ${JSON.stringify(path())}`)
  })
  return [...found]
}

/** The path of every field of a JSON text, in its order. */
export function fieldsOfJson(text: string): string[] {
  const paths: string[] = []
  eachField(text, (path) => paths.push(path()))
  return paths
}

function eachField(text: string, tell: (path: () => string, again: boolean) => void): void {
  /** A list counts, an object has keys. */
  const levels: ({ keys: Set<string>; key: string } | { index: number })[] = []
  const path = () => levels.reduce((at, level) => ('index' in level ? `${at}[${level.index}]` : at ? `${at}.${level.key}` : level.key), '')
  let at = 0
  while (at < text.length) {
    const top = levels.at(-1)
    switch (text.charCodeAt(at)) {
      case quote: {
        const end = endOfString(text, at)
        if (top && 'keys' in top && followedByColon(text, end)) {
          const raw = text.slice(at + 1, end - 1)
          top.key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
          tell(path, top.keys.has(top.key))
          top.keys.add(top.key)
        }
        at = end
        continue
      }
      case 0x7b:
        levels.push({ keys: new Set(), key: '' })
        break
      case 0x5b:
        levels.push({ index: 0 })
        break
      case 0x7d:
      case 0x5d:
        levels.pop()
        break
      case 0x2c:
        if (top && 'index' in top) top.index++
        break
    }
    at++
  }
}

/** The same of YAML, in the words of go-yaml: all of them in one text. */
export function duplicatesInYaml(document: Document, lines: LineCounter): string[] {
  const found: string[] = []
  const walk = (node: unknown): void => {
    if (isSeq(node)) for (const item of node.items) walk(item)
    if (!isMap(node)) return
    const keys = new Set<string>()
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : String(key)
      const range = isScalar(key) ? key.range : undefined
      if (keys.has(name)) found.push(`  line ${range ? lines.linePos(range[0]).line : 0}: key ${JSON.stringify(name)} already set in map`)
      keys.add(name)
      walk(value)
    }
  }
  walk(document.contents)
  return found.length > 0 ? [['yaml: unmarshal errors:', ...found].join('\n')] : []
}

const quote = 0x22
const backslash = 0x5c

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1
  return at + 1
}

function followedByColon(text: string, from: number): boolean {
  let at = from
  while (/\s/.test(text[at] ?? '')) at++
  return text[at] === ':'
}
