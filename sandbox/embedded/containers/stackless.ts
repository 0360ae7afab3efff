/** An error that is an answer, and a frequent one: where it comes from is not worth the time that a stack takes. */
export class Stackless extends Error {
  constructor(message: string) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = limit
  }
}
