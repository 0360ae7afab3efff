import { isApiError } from '../machinery/errors.ts'

/** The namespace is going: nothing can be created in it any more, and nobody needs to be told. */
export function isNamespaceTerminating(error: unknown): boolean {
  return isApiError(error, 'Forbidden') && Boolean(error.body.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating'))
}

/** An error's sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
