import type { Clock } from '../clock.ts'

/** Settles as the work does, or rejects with the reason of the first of the signals that aborts. */
export function unlessAborted<T>(work: Promise<T>, signals: (AbortSignal | undefined)[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const listening = signals.filter((signal) => signal !== undefined)
    const abort = () => {
      finish()
      reject(listening.find(({ aborted }) => aborted)?.reason)
    }
    const finish = () => {
      for (const signal of listening) signal.removeEventListener('abort', abort)
    }
    if (listening.some(({ aborted }) => aborted)) {
      work.catch(() => {})
      return abort()
    }
    for (const signal of listening) signal.addEventListener('abort', abort, { once: true })
    work.then(
      (value) => {
        finish()
        resolve(value)
      },
      (error) => {
        finish()
        reject(error)
      },
    )
  })
}

/**
 * Work that takes turns of the event loop which the clock does not see (encryption, frames): time stands still for it, but not
 * for a peer that never answers.
 */
export function inFewTurns<T>(clock: Clock, work: Promise<T>): Promise<T> {
  void clock.during(Promise.race([work.catch(() => undefined), turns(mostTurns)]))
  return work
}

const mostTurns = 1000

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
