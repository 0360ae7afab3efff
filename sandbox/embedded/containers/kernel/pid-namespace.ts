import type { Process } from './process.ts'

/** The processes that know each other by number. A container has one of its own unless its pod shares it. */
export class PidNamespace {
  readonly processes = new Map<number, Process>()
  private next = 1
  private readonly numbers: (() => number) | undefined

  /** @param numbers where the numbers after the first process' come from */
  constructor(numbers?: () => number) {
    this.numbers = numbers
  }

  take(): number {
    const next = this.next++
    return next > 1 && this.numbers ? this.numbers() : next
  }

  add(process: Process): void {
    this.processes.set(process.pid, process)
  }

  /** With its first process all others end. */
  ended(process: Process): void {
    this.processes.delete(process.pid)
    if (process.pid !== 1) return
    for (const other of [...this.processes.values()].reverse()) other.end({ code: 137, signal: 'KILL' })
  }
}
