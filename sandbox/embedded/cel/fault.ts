/** Why an expression could not be evaluated, in one line as cel-go says it: without the picture of the place. */
export function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const summary = (error as { summary?: string }).summary ?? error.message.split('\n')[0] ?? ''
  return summary.replace(/^No such key/, 'no such key').replace(/^Unknown variable: (.*)$/, 'no such attribute(s): $1')
}
