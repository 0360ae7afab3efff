import { readFile, statfs } from 'node:fs/promises'
import { cpus, freemem, totalmem } from 'node:os'
import type { Text } from '../text.ts'
import { Docker, DockerError, findProgram } from './docker.ts'

/** What of the machine a kind cluster depends on, as it was measured. */
export interface Machine {
  docker: Docker | null
  /** The daemon's version, or null when none answers. */
  version: string | null
  /** Sentences, each with what to do about it. With one of these no cluster can be made. */
  missing: Complaint[]
  /** Sentences about what works badly or only for few clusters. */
  warnings: Complaint[]
  memory: { totalBytes: number; availableBytes: number }
  cpus: number
  /** Free bytes where the daemon keeps its data; null when that is not on this machine. */
  diskFreeBytes: number | null
  cgroup: '1' | '2' | null
  rootless: boolean
  inotify: { watches: number; instances: number } | null
}

export interface Complaint extends Text {
  about: 'docker' | 'memory' | 'disk' | 'inotify' | 'cgroup'
}

interface DockerInfo {
  ServerVersion?: string
  CgroupVersion?: string
  CgroupDriver?: string
  DockerRootDir?: string
  MemTotal?: number
  NCPU?: number
  MemoryLimit?: boolean
  PidsLimit?: boolean
  OSType?: string
  SecurityOptions?: string[]
  ServerErrors?: string[]
  /** Told by a podman that goes by Docker's name, and by no Docker. */
  host?: object
}

const gibibyte = 2 ** 30
/** A cluster of one node and its toolbox, with room for what a lab runs. */
const leastMemory = 1.5 * gibibyte
const leastDisk = 5 * gibibyte
/** What one node takes of fs.inotify.max_user_instances, counted on a running one. */
const instancesPerNode = 27
const noDocker: Text = {
  en: 'Docker is not installed. Install Docker Engine 20.10 or later and start again.',
  zh: '没有安装 Docker。请安装 Docker Engine 20.10 或更新版本，然后重新启动。',
}
/** Tried with podman 4.3 and netavark: docs/operating.md. */
const onlyPodman: Text = {
  en: 'There is podman here, and no Docker. Learners could not be kept apart on podman: its networks reach each other. Install Docker Engine 20.10 or later beside it and start again.',
  zh: '这里只有 podman，没有 Docker。在 podman 上无法把学习者彼此隔开：它的各个网络之间是连通的。请另外安装 Docker Engine 20.10 或更新版本，然后重新启动。',
}
/** kind's known issues ask for these. */
const recommended = { watches: 524_288, instances: 512 }

/** Looks at everything that kind clusters need of this machine. Never rejects: what is wrong is in the answer. */
export async function examineMachine(signal?: AbortSignal): Promise<Machine> {
  const docker = await Docker.find()
  const machine: Machine = {
    docker,
    version: null,
    missing: [],
    warnings: [],
    memory: { totalBytes: totalmem(), availableBytes: await availableMemory() },
    cpus: cpus().length,
    diskFreeBytes: null,
    cgroup: null,
    rootless: false,
    inotify: await inotifyLimits(),
  }
  if (!docker) {
    machine.missing.push({ about: 'docker', ...((await findProgram('podman')) ? onlyPodman : noDocker) })
    return machine
  }
  try {
    await askDaemon(docker, machine, signal)
  } catch (error) {
    machine.missing.push({ about: 'docker', ...whyNoDaemon(error) })
    return machine
  }
  judge(machine)
  return machine
}

/** Why no cluster can be made on a machine; null when one can. */
export function whyNoCluster({ docker, missing: [first] }: Machine): Text | null {
  if (first) return { en: first.en, zh: first.zh }
  return docker ? null : noDocker
}

/** Bytes that could be used without swapping, as the kernel estimates it. */
export async function availableMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1]
  return kilobytes ? Number(kilobytes) * 1024 : freemem()
}

async function askDaemon(docker: Docker, machine: Machine, signal?: AbortSignal): Promise<void> {
  const call = { timeout: 10_000, ...(signal ? { signal } : {}) }
  const info = await docker.json<DockerInfo>(['info', '--format', '{{json .}}'], call)
  if (info.host) {
    machine.missing.push({ about: 'docker', ...onlyPodman })
    return
  }
  if (!info.ServerVersion) throw new DockerError(['info'], 1, info.ServerErrors?.join('\n') ?? 'the daemon did not answer')
  machine.version = info.ServerVersion
  machine.cgroup = info.CgroupVersion === '2' ? '2' : '1'
  machine.rootless = info.SecurityOptions?.some((option) => option.includes('name=rootless')) ?? false
  machine.diskFreeBytes = await freeBytes(info.DockerRootDir)
  // a daemon in a virtual machine (Docker Desktop) has less than the machine has
  if (info.MemTotal && info.MemTotal < machine.memory.totalBytes * 0.95) {
    machine.memory.totalBytes = info.MemTotal
    machine.memory.availableBytes = Math.min(machine.memory.availableBytes, info.MemTotal)
  }
  if (info.NCPU) machine.cpus = info.NCPU
  if (info.OSType && info.OSType !== 'linux')
    machine.missing.push({
      about: 'docker',
      en: `Docker runs ${info.OSType} containers. Switch it to Linux containers.`,
      zh: `Docker 现在运行的是 ${info.OSType} 容器。请切换到 Linux 容器。`,
    })
  if (machine.rootless && machine.cgroup === '1')
    machine.missing.push({
      about: 'docker',
      en: 'Rootless Docker needs cgroup v2 for kind. Boot with systemd.unified_cgroup_hierarchy=1, or use Docker as root.',
      zh: '无根（rootless）Docker 要运行 kind，需要 cgroup v2。请以 systemd.unified_cgroup_hierarchy=1 引导系统，或以 root 使用 Docker。',
    })
  if (machine.rootless && (info.CgroupDriver === 'none' || !info.MemoryLimit || !info.PidsLimit))
    machine.missing.push({
      about: 'docker',
      en: 'Rootless Docker may not set limits. Give its systemd user service Delegate=yes (kind.sigs.k8s.io/docs/user/rootless), then log in again.',
      zh: '无根（rootless）Docker 不能设置资源限制。请给它的 systemd 用户服务加上 Delegate=yes（kind.sigs.k8s.io/docs/user/rootless），然后重新登录。',
    })
}

