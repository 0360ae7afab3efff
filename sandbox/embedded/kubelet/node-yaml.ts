import { parse } from 'yaml'
import { freezeSharing } from '../machinery/freeze.ts'

/** Texts that are remembered, the latest of them, and how long one may be. */
const remembered = 32
const longest = 64 * 1024

const known = new Map<string, unknown>()

/**
 * What a file of a node says, frozen: nearly all nodes of all clusters have the same ones, and YAML takes long to read. Throws
 * YAMLParseError.
 */
export function readYaml(text: string): unknown {
  if (known.has(text)) return known.get(text)
  const value = freezeSharing(parse(text) as unknown)
  if (text.length > longest) return value
  known.set(text, value)
  for (const [oldest] of known) {
    if (known.size <= remembered) break
    known.delete(oldest)
  }
  return value
}
