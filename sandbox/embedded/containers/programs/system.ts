import { linearRegExp } from '../../machinery/linear-regexp.ts'
import { nodeCores } from '../kernel/cpu.ts'
import type { Process, Run } from '../kernel/process.ts'
import { formatPrintf } from '../shell/printf.ts'
import { TestFault, testArguments } from '../shell/test-expression.ts'
import { mounts, nodeMemory } from '../vfs/proc.ts'
import { bytePrograms } from './bytes.ts'
import { sleepDuration } from './duration.ts'
import { baseName } from './files.ts'
import { formatTime, human, ownerName } from './format.ts'
import { dfOfNode, freeOfNode, uptimeOfNode } from './node-figures.ts'
import { last, parseOptions } from './options.ts'
import { processPrograms } from './processes.ts'
import { becomeCommand } from './run-command.ts'
import { runnerPrograms } from './runners.ts'
import { sysctl } from './sysctl.ts'
import { Output, readText } from './text.ts'
import { hasCoreutils, usage } from './usage.ts'

/** Programs about the system, the time, names and numbers. */
export const systemPrograms: Record<string, Run> = {
  true: () => 0,
  false: () => 1,
  sleep,
  echo,
  printf,
  test: bracketOrTest,
  '[': bracketOrTest,
  seq,
  yes,
  basename,
  dirname,
  date,
  env,
  printenv,
  id,
  whoami,
  hostname,
  uname,
  arch: async (process) => {
    await process.print('x86_64\n')
    return 0
  },
  nproc,
  free,
  uptime,
  df,
  mount,
  sync: () => 0,
  which,
  clear: async (process) => {
    await process.print('\x1b[H\x1b[J')
    return 0
  },
  tty,
  logname: whoami,
  groups,
  expr,
  usleep,
  stty: () => 0,
  reset: () => 0,
  pwd: async (process) => {
    await process.print(`${process.cwd}\n`)
    return 0
  },
  sysctl,
  vi,
  getconf,
  tput: () => 0,
  factor,
  ...processPrograms,
  ...bytePrograms,
  ...runnerPrograms,
}

async function sleep(process: Process): Promise<number> {
  const total = sleepDuration(process.args)
  if (typeof total === 'object') return process.fail(`invalid number '${total.invalid}'`)
  if (process.args.length === 0) return usage(process, 'missing operand')
  if (total === Number.POSITIVE_INFINITY) await process.block<void>(() => undefined)
  // As a container's main program it goes on with what is left after a restart of the platform and in a fork.
  const since = process.resume<number>() ?? process.machine.now()
  process.save(since)
  await process.sleep(Math.max(0, since + total - process.machine.now()))
  return 0
}

async function usleep(process: Process): Promise<number> {
  await process.sleep(Number(process.args[0] ?? 0) / 1000)
  return 0
}

async function echo(process: Process): Promise<number> {
  const plain = process.args[0] === '-n'
  await process.print(process.args.slice(plain ? 1 : 0).join(' ') + (plain ? '' : '\n'))
  return 0
}

async function printf(process: Process): Promise<number> {
  const [format, ...args] = process.args
  if (format === undefined) return usage(process, 'missing operand')
  const { text, errors } = formatPrintf(format, args)
  await process.print(text)
  for (const error of errors) await process.complain(`printf: ${error}\n`)
  return errors.length > 0 ? 1 : 0
}

async function bracketOrTest(process: Process): Promise<number> {
  const args = process.name === '[' ? process.args.slice(0, -1) : process.args
  try {
    return testArguments(process, args) ? 0 : 1
  } catch (error) {
    if (error instanceof TestFault) return process.fail(hasCoreutils(process) ? error.message : error.busybox, 2)
    throw error
  }
}

