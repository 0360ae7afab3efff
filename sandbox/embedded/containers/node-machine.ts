import type { ClusterContext } from '../machinery/context.ts'
import type { NodeNetwork, PodNetwork } from '../network/network.ts'
import { netnsOf } from '../network/stack.ts'
import type { NodeHost } from '../node/host.ts'
import { Cpu } from './kernel/cpu.ts'
import { Machine } from './kernel/machine.ts'
import { NullFile } from './kernel/open-file.ts'
import { PidNamespace } from './kernel/pid-namespace.ts'
import { programs } from './programs/table.ts'
import type { Process, Volume } from './runtime.ts'
import { Session } from './session.ts'
import { devices } from './vfs/devices.ts'
import { Errno } from './vfs/errno.ts'
import { FileSystem, type MountPoint } from './vfs/file-system.ts'
import { type DirNode, directory, file } from './vfs/node.ts'
import { proc } from './vfs/proc.ts'
import { KernelParameters } from './vfs/sysctl.ts'
import { Tree } from './vfs/tree.ts'
import type { TreeVolume } from './volume.ts'

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const memory = 64 * 1024 * 1024

/** What runs on a node beside its pods: shells of root, over the node's own files and network. Disposing ends them. */
export class NodeMachine implements Disposable {
  readonly machine: Machine

  /** @param files the node's own (Runtime.volume) */
  constructor(ctx: ClusterContext, name: string, files: Volume, network: PodNetwork & { node?: NodeNetwork }, host: NodeHost) {
    const { tree } = files as TreeVolume
    const fs = new FileSystem({ path: '/', tree, prefix: [], readOnly: false, source: 'overlay', type: 'overlay' }, () => ctx.clock.now())
    const machine = (): Machine => this.machine
    const tmpfs = new Tree(directory(0o1777), { limitBytes: memory, medium: 'memory' })
    this.machine = new Machine({
      clock: ctx.clock,
      random: ctx.random,
      fs,
      network,
      cpu: new Cpu(ctx.clock, undefined),
      hostname: name,
      parameters: new KernelParameters({}, () => name, network.node?.stack),
      noNewPrivileges: false,
      pids: new PidNamespace({ next: () => host.takePid() }),
      memoryLimit: undefined,
      singleProcessOOMKill: true,
      memoryTrees: [tmpfs],
      programs,
      host,
      report: (where, error) => ctx.report(`node ${name}: ${where}`, error),
    })
    this.machine.onOutOfMemory = (report) => host.outOfMemory(report)
    const point = (at: string, of: Tree, type: string): MountPoint => ({
      path: at,
      tree: of,
      prefix: [],
      readOnly: false,
      source: type,
      type,
    })
    fs.mount(point('/proc', new Tree(proc(machine), { limitBytes: 0 }), 'proc'))
    fs.mount(point('/dev', new Tree(devices(machine), { limitBytes: 65536, medium: 'memory' }), 'tmpfs'))
    fs.mount(point('/dev/shm', tmpfs, 'tmpfs'))
    const named = new Tree(namedNamespaces(host, network), { limitBytes: 0 })
    for (const folder of ['/run/netns', '/var/run/netns']) fs.mount(point(folder, named, 'tmpfs'))
    // PID 1 is the node's init, which never ends and does nothing here.
    const init = new Map([0, 1, 2].map((fd) => [fd, new NullFile()]))
    this.machine.create({ ...root, argv: ['/sbin/init'], env: new Map(), parent: undefined, files: init, terminal: undefined })
  }

  /** A process of root. One that cannot be started ends at once with 127 or 126 and says why. */
  exec(argv: readonly string[], options: { tty: boolean; stdin: boolean; cols?: number; rows?: number }): Process {
    const session = new Session(options)
    const env = new Map([
      ['PATH', path],
      ['HOME', '/root'],
      ['HOSTNAME', this.machine.hostname],
      ...(options.tty ? [['TERM', 'xterm'] as [string, string]] : []),
    ])
    const process = this.machine.create({ ...root, argv, env, parent: undefined, files: session.files(), terminal: undefined })
    session.attach(this.machine, process)
    const name = argv[0] ?? ''
    void this.machine.run(process, async () => {
      try {
        const target = this.machine.resolve(name, process)
        this.machine.prepare(process, target, [...(target.argv.length > 1 ? target.argv : [name]), ...argv.slice(1)])
        return await target.program.run(process)
      } catch (error) {
        if (!(error instanceof Errno)) throw error
        await process.complain(`${name}: ${error.code === 'ENOENT' ? 'command not found' : error.message}\n`)
        return error.code === 'ENOENT' ? 127 : 126
      }
    })
    return session.process
  }

  [Symbol.dispose](): void {
    this.machine.killAll()
  }
}

/** A file for each pod's network namespace, as the runtime binds them, and for each that somebody has made. */
function namedNamespaces(host: NodeHost, { node }: PodNetwork): DirNode {
  const folder = directory(0o755)
  folder.dynamic = () => {
    const pods = host.processes().flatMap(({ pod, network }) => (pod && network ? [netnsOf(pod.uid)] : []))
    return new Map([...new Set([...pods, ...(node?.namespaces.names() ?? [])])].map((name) => [name, file('', 0o444)]))
  }
  return folder
}

const root = { uid: 0, gid: 0, umask: 0o022, cwd: '/root' }
