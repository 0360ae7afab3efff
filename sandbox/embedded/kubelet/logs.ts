import type { Clock } from '../clock.ts'
import { logPathOf } from '../containers/log-folders.ts'
import type { LogLine, Container as RuntimeContainer } from '../containers/runtime.ts'
import type { LogOptions } from '../machinery/node-api.ts'

/** A container's log as the options ask for it; with `follow` until the container ends or the signal aborts. */
export async function* logStream(
  clock: Clock,
  container: RuntimeContainer,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (container.log.removed) {
    const path = logPathOf(container.spec)
    yield Buffer.from(`failed to try resolving symlinks in path ${JSON.stringify(path)}: lstat ${path}: no such file or directory`)
    return
  }
  let queue: readonly LogLine[] = selected(clock, container, options)
  let coming: LogLine[] = []
  let at = 0
  let left = options.limitBytes ?? Infinity
  let newLine = true
  let wake = () => {}
  using _lines = container.log.onLine((line) => {
    if (!options.follow) return
    coming.push(line)
    wake()
  })
  using _exit = container.onExit(() => wake())
  const abort = () => wake()
  signal.addEventListener('abort', abort, { once: true })
  try {
    while (!signal.aborted && left > 0) {
      if (at === queue.length) {
        queue = coming
        coming = []
        at = 0
      }
      if (at < queue.length) {
        let text = ''
        while (at < queue.length && text.length < pieceSize) {
          const line = queue[at++] as LogLine
          // The pieces of a line that was too long for one record follow each other without their times.
          text += options.timestamps && newLine ? `${timestamp(line.time)} ${line.text}` : line.text
          newLine = line.text === '' || line.text.endsWith('\n')
        }
        const bytes = Buffer.from(text)
        const part = bytes.subarray(0, Math.min(bytes.length, left))
        left -= part.length
        if (part.length > 0) yield part
      } else if (!options.follow || container.state === 'exited') {
        return
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Characters, about, that are handed out together. */
const pieceSize = 32 * 2 ** 10

function selected(clock: Clock, container: RuntimeContainer, { sinceSeconds, sinceTime, tailLines }: LogOptions): readonly LogLine[] {
  const since = sinceTime ? Date.parse(sinceTime) : sinceSeconds === undefined ? undefined : clock.now() - sinceSeconds * 1000
  const all = container.log.lines()
  const lines = since === undefined ? all.slice() : all.filter(({ time }) => time >= since)
  if (tailLines === undefined) return lines
  return tailLines === 0 ? [] : lines.slice(-tailLines)
}

/** RFC 3339 with nanoseconds, as the runtime writes them into the log. */
function timestamp(ms: number): string {
  const [whole, fraction = ''] = new Date(ms).toISOString().slice(0, -1).split('.')
  const nanos = `${fraction}${Math.floor((ms % 1) * 1e6)
    .toString()
    .padStart(6, '0')}`
  return `${whole}.${nanos}Z`
}
