import type { Process } from '../kernel/process.ts'

/** Go's standard logger: a line on stderr with date and time. */
export async function logPrint(process: Process, text: string): Promise<void> {
  const now = new Date(process.machine.now()).toISOString()
  await process.complain(`${now.slice(0, 10).replaceAll('-', '/')} ${now.slice(11, 19)} ${text.replace(/\n$/, '')}\n`)
}

/** log.Fatal: the line, and exit code 1. */
export async function logFatal(process: Process, text: string): Promise<number> {
  await logPrint(process, text)
  return 1
}

/** klog's info line: I1121 10:02:03.123456       1 file.go:75] text */
export function klogInfo(process: Process, place: string, text: string): Promise<void> {
  return klog(process, 'I', place, text)
}

/** The same for errors, which begin with an E. */
export function klogError(process: Process, place: string, text: string): Promise<void> {
  return klog(process, 'E', place, text)
}

async function klog(process: Process, severity: 'I' | 'E', place: string, text: string): Promise<void> {
  const now = new Date(process.machine.now()).toISOString()
  const date = now.slice(5, 10).replace('-', '')
  await process.complain(`${severity}${date} ${now.slice(11, 23)}000 ${String(process.pid).padStart(7)} ${place}] ${text}\n`)
}

/** A time as %v prints it. `since` is when the process started: the monotonic clock's reading comes with it. */
export function goTime(now: number, since: number): string {
  const iso = new Date(now).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)} +0000 UTC m=+${((now - since) / 1000).toFixed(9)}`
}
