/** Where commands of the text go: the terminal in front, when there is one. */

type Type = (data: string) => boolean
interface Front {
  type: Type
  focus: () => void
}

let front: Front | null = null
const listeners = new Set<() => void>()

export function setFrontTerminal(next: Front | null): void {
  front = next
  for (const listener of listeners) listener()
}

export function clearFrontTerminal(which: Front): void {
  if (front === which) setFrontTerminal(null)
}

/** Types the command and Enter. False when there is no open terminal that takes input; it is never kept for later. */
export function runInTerminal(command: string): boolean {
  if (!front) return false
  const sent = front.type(`${command.replaceAll('\n', '\r')}\r`)
  if (sent) front.focus()
  return sent
}

export function hasTerminal(): boolean {
  return front !== null
}

export function onTerminalChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
