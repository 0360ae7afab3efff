/** Command line options as getopt reads them. */
export interface Options {
  /** By letter or long name; a flag given twice counts 2. */
  flags: Map<string, number>
  values: Map<string, string[]>
  operands: string[]
  /** The first option that is not known. */
  unknown: string | undefined
  /** An option whose value is missing. */
  missing: string | undefined
}

/**
 * @param spec getopt's letters, a colon after those with a value: 'n:q'
 * @param long long names and the letter they stand for; a name ending in = takes a value, in =? may take one
 * @param inOrder stop at the first operand (env, timeout, xargs)
 */
export function parseOptions(args: readonly string[], spec: string, long: Record<string, string> = {}, inOrder = false): Options {
  const options: Options = { flags: new Map(), values: new Map(), operands: [], unknown: undefined, missing: undefined }
  const flag = (name: string) => options.flags.set(name, (options.flags.get(name) ?? 0) + 1)
  const value = (name: string, text: string) => {
    flag(name)
    options.values.set(name, [...(options.values.get(name) ?? []), text])
  }
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (arg === '--') {
      options.operands.push(...args.slice(index + 1))
      break
    }
    if (arg.startsWith('--')) {
      const at = arg.indexOf('=')
      const name = at === -1 ? arg.slice(2) : arg.slice(2, at)
      if (`${name}=` in long) {
        const text = at === -1 ? args[++index] : arg.slice(at + 1)
        if (text === undefined) options.missing ??= name
        else value(long[`${name}=`] as string, text)
      } else if (`${name}=?` in long) value(long[`${name}=?`] as string, at === -1 ? '' : arg.slice(at + 1))
      else if (name in long) flag(long[name] as string)
      else options.unknown ??= `--${name}`
      continue
    }
    if (!arg.startsWith('-') || arg === '-') {
      if (inOrder) {
        options.operands.push(...args.slice(index))
        break
      }
      options.operands.push(arg)
      continue
    }
    for (let letter = 1; letter < arg.length; letter++) {
      const name = arg[letter] as string
      const at = name === ':' ? -1 : spec.indexOf(name)
      if (at === -1) {
        options.unknown ??= name
        continue
      }
      if (spec[at + 1] !== ':') {
        flag(name)
        continue
      }
      const rest = arg.slice(letter + 1)
      const text = rest !== '' ? rest : args[++index]
      if (text === undefined) options.missing ??= name
      else value(name, text)
      break
    }
  }
  return options
}

export function last(options: Options, name: string): string | undefined {
  return options.values.get(name)?.at(-1)
}

/** busybox' answer to an option that it does not have. */
export function badOption(options: Options): string | undefined {
  if (options.missing !== undefined) return `option requires an argument -- '${options.missing}'`
  if (options.unknown === undefined) return undefined
  return options.unknown.startsWith('--') ? `unrecognized option '${options.unknown}'` : `unrecognized option: ${options.unknown}`
}
