/** What is wrong with an expression, and where it stands, in code points. */
export interface Fault {
  readonly at: number
  readonly message: string
}

/** An expression that does not compile, in the words of the server's compiler. */
export class CompileError extends Error {
  readonly faults: readonly Fault[]
  constructor(text: string, faults: readonly Fault[]) {
    super(located(text, faults))
    this.faults = faults
  }
}

const mostShown = 100
const longestLine = 16_384

/** As cel-go shows faults: where, what, and the line with a mark under the place. */
function located(text: string, faults: readonly Fault[]): string {
  const points = [...text]
  const sorted = faults.map((fault) => ({ ...fault, ...placeOf(points, fault.at) })).sort((a, b) => a.line - b.line || a.column - b.column)
  const lines = text.split('\n')
  const shown = sorted.slice(0, mostShown).map(({ line, column, message }) => {
    // a text without anything in it has no first column
    const head = `ERROR: <input>:${line}:${text === '' ? 0 : column + 1}: ${message}`
    const source = lines[line - 1]
    if (source === undefined || source.length > longestLine || text === '') return head
    return `${head}\n | ${source.replaceAll('\t', ' ')}\n | ${mark([...source], column)}`
  })
  if (sorted.length > mostShown) shown.push(`${sorted.length - mostShown} more errors were truncated`)
  return shown.join('\n')
}

function placeOf(points: readonly string[], at: number): { line: number; column: number } {
  if (at < 0) return { line: -1, column: -1 }
  const before = points.slice(0, at)
  const start = before.lastIndexOf('\n') + 1
  return { line: before.filter((point) => point === '\n').length + 1, column: at - start }
}

/** Under wide characters stand wide marks. */
function mark(line: readonly string[], column: number): string {
  const isWide = (at: number) => (line[at]?.codePointAt(0) ?? 0) > 127
  let text = ''
  for (let at = 0; at < column && at < line.length; at++) text += isWide(at) ? '\uff0e' : '.'
  return text + (isWide(column) ? '\uff3e' : '^')
}
