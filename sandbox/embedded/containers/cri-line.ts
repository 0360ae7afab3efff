import type { LogLine } from './runtime.ts'

/** A line as the runtime writes it into a log's file: `2026-11-22T08:03:54.1103Z stdout F text`; P for one that goes on in the next. */
export function criLine({ time, stream, text }: LogLine): string {
  const whole = text.endsWith('\n')
  return `${criTime(time)} ${stream} ${whole ? 'F' : 'P'} ${text}${whole ? '' : '\n'}`
}

/** Bytes of that. */
export function criLength({ time, text }: LogLine): number {
  return timeLength(time) + besideTime + Buffer.byteLength(text) + (text.endsWith('\n') ? 0 : 1)
}

/** Go's RFC3339Nano: as many digits of the second as it takes. */
function criTime(ms: number): string {
  const fraction = String(nanoseconds(ms)).padStart(9, '0').replace(/0+$/, '')
  return `${new Date(ms).toISOString().slice(0, secondsLength)}${fraction === '' ? '' : `.${fraction}`}Z`
}

function timeLength(ms: number): number {
  let digits = 9
  let rest = nanoseconds(ms)
  if (rest === 0) return secondsLength + 1
  for (; rest % 10 === 0; rest /= 10) digits--
  return secondsLength + 2 + digits
}

/** Since the second began. */
function nanoseconds(ms: number): number {
  return (Math.floor(ms) % 1000) * 1e6 + Math.floor((ms % 1) * 1e6)
}

const secondsLength = '2026-11-22T08:03:54'.length
const besideTime = ' stdout F '.length
