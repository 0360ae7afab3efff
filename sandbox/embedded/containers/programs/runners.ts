import { hasCapability } from '../kernel/capabilities.ts'
import type { Machine } from '../kernel/machine.ts'
import type { Process, Run } from '../kernel/process.ts'
import { signalByName } from '../kernel/signals.ts'
import { Errno } from '../vfs/errno.ts'
import { nodeMemory } from '../vfs/proc.ts'
import { runIn } from './nsenter.ts'
import { last, parseOptions } from './options.ts'
import { becomeCommand, runCommand, startCommand } from './run-command.ts'
import { busyboxBanner, hasCoreutils, usage } from './usage.ts'

/** Programs that run another, in a certain way. */
export const runnerPrograms: Record<string, Run> = {
  timeout,
  watch,
  nohup,
  nice,
  setsid: nohup,
  time,
  stress,
  'stress-ng': stress,
  su: nohup,
  chroot,
  busybox,
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
      const coreutils = hasCoreutils(process)
      // Of busybox' two processes the one that is waited for is the command itself.
      if (status.signal && !coreutils) process.end({ code: status.code, signal: status.signal })
      else resolve(expired && !options.flags.has('p') && status.signal !== 'KILL' && coreutils ? 124 : status.code)
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

async function chroot(process: Process): Promise<number> {
  const [root, ...command] = process.args
  const gnu = hasCoreutils(process)
  if (root === undefined)
    return gnu
      ? await process.fail("missing operand\nTry 'chroot --help' for more information.", 125)
      : await usage(process, 'missing operand')
  const failed = async (why: string) => {
    const what = gnu ? `cannot change root directory to '${root}'` : `can't change root directory to '${root}'`
    return await process.fail(`${what}: ${why}`, gnu ? 125 : 1)
  }
  let machine: Machine
  try {
    process.fs.lookup(root, process.who)
    if (process.uid !== 0 || !hasCapability(process.machine.capabilities, 'SYS_CHROOT')) throw new Errno('EPERM')
    machine = process.machine.rootedAt(root, process)
  } catch (error) {
    if (error instanceof Errno) return await failed(error.message)
    throw error
  }
  const missing = (name: string, why: string): [string, number] => [
    gnu ? `chroot: failed to run command '${name}': ${why}\n` : `chroot: can't execute '${name}': ${why}\n`,
    why === 'No such file or directory' ? 127 : 126,
  ]
  const shell = [process.env.get('SHELL') || '/bin/sh', '-i']
  return await runIn(process, machine, command.length > 0 ? command : shell, { missing, home: '/' })
}

async function nohup(process: Process): Promise<number> {
  if (process.name === 'nohup') process.trap('HUP', 'ignore')
  const words = process.args.filter((arg, index) => !(index === 0 && arg.startsWith('-')))
  return words.length === 0 ? usage(process, 'missing operand') : becomeCommand(process, words)
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
  const lost = await process.block<Process | undefined>((resolve) => {
    const timer = limit === undefined ? undefined : process.machine.after(duration(limit), () => resolve(undefined))
    for (const child of children) child.onEnd(({ signal }) => signal && resolve(child))
    return () => timer?.cancel()
  })
  for (const child of children) child.kill('KILL')
  const took = `run completed in ${Math.round((process.machine.now() - process.startedAt) / 1000)}s\n`
  const head = `[${process.pid}]`
  if (lost) {
    await process.complain(
      `${process.name}: FAIL: ${head} (416) <-- worker ${lost.pid} got signal 9\n${process.name}: WARN: ${head} (418) now reaping child worker processes\n${process.name}: FAIL: ${head} (422) kill error: No such process\n${process.name}: FAIL: ${head} (452) failed ${took}`,
    )
    return 1
  }
  await process.print(`${process.name}: info: ${head} successful ${took}`)
  return 0
}

/** Which of busybox' programs the image has. */
function applets({ fs, who }: Process): string[] {
  const folders = ['/bin', '/sbin', '/usr/bin', '/usr/sbin'].filter((path) => fs.find(path, who)?.type === 'dir')
  return folders.flatMap((path) => fs.list(path, who).map(([name]) => name)).toSorted()
}

async function busybox(process: Process): Promise<number> {
  const [applet, ...args] = process.args
  if (applet === undefined || applet === '--list' || applet === '--help') {
    const names = applets(process)
    await process.print(
      applet === '--list' ? `${names.join('\n')}\n` : `${busyboxBanner}\n\nCurrently defined functions:\n\t${names.join(', ')}\n`,
    )
    return 0
  }
  const program = applets(process).includes(applet) ? process.machine.programs.get(applet) : undefined
  if (!program) {
    await process.complain(`${applet}: applet not found\n`)
    return 127
  }
  process.machine.prepare(process, { program }, [applet, ...args])
  return program.run(process)
}
