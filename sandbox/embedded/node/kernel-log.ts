import type { OutOfMemory } from '../containers/kernel/machine.ts'
import type { Process } from '../containers/kernel/process.ts'
import { cgroupOf, podCgroup, scopeOf } from './cgroups.ts'
import type { NodeProcess } from './host.ts'

const page = 4096

/** What the kernel logs when it kills processes of a container, or with no limit of the whole node, for their memory. */
export function outOfMemoryLines({ invoker, victim, killed, usage, limit }: OutOfMemory, all: readonly NodeProcess[]): string[] {
  const seen = (process: Process) => all.find((each) => each.process === process)
  const adj = invoker.machine.oomScoreAdj
  const of = seen(victim)
  const kib = (bytes: number) => Math.floor(bytes / 1024)
  const pages = (bytes: number) => String(Math.floor(bytes / page))
  const pod = of?.pod
  const group = of ? cgroupOf(of) : '/'
  const scope = of?.container ? scopeOf(of.container.id) : '/'
  // Where a pod has one container, its own group is at the limit first: the sandbox counts there too.
  const alone =
    pod !== undefined && new Set(all.filter((each) => each.pod?.uid === pod.uid).map(({ container }) => container?.id)).size <= 2
  const domain = pod && alone ? podCgroup(pod.uid, pod.qosClass) : group
  const about = `task_memcg=${group},task=${victim.name.slice(0, 15)},pid=${of?.pid ?? victim.pid},uid=${victim.uid}`
  const cause = limit === undefined ? 'CONSTRAINT_NONE' : 'CONSTRAINT_MEMCG'
  const within = limit === undefined ? 'global_oom' : `oom_memcg=${domain}`
  const rows = all
    .filter(
      (each) =>
        each.pod !== undefined && each.pod.uid === pod?.uid && (each.container === undefined || each.container.id === of?.container?.id),
    )
    .map((each) => {
      const score = each.container ? adj : -998
      const columns = [each.uid, each.pid, pages(each.memoryBytes * 2), pages(each.memoryBytes), pages(each.memoryBytes * 0.9)]
      const [uid, tgid, total, rss, anon] = columns.map(String) as [string, string, string, string, string]
      const last = `${'0'.padStart(9)} ${'36864'.padStart(8)} ${'0'.padStart(8)} ${String(score).padStart(13)} ${(each.argv[0] ?? '').split('/').pop()?.slice(0, 15)}`
      return `[${String(each.pid).padStart(7)}] ${uid.padStart(5)} ${tgid.padStart(5)} ${total.padStart(8)} ${rss.padStart(8)} ${anon.padStart(8)} ${pages(each.memoryBytes * 0.1).padStart(8)} ${last}`
    })
  const killedLine = (process: Process) => {
    const { memoryBytes } = process
    const sizes = `total-vm:${kib(memoryBytes * 2)}kB, anon-rss:${kib(memoryBytes * 0.9)}kB, file-rss:${kib(memoryBytes * 0.1)}kB, shmem-rss:0kB`
    const what = limit === undefined ? 'Out of memory' : 'Memory cgroup out of memory'
    const pid = seen(process)?.pid ?? process.pid
    return `${what}: Killed process ${pid} (${process.name.slice(0, 15)}) ${sizes}, UID:${process.uid} pgtables:36kB oom_score_adj:${adj}`
  }
  return [
    `${invoker.name.slice(0, 15)} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=${adj}`,
    ...(limit === undefined
      ? []
      : [
          `memory: usage ${kib(Math.min(usage, limit))}kB, limit ${kib(limit)}kB, failcnt ${Math.max(1, Math.ceil((usage - limit) / page))}`,
        ]),
    'Tasks state (memory values in pages):',
    '[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name',
    ...rows,
    `oom-kill:constraint=${cause},nodemask=(null),cpuset=${scope},mems_allowed=0,${within},${about}`,
    killedLine(victim),
    ...(killed.length > 1 ? [`Tasks in ${group} are going to be killed due to memory.oom.group set`, ...killed.map(killedLine)] : []),
  ]
}
