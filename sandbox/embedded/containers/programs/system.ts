import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { nodeCores } from '../kernel/cpu.ts'
import type { Process, Run } from '../kernel/process.ts'
import { type SignalName, signalByName, signalNumbers } from '../kernel/signals.ts'
import { formatPrintf } from '../shell/printf.ts'
import { TestFault, testArguments } from '../shell/test-expression.ts'
import { Errno } from '../vfs/errno.ts'
import { mounts, nodeMemory } from '../vfs/proc.ts'
import { sleepDuration } from './duration.ts'
import { baseName } from './files.ts'
import { formatTime, human, ownerName } from './format.ts'
import { last, parseOptions } from './options.ts'
import { becomeCommand, runCommand, startCommand } from './run-command.ts'
import { sysctl } from './sysctl.ts'
import { cantOpen, eachInput, Output, readBytes, readText } from './text.ts'

/** Programs about processes, the system and numbers. */
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
  ps,
  top,
  kill,
  pkill: killByName,
  killall: killByName,
  pgrep,
  pidof,
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
  sha256sum: checksum,
  sha1sum: checksum,
  sha512sum: checksum,
  md5sum: checksum,
  base64,
  hexdump,
  od,
  xxd: hexdump,
  gzip,
  gunzip: gzip,
  zcat: gzip,
  dd,
  expr,
  timeout,
  watch,
  nohup,
  nice,
  setsid: nohup,
  time,
  usleep,
  stress,
  'stress-ng': stress,
  su: nohup,
  stty: () => 0,
  reset: () => 0,
  chroot: nohup,
  pwd: async (process) => {
    await process.print(`${process.cwd}\n`)
    return 0
  },
  busybox,
  sysctl,
  vi,
  getconf,
  tput: () => 0,
  strings: async (process) => process.fail('not available in this container'),
  factor,
}

