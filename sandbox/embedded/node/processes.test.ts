import { expect, test } from 'vitest'
import { nodeCluster } from '../kubelet/testing/node-cluster.ts'

const worker = 'labernetes-worker'

test('a node sees what runs in its containers, by numbers that crictl, ps, nsenter and ip netns agree on', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  await create('web', { nodeName: worker, containers: [{ name: 'web', image: 'nginx:1.27' }] })
  await create('host', {
    nodeName: worker,
    hostNetwork: true,
    containers: [{ name: 'c', image: 'busybox:1.36', command: ['sleep', '1000'] }],
  })
  await cluster.advance(10_000)
  const run = async (command: string) => (await shell(worker, command)).text
  const id = (await run('crictl ps -q --name web')).trim()
  const pid = Number(/"pid": (\d+)/.exec(await run(`crictl inspect ${id}`))?.[1])
  expect(pid).toBeGreaterThan(200)

  const all = await run('ps -ef')
  expect(all.split('\n')[0]).toBe('UID          PID    PPID  C STIME TTY          TIME CMD')
  const line = (pattern: RegExp) =>
    all
      .split('\n')
      .find((each) => pattern.test(each))
      ?.split(/\s+/) ?? []
  expect(line(/\/usr\/bin\/kubelet /)[1]).toBe('651')
  const master = line(new RegExp(` ${pid} `))
  expect(master.slice(0, 2)).toEqual(['root', String(pid)])
  expect(master.slice(7).join(' ')).toBe('nginx: master process nginx -g daemon off;')
  const shim = all.split('\n').find((each) => each.includes('containerd-shim-runc-v2') && each.split(/\s+/)[1] === master[2])
  expect(shim).toContain('-namespace k8s.io')
  expect(all).toMatch(new RegExp(`^65535 +\\d+ +${master[2]} .* /pause$`, 'm'))
  expect(await run(`ps -o ppid= -p ${pid}`)).toBe(`${master[2]?.padStart(7)}\n`)
  expect((await run('pgrep -o nginx')).trim()).toBe(String(pid))
  expect(await run('ps -e -H')).toContain(' \\_ ')

  const ip = pod('web')?.status?.podIP ?? ''
  expect(await run(`nsenter -t ${pid} -n ip -4 -o addr show eth0`)).toContain(` inet ${ip}/24 brd `)
  expect(await run(`nsenter -t ${pid} -n ip r`)).toBe(
    `default via 10.244.1.1 dev eth0 \n10.244.1.0/24 via 10.244.1.1 dev eth0 src ${ip} \n10.244.1.1 dev eth0 scope link src ${ip} \n`,
  )
  expect(await run(`nsenter -t ${pid} -n ss -ltn`)).toContain(':80')
  expect(await run(`nsenter -t ${pid} -n hostname; nsenter -t ${pid} -u hostname`)).toBe(`${worker}\nweb\n`)
  expect(await run(`nsenter -t ${pid} -m cat /etc/hostname`)).toBe('web\n')
  expect(await run(`nsenter -t ${pid} -a ps`)).toMatch(/^ *PID +USER.*\n +1 root +nginx: master/)
  expect(await run(`nsenter -t ${pid} -n curl -s -o /dev/null -w '%{http_code}' http://localhost/`)).toBe('200')

  const name = (await run(`ip netns identify ${pid}`)).trim()
  expect(name).toMatch(/^cni-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(await run('ip netns list')).toContain(`${name} (id: `)
  expect(await run('ls /var/run/netns')).toContain(name)
  expect((await run(`ip netns pids ${name}`)).split('\n')).toContain(String(pid))
  expect(await run(`ip netns exec ${name} ip -br a show eth0`)).toContain(ip)
  expect(await run(`nsenter --net=/var/run/netns/${name} hostname -i`)).toContain(ip)
  expect(await run(`readlink /proc/${pid}/ns/net`)).toMatch(/^net:\[\d+\]\n$/)
  expect(await run(`cat /proc/${pid}/cgroup`)).toMatch(/^0::\/kubelet\.slice\/.*besteffort-pod.*cri-containerd-[0-9a-f]{64}\.scope\n$/)
  const onHost = (await run('pgrep -x sleep')).trim()
  expect(await run(`ip netns identify ${onHost}`)).toBe('\n')

  expect(await shell(worker, 'nsenter -t 99999 -n ls')).toEqual({
    text: 'nsenter: cannot open /proc/99999/ns/net: No such file or directory\n',
    code: 1,
  })
  expect(await shell(worker, 'nsenter -n ls')).toEqual({ text: 'nsenter: neither filename nor target pid supplied for ns/net\n', code: 1 })
  expect(await shell(worker, "nsenter -t '' ls")).toEqual({ text: "nsenter: failed to parse pid: ''\n", code: 1 })
  expect(await shell(worker, `nsenter -t ${pid} -n nosuch`)).toEqual({
    text: 'nsenter: failed to execute nosuch: No such file or directory\n',
    code: 127,
  })
  expect(await shell(worker, 'ip netns exec nope ls')).toEqual({
    text: 'Cannot open network namespace "nope": No such file or directory\n',
    code: 255,
  })
  expect(await shell(worker, 'ip netns exec')).toEqual({ text: 'No netns name specified\n', code: 1 })

  await run(`kill -9 ${pid}`)
  await cluster.advance(5000)
  expect(pod('web')?.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 137 } } })
  expect(Number((await run('pgrep -o nginx')).trim())).toBeGreaterThan(pid)
  await run('kill -9 651')
  await cluster.advance(3000)
  expect(await run('journalctl -u kubelet | cat')).toContain('kubelet.service: Main process exited, code=killed, status=9/KILL')
  expect(Number((await run('pidof kubelet')).trim())).toBeGreaterThan(651)
})

