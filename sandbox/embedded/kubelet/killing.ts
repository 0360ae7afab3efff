import type { Clock } from '../clock.ts'
import type { Container as RuntimeContainer } from '../containers/runtime.ts'

export interface Killing {
  clock: Clock
  running: RuntimeContainer
  /** Seconds for hook and TERM together. */
  grace: number
  /** Absent when the container has none. */
  preStop?: (signal: AbortSignal) => Promise<void>
  /** Resolves when the containers that must go before this one are gone. */
  turn?: Promise<void>
  /** Aborts with a number, the shorter grace in seconds, when somebody asks for more haste. */
  haste: AbortSignal
}

/** However long a hook took, the process gets this much time between TERM and KILL, seconds. */
const minimumGrace = 2

/**
 * Stops a container: hook, TERM, KILL, on one clock. Resolves when it has exited.
 * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
 */
export async function stopContainer({ clock, running, grace, preStop, turn, haste }: Killing): Promise<void> {
  if (hasExited(running)) return
  const exited = exitOf(running)
  let left = grace
  if (preStop && left > 0) left -= await timed(clock, left, haste, preStop)
  if (turn && left > 0) left -= await timed(clock, left, haste, () => turn)
  running.signal('SIGTERM')
  if (haste.aborted) left = Number(haste.reason)
  const wait = new AbortController()
  const stop = AbortSignal.any([wait.signal, haste])
  const ended = await Promise.race([exited.then(() => true), pause(clock, Math.max(left, minimumGrace), stop)])
  if (!ended && haste.aborted) {
    await Promise.race([exited.then(() => true), pause(clock, Math.max(Number(haste.reason), minimumGrace), wait.signal)])
  }
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
async function timed(clock: Clock, seconds: number, haste: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<number> {
  const started = clock.now()
  const over = new AbortController()
  const stop = AbortSignal.any([over.signal, haste])
  await Promise.race([work(stop), pause(clock, seconds, stop)])
  over.abort()
  return Math.floor((clock.now() - started) / 1000)
}

/** False after the time, or at once when the signal aborts. */
async function pause(clock: Clock, seconds: number, signal: AbortSignal): Promise<false> {
  try {
    await clock.sleep(seconds * 1000, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return false
}

function hasExited(container: RuntimeContainer): boolean {
  return container.state === 'exited'
}
