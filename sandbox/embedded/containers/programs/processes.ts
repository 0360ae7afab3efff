import { nodeCores } from '../kernel/cpu.ts'
import type { Process, Run } from '../kernel/process.ts'
import { type SignalName, signalByName, signalNumbers } from '../kernel/signals.ts'
import { nodeMemory } from '../vfs/proc.ts'
import { inColumns } from './busybox-columns.ts'
import { formatTime, ownerName } from './format.ts'
import { psOfNode, topOfNode } from './node-processes.ts'
import { parseOptions } from './options.ts'
import { processesSeenBy, type SeenProcess } from './seen-processes.ts'
import { hasCoreutils } from './usage.ts'

/** Programs about running processes. */
export const processPrograms: Record<string, Run> = {
  ps,
  top,
  kill,
  pkill: killByName,
  killall: killByName,
  pgrep,
  pidof,
}

async function ps(process: Process): Promise<number> {
  const { machine } = process
  if (machine.host) return await psOfNode(process)
  const wide = process.args.some((arg) => /[eaf]/.test(arg)) && machine.programs.size > 0 && hasCoreutils(process)
  const rows = processesSeenBy(process)
  if (wide) {
    await process.print(
      `UID          PID    PPID  C STIME TTY          TIME CMD\n${rows.map((row) => `${ownerName(process, row.uid, 'passwd', false).padEnd(8)} ${String(row.pid).padStart(7)} ${String(row.ppid).padStart(7)}  0 ${formatTime('%H:%M', row.startedAt)} ${row.terminal ? 'pts/0' : '?    '}    ${clockTime(row.cpuNanoseconds)} ${row.commandLine}\n`).join('')}`,
    )
    return 0
  }
  const width = process.terminal?.cols ?? 10_000
  const timed = process.fs.find('/etc/alpine-release', process.who) !== undefined
  const specs = parseOptions(process.args, 'o:ZaAdeflT').values.get('o')
  if (specs) {
    const lines = inColumns(specs, rows, process, timed)
    if (typeof lines === 'string') return await process.fail(lines)
    await process.print(lines.map((line) => `${line.slice(0, width)}\n`).join(''))
    return 0
  }
  await process.print(
    `PID   USER     ${timed ? 'TIME  ' : ''}COMMAND\n${rows.map((row) => `${String(row.pid).padStart(5)} ${ownerName(process, row.uid, 'passwd', false).padEnd(8)} ${timed ? ' 0:00 ' : ''}${row.pid === 1 && row.name === 'systemd' ? '{systemd} ' : ''}${row.commandLine}`.slice(0, width)).join('\n')}\n`,
  )
  return 0
}

function clockTime(nanoseconds: number): string {
  return formatTime('%T', Math.floor(nanoseconds / 1e6))
}

async function top(process: Process): Promise<number> {
  const { machine } = process
  if (machine.host) return await topOfNode(process)
  const once = process.args.some((arg) => /^-?b/.test(arg)) || process.files.get(1)?.kind !== 'tty'
  const show = async () => {
    const total = nodeMemory / 1024
    const used = Math.floor(machine.memoryBytes / 1024)
    const share = Math.min(100, Math.round(machine.cpu.usage() / 1e7 / nodeCores))
    const rows = processesSeenBy(process).sort((a, b) => b.cpuNanoseconds - a.cpuNanoseconds)
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
    const target = processesSeenBy(process).find(({ pid }) => pid === Number(word))
    if (target && (process.may('KILL') || target.uid === process.uid)) {
      if (signal) target.kill(signal)
    } else {
      await process.complain(`kill: can't kill pid ${word}: ${target ? 'Operation not permitted' : 'No such process'}\n`)
      status = 1
    }
  }
  return status
}

function named(process: Process, name: string, full: boolean): SeenProcess[] {
  return processesSeenBy(process).filter(
    (each) =>
      each.process !== process &&
      (full
        ? each.commandLine.includes(name)
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
  const flags = process.args.filter((arg) => /^-[a-z]+$/.test(arg)).join('')
  const name = process.args.findLast((arg) => !arg.startsWith('-')) ?? ''
  const all = named(process, name, flags.includes('f')).filter((each) => !flags.includes('x') || each.name === name)
  const found = flags.includes('o') ? all.slice(0, 1) : flags.includes('n') ? all.slice(-1) : all
  const more = (each: SeenProcess) => (flags.includes('a') ? ` ${each.commandLine}` : flags.includes('l') ? ` ${each.name}` : '')
  await process.print(found.map((each) => `${each.pid}${more(each)}\n`).join(''))
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
