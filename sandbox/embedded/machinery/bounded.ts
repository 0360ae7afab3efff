import { createContext, Script } from 'node:vm'

/** Work that took more of the thread than it may. */
export class RanTooLong extends Error {}

/**
 * Does work of one piece, and gives it up when it has taken so many ms of this thread's CPU: what users bring may take for ever.
 * On a busy machine it begins again with more time. Throws RanTooLong; the work must not mind being broken off anywhere.
 */
export function bounded<T>(work: () => T, ms: number): T {
  for (let timeout = ms; ; timeout *= 2) {
    const before = process.threadCpuUsage()
    sandbox.work = work
    try {
      return script.runInContext(sandbox, { timeout }) as T
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      const { user, system } = process.threadCpuUsage(before)
      if ((user + system) / 1000 >= ms * enough || timeout > ms * mostPatience)
        throw new RanTooLong(`it took more than ${ms} ms`, { cause: error })
    } finally {
      sandbox.work = undefined
    }
  }
}

/** The part of the time that is proof enough. */
const enough = 0.8
/** Times as long as it may take where the machine gives the thread next to nothing. */
const mostPatience = 30

const sandbox: { work: (() => unknown) | undefined } = createContext({ work: undefined }) as never
const script = new Script('work()')