async function seq(process: Process): Promise<number> {
  const options = parseOptions(
    process.args.map((arg) => (/^-\d/.test(arg) ? `\0${arg}` : arg)),
    's:w',
  )
  const numbers = options.operands.map((text) => text.replace('\0', ''))
  const [first, second, third] = numbers.map(Number)
  if (first === undefined || numbers.some((text) => Number.isNaN(Number(text)))) return process.fail(`invalid number '${numbers[0] ?? ''}'`)
  const from = second === undefined ? 1 : first
  const step = third === undefined ? 1 : (second as number)
  const to = third ?? second ?? first
  const decimals = Math.max(...numbers.map((text) => (text.split('.')[1] ?? '').length))
  const width = options.flags.has('w') ? Math.max(from.toFixed(decimals).length, to.toFixed(decimals).length) : 0
  const separator = last(options, 's') ?? '\n'
  const out = new Output(process)
  let index = 0
  for (let value = from; step > 0 ? value <= to + 1e-9 : value >= to - 1e-9; value = from + ++index * step) {
    if (step === 0) break
    await out.add(`${index > 0 ? separator : ''}${value.toFixed(decimals).padStart(width, '0')}`)
    const wait = process.spend(300)
    if (wait) await wait
  }
  if (index > 0) await out.add('\n')
  await out.flush()
  return 0
}

async function yes(process: Process): Promise<number> {
  const line = `${process.args.length > 0 ? process.args.join(' ') : 'y'}\n`
  const block = Buffer.from(line.repeat(Math.max(1, Math.floor(16384 / line.length))))
  for (;;) await process.print(block)
}

async function basename(process: Process): Promise<number> {
  const [path, suffix] = process.args
  if (path === undefined) return usage(process, 'missing operand')
  const name = baseName(path)
  await process.print(`${suffix && name.endsWith(suffix) && name !== suffix ? name.slice(0, -suffix.length) : name}\n`)
  return 0
}

async function dirname(process: Process): Promise<number> {
  const path = (process.args[0] ?? '').replace(/\/+$/, '') || '/'
  const slash = path.lastIndexOf('/')
  await process.print(`${slash === -1 ? '.' : path.slice(0, slash) || '/'}\n`)
  return 0
}

async function date(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'ud:Rr:I', { utc: 'u', 'date=': 'd', 'iso-8601=?': 'J', 'rfc-3339=': 'K', iso8601: 'I' })
  let time = process.machine.now()
  const text = last(options, 'd')
  if (text !== undefined) {
    if (/^@-?\d+$/.test(text)) time = Number(text.slice(1)) * 1000
    else if (text !== 'now')
      time = Date.parse(
        /^\d{4}-\d\d-\d\d(?: |T)?[\d:.]*$/.test(text) ? `${text.trim().replace(' ', 'T')}${text.trim().length > 10 ? 'Z' : ''}` : text,
      )
    if (Number.isNaN(time)) return process.fail(`invalid date '${text}'`)
  }
  const format = options.operands.find((operand) => operand.startsWith('+'))
  const iso = last(options, 'J')
  let out: string
  if (format !== undefined) out = formatTime(format.slice(1), time)
  else if (options.flags.has('I')) out = formatTime('%F', time)
  else if (iso !== undefined) out = iso === '' ? formatTime('%F', time) : formatTime('%FT%T+00:00', time)
  else if (options.flags.has('R')) out = formatTime('%a, %d %b %Y %T +0000', time)
  else out = formatTime('%a %b %e %T UTC %Y', time)
  await process.print(`${out}\n`)
  return 0
}

async function env(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'iu:0', { 'ignore-environment': 'i', 'unset=': 'u' }, true)
  const next = options.flags.has('i') ? new Map<string, string>() : new Map(process.env)
  for (const name of options.values.get('u') ?? []) next.delete(name)
  const words = [...options.operands]
  while (words[0] !== undefined && /^[^=]+=/.test(words[0])) {
    const word = words.shift() as string
    next.set(word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1))
  }
  if (words.length > 0) {
    process.env = next
    return becomeCommand(process, words)
  }
  next.delete('_')
  await process.print([...next].map(([name, value]) => `${name}=${value}\n`).join(''))
  return 0
}

