/** Where commands of the text go: the terminal in front, or one on a node that is brought to the front first. */

export interface Front {
  /** The node it is on; null for the toolbox. */
  node: string | null
  /** False when it takes no input now. */
  type: (data: string) => boolean
  focus: () => void
}

/** Brings a terminal on that node (null: the toolbox) to the front, opening one if need be; rejects when there is none. */
export type Raise = (node: string | null) => Promise<void>

/** How long a shell on a node may take to come up, ms. */
const patience = 10_000

let front: Front | null = null
let raise: Raise | null = null
const listeners = new Set<() => void>()

export function setFrontTerminal(next: Front | null): void {
  front = next
  for (const listener of listeners) listener()
}

export function clearFrontTerminal(which: Front): void {
  if (front === which) setFrontTerminal(null)
}

/** The terminals on the page; null when they go. */
export function setRaise(next: Raise | null): void {
  raise = next
}

/**
 * Types the command and Enter. Resolves with false when there is no terminal for it that takes input; it is never kept for
 * later.
 */
export async function runInTerminal(command: string, node: string | null = null): Promise<boolean> {
  if (!front) return false
  if (!isOn(front.node, node)) {
    const raised = await raise?.(node).then(
      () => true,
      () => false,
    )
    if (raised) await until(() => front !== null && isOn(front.node, node), patience)
  }
  const there = front
  if (!there || !(isOn(there.node, node) || node === null)) return false
  const sent = there.type(`${command.replaceAll('\n', '\r')}\r`)
  if (sent) there.focus()
  return sent
}

/** A node by its name or by the part of it that is the same on every engine: 'worker' is labernetes-worker. */
export function isOn(node: string | null, wanted: string | null): boolean {
  return node === wanted || (node !== null && wanted !== null && node.endsWith(`-${wanted}`))
}

export function hasTerminal(): boolean {
  return front !== null
}

export function onTerminalChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function until(condition: () => boolean, most: number): Promise<void> {
  if (condition()) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stop()
      resolve()
    }
    const timer = setTimeout(done, most)
    const stop = onTerminalChange(() => condition() && done())
  })
}
