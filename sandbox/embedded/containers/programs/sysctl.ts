import type { Process } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'
import { dotted } from '../vfs/sysctl.ts'
import { parseOptions } from './options.ts'

/** busybox' sysctl: kernel parameters by name, read and, where that is allowed, written. */
export async function sysctl(process: Process): Promise<number> {
  const { flags, operands } = parseOptions(process.args, 'aAneqw')
  const { parameters } = process.machine
  const bare = flags.has('n')
  let status = 0
  const show = async (name: string) => {
    const value = parameters.get(name)
    if (value !== undefined) return process.print(bare ? `${value}\n` : `${dotted(name)} = ${value}\n`)
    status = 1
    if (!flags.has('e')) await process.complain(`sysctl: error: '${dotted(name)}' is an unknown key\n`)
  }
  if (flags.has('a') || flags.has('A')) for (const name of parameters.names()) await show(name)
  for (const operand of operands) {
    const equals = operand.indexOf('=')
    if (equals === -1) {
      await show(operand)
      continue
    }
    const name = operand.slice(0, equals).trim()
    try {
      parameters.set(name, operand.slice(equals + 1).trim())
      if (!flags.has('q')) await show(name)
    } catch (error) {
      if (!(error instanceof Errno)) throw error
      status = 1
      const why =
        error.code === 'ENOENT' ? `error: '${dotted(name)}' is an unknown key` : `error setting key '${dotted(name)}': ${error.message}`
      await process.complain(`sysctl: ${why}\n`)
    }
  }
  return status
}
