import type { Process } from '../kernel/process.ts'
import type { SignalName } from '../kernel/signals.ts'

/** A process as those see it that ask for all of them. */
export interface SeenProcess {
  pid: number
  ppid: number
  uid: number
  /** The program's name, without its folder. */
  name: string
  commandLine: string
  /** Cluster ms. */
  startedAt: number
  memoryBytes: number
  cpuNanoseconds: number
  /** Billionths of a core, over the last seconds. */
  cpuNanoCores: number
  terminal: boolean
  /** Absent for what only a node sees. */
  process?: Process
  kill(signal: SignalName): void
}

/** All processes that one can see, by number: those of its own namespace, and on a node all that run there. */
export function processesSeenBy({ machine }: Process): SeenProcess[] {
  const outer = new Map(machine.others.map((each) => [each.pid, each]))
  const own = [...machine.pids.processes.values()].map(
    (each): SeenProcess => ({
      pid: each.pid,
      ppid: each.parent ? each.ppid : (outer.get(each.pid)?.ppid ?? each.ppid),
      uid: each.uid,
      name: each.name,
      commandLine: each.commandLine,
      startedAt: each.startedAt,
      memoryBytes: each.memoryBytes,
      cpuNanoseconds: each.cpuNanoseconds,
      cpuNanoCores: shareOf(each),
      terminal: each.terminal !== undefined,
      process: each,
      kill: (signal) => each.kill(signal),
    }),
  )
  const others = [...outer.values()]
    .filter(({ pid }) => !machine.pids.processes.has(pid))
    .map(
      (each): SeenProcess => ({
        ...each,
        name: each.pid === 1 ? 'systemd' : ((each.argv[0] ?? '').split('/').pop() ?? ''),
        commandLine: each.title ?? each.argv.join(' '),
        cpuNanoCores: each.process ? shareOf(each.process) : 0,
        terminal: false,
      }),
    )
  return [...own, ...others].sort((one, other) => one.pid - other.pid)
}

/** Its part of what its container takes now, as it had of all that the container took. */
function shareOf({ machine, cpuNanoseconds }: Process): number {
  return machine.cpu.total > 0 ? (machine.cpu.usage() * cpuNanoseconds) / machine.cpu.total : 0
}
