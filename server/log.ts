import { type DestinationStream, type Logger, pino } from 'pino'

const hidden = ['cookie', 'authorization', 'password', 'secret', 'token', 'ticket', 'set-cookie']

/** The one logger: JSON lines on standard error. What could let somebody in is never in them. */
export function createLog(level: string, destination: DestinationStream = pino.destination(2)): Logger {
  return pino(
    {
      level,
      base: null,
      redact: { paths: hidden.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]), censor: 'hidden' },
      serializers: { err: describeError, error: describeError },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination,
  )
}

interface DescribedError {
  type: string
  message: string
  stack?: string
  code?: string
  cause?: DescribedError
}

/** An error without the values that drivers and libraries put into theirs: queries keep their text, not their parameters. */
function describeError(thrown: unknown): DescribedError {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: withoutValues(String(thrown)) }
  const described: DescribedError = { type: thrown.name, message: withoutValues(thrown.message) }
  if (thrown.stack) described.stack = withoutValues(thrown.stack)
  if ('code' in thrown && typeof thrown.code === 'string') described.code = thrown.code
  if (thrown.cause !== undefined) described.cause = describeError(thrown.cause)
  return described
}

/** Drops the "params: ..." that drizzle adds to the message of a failed query (and so to the beginning of its stack). */
function withoutValues(text: string): string {
  return text.replace(/\nparams: [\s\S]*?(?=\n {4}at |$)/, '')
}

/** What libraries print by themselves goes to the log instead, until disposed. */
export function captureConsole(log: Logger): Disposable {
  const original = { log: console.log, info: console.info, warn: console.warn, error: console.error }
  const forward =
    (level: 'debug' | 'warn' | 'error') =>
    (...parts: unknown[]) => {
      const err = parts.find((part) => part instanceof Error)
      const message = parts.filter((part) => typeof part === 'string').join(' ')
      log[level]({ from: 'console', ...(err ? { err } : {}) }, withoutValues(message) || err?.name || 'printed')
    }
  Object.assign(console, { log: forward('debug'), info: forward('debug'), warn: forward('warn'), error: forward('error') })
  return { [Symbol.dispose]: () => void Object.assign(console, original) }
}