async function sleep(process: Process): Promise<number> {
  const total = sleepDuration(process.args)
  if (typeof total === 'object') return process.fail(`invalid number '${total.invalid}'`)
  if (process.args.length === 0) return process.fail('missing operand')
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
  if (format === undefined) return process.fail('missing operand')
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
    if (error instanceof TestFault) return process.fail(error.message, 2)
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
  if (path === undefined) return process.fail('missing operand')
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
  const user = ownerName(process, process.uid, 'passwd', false)
  const groupName = (gid: number) => ownerName(process, gid, 'group', false)
  const group = groupName(process.gid)
  if (flags.has('u')) await process.print(`${named ? user : process.uid}\n`)
  else if (flags.has('g')) await process.print(`${named ? group : process.gid}\n`)
  else if (flags.has('G')) await process.print(`${process.groups.map((gid) => (named ? groupName(gid) : gid)).join(' ')}\n`)
  else {
    const label = (number: number, name: string) => (name === String(number) ? String(number) : `${number}(${name})`)
    await process.print(
      `uid=${label(process.uid, user)} gid=${label(process.gid, group)} groups=${process.groups.map((gid) => label(gid, groupName(gid))).join(',')}\n`,
    )
  }
  return 0
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
  else if (arg === '-f') await process.print(`${machine.hostname}\n`)
  else if (arg !== undefined && !arg.startsWith('-')) return process.fail('sethostname: Operation not permitted')
  else await process.print(`${arg === '-s' ? machine.hostname.split('.')[0] : machine.hostname}\n`)
  return 0
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

async function ps(process: Process): Promise<number> {
  const { machine } = process
  const wide =
    process.args.some((arg) => /[eaf]/.test(arg)) &&
    machine.programs.size > 0 &&
    process.fs.find('/etc/debian_version', process.who) !== undefined
  const rows = [...machine.pids.processes.values()].sort((a, b) => a.pid - b.pid)
  if (wide) {
    await process.print(
      `UID          PID    PPID  C STIME TTY          TIME CMD\n${rows.map((row) => `${ownerName(process, row.uid, 'passwd', false).padEnd(8)} ${String(row.pid).padStart(7)} ${String(row.ppid).padStart(7)}  0 ${formatTime('%H:%M', row.startedAt)} ${row.terminal ? 'pts/0' : '?    '}    ${clockTime(row.cpuNanoseconds)} ${row.commandLine}\n`).join('')}`,
    )
    return 0
  }
  const width = process.terminal?.cols ?? 10_000
  await process.print(
    `PID   USER     ${process.fs.find('/etc/alpine-release', process.who) ? 'TIME  ' : ''}COMMAND\n${rows.map((row) => `${String(row.pid).padStart(5)} ${ownerName(process, row.uid, 'passwd', false).padEnd(8)} ${process.fs.find('/etc/alpine-release', process.who) ? ' 0:00 ' : ''}${row.commandLine}`.slice(0, width)).join('\n')}\n`,
  )
  return 0
}

function clockTime(nanoseconds: number): string {
  return formatTime('%T', Math.floor(nanoseconds / 1e6))
}

async function top(process: Process): Promise<number> {
  const { machine } = process
  const once = process.args.some((arg) => /^-?b/.test(arg)) || process.files.get(1)?.kind !== 'tty'
  const show = async () => {
    const total = nodeMemory / 1024
    const used = Math.floor(machine.memoryBytes / 1024)
    const share = Math.min(100, Math.round(machine.cpu.usage() / 1e7 / nodeCores))
    const rows = [...machine.pids.processes.values()].sort((a, b) => b.cpuNanoseconds - a.cpuNanoseconds)
    const body = rows.map(
      (row) =>
        `${String(row.pid).padStart(5)} ${String(row.ppid).padStart(5)} ${ownerName(process, row.uid, 'passwd', false).padEnd(8)} S    ${String(Math.floor(row.memoryBytes / 1024)).padStart(5)} ${String(Math.round((row.memoryBytes / nodeMemory) * 100)).padStart(3)}%  ${String(Math.min(100, Math.round(row.cpuNanoseconds / 1e4 / Math.max(1000, machine.now() - row.startedAt) / nodeCores / 10))).padStart(2)}% ${row.commandLine}\n`,
    )
    await process.print(
      `${once ? '' : '\x1b[H\x1b[J'}Mem: ${used}K used, ${total - used}K free, 18956K shrd, 16716K buff, 2147720K cached\nCPU:  ${String(share).padStart(2)}% usr   0% sys   0% nic ${String(100 - share).padStart(3)}% idle   0% io   0% irq   0% sirq\nLoad average: 0.12 0.10 0.09 1/${rows.length} ${process.pid}\n  PID  PPID USER     STAT   VSZ %VSZ %CPU COMMAND\n${body.join('')}`,
    )
  }
  const rounds = once
    ? Number(/-?n\s*(\d+)/.exec(process.args.join(' '))?.[1] ?? (process.args.length > 0 ? 1 : 1))
    : Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    await show()
    if (round + 1 < rounds) await process.sleep(5000)
  }
  return 0
}

async function kill(process: Process): Promise<number> {
  let signal: SignalName | undefined = 'TERM'
  let rest = process.args
  if (rest[0] === '-l') {
    await process.print(`${Object.keys(signalNumbers).join(' ')}\n`)
    return 0
  }
  if (rest[0] === '-s') {
    signal = signalByName(rest[1] ?? '')
    rest = rest.slice(2)
  } else if (/^-./.test(rest[0] ?? '')) {
    signal = rest[0] === '-0' ? undefined : signalByName((rest[0] as string).slice(1))
    if (!signal && rest[0] !== '-0') return process.fail(`bad signal name '${(rest[0] as string).slice(1)}'`)
    rest = rest.slice(1)
  }
  let status = 0
  for (const word of rest) {
    const target = process.machine.pids.processes.get(Number(word))
    if (target && (process.uid === 0 || target.uid === process.uid)) {
      if (signal) target.kill(signal)
    } else {
      await process.complain(`kill: can't kill pid ${word}: ${target ? 'Operation not permitted' : 'No such process'}\n`)
      status = 1
    }
  }
  return status
}

function named(process: Process, name: string, full: boolean): Process[] {
  return [...process.machine.pids.processes.values()].filter(
    (each) =>
      each !== process &&
      (full
        ? each.argv.join(' ').includes(name)
        : process.name === 'pgrep' || process.name === 'pkill'
          ? each.name.includes(name)
          : each.name === name),
  )
}

