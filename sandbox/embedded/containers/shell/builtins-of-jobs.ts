import { type SignalName, signalByName, signalNumbers } from '../kernel/signals.ts'
import { Errno } from '../vfs/errno.ts'
import { quoted } from './quote.ts'
import type { Shell } from './shell.ts'

export async function trap(shell: Shell, args: string[]): Promise<number> {
  const words = args[0] === '--' ? args.slice(1) : args
  if (words.length === 0 || words[0] === '-p') {
    for (const [signal, action] of shell.traps)
      await shell.process.print(
        `trap -- ${quoted(action, true)} ${shell.flavor === 'bash' && signal !== 'EXIT' && signal !== 'ERR' && signal !== 'DEBUG' ? 'SIG' : ''}${signal}\n`,
      )
    return 0
  }
  if (words[0] === '-l') {
    await shell.process.print(`${Object.keys(signalNumbers).join(' ')}\n`)
    return 0
  }
  const reset =
    words[0] === '-' || /^\d+$/.test(words[0] as string) || (words.length === 1 && signalByName(words[0] as string) !== undefined)
  const action = reset ? undefined : (words[0] as string)
  const signals = reset && words[0] !== '-' ? words : words.slice(1)
  let status = 0
  for (const word of signals) {
    const name = word.toUpperCase().replace(/^SIG/, '')
    const signal = word === '0' || name === 'EXIT' ? 'EXIT' : name === 'ERR' || name === 'DEBUG' ? name : signalByName(word)
    if (!signal) {
      await shell.complain(
        shell.flavor === 'bash'
          ? `trap: ${word}: invalid signal specification`
          : `trap: ${word}: ${shell.flavor === 'dash' ? 'bad trap' : 'invalid signal specification'}`,
      )
      status = 1
      continue
    }
    if (signal === 'KILL' || signal === 'STOP') continue
    shell.setTrap(signal, action)
  }
  return status
}

export async function wait(shell: Shell, args: string[]): Promise<number> {
  const targets = args.filter((arg) => !arg.startsWith('-'))
  if (targets.length === 0) {
    const pending = shell.jobs.filter((job) => !job.done)
    const status = await shell.waitInterruptibly(
      Promise.all(pending.map((job) => job.process.wait())).then((all) => (args.includes('-n') ? (all[0]?.code ?? 127) : 0)),
    )
    if (status < 128 || shell.jobs.every((job) => job.done)) shell.jobs = []
    return status
  }
  let status = 0
  for (const target of targets) {
    const job = findJob(shell, target)
    if (!job && shell.flavor === 'ash' && target.startsWith('%')) {
      await shell.complain(`wait: ${target}: no such job`)
      return 2
    }
    if (!job) {
      if (shell.flavor === 'bash') await shell.complain(`wait: pid ${target} is not a child of this shell`)
      status = 127
      continue
    }
    const ended = await shell.waitInterruptibly(job.process.wait().then((each) => each.code))
    const { status: how } = job.process
    if (shell.flavor === 'ash' && how?.signal) await shell.announce(how.signal)
    status = ended
  }
  return status
}

function findJob(shell: Shell, word: string) {
  if (!word.startsWith('%')) return shell.jobs.find((job) => job.process.pid === Number(word))
  if (word === '%%' || word === '%+' || word === '%') return shell.jobs.at(-1)
  if (word === '%-') return shell.jobs.at(-2) ?? shell.jobs.at(-1)
  const id = Number(word.slice(1))
  return Number.isNaN(id) ? shell.jobs.findLast((job) => job.text.startsWith(word.slice(1))) : shell.jobs.find((job) => job.id === id)
}

export async function jobs(shell: Shell, args: string[]): Promise<number> {
  for (const job of shell.jobs) {
    const state = !job.done ? 'Running' : job.done.code === 0 ? 'Done' : `Exit ${job.done.code}`
    const mark = job === shell.jobs.at(-1) ? '+' : job === shell.jobs.at(-2) ? '-' : ' '
    if (args.includes('-p')) await shell.process.print(`${job.process.pid}\n`)
    else
      await shell.process.print(
        `[${job.id}]${mark}  ${args.includes('-l') ? `${job.process.pid} ` : ''}${state.padEnd(24)}${job.text}${job.done ? '' : ' &'}\n`,
      )
  }
  shell.jobs = shell.jobs.filter((job) => !job.done)
  return 0
}

