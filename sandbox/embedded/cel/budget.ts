import type { Work } from './declarations.ts'

/** Units of cost that one evaluation may come to: PerCallLimit of apiserver/pkg/apis/cel/config.go. */
export const perCallLimit = 1_000_000
/** That all rules of a schema for one object, or all expressions of a policy for one request, may come to. */
export const runtimeBudget = 10_000_000
/** That all match conditions of a policy or webhook may come to. */
export const matchConditionsBudget = 2_500_000

/**
 * Elements copied and compared in one evaluation. Cost stands for work only roughly (comparing lists counts their lengths, not
 * what is in them), so that there is a second end: a count as well, so that the same expression always ends at the same place. Patterns
 * take time by their lengths, which cost stands for.
 */
const mostWork = 5_000_000

/** An evaluation that is not to go on: neither || nor && does without its outcome. */
export class Cancelled extends Error {
  constructor(cause?: unknown) {
    super('operation cancelled: actual cost limit exceeded', { cause })
  }
}

/** What an evaluation has cost so far. Throws Cancelled when that is too much. */
export class Budget implements Work {
  cost = 0
  private work = 0
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  charge(cost: number): void {
    this.cost += cost
    if (this.cost > this.limit) throw new Cancelled()
  }

  spend(steps: number): void {
    this.work += steps
    if (this.work > mostWork) throw new Cancelled()
  }
}
