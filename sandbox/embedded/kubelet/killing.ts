import type { Clock } from '../clock.ts'
import type { Container as RuntimeContainer } from '../containers/runtime.ts'

export interface Killing {
  clock: Clock
  running: RuntimeContainer
  /** Seconds for hook and TERM together. */
  grace: number
  /** Absent when the container has none. What it runs goes on when the time is over, until the container is killed. */
  preStop?: (signal: AbortSignal) => Promise<void>
  /** Resolves when the containers that must go before this one are gone. */
  turn?: Promise<void>
}

/** However long a hook took, the process gets this much time between TERM and KILL, seconds. */
const minimumGrace = 2

/**
 * Stops a container: hook, TERM, KILL, on one clock. Resolves when it has exited.
 * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
 */
export async function stopContainer({ clock, running, grace, preStop, turn }: Killing): Promise<void> {
  if (hasExited(running)) return
  const exited = exitOf(running)
  let left = grace
  if (preStop && left > 0) left -= await timed(clock, left, preStop)
  if (turn && left > 0) left -= await timed(clock, left, () => turn)
  running.signal('SIGTERM')
  const wait = new AbortController()
  await Promise.race([exited, pause(clock, Math.max(left, minimumGrace), wait.signal)])
  wait.abort()
  if (!hasExited(running)) running.signal('SIGKILL')
  await exited
}

/** Resolves when a container has exited. */
function exitOf(running: RuntimeContainer): Promise<void> {
  return new Promise((resolve) => {
    if (hasExited(running)) return resolve()
    const listening = running.onExit(() => {
      listening[Symbol.dispose]()
      resolve()
    })
  })
}

/** Waits for work, for the seconds given at most; answers how many whole seconds went by. */
async function timed(clock: Clock, seconds: number, work: (signal: AbortSignal) => Promise<void>): Promise<number> {
  const started = clock.now()
  const over = new AbortController()
  await Promise.race([work(over.signal), pause(clock, seconds, over.signal)])
  over.abort()
  return Math.floor((clock.now() - started) / 1000)
}

/** Resolves after the time, or at once when the signal aborts. */
async function pause(clock: Clock, seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(seconds * 1000, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function hasExited(container: RuntimeContainer): boolean {
  return container.state === 'exited'
}
