import type { Machine } from '../kernel/machine.ts'
import type { ContainerSpec } from '../runtime.ts'
import { type DirNode, directory, generated } from './node.ts'

/** /sys of a container: its own control group, version 2, as it is at each look. */
export function sys(machine: () => Machine, spec: () => ContainerSpec): DirNode {
  const page = 4096
  const limit = () => machine().memoryLimit
  const files: Record<string, () => string> = {
    'cgroup.controllers': () => 'cpuset cpu io memory hugetlb pids rdma misc',
    'cgroup.procs': () => [...machine().processes.keys()].join('\n'),
    'cpu.max': () => (spec().cpuLimit ? `${Math.round((spec().cpuLimit as number) * 100_000)} 100000` : 'max 100000'),
    'cpu.stat': () => `usage_usec ${Math.floor(machine().cpu.total / 1000)}`,
    'memory.current': () => String(Math.floor(machine().memoryBytes / page) * page),
    'memory.max': () => (limit() === undefined ? 'max' : String(Math.floor((limit() as number) / page) * page)),
    'memory.events': () =>
      `low 0\nhigh 0\nmax ${machine().oomKills}\noom ${machine().oomKills}\noom_kill ${machine().oomKills}\noom_group_kill 0`,
    'memory.oom.group': () => (spec().singleProcessOOMKill ? '0' : '1'),
    'memory.swap.max': () => '0',
    'pids.current': () => String(machine().processes.size),
    'pids.max': () => 'max',
  }
  const root = directory(0o555)
  const fs = directory(0o555)
  const cgroup = directory(0o555)
  for (const [name, text] of Object.entries(files)) {
    const content = () => `${text()}\n`
    cgroup.entries.set(name, generated(content))
  }
  fs.entries.set('cgroup', cgroup)
  root.entries.set('fs', fs)
  return root
}
