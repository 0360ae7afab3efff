import { PlatformError } from './errors.ts'

/** Names that come from outside (lessons, labs, tasks, questions): throws `bad-request` for what cannot be one. */
export function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/.test(name)) throw new PlatformError('bad-request')
}