test("a node's figures are those of its kubelet: memory, disk, time, in the programs' own columns", async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  await cluster.advance(3_600_000)
  const run = async (command: string) => (await shell(worker, command)).text
  const used = async () => Number(/^Mem: +\d+ +(\d+)/m.exec(await run('free -m'))?.[1])
  const before = await used()
  expect(await run('free')).toMatch(
    /^ {15}total {8}used {8}free {6}shared {2}buff\/cache {3}available\nMem: {9}8388608 +\d+ +\d+ +12480 +\d+ +\d+\nSwap: {14}0 {11}0 {11}0\n$/,
  )
  expect(await run('free -h')).toMatch(/^Mem: +8\.0Gi +\S+Mi /m)
  const containers = [
    {
      name: 'c',
      image: 'polinux/stress',
      command: ['stress', '--vm', '1', '--vm-bytes', '500M', '--vm-hang', '1000'],
      resources: { limits: { memory: '600Mi' } },
    },
  ]
  await create('hog', { nodeName: worker, containers })
  await cluster.advance(60_000)
  expect(pod('hog')?.status?.phase).toBe('Running')
  expect(await used()).toBeGreaterThan(before + 400)
  expect(await run('cat /proc/meminfo')).toMatch(/^MemTotal: +8388608 kB\n/)

  expect(await run('uptime')).toMatch(/^ \d\d:\d\d:\d\d up {2}1:0\d, {2}0 user, {2}load average: \d+\.\d\d, \d+\.\d\d, \d+\.\d\d\n$/)
  expect(await run('uptime -p')).toMatch(/^up 1 hour(, \d minutes?)?\n$/)
  expect(await run('df -h / /var')).toMatch(
    /^Filesystem {6}Size {2}Used Avail Use% Mounted on\noverlay {10}59G +\S+G +\S+G +\d+% \/\n\/dev\/vda1 {8}59G +\S+G +\S+G +\d+% \/var\n$/,
  )
  expect(await run('df -i /')).toMatch(/^Filesystem {6}Inodes +IUsed +IFree IUse% Mounted on\noverlay +3907584 +\d+ +\d+ +8% \/\n$/)
  expect(await run('df')).toMatch(
    /^shm +65536 +0 +65536 +0% \/run\/containerd\/io\.containerd\.grpc\.v1\.cri\/sandboxes\/[0-9a-f]{64}\/shm$/m,
  )
  expect(await run('lsblk')).toMatch(/^NAME {3}MAJ:MIN RM {2}SIZE RO TYPE MOUNTPOINTS\nvda {4}254:0 {4}0 {3}59G {2}0 disk \n/)
  const top = await run('top -b -n1')
  expect(top).toMatch(/^top - \d\d:\d\d:\d\d up {2}1:0\d, {2}0 user, {2}load average: /)
  expect(top).toMatch(/^MiB Mem : {3}8192\.0 total, +[\d.]+ free, +[\d.]+ used, +[\d.]+ buff\/cache {5}$/m)
  expect(top).toContain('    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n')
  expect(await run('ps aux --sort=-rss | head -2')).toMatch(/stress/)
})