async function printenv(process: Process): Promise<number> {
  if (process.args.length === 0) return env(process)
  let status = 0
  for (const name of process.args) {
    const value = process.env.get(name)
    if (value === undefined) status = 1
    else await process.print(`${value}\n`)
  }
  return status
}

async function id(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'ugnGr')
  const { flags } = options
  const named = flags.has('n')
  const [asked] = options.operands
  const account = asked === undefined ? process : await accountOf(process, asked)
  if (!account) return process.fail(hasCoreutils(process) ? `'${asked}': no such user` : `unknown user ${asked}`)
  const { uid, gid, groups } = account
  const user = ownerName(process, uid, 'passwd', false)
  const groupName = (gid: number) => ownerName(process, gid, 'group', false)
  const group = groupName(gid)
  if (flags.has('u')) await process.print(`${named ? user : uid}\n`)
  else if (flags.has('g')) await process.print(`${named ? group : gid}\n`)
  else if (flags.has('G')) await process.print(`${groups.map((gid) => (named ? groupName(gid) : gid)).join(' ')}\n`)
  else {
    const label = (number: number, name: string) => (name === String(number) ? String(number) : `${number}(${name})`)
    await process.print(
      `uid=${label(uid, user)} gid=${label(gid, group)} groups=${groups.map((gid) => label(gid, groupName(gid))).join(',')}\n`,
    )
  }
  return 0
}

/** What /etc/passwd and /etc/group say of a user, by name or number. */
async function accountOf(process: Process, user: string): Promise<{ uid: number; gid: number; groups: number[] } | undefined> {
  const rows = async (path: string) => {
    if (!process.fs.find(path, process.who)) return []
    const text = new TextDecoder().decode(await process.readWhole(path))
    return text.split('\n').map((line) => line.split(':'))
  }
  const row = (await rows('/etc/passwd')).find(([name, , uid]) => name !== '' && (name === user || uid === user))
  if (!row) return undefined
  const [name = '', , uid, gid] = row
  const members = (await rows('/etc/group')).filter(([, , , names = '']) => names.split(',').includes(name))
  return { uid: Number(uid), gid: Number(gid), groups: [...new Set([Number(gid), ...members.map(([, , group]) => Number(group))])] }
}

async function whoami(process: Process): Promise<number> {
  const name = ownerName(process, process.uid, 'passwd', false)
  if (name === String(process.uid)) return process.fail(`unknown uid ${process.uid}`)
  await process.print(`${name}\n`)
  return 0
}

async function groups(process: Process): Promise<number> {
  await process.print(`${process.groups.map((gid) => ownerName(process, gid, 'group', false)).join(' ')}\n`)
  return 0
}

async function hostname(process: Process): Promise<number> {
  const { machine } = process
  const [arg] = process.args
  if (arg === '-i' || arg === '-I') await process.print(`${machine.network.ip}${arg === '-I' ? ' ' : ''}\n`)
  else if (arg === '-f') await process.print(`${await fullName(process)}\n`)
  else if (arg !== undefined && !arg.startsWith('-')) return process.fail('sethostname: Operation not permitted')
  else await process.print(`${arg === '-s' ? machine.hostname.split('.')[0] : machine.hostname}\n`)
  return 0
}