async function killByName(process: Process): Promise<number> {
  let signal: SignalName = 'TERM'
  const names: string[] = []
  let full = false
  for (const arg of process.args) {
    if (arg === '-f') full = true
    else if (arg.startsWith('-')) signal = signalByName(arg.slice(1)) ?? signal
    else names.push(arg)
  }
  let status = 0
  for (const name of names) {
    const found = named(process, name, full)
    if (found.length === 0) {
      status = 1
      if (process.name === 'killall') await process.complain(`killall: ${name}: no process killed\n`)
    }
    for (const each of found) each.kill(signal)
  }
  return status
}

async function pgrep(process: Process): Promise<number> {
  const found = named(process, process.args.findLast((arg) => !arg.startsWith('-')) ?? '', process.args.includes('-f'))
  await process.print(
    found
      .map(
        (each) =>
          `${each.pid}${process.args.includes('-l') || process.args.includes('-a') ? ` ${process.args.includes('-a') ? each.argv.join(' ') : each.name}` : ''}\n`,
      )
      .join(''),
  )
  return found.length > 0 ? 0 : 1
}

async function pidof(process: Process): Promise<number> {
  const found = process.args.flatMap((name) => named(process, name, false))
  if (found.length > 0)
    await process.print(
      `${found
        .map((each) => each.pid)
        .reverse()
        .join(' ')}\n`,
    )
  return found.length > 0 ? 0 : 1
}

async function nproc(process: Process): Promise<number> {
  await process.print(`${nodeCores}\n`)
  return 0
}

async function free(process: Process): Promise<number> {
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
  const minutes = Math.floor((machine.now() - machine.bootedAt) / 60_000) + 60
  await process.print(
    ` ${formatTime('%T', machine.now())} up  ${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')},  0 users,  load average: 0.12, 0.10, 0.09\n`,
  )
  return 0
}

async function df(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'hkmPTa')
  const readable = options.flags.has('h')
  const cell = (bytes: number) => (readable ? human(bytes) : String(Math.ceil(bytes / 1024))).padStart(9)
  let rows = [...process.fs.mounts.values()].filter((mount) => mount.type !== 'proc' && mount.type !== 'sysfs')
  if (options.operands.length > 0) rows = options.operands.map((path) => process.fs.locate(path, process.who).mount)
  await process.print(
    `Filesystem           ${readable ? '     Size      Used Available' : '1K-blocks      Used Available'} Use% Mounted on\n`,
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

async function checksum(process: Process): Promise<number> {
  const algorithm = process.name.replace('sum', '')
  const check = process.args.includes('-c')
  let failed = 0
  const fine = await eachInput(
    process,
    process.args.filter((arg) => arg === '-' || !arg.startsWith('-')),
    async (open, path) => {
      const content = await readBytes(process, open)
      if (!check) return process.print(`${createHash(algorithm).update(content).digest('hex')}  ${path}\n`)
      for (const line of new TextDecoder().decode(content).split('\n')) {
        const match = /^([0-9a-f]+) [ *](.+)$/.exec(line)
        if (!match) continue
        const same =
          createHash(algorithm)
            .update(await process.readWhole(match[2] as string))
            .digest('hex') === match[1]
        if (!same) failed++
        await process.print(`${match[2]}: ${same ? 'OK' : 'FAILED'}\n`)
      }
    },
    cantOpen,
  )
  if (failed > 0) await process.complain(`${process.name}: WARNING: ${failed} of ${failed} computed checksums did NOT match\n`)
  return fine && failed === 0 ? 0 : 1
}

async function base64(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'diw:', { decode: 'd', 'wrap=': 'w' })
  let invalid = false
  const fine = await eachInput(
    process,
    options.operands,
    async (open) => {
      const content = await readBytes(process, open)
      if (options.flags.has('d')) {
        const text = Buffer.from(content).toString().replace(/\s/g, '')
        invalid = /[^A-Za-z0-9+/=]/.test(text)
        return process.print(Buffer.from(text, 'base64'))
      }
      const width = Number(last(options, 'w') ?? 76)
      const text = Buffer.from(content).toString('base64')
      await process.print(width === 0 ? text : (text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).map((line) => `${line}\n`).join(''))
    },
    cantOpen,
  )
  if (invalid) return process.fail('truncated input')
  return fine ? 0 : 1
}

