/** Server-Sent Events from a subscription. */
import type { SandboxEvent } from '../../platform/model.ts'

const heartbeat = 15_000

/**
 * Answers once the subscription stands (so that a refusal is still an ordinary error) and ends when the reader goes away or
 * the subscription does. A comment every 15 s keeps proxies from closing a quiet stream.
 */
export async function eventStream(
  gone: AbortSignal,
  subscribe: (send: (event: SandboxEvent) => void, signal: AbortSignal) => Promise<void>,
): Promise<Response> {
  const end = new AbortController()
  const early: SandboxEvent[] = []
  let send: (event: SandboxEvent) => void = (event) => early.push(event)
  let close = () => {}
  gone.addEventListener('abort', () => end.abort(), { once: true })

  // Settles when the first event has come (the subscription stands) or it was refused.
  const first = Promise.withResolvers<void>()
  const over = subscribe((event) => {
    first.resolve()
    send(event)
  }, end.signal)
  over.then(
    () => {
      first.resolve()
      close()
    },
    (error: unknown) => {
      first.reject(error)
      close()
    },
  )
  await first.promise

  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string) => {
        if (!end.signal.aborted) controller.enqueue(encoder.encode(text))
      }
      send = (event) => write(`data: ${JSON.stringify(event)}\n\n`)
      timer = setInterval(() => write(': still here\n\n'), heartbeat)
      close = () => {
        clearInterval(timer)
        if (!end.signal.aborted) controller.close()
        end.abort()
      }
      end.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
      for (const event of early) send(event)
    },
    cancel() {
      end.abort()
    },
  })
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' },
  })
}
