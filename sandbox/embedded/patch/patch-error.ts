/**
 * A patch that cannot be applied: 400 when it is malformed, 413 when it is too much, 415 when the kind does not take it, 422
 * when it does not fit the object, 500 when its directives are wrong (as the API server answers). The message is the server's;
 * where that says nothing, `cause` has the reason.
 */
export class PatchError extends Error {
  readonly status: 400 | 413 | 415 | 422 | 500

  constructor(status: PatchError['status'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

export function doesNotFit(reason: string): PatchError {
  return new PatchError(422, 'the server rejected our request due to an error in our request', { cause: new Error(reason) })
}
