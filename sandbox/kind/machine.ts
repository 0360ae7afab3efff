import { readFile, statfs } from 'node:fs/promises'
import { cpus, freemem, totalmem } from 'node:os'
import { Docker, DockerError } from './docker.ts'

/** What of the machine a kind cluster depends on, as it was measured. */
export interface Machine {
  docker: Docker | null
  /** The daemon's version, or null when none answers. */
  version: string | null
  /** Sentences, each with what to do about it. With one of these no cluster can be made. */
  missing: string[]
  /** Sentences about what works badly or only for few clusters. */
  warnings: string[]
  memory: { totalBytes: number; availableBytes: number }
  cpus: number
  /** Free bytes where the daemon keeps its data; null when that is not on this machine. */
  diskFreeBytes: number | null
  cgroup: '1' | '2' | null
  rootless: boolean
  inotify: { watches: number; instances: number } | null
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
}

interface PodmanInfo {
  host?: { cgroupVersion?: string; security?: { rootless?: boolean }; memTotal?: number; cpus?: number }
  store?: { graphRoot?: string }
  version?: { Version?: string }
}

const gibibyte = 2 ** 30
/** A cluster of one node and its toolbox, with room for what a lab runs. */
const leastMemory = 1.5 * gibibyte
const leastDisk = 5 * gibibyte
/** What one node takes of fs.inotify.max_user_instances, counted on a running one. */
const instancesPerNode = 27
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
    machine.missing.push('Docker is not installed. Install Docker Engine 20.10 or later, or podman 4 or later, and start again.')
    return machine
  }
  try {
    await askDaemon(docker, machine, signal)
  } catch (error) {
    machine.missing.push(whyNoDaemon(error))
    return machine
  }
  judge(machine)
  return machine
}

/** Bytes that could be used without swapping, as the kernel estimates it. */
export async function availableMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1]
  return kilobytes ? Number(kilobytes) * 1024 : freemem()
}

async function askDaemon(docker: Docker, machine: Machine, signal?: AbortSignal): Promise<void> {
  const call = { timeout: 10_000, ...(signal ? { signal } : {}) }
  if (docker.flavour === 'podman') {
    const info = await docker.json<PodmanInfo>(['info', '--format', 'json'], call)
    machine.version = info.version?.Version ?? 'unknown'
    machine.cgroup = info.host?.cgroupVersion === 'v1' ? '1' : '2'
    machine.rootless = info.host?.security?.rootless ?? false
    machine.diskFreeBytes = await freeBytes(info.store?.graphRoot)
    return
  }
  const info = await docker.json<DockerInfo>(['info', '--format', '{{json .}}'], call)
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
  if (info.OSType && info.OSType !== 'linux') machine.missing.push(`Docker runs ${info.OSType} containers. Switch it to Linux containers.`)
  if (machine.rootless && machine.cgroup === '1')
    machine.missing.push('Rootless Docker needs cgroup v2 for kind. Boot with systemd.unified_cgroup_hierarchy=1, or use Docker as root.')
  if (machine.rootless && (info.CgroupDriver === 'none' || !info.MemoryLimit || !info.PidsLimit))
    machine.missing.push(
      'Rootless Docker may not set limits. Give its systemd user service Delegate=yes (kind.sigs.k8s.io/docs/user/rootless), then log in again.',
    )
}

function judge(machine: Machine): void {
  const { memory, diskFreeBytes, inotify, cgroup } = machine
  if (memory.availableBytes < leastMemory)
    machine.missing.push(
      `Only ${inGibibytes(memory.availableBytes)} of memory are free; a kind cluster needs ${inGibibytes(leastMemory)}. End other programs or other clusters.`,
    )
  if (diskFreeBytes !== null && diskFreeBytes < leastDisk)
    machine.missing.push(
      `Only ${inGibibytes(diskFreeBytes)} of disk are free where Docker keeps its data; kind needs ${inGibibytes(leastDisk)}. Try: docker system prune`,
    )
  if (inotify && inotify.instances < instancesPerNode)
    machine.missing.push(
      `fs.inotify.max_user_instances is ${inotify.instances}; a node takes ${instancesPerNode}. Run: sysctl fs.inotify.max_user_instances=${recommended.instances}`,
    )
  else if (inotify && inotify.instances < recommended.instances)
    machine.warnings.push(
      `fs.inotify.max_user_instances is ${inotify.instances}, enough for ${Math.floor(inotify.instances / instancesPerNode)} nodes. Run: sysctl fs.inotify.max_user_instances=${recommended.instances}`,
    )
  if (inotify && inotify.watches < recommended.watches)
    machine.warnings.push(
      `fs.inotify.max_user_watches is ${inotify.watches}. For many clusters run: sysctl fs.inotify.max_user_watches=${recommended.watches}`,
    )
  if (cgroup === '1') machine.warnings.push('cgroup v1: Kubernetes up to 1.34 runs on it, later versions refuse. Boot with cgroup v2.')
}

/** What an unreachable daemon's message means, and what to do. */
function whyNoDaemon(error: unknown): string {
  const text = error instanceof DockerError ? error.stderr : String(error)
  if (/permission denied/i.test(text))
    return 'Docker refuses this user. Add the user to the group docker (sudo usermod -aG docker NAME), log in again and start again.'
  if (/cannot connect|is the docker daemon running|no such file|connection refused/i.test(text))
    return `Docker is installed, but its daemon does not run${process.env['DOCKER_HOST'] ? ` at ${process.env['DOCKER_HOST']}` : ''}. Start it: systemctl start docker`
  if (error instanceof DockerError && error.exitCode === 124) return 'Docker does not answer. Restart its daemon: systemctl restart docker'
  return `Docker cannot be used: ${(error as Error).message}`
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
