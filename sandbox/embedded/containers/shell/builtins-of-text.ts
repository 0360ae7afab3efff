import { formatPrintf, readEscape } from './printf.ts'
import type { Shell } from './shell.ts'
import { TestFault, testArguments } from './test-expression.ts'

export async function echo(shell: Shell, args: string[]): Promise<number> {
  let escapes = shell.flavor === 'dash'
  let newline = true
  let index = 0
  for (; index < args.length; index++) {
    const option = args[index] as string
    if (shell.flavor === 'dash' ? option !== '-n' : !/^-[neE]+$/.test(option)) break
    if (option.includes('n')) newline = false
    if (option.includes('e')) escapes = true
    if (option.includes('E')) escapes = false
  }
  let text = args.slice(index).join(' ')
  if (escapes && text.includes('\\')) {
    let out = ''
    for (let at = 0; at < text.length; at++) {
      if (text[at] !== '\\') {
        out += text[at]
        continue
      }
      const special = readEscape(text, at)
      out += special.text
      at = special.end
      if (special.stop) {
        await shell.process.print(out)
        return 0
      }
    }
    text = out
  }
  await shell.process.print(newline ? `${text}\n` : text)
  return 0
}

export async function printf(shell: Shell, args: string[]): Promise<number> {
  let rest = args
  let target: string | undefined
  if (rest[0] === '-v') {
    target = rest[1]
    rest = rest.slice(2)
  }
  if (rest[0] === '--') rest = rest.slice(1)
  if (rest.length === 0) {
    await shell.complain(
      `printf: usage: printf ${shell.flavor === 'bash' ? '[-v var] format [arguments]' : shell.flavor === 'ash' ? 'FORMAT [ARGUMENT...]' : 'format [arg ...]'}`,
    )
    return 2
  }
  const { text, errors } = formatPrintf(rest[0] as string, rest.slice(1))
  // busybox says it while it converts, before anything is printed.
  if (shell.flavor === 'ash')
    for (const error of errors) await shell.complain(`printf: ${error.replace(/^(.*): (invalid number)$/s, "$2 '$1'")}`)
  if (target) shell.variables.set(target, text)
  else await shell.process.print(text)
  if (shell.flavor !== 'ash') for (const error of errors) await shell.complain(`printf: ${error}`)
  return errors.length > 0 ? 1 : 0
}

export function test(shell: Shell, name: string, args: string[]): Promise<number> | number {
  try {
    return testArguments(shell.process, args) ? 0 : 1
  } catch (error) {
    if (!(error instanceof TestFault)) throw error
    return refused(shell, `${name}: ${shell.flavor === 'ash' ? error.busybox : error.message}`)
  }
}

async function refused(shell: Shell, text: string): Promise<number> {
  await shell.complain(text)
  return 2
}

export function bracket(shell: Shell, args: string[]): Promise<number> | number {
  if (args.at(-1) !== ']') return refused(shell, shell.flavor === 'bash' ? "[: missing `]'" : '[: missing ]')
  return test(shell, '[', args.slice(0, -1))
}

export async function read(shell: Shell, args: string[]): Promise<number> {
  let raw = false
  let delimiter = '\n'
  let prompt = ''
  let timeout: number | undefined
  let fd = 0
  let limit = Number.POSITIVE_INFINITY
  let array: string | undefined
  const names: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (!/^-[a-zA-Z]/.test(arg) || names.length > 0) {
      names.push(arg)
      continue
    }
    for (let letter = 1; letter < arg.length; letter++) {
      const option = arg[letter] as string
      const value = () => {
        const rest = arg.slice(letter + 1)
        letter = arg.length
        return rest !== '' ? rest : (args[++index] ?? '')
      }
      if (option === 'r') raw = true
      else if (option === 'd') delimiter = value()
      else if (option === 'p') prompt = value()
      else if (option === 't') timeout = Number(value())
      else if (option === 'n' || option === 'N') limit = Number(value())
      else if (option === 'u') fd = Number(value())
      else if (option === 'a') array = value()
    }
  }
  if (prompt && shell.process.files.get(0)?.kind === 'tty') await shell.process.complain(prompt)
  const { process } = shell
  let text = ''
  let ended = true
  let complete = false
  const reading = async (): Promise<void> => {
    for (;;) {
      const line = await shell.readLine(fd, delimiter === '' ? '\0' : delimiter, limit)
      if (line === undefined) {
        ended = true
        return
      }
      ended = false
      text += line.text
      if (!raw && /(?:^|[^\\])(?:\\\\)*\\$/.test(line.text) && line.ended) {
        text = text.slice(0, -1)
        continue
      }
      complete = line.ended
      return
    }
  }
  if (timeout === undefined) await reading()
  else {
    const timedOut = await process.block<boolean>((resolve, reject) => {
      const timer = process.machine.after(timeout * 1000, () => resolve(true))
      reading().then(() => {
        timer.cancel()
        resolve(false)
      }, reject)
      return () => timer.cancel()
    })
    if (timedOut) return shell.flavor === 'bash' ? 142 : 1
  }
  if (array !== undefined) {
    const fields = splitFields(raw ? text : text, shell.ifs ?? ' \t\n', Number.POSITIVE_INFINITY, raw)
    shell.variables.setArray(array, new Map(fields.map((field, index) => [String(index), field])))
    return ended ? 1 : 0
  }
  if (names.length === 0) shell.variables.set('REPLY', raw ? text : unquoted(text))
  else {
    const fields = splitFields(text, shell.ifs ?? ' \t\n', names.length, raw)
    names.forEach((name, index) => {
      shell.variables.set(name, fields[index] ?? '')
    })
  }
  return ended || (!complete && limit === Number.POSITIVE_INFINITY) ? 1 : 0
}

/** Splits a line as read does: the last name takes the rest. */
function splitFields(line: string, ifs: string, count: number, raw: boolean): string[] {
  const white = [...ifs].filter((char) => /[ \t\n]/.test(char)).join('')
  const isWhite = (char: string | undefined) => char !== undefined && white.includes(char)
  const fields: string[] = []
  let at = 0
  while (isWhite(line[at])) at++
  while (at < line.length) {
    if (fields.length === count - 1) {
      let end = line.length
      while (end > at && isWhite(line[end - 1])) end--
      let rest = line.slice(at, end)
      // One closing separator after the last field is dropped with it.
      if (
        rest.length > 0 &&
        ifs.includes(rest.at(-1) as string) &&
        !isWhite(rest.at(-1)) &&
        [...rest.slice(0, -1)].every((char) => !ifs.includes(char))
      )
        rest = rest.slice(0, -1)
      fields.push(raw ? rest : unquoted(rest))
      return fields
    }
    let field = ''
    while (at < line.length && !ifs.includes(line[at] as string)) {
      if (line[at] === '\\' && !raw) at++
      field += line[at] ?? ''
      at++
    }
    fields.push(field)
    while (isWhite(line[at])) at++
    if (at < line.length && ifs.includes(line[at] as string)) {
      at++
      while (isWhite(line[at])) at++
    }
  }
  return fields
}

function unquoted(text: string): string {
  return text.replace(/\\(.)/gs, '$1')
}

export async function mapfile(shell: Shell, args: string[]): Promise<number> {
  const trim = args.includes('-t')
  const name = args.findLast((arg) => !arg.startsWith('-')) ?? 'MAPFILE'
  const items = new Map<string, string>()
  for (;;) {
    const line = await shell.readLine(0)
    if (line === undefined) break
    items.set(String(items.size), trim || !line.ended ? line.text : `${line.text}\n`)
  }
  shell.variables.setArray(name, items)
  return 0
}
