import type { Queries } from '../database.ts'

/**
 * A process that is killed after so many steps at its border (database, sandbox host): the step it dies at may or may not have
 * taken effect, nothing after it does, and nobody in it learns anything any more.
 */
export class Life {
  readonly steps: number
  private left: number
  private readonly dying = Promise.withResolvers<void>()
  dead = false

  /** `steps`: Infinity for one that is not killed. */
  constructor(steps: number) {
    this.steps = steps
    this.left = steps
  }

  /** Resolves when it is killed. */
  get death(): Promise<void> {
    return this.dying.promise
  }

  /** One step of the process; never resolves in a dead one. */
  async step(): Promise<void> {
    if (!this.dead && --this.left <= 0) this.kill()
    if (this.dead) await forever
  }

  kill(): void {
    this.dead = true
    this.dying.resolve()
  }
}

const forever = new Promise<never>(() => undefined)
const killed = Symbol('killed')

/** The database as such a process sees it. A transaction that is open when it dies is rolled back, as when a connection breaks. */
export function mortalQueries(queries: Queries, life: Life): Queries {
  return new Proxy(queries, {
    get(target, name) {
      if (name === 'transaction')
        return async (work: (change: Queries) => Promise<unknown>) => {
          await life.step()
          try {
            const result = await target.transaction(async (change) => {
              const done = await work(inTransaction(change as unknown as Queries, life))
              if (life.dead) throw killed
              return done
            })
            await life.step()
            return result
          } catch (error) {
            if (error === killed || life.dead) await forever
            throw error
          }
        }
      return wrapped(target, name, () => life.step())
    },
  })
}

function inTransaction(change: Queries, life: Life): Queries {
  const step = async () => {
    // the death itself is not waited for in here: the database has to be let go
    void life.step()
    if (life.dead) throw killed
  }
  return new Proxy(change, { get: (target, name) => wrapped(target, name, step) })
}

/** Builders are passed through; what they resolve with is stepped before and after. */
function wrapped(target: object, name: string | symbol, step: () => Promise<void>): unknown {
  const value: unknown = Reflect.get(target, name, target)
  if (typeof value !== 'function') return value
  if (name === 'then')
    return (resolve: (value: unknown) => void, reject: (error: unknown) => void) =>
      step()
        .then(() => target as PromiseLike<unknown>)
        .then(async (result) => {
          await step()
          return result
        })
        .then(resolve, reject)
  return (...args: unknown[]) => {
    const result: unknown = Reflect.apply(value, target, args)
    return typeof result === 'object' && result !== null && !(result instanceof Promise)
      ? new Proxy(result, { get: (inner, key) => wrapped(inner, key, step) })
      : result
  }
}