function judge(machine: Machine): void {
  const { memory, diskFreeBytes, inotify, cgroup } = machine
  if (memory.availableBytes < leastMemory)
    machine.missing.push({
      about: 'memory',
      en: `Only ${inGibibytes(memory.availableBytes)} of memory are free; a kind cluster needs ${inGibibytes(leastMemory)}. End other programs or other clusters.`,
      zh: `空闲内存只有 ${inGibibytes(memory.availableBytes)}，一个 kind 集群需要 ${inGibibytes(leastMemory)}。请结束其他程序或其他集群。`,
    })
  if (diskFreeBytes !== null && diskFreeBytes < leastDisk)
    machine.missing.push({
      about: 'disk',
      en: `Only ${inGibibytes(diskFreeBytes)} of disk are free where Docker keeps its data; kind needs ${inGibibytes(leastDisk)}. Try: docker system prune`,
      zh: `Docker 存放数据的磁盘只剩 ${inGibibytes(diskFreeBytes)}，kind 需要 ${inGibibytes(leastDisk)}。可以试试：docker system prune`,
    })
  if (inotify && inotify.instances < instancesPerNode)
    machine.missing.push({
      about: 'inotify',
      en: `fs.inotify.max_user_instances is ${inotify.instances}; a node takes ${instancesPerNode}. Run: sysctl fs.inotify.max_user_instances=${recommended.instances}`,
      zh: `fs.inotify.max_user_instances 是 ${inotify.instances}，而一个节点要用 ${instancesPerNode} 个。请运行：sysctl fs.inotify.max_user_instances=${recommended.instances}`,
    })
  else if (inotify && inotify.instances < recommended.instances)
    machine.warnings.push({
      about: 'inotify',
      en: `fs.inotify.max_user_instances is ${inotify.instances}, enough for ${Math.floor(inotify.instances / instancesPerNode)} nodes. Run: sysctl fs.inotify.max_user_instances=${recommended.instances}`,
      zh: `fs.inotify.max_user_instances 是 ${inotify.instances}，够 ${Math.floor(inotify.instances / instancesPerNode)} 个节点使用。请运行：sysctl fs.inotify.max_user_instances=${recommended.instances}`,
    })
  if (inotify && inotify.watches < recommended.watches)
    machine.warnings.push({
      about: 'inotify',
      en: `fs.inotify.max_user_watches is ${inotify.watches}. For many clusters run: sysctl fs.inotify.max_user_watches=${recommended.watches}`,
      zh: `fs.inotify.max_user_watches 是 ${inotify.watches}。要同时运行很多集群，请运行：sysctl fs.inotify.max_user_watches=${recommended.watches}`,
    })
  if (cgroup === '1')
    machine.warnings.push({
      about: 'cgroup',
      en: 'cgroup v1: Kubernetes up to 1.34 runs on it, later versions refuse. Boot with cgroup v2.',
      zh: 'cgroup v1：Kubernetes 到 1.34 为止还能在上面运行，更新的版本会拒绝。请以 cgroup v2 引导系统。',
    })
}

/** What an unreachable daemon's message means, and what to do. */
function whyNoDaemon(error: unknown): Text {
  const text = error instanceof DockerError ? error.stderr : String(error)
  if (/permission denied/i.test(text))
    return {
      en: 'Docker refuses this user. Add the user to the group docker (sudo usermod -aG docker NAME), log in again and start again.',
      zh: 'Docker 拒绝当前用户。请把用户加入 docker 组（sudo usermod -aG docker NAME），重新登录后再启动。',
    }
  if (/cannot connect|is the docker daemon running|no such file|connection refused/i.test(text)) {
    const host = process.env['DOCKER_HOST']
    return {
      en: `Docker is installed, but its daemon does not run${host ? ` at ${host}` : ''}. Start it: systemctl start docker`,
      zh: `Docker 已经安装，但${host ? ` ${host} 上的` : '它的'}守护进程没有运行。请启动它：systemctl start docker`,
    }
  }
  if (error instanceof DockerError && error.exitCode === 124)
    return {
      en: 'Docker does not answer. Restart its daemon: systemctl restart docker',
      zh: 'Docker 没有应答。请重启它的守护进程：systemctl restart docker',
    }
  const { message } = error as Error
  return { en: `Docker cannot be used: ${message}`, zh: `无法使用 Docker：${message}` }
}

async function freeBytes(folder: string | undefined): Promise<number | null> {
  if (!folder) return null
  // the daemon's folder may be closed to this user, or in a virtual machine
  const found = await statfs(folder).catch(() => null)
  return found ? found.bavail * found.bsize : null
}

async function inotifyLimits(): Promise<Machine['inotify']> {
  const read = async (name: string) => Number(await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8'))
  return Promise.all([read('max_user_watches'), read('max_user_instances')]).then(
    ([watches, instances]) => ({ watches, instances }),
    () => null,
  )
}

/** 1.5 GiB */
export function inGibibytes(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`
}
