/** A patch that cannot be applied: 400 when it is malformed, 415 when the kind does not take it, 422 when it does not fit the object. */
export class PatchError extends Error {
  readonly status: 400 | 415 | 422

  constructor(status: 400 | 415 | 422, message: string) {
    super(message)
    this.status = status
  }
}