/** Tells of background jobs that ended, before a prompt. */
export async function reportJobs(shell: Shell): Promise<void> {
  if (shell.jobs.some((job) => job.done)) {
    for (const job of shell.jobs) {
      if (!job.done) continue
      const state = job.done.code === 0 ? 'Done' : job.done.signal === 'TERM' ? 'Terminated' : `Done(${job.done.code})`
      await shell.process.complain(`[${job.id}]+  ${state.padEnd(24)}${job.text}\n`)
    }
    shell.jobs = shell.jobs.filter((job) => !job.done)
  }
}

export async function kill(shell: Shell, args: string[]): Promise<number> {
  if (args[0] === '-l') {
    const number = Number(args[1])
    const names = Object.entries(signalNumbers)
    if (args[1] !== undefined)
      await shell.process.print(`${names.find(([, value]) => value === (number > 128 ? number - 128 : number))?.[0] ?? args[1]}\n`)
    else if (shell.flavor === 'ash')
      await shell.process.print(names.map(([name, value]) => `${String(value).padStart(2)}) ${name === 'IO' ? 'POLL' : name}\n`).join(''))
    else await shell.process.print(`${names.map(([name]) => name).join('\n')}\n`)
    return 0
  }
  let signal: SignalName | undefined = 'TERM'
  let rest = args
  if (rest[0] === '-s' || rest[0] === '-n') {
    signal = signalByName(rest[1] ?? '')
    rest = rest.slice(2)
  } else if (/^-./.test(rest[0] ?? '') && rest[0] !== '--') {
    signal = rest[0] === '-0' ? undefined : signalByName((rest[0] as string).slice(1))
    if (!signal && rest[0] !== '-0') {
      await shell.complain(
        shell.flavor === 'bash'
          ? `kill: ${(rest[0] as string).slice(1)}: invalid signal specification`
          : shell.flavor === 'ash'
            ? `kill: bad signal name '${(rest[0] as string).slice(1)}'`
            : `kill: invalid signal number or name: ${(rest[0] as string).slice(1)}`,
      )
      return 1
    }
    rest = rest.slice(1)
  }
  if (rest[0] === '--') rest = rest.slice(1)
  if (rest.length === 0) {
    if (shell.flavor === 'ash') {
      await shell.complain('kill: you need to specify whom to kill')
      return 1
    }
    await shell.complain('kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]')
    return 2
  }
  let status = 0
  const { machine } = shell.process
  for (const word of rest) {
    const job = word.startsWith('%') ? findJob(shell, word) : undefined
    if (shell.flavor === 'ash' && word.startsWith('%') && !job) {
      await shell.complain(`kill: ${word}: no such job`)
      return 2
    }
    const pid = job ? job.process.pid : Number(word)
    if (shell.flavor === 'ash' && !word.startsWith('%') && !Number.isInteger(pid)) {
      await shell.complain(`kill: invalid number '${word}'`)
      status = 1
      continue
    }
    if (pid < 0 && machine.killGroup(-pid, signal ?? 'CONT')) continue
    const target = machine.pids.processes.get(pid) ?? machine.others.find((each) => each.pid === pid)
    if (!target) {
      await shell.complain(shell.flavor === 'bash' ? `kill: (${word}) - No such process` : `kill: can't kill pid ${word}: No such process`)
      status = 1
      continue
    }
    if (!shell.process.may('KILL') && target.uid !== shell.process.uid) {
      await shell.complain(
        shell.flavor === 'bash' ? `kill: (${word}) - Operation not permitted` : `kill: can't kill pid ${word}: Operation not permitted`,
      )
      status = 1
      continue
    }
    if (signal) target.kill(signal)
  }
  // The killed run no further before the next command does.
  await new Promise<void>((resolve) => setImmediate(resolve))
  if (shell.process.ended) throw new Errno('ESRCH')
  return status
}

export async function foreground(shell: Shell, args: string[]): Promise<number> {
  const job = findJob(shell, args[0] ?? '%%')
  if (!job) {
    await shell.complain(shell.flavor === 'ash' ? 'fg: No current job' : 'fg: no current job')
    return shell.flavor === 'bash' ? 1 : 2
  }
  await shell.process.print(`${job.text}\n`)
  shell.jobs = shell.jobs.filter((each) => each !== job)
  const [status] = await shell.foreground([job.process])
  return status?.code ?? 0
}
