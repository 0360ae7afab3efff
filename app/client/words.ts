/** Fills {names} in a sentence. Islands get their sentences from the server in one language and need no more than this. */
export function fill(sentence: string, values: Record<string, string | number>): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole))
}