async function hexdump(process: Process): Promise<number> {
  const canonical = process.args.includes('-C') || process.name === 'xxd'
  let content: Uint8Array = new Uint8Array(0)
  await eachInput(
    process,
    process.args.filter((arg) => !arg.startsWith('-')),
    async (open) => {
      content = await readBytes(process, open)
    },
  )
  const out = new Output(process)
  for (let at = 0; at < content.length; at += 16) {
    const row = content.subarray(at, at + 16)
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0'))
    const text = [...row].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')
    if (canonical)
      await out.line(
        `${at.toString(16).padStart(8, '0')}  ${hex.slice(0, 8).join(' ').padEnd(23)}  ${hex.slice(8).join(' ').padEnd(23)}  |${text}|`,
      )
    else
      await out.line(
        `${at.toString(16).padStart(7, '0')} ${Array.from({ length: Math.ceil(row.length / 2) }, (_, index) => `${hex[2 * index + 1] ?? '00'}${hex[2 * index]}`).join(' ')}`,
      )
  }
  await out.line(content.length.toString(16).padStart(canonical ? 8 : 7, '0'))
  await out.flush()
  return 0
}

async function od(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'A:t:cxbN:vj:')
  let content: Uint8Array = new Uint8Array(0)
  await eachInput(process, options.operands, async (open) => {
    const limit = last(options, 'N')
    content = limit === undefined ? await readBytes(process, open) : await open.read(Number(limit), process)
  })
  const type = options.flags.has('c') ? 'c' : options.flags.has('x') ? 'x2' : (last(options, 't') ?? 'o2')
  const bare = last(options, 'A') === 'n'
  const names: Record<number, string> = { 0: '\\0', 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r' }
  const out = new Output(process)
  for (let at = 0; at < content.length; at += 16) {
    const row = content.subarray(at, at + 16)
    const size = type === 'c' || type.endsWith('1') ? 1 : type.endsWith('4') ? 4 : 2
    const cells: string[] = []
    for (let index = 0; index < row.length; index += size) {
      let value = 0
      for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (row[index + byte] ?? 0)
      if (type === 'c')
        cells.push(
          (names[value] ?? (value >= 32 && value < 127 ? String.fromCharCode(value) : value.toString(8).padStart(3, '0'))).padStart(3),
        )
      else if (type.startsWith('x')) cells.push(value.toString(16).padStart(2 * size, '0'))
      else if (/^[du]/.test(type)) cells.push(String(value).padStart(size === 1 ? 3 : size === 2 ? 5 : 10))
      else cells.push(value.toString(8).padStart(size === 1 ? 3 : size === 2 ? 6 : 11, '0'))
    }
    await out.line(`${bare ? '' : at.toString(8).padStart(7, '0')} ${cells.join(' ')}`)
  }
  if (!bare) await out.line(content.length.toString(8).padStart(7, '0'))
  await out.flush()
  return 0
}

async function gzip(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'cdfkqtv123456789n')
  const expand = process.name !== 'gzip' || options.flags.has('d')
  const toStdout = options.flags.has('c') || process.name === 'zcat' || options.operands.length === 0
  try {
    if (options.operands.length === 0) {
      const stdin = process.files.get(0)
      const content = stdin ? await readBytes(process, stdin) : new Uint8Array(0)
      await process.print(expand ? gunzipSync(content) : gzipSync(content))
      return 0
    }
    for (const path of options.operands) {
      const content = await process.readWhole(path)
      const result = expand ? gunzipSync(content, { maxOutputLength: 64 * 1024 * 1024 }) : gzipSync(content)
      if (toStdout) await process.print(result)
      else {
        if (expand && !/\.t?gz$/.test(path)) return process.fail(`${path}: unknown suffix - ignored`)
        process.fs.write(expand ? path.replace(/\.gz$/, '').replace(/\.tgz$/, '.tar') : `${path}.gz`, result, process.who)
        if (!options.flags.has('k')) process.fs.unlink(path, process.who)
      }
    }
    return 0
  } catch (error) {
    if (error instanceof Errno) return process.fail(`${options.operands[0]}: ${error.message}`)
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) return process.fail('invalid magic')
    throw error
  }
}

