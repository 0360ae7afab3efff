import { Stackless } from '../stackless.ts'

/** A failed system call. `message` is libc's text, as programs print it. */
export class Errno extends Stackless {
  readonly code: ErrnoCode
  constructor(code: ErrnoCode) {
    super(texts[code])
    this.code = code
  }
}

export type ErrnoCode = keyof typeof texts

const texts = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  EEXIST: 'File exists',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  EINVAL: 'Invalid argument',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
  ENOTEMPTY: 'Directory not empty',
  ELOOP: 'Too many levels of symbolic links',
  EBADF: 'Bad file descriptor',
  EPIPE: 'Broken pipe',
  ESRCH: 'No such process',
  ECHILD: 'No child processes',
  EAGAIN: 'Resource temporarily unavailable',
  EBUSY: 'Device or resource busy',
  EXDEV: 'Cross-device link',
  ENOEXEC: 'Exec format error',
  ENAMETOOLONG: 'File name too long',
  ENOTTY: 'Inappropriate ioctl for device',
  EFBIG: 'File too large',
} as const

/** What to print after "program: path: " for any error of a program. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
