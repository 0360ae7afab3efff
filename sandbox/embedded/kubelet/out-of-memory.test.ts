import { expect, test } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { Event } from '../schema/types/core.v1.ts'
import { nodeCluster } from './testing/node-cluster.ts'

const worker = 'labernetes-worker'
const image = 'polinux/stress'
const limits = { memory: '20Mi' }
const hog = 'stress --vm 1 --vm-bytes 60M --vm-hang 1000'

test('a child that takes more than its container may ends all of it, the kernel says why, and so does the status', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  const spec = { nodeName: worker, restartPolicy: 'Never' as const }
  const command = ['sh', '-c', `sleep 1; sh -c '${hog}'; echo rc $?; sleep 3`]
  await create('group', { ...spec, containers: [{ name: 'c', image, command, resources: { limits } }] })
  await cluster.advance(30_000)
  expect(pod('group')?.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 137 })

  const kernel = (await shell(worker, 'journalctl -k -o cat')).text
  expect(kernel).toMatch(/^stress invoked oom-killer: gfp_mask=0x[0-9a-f]+\(GFP_\w+\), order=0, oom_score_adj=998$/m)
  expect(kernel).toMatch(/^memory: usage 20480kB, limit 20480kB, failcnt \d+$/m)
  expect(kernel).toContain(
    '[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name\n',
  )
  expect(kernel).toMatch(
    /^oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=\(null\),cpuset=cri-containerd-[0-9a-f]{64}\.scope,mems_allowed=0,oom_memcg=\/kubelet\.slice\/\S+burstable-pod[0-9a-f_]{36}\.slice,task_memcg=\S+\.scope,task=stress,pid=\d+,uid=0$/m,
  )
  expect(kernel).toMatch(
    /^Memory cgroup out of memory: Killed process \d+ \(stress\) total-vm:\d+kB, anon-rss:\d+kB, file-rss:\d+kB, shmem-rss:0kB, UID:0 pgtables:\d+kB oom_score_adj:998$/m,
  )
  expect(kernel).toMatch(/^Tasks in \/kubelet\.slice\/\S+ are going to be killed due to memory\.oom\.group set$/m)
  expect((await shell(worker, 'dmesg | tail -1')).text).toMatch(/^\[ *\d+\.\d{6}\] Memory cgroup out of memory: Killed process /)
  expect((await shell(worker, 'journalctl | grep oom-kill:')).text).toMatch(/^Jan 01 \d\d:\d\d:\d\d labernetes-worker kernel: oom-kill:/)
})

test('with singleProcessOOMKill only the largest process ends, and what ends well later is still said to be OOMKilled', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  await shell(worker, `echo 'singleProcessOOMKill: true' >> /var/lib/kubelet/config.yaml; systemctl restart kubelet`)
  const command = ['sh', '-c', `sh -c '${hog}'; cat /sys/fs/cgroup/memory.oom.group /sys/fs/cgroup/memory.max; sleep 3`]
  const spec = { nodeName: worker, restartPolicy: 'Never' as const }
  await create('single', { ...spec, containers: [{ name: 'single', image, command, resources: { limits } }] })
  await create('first', {
    ...spec,
    initContainers: [{ name: 'i', image, command: ['sh', '-c', hog], resources: { limits } }],
    containers: [{ name: 'c', image: 'busybox:1.36', command: ['sleep', '1000'] }],
  })
  await cluster.advance(40_000)
  expect(pod('single')?.status?.phase).toBe('Succeeded')
  expect(pod('single')?.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 0 })
  expect((await shell(worker, 'crictl logs $(crictl ps -a -q --name single)')).text).toContain(`
0
${20 * 1024 * 1024}
`)
  expect(pod('first')?.status?.initContainerStatuses?.[0]?.state?.terminated).toMatchObject({ reason: 'OOMKilled' })
  expect((await shell(worker, 'journalctl -k -o cat')).text).not.toContain('memory.oom.group set')
})

test("a node's own programs that take all its memory are a system's matter: the kubelet tells of it at the node", async () => {
  const { cluster, shell } = await nodeCluster(2)
  await shell(worker, 'stress --vm 1 --vm-bytes 900M --vm-hang 1000')
  await cluster.advance(2000)
  const kernel = (await shell(worker, 'journalctl -k -o cat')).text
  const pid = /^Out of memory: Killed process (\d+) \(stress\) /m.exec(kernel)?.[1]
  expect(kernel).toContain(
    `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=stress,pid=${pid},uid=0`,
  )
  const events = cluster.context.cache.list<Event>(resources.events).filter(({ reason }) => reason === 'SystemOOM')
  expect(events.map(({ type, message, involvedObject }) => [type, message, involvedObject.name])).toEqual([
    ['Warning', `System OOM encountered, victim process: stress, pid: ${pid}`, worker],
  ])
})