/** The first name that /etc/hosts has for this machine's address, which is its full one. */
async function fullName(process: Process): Promise<string> {
  const { hostname, network } = process.machine
  if (!process.fs.find('/etc/hosts', process.who)) return hostname
  const rows = new TextDecoder()
    .decode(await process.readWhole('/etc/hosts'))
    .split('\n')
    .map((line) => line.replace(/#.*/, '').split(/\s+/))
  return rows.find(([ip, ...names]) => ip === network.ip && names.includes(hostname))?.[1] ?? hostname
}

async function uname(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'amnrspvio')
  const parts: [string, string][] = [
    ['s', 'Linux'],
    ['n', process.machine.hostname],
    ['r', '6.12.0-embedded'],
    ['v', '#1 SMP PREEMPT_DYNAMIC'],
    ['m', 'x86_64'],
    ['o', 'GNU/Linux'],
  ]
  const all = options.flags.has('a')
  const shown = parts.filter(([letter]) => all || options.flags.has(letter) || (options.flags.size === 0 && letter === 's'))
  await process.print(`${shown.map(([, text]) => text).join(' ')}\n`)
  return 0
}

async function nproc(process: Process): Promise<number> {
  await process.print(`${nodeCores}\n`)
  return 0
}

async function free(process: Process): Promise<number> {
  if (process.machine.host) return await freeOfNode(process)
  const unit = process.args.includes('-m') ? 1024 ** 2 : process.args.includes('-g') ? 1024 ** 3 : process.args.includes('-b') ? 1 : 1024
  const readable = process.args.includes('-h')
  const cell = (bytes: number) => (readable ? human(bytes) : String(Math.floor(bytes / unit))).padStart(12)
  const used = Math.floor(nodeMemory * 0.24)
  const cache = Math.floor(nodeMemory * 0.29)
  await process.print(
    `              total        used        free      shared  buff/cache   available\nMem:   ${cell(nodeMemory)}${cell(used)}${cell(nodeMemory - used - cache)}${cell(12_480 * 1024)}${cell(cache)}${cell(nodeMemory - used)}\nSwap:  ${cell(0)}${cell(0)}${cell(0)}\n`,
  )
  return 0
}

async function uptime(process: Process): Promise<number> {
  const { machine } = process
  if (machine.host) return await uptimeOfNode(process)
  const minutes = Math.floor((machine.now() - machine.bootedAt) / 60_000) + 60
  await process.print(
    ` ${formatTime('%T', machine.now())} up  ${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')},  0 users,  load average: 0.12, 0.10, 0.09\n`,
  )
  return 0
}

async function df(process: Process): Promise<number> {
  if (process.machine.host) return await dfOfNode(process)
  const options = parseOptions(process.args, 'hkmPTa')
  const readable = options.flags.has('h')
  const unit = options.flags.has('m') ? 1024 ** 2 : 1024
  const cell = (bytes: number) => (readable ? human(bytes) : String(Math.floor((bytes + unit / 2) / unit))).padStart(9)
  let rows = [...process.fs.mounts.values()].filter((mount) => mount.type !== 'proc' && mount.type !== 'sysfs')
  if (options.operands.length > 0) rows = options.operands.map((path) => process.fs.locate(path, process.who).mount)
  await process.print(
    `Filesystem           ${readable ? '     Size      Used Available' : `1${unit === 1024 ? 'K' : 'M'}-blocks      Used Available`} Use% Mounted on\n`,
  )
  for (const { source, tree, path } of rows) {
    const use = Math.ceil((tree.usedBytes / Math.max(1, tree.limitBytes)) * 100)
    await process.print(
      `${source.padEnd(20)} ${cell(tree.limitBytes)} ${cell(Math.max(0, tree.usedBytes))} ${cell(tree.limitBytes - tree.usedBytes)} ${String(use).padStart(3)}% ${path}\n`,
    )
  }
  return 0
}

async function mount(process: Process): Promise<number> {
  if (process.args.length > 0) return process.fail('permission denied (are you root?)', 1)
  await process.print(mounts(process.machine).replace(/^(\S+) (\S+) (\S+) (\S+) .*$/gm, '$1 on $2 type $3 ($4)'))
  return 0
}

async function which(process: Process): Promise<number> {
  let status = 0
  for (const name of process.args.filter((arg) => !arg.startsWith('-'))) {
    const path = name.includes('/') ? (process.fs.find(name, process.who) ? name : undefined) : process.machine.search(name, process)
    if (path) await process.print(`${path}\n`)
    else status = 1
  }
  return status
}

async function tty(process: Process): Promise<number> {
  const terminal = process.files.get(0)?.kind === 'tty'
  await process.print(terminal ? '/dev/pts/0\n' : 'not a tty\n')
  return terminal ? 0 : 1
}

async function expr(process: Process): Promise<number> {
  const { args } = process
  let at = 0
  const number = (text: string) => (/^-?\d+$/.test(text) ? BigInt(text) : undefined)
  const levels = [['|'], ['&'], ['<', '<=', '=', '==', '!=', '>=', '>'], ['+', '-'], ['*', '/', '%'], [':']]
  const truth = (text: string) => text !== '' && text !== '0'
  const apply = (operator: string, a: string, b: string): string => {
    if (operator === '|') return truth(a) ? a : b
    if (operator === '&') return truth(a) && truth(b) ? a : '0'
    if (operator === ':') {
      const match = linearRegExp(`^(?:${b.replace(/\\([()])/g, '$1')})`).exec(a)
      return match ? (match[1] ?? String(match[0].length)) : b.includes('\\(') ? '' : '0'
    }
    const x = number(a)
    const y = number(b)
    if (levels[2]?.includes(operator)) {
      const order = x !== undefined && y !== undefined ? (x < y ? -1 : x > y ? 1 : 0) : a < b ? -1 : a > b ? 1 : 0
      return { '<': order < 0, '<=': order <= 0, '=': order === 0, '==': order === 0, '!=': order !== 0, '>=': order >= 0, '>': order > 0 }[
        operator
      ]
        ? '1'
        : '0'
    }
    if (x === undefined || y === undefined) throw new TestFault('non-numeric argument')
    if (y === 0n && (operator === '/' || operator === '%')) throw new TestFault('division by zero')
    return String(operator === '+' ? x + y : operator === '-' ? x - y : operator === '*' ? x * y : operator === '/' ? x / y : x % y)
  }
  const parse = (level: number): string => {
    if (level === levels.length) {
      const word = args[at++]
      if (word === undefined) throw new TestFault('syntax error')
      if (word === '(') {
        const inner = parse(0)
        at++
        return inner
      }
      if (word === 'length' && args[at] !== undefined) return String((args[at++] as string).length)
      if (word === 'substr' && args.length >= at + 3) {
        const [text, from, length] = args.slice(at, at + 3) as [string, string, string]
        at += 3
        return text.substr(Number(from) - 1, Number(length))
      }
      return word
    }
    let left = parse(level + 1)
    while (levels[level]?.includes(args[at] ?? '')) {
      const operator = args[at++] as string
      left = apply(operator, left, parse(level + 1))
    }
    return left
  }
  try {
    const value = parse(0)
    if (at < args.length) throw new TestFault('syntax error')
    await process.print(`${value}\n`)
    return truth(value) ? 0 : 1
  } catch (error) {
    if (error instanceof TestFault) return process.fail(error.message, 2)
    throw error
  }
}

async function vi(process: Process): Promise<number> {
  return process.fail('no editor on the embedded engine: write files with cat > FILE, sed -i or kubectl cp')
}

async function getconf(process: Process): Promise<number> {
  const values: Record<string, string> = { _NPROCESSORS_ONLN: String(nodeCores), PAGE_SIZE: '4096', PAGESIZE: '4096', CLK_TCK: '100' }
  const value = values[process.args[0] ?? '']
  if (value === undefined) return process.fail(`bad variable '${process.args[0]}'`)
  await process.print(`${value}\n`)
  return 0
}

async function factor(process: Process): Promise<number> {
  const words =
    process.args.length > 0
      ? process.args
      : (await readText(process, process.files.get(0) as NonNullable<ReturnType<typeof process.files.get>>)).split(/\s+/).filter(Boolean)
  for (const word of words) {
    let rest = Number(word)
    const factors: number[] = []
    for (let divisor = 2; divisor * divisor <= rest; divisor++) {
      while (rest % divisor === 0) {
        factors.push(divisor)
        rest /= divisor
      }
      if (divisor % 10_000 === 0) await process.spend(1_000_000)
    }
    if (rest > 1) factors.push(rest)
    await process.print(`${word}:${factors.map((each) => ` ${each}`).join('')}\n`)
  }
  return 0
}
