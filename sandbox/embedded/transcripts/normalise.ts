import type { Entry } from './run.ts'

/** Letters and digits of generated names: Kubernetes leaves out what could spell a word. */
const safe = '[bcdfghjklmnpqrstvwxz2456789]'

const replacements: [RegExp, string][] = [
  [/\u001b\[[0-9;]*[a-zA-Z]/g, ''],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uid>'],
  [/containerd:\/\/[0-9a-f]{64}/g, 'containerd://<id>'],
  [/\S+@sha256:[0-9a-f]{64}|sha256:[0-9a-f]{64}/g, '<digest>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, '<time>'],
  [/\b[0-9a-f]{64}\b/g, '<id>'],
  [/^[WEIF]\d{4} [\d:.]+ +\d+ /gm, 'W<time> '],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC/g, '<time>'],
  [/docker.io\/kindest\/local-path-helper:\S+/g, 'docker.io/library/busybox:1.36'],
  [/(Resource Version: +)\d+/g, '$1<version>'],
  [/(resourceVersion"?: *"?|resourceVersion=)\d+/g, '$1<version>'],
  [/https:\/\/127\.0\.0\.1:\d+/g, '<server>'],
  [/\/tmp\/transcripts-\w+/g, '<folder>'],
  [/\b\d{1,3}(\.\d{1,3}){3}\b(?!\/)/g, '<ip>'],
  [new RegExp(`\\b([a-z][a-z0-9-]*)-${safe}{5}\\b`, 'g'), '$1-<random>'],
  [/\b[a-z]+-control-plane\b/g, '<node>'],
  [/\b\d+(\.\d+)?(ms|s)\b \(\d+(\.\d+)?(ms|s) including waiting\)/g, '<duration>'],
  [/(?<=^|\s|\()(\d+y)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(?<=[ydhms])(?=\s|\)|$)/gm, '<age>'],
  [/(:|\s)3\d{4}\/(TCP|UDP)/g, '$1<nodePort>/$2'],
  [/(HealthCheck NodePort: +)3\d{4}/g, '$1<nodePort>'],
  [/(nodePort"?: )3\d{4}/g, '$1<nodePort>'],
  [/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>'],
  [/Container image "([^"]+)" already present on machine( and can be accessed by the pod)?/g, 'Image "$1" is there'],
  [/Successfully pulled image "([^"]+)" in .*/g, 'Image "$1" is there'],
]

/** What kubectl says only where it was slower than what it looked at: a watch has ended, a container that it wanted to attach to. */
const late =
  /^W<time> reflector\.go:\d+\] "Warning: watch ended with error"|^warning: couldn't attach to pod\/\S+, falling back to streaming logs:/

/** What is left of a command's output without what no two runs have in common: times, addresses, generated names, races of kubectl's. */
export function normalise({ command, code, stdout, stderr }: Entry): Entry {
  return { command, code, stdout: normaliseText(stdout), stderr: normaliseText(stderr) }
}

function normaliseText(text: string): string {
  let result = text
  for (const [pattern, replacement] of replacements) result = result.replace(pattern, replacement)
  return result
    .split('\n')
    .filter((line) => !/Pulling image /.test(line) && !late.test(line))
    .map((line) => sortReasons(columns(line)))
    .join('\n')
}

/** kubectl drain's reasons come in any order. */
function sortReasons(line: string): string {
  const [, reasons] = /^Warning: ((?:ignoring|deleting) .*; .*)$/.exec(line) ?? []
  return reasons === undefined ? line : `Warning: ${reasons.split('; ').sort().join('; ')}`
}

/** The widths of columns hang on the longest name in them; indentation is kept. */
function columns(line: string): string {
  const indent = /^ */.exec(line)?.[0] ?? ''
  return (indent + line.slice(indent.length).replace(/\t| {2,}/g, '  ')).trimEnd()
}
