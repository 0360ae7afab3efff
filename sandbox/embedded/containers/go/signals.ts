import type { Process } from '../kernel/process.ts'

/**
 * What the Go runtime does with signals that a program does not ask for: it ends with exit code 2, as PID 1 too, where
 * the kernel would have ignored them.
 */
export function dieOfSignals(process: Process): void {
  for (const signal of ['TERM', 'INT', 'HUP'] as const) process.trap(signal, () => process.end({ code: 2 }))
}

/** Blocks until the process ends by a signal, or by what one of its servers decides. */
export function forever(process: Process): Promise<number> {
  return process.block<number>(() => undefined)
}