async function dd(process: Process): Promise<number> {
  const values = new Map(process.args.map((arg): [string, string] => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]))
  const size = (text: string | undefined, otherwise: number) => {
    const match = /^(\d+)([kKMGcwb]?)B?$/.exec(text ?? '')
    return match
      ? Number(match[1]) * ({ '': 1, c: 1, w: 2, b: 512, k: 1024, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[match[2] as string] as number)
      : otherwise
  }
  const block = size(values.get('bs'), 512)
  const limit = size(values.get('count'), Number.POSITIVE_INFINITY)
  const started = process.machine.now()
  try {
    const input = values.has('if') ? process.open(values.get('if') as string, 'read').retain() : process.files.get(0)
    const output = values.has('of') ? process.open(values.get('of') as string, 'write').retain() : process.files.get(1)
    if (!input || !output) return 1
    let blocks = 0
    let partial = 0
    let total = 0
    let failure: Errno | undefined
    for (let skip = size(values.get('skip'), 0) * block; skip > 0; ) {
      const chunk = await input.read(Math.min(skip, 65536), process)
      if (chunk.length === 0) break
      skip -= chunk.length
    }
    while (blocks + partial < limit && !failure) {
      let got = 0
      while (got < block) {
        const chunk = await input.read(Math.min(block - got, 65536), process)
        if (chunk.length === 0) break
        try {
          await output.write(chunk, process)
          if (values.get('of')?.startsWith('/dev/shm/')) process.allocate(0)
        } catch (error) {
          if (!(error instanceof Errno)) throw error
          failure = error
          break
        }
        got += chunk.length
        const wait = process.spend(chunk.length * 2)
        if (wait) await wait
        if (process.machine.overLimit()) process.allocate(1)
        if (input.kind !== 'file' && input.kind !== 'device') break
      }
      total += got
      if (got === block) blocks++
      else {
        if (got > 0) partial++
        break
      }
    }
    const seconds = Math.max(0.000001, (process.machine.now() - started) / 1000)
    if (failure) await process.complain(`dd: error writing '${values.get('of') ?? 'standard output'}': ${failure.message}\n`)
    if (values.get('status') !== 'none')
      await process.complain(
        `${blocks}+${partial} records in\n${blocks}+${partial} records out\n${values.get('status') === 'noxfer' ? '' : `${total} bytes (${human(total)}B) copied, ${seconds.toFixed(6)} seconds, ${human(Math.floor(total / seconds))}B/s\n`}`,
      )
    if (values.has('if')) input.release()
    if (values.has('of')) output.release()
    return failure ? 1 : 0
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    return process.fail(`can't open '${values.get('if') ?? values.get('of')}': ${error.message}`)
  }
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
      const match = new RegExp(`^(?:${b.replace(/\\([()])/g, '$1')})`).exec(a)
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

function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text)
  return match ? Number(match[1]) * 1000 * ({ '': 1, s: 1, m: 60, h: 3600, d: 86400 }[match[2] as string] as number) : Number.NaN
}

async function timeout(process: Process): Promise<number> {
  const options = parseOptions(
    process.args,
    's:k:t:',
    { 'signal=': 's', 'kill-after=': 'k', foreground: 'f', 'preserve-status': 'p' },
    true,
  )
  const words = [...options.operands]
  const limit = duration(last(options, 't') ?? words.shift() ?? '')
  if (Number.isNaN(limit)) return process.fail('invalid time interval')
  const child = await startCommand(process, words)
  if (typeof child === 'number') return child
  const signal = signalByName(last(options, 's') ?? 'TERM') ?? 'TERM'
  let expired = false
  return process.block<number>((resolve) => {
    const timer = process.machine.after(limit, () => {
      expired = true
      child.kill(signal)
      const after = last(options, 'k')
      if (after !== undefined) process.machine.after(duration(after), () => child.kill('KILL'))
    })
    child.onEnd((status) => {
      timer.cancel()
      resolve(
        expired && !options.flags.has('p')
          ? status.signal === 'KILL'
            ? 137
            : process.fs.find('/etc/debian_version', process.who)
              ? 124
              : 143
          : status.code,
      )
    })
    return () => timer.cancel()
  })
}

