import { type Document, LineCounter, parseDocument, type ScalarTag, type YAMLError } from 'yaml'
import { duplicatesInYaml } from './duplicate-fields.ts'
import { goYaml } from './go-yaml.ts'

/** What a text of YAML says, in a form that goes from thread to thread: its first document as JSON, or why there is none. */
export type YamlReading = { json: string; duplicates: string[] } | { fault: string }

/** Reads YAML as the API server does (sigs.k8s.io/yaml). A fault is in the words of libyaml, where they can be told. */
export function readYaml(text: string): YamlReading {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { uniqueKeys: false, schema: 'core', lineCounter, prettyErrors: false, customTags: [binary] })
  // of several documents the first counts
  const problem = document.errors.find(({ code }) => code !== 'MULTIPLE_DOCS')
  if (problem) return { fault: yamlFault(problem, lineCounter, text) }
  if (document.directives?.yaml.explicit && !/^%YAML\s+1\.1\s/m.test(text)) return { fault: 'yaml: found incompatible YAML document' }
  const value = yamlValue(document)
  if ('fault' in value) return value
  return { json: JSON.stringify(value.value ?? null), duplicates: duplicatesInYaml(document, lineCounter) }
}

/** JSON as a document of YAML. */
export function writeYaml(json: string): string {
  return goYaml(JSON.parse(json))
}

/** Text in base64, which go-yaml reads. */
const binary: ScalarTag = {
  tag: 'tag:yaml.org,2002:binary',
  resolve(text, onError) {
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.replace(/\s/g, ''))) {
      onError('!!binary value contains invalid base64 data')
    }
    return Buffer.from(text, 'base64').toString()
  },
}

/** Aliases that would grow beyond measure are a fault. */
function yamlValue(document: Document): { value: unknown } | { fault: string } {
  try {
    return { value: document.toJS() }
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    const unknown = /^Unresolved alias .*: (.*)$/.exec(error.message)?.[1]
    return { fault: unknown === undefined ? `yaml: ${error.message}` : `yaml: unknown anchor '${unknown}' referenced` }
  }
}

/** What libyaml would say, where it can be told from what this parser says. */
function yamlFault({ code, message, pos }: YAMLError, lines: LineCounter, text: string): string {
  const { line } = lines.linePos(pos[0])
  const at = line > 1 ? `line ${line}: ` : ''
  switch (code) {
    case 'TAB_AS_INDENT':
      return `yaml: ${at}found character that cannot start any token`
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return `yaml: ${at}mapping values are not allowed in this context`
    case 'MISSING_CHAR':
    case 'BAD_INDENT': {
      if (message.includes('quote')) return `yaml: ${at}found unexpected end of stream`
      const closing = /([}\]])$/.exec(message)?.[1]
      const inside = /[{[,:]\s*$/.test(text) ? 'node content' : `',' or '${closing}'`
      return closing ? `yaml: ${at || 'line 1: '}did not find expected ${inside}` : `yaml: ${at}${message}`
    }
    default:
      return `yaml: ${message}`
  }
}
