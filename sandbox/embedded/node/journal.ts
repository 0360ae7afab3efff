import type { Clock } from '../clock.ts'

/** One line of a node's journal. */
export interface JournalEntry {
  /** Cluster ms. */
  time: number
  /** The unit whose journal shows it: kubelet.service; empty for the kernel's lines. */
  unit: string
  /** Who wrote it: kubelet, containerd, systemd. */
  identifier: string
  pid: number
  text: string
}

/** Lines a node keeps; the oldest go first. */
const kept = 2000

/** What journald holds of one node. */
export class Journal {
  private readonly clock: Clock
  private readonly lines: JournalEntry[]
  private readonly listeners = new Set<(entry: JournalEntry) => void>()

  constructor(clock: Clock, lines: readonly JournalEntry[] = []) {
    this.clock = clock
    this.lines = [...lines]
  }

  entries(): readonly JournalEntry[] {
    return this.lines
  }

  write(entry: Omit<JournalEntry, 'time'>): void {
    const full = { time: this.clock.now(), ...entry }
    this.lines.push(full)
    if (this.lines.length > kept) this.lines.splice(0, this.lines.length - kept)
    for (const listener of [...this.listeners]) listener(full)
  }

  onEntry(listener: (entry: JournalEntry) => void): Disposable {
    this.listeners.add(listener)
    return { [Symbol.dispose]: () => this.listeners.delete(listener) }
  }
}

export type Severity = 'I' | 'W' | 'E'

/**
 * A line as klog writes it: severity, time, process, place, a quoted message and its values.
 * @see https://github.com/kubernetes/klog
 */
export function klogLine(
  time: number,
  pid: number,
  severity: Severity,
  place: string,
  message: string,
  values: Record<string, unknown> = {},
): string {
  const stamp = new Date(time).toISOString()
  const micros = `${stamp.slice(20, 23)}${String(Math.floor((time % 1) * 1000)).padStart(3, '0')}`
  const head = `${severity}${stamp.slice(5, 7)}${stamp.slice(8, 10)} ${stamp.slice(11, 19)}.${micros} ${String(pid).padStart(7)} ${place}]`
  const pairs = Object.entries(values).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
  return `${head} ${JSON.stringify(message)}${pairs.join('')}`
}

/** A line as containerd writes it (logrus' text format). */
export function containerdLine(
  time: number,
  level: 'info' | 'warning' | 'error',
  message: string,
  values: Record<string, string> = {},
): string {
  const stamp = `${new Date(time).toISOString().slice(0, 23)}${String(Math.floor((time % 1) * 1e6)).padStart(6, '0')}Z`
  const pairs = Object.entries(values).map(([name, value]) => ` ${name}=${/^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)}`)
  return `time="${stamp}" level=${level} msg=${JSON.stringify(message)}${pairs.join('')}`
}