async function watch(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'n:td', { 'interval=': 'n' }, true)
  const seconds = Number(last(options, 'n') ?? 2)
  for (;;) {
    await process.print(`\x1b[H\x1b[JEvery ${seconds.toFixed(1)}s: ${options.operands.join(' ')}\n\n`)
    await runCommand(process, ['sh', '-c', options.operands.join(' ')])
    await process.sleep(seconds * 1000)
  }
}

async function nohup(process: Process): Promise<number> {
  if (process.name === 'nohup') process.trap('HUP', 'ignore')
  const words = process.args.filter((arg, index) => !(index === 0 && arg.startsWith('-')))
  return words.length === 0 ? process.fail('missing operand') : becomeCommand(process, words)
}

async function nice(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'n:', {}, true)
  return becomeCommand(process, options.operands)
}

async function time(process: Process): Promise<number> {
  const started = process.machine.now()
  const code = await runCommand(
    process,
    process.args.filter((arg, index) => !(index === 0 && arg === '-p')),
  )
  const seconds = (process.machine.now() - started) / 1000
  await process.complain(`real\t${Math.floor(seconds / 60)}m ${(seconds % 60).toFixed(2)}s\nuser\t0m 0.00s\nsys\t0m 0.00s\n`)
  return code
}

/** Burns CPU and takes memory as asked, on the model's account. */
async function stress(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'c:m:t:vqi:d:', {
    'cpu=': 'c',
    'vm=': 'm',
    'vm-bytes=': 'b',
    'timeout=': 't',
    'vm-hang=': 'h',
    'vm-keep': 'k',
    verbose: 'v',
    'cpu-load=': 'l',
    'vm-populate': 'k',
    'metrics-brief': 'q',
  })
  const cpus = Number(last(options, 'c') ?? 0)
  const workers = Number(last(options, 'm') ?? 0)
  const size = /^(\d+)([bkmgBKMG%]?)$/.exec(last(options, 'b') ?? '256M')
  const bytes = size
    ? Number(size[1]) *
      ({ '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, '%': nodeMemory / 100 }[(size[2] as string).toLowerCase()] as number)
    : 0
  const limit = last(options, 't')
  await process.print(`${process.name}: info: [${process.pid}] dispatching hogs: ${cpus} cpu, 0 io, ${workers} vm, 0 hdd\n`)
  const children: Process[] = []
  const hog = (body: (child: Process) => Promise<number>) => {
    const child = process.machine.fork(process)
    children.push(child)
    void process.machine.run(child, body)
  }
  const burn = async (child: Process): Promise<number> => {
    for (;;) {
      const wait = child.spend(5_000_000)
      if (wait) await wait
    }
  }
  for (let index = 0; index < cpus; index++) hog(burn)
  for (let index = 0; index < workers; index++) {
    hog(async (child) => {
      // Pages are touched one after the other: the limit is met on the way, not at once.
      for (let taken = 0; taken < bytes; taken += 16 * 1024 ** 2) {
        child.allocate(Math.min(16 * 1024 ** 2, bytes - taken))
        const wait = child.spend(10_000_000)
        if (wait) await wait
      }
      return options.flags.has('h') ? child.block<number>(() => undefined) : burn(child)
    })
  }
  await process.block<void>((resolve) => {
    const timer = limit === undefined ? undefined : process.machine.after(duration(limit), resolve)
    return () => timer?.cancel()
  })
  for (const child of children) child.kill('KILL')
  await process.print(
    `${process.name}: info: [${process.pid}] successful run completed in ${Math.round((process.machine.now() - process.startedAt) / 1000)}s\n`,
  )
  return 0
}

async function busybox(process: Process): Promise<number> {
  const [applet, ...args] = process.args
  if (applet === undefined || applet === '--list' || applet === '--help') {
    const names = [...process.machine.programs.keys()].sort()
    await process.print(
      applet === '--list'
        ? `${names.join('\n')}\n`
        : `BusyBox v1.36.1 (2023-05-18 22:34:17 UTC) multi-call binary.\n\nCurrently defined functions:\n\t${names.join(', ')}\n`,
    )
    return 0
  }
  const program = process.machine.programs.get(applet)
  if (!program) {
    await process.complain(`${applet}: applet not found\n`)
    return 127
  }
  process.machine.prepare(process, { program }, [applet, ...args])
  return program.run(process)
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
