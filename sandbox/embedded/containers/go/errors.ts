import { Errno } from '../vfs/errno.ts'

/** A failed file operation as os.PathError prints it: open /x: no such file or directory. */
export function pathError(operation: string, path: string, error: unknown): string {
  if (!(error instanceof Errno)) throw error
  return `${operation} ${path}: ${errnoText(error)}`
}

/** Go's texts are libc's without the capital. */
export function errnoText(error: Errno): string {
  return (error.message[0] ?? '').toLowerCase() + error.message.slice(1)
}
