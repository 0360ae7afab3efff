import type { ClusterContext } from '../machinery/context.ts'
import type { NodeHost } from '../node/host.ts'
import type { NodePids } from '../node/pids.ts'
import { resolveImage } from './images.ts'
import { Cpu } from './kernel/cpu.ts'
import { Machine } from './kernel/machine.ts'
import { PidNamespace, type PidNamespaceOptions } from './kernel/pid-namespace.ts'
import { programs } from './programs/table.ts'
import type { ContainerSpec } from './runtime.ts'
import { FileSystem } from './vfs/file-system.ts'
import { KernelParameters } from './vfs/sysctl.ts'
import { Tree } from './vfs/tree.ts'

/** The process numbers of a node, and the node once it has begun. */
export interface NodeOfProcesses {
  pids: NodePids
  host: () => NodeHost | undefined
}

/**
 * Which containers of a node share their processes: those of a pod that wants it so, debuggers with their target, and those that are
 * in the node's own namespace with all of it.
 */
export class PidNamespaces {
  private readonly ctx: ClusterContext
  private readonly byContainer = new Map<string, PidNamespace>()
  private readonly byPod = new Map<string, { namespace: PidNamespace; pause: Machine; members: Set<string> }>()

  private readonly nodeOf: (spec: ContainerSpec) => NodeOfProcesses | undefined

  constructor(ctx: ClusterContext, nodeOf: (spec: ContainerSpec) => NodeOfProcesses | undefined) {
    this.ctx = ctx
    this.nodeOf = nodeOf
  }

  /** The namespace that a new container belongs to. */
  join(spec: ContainerSpec): PidNamespace {
    const { id, podUID, sharesProcesses } = spec
    const target = typeof sharesProcesses === 'object' ? this.byContainer.get(sharesProcesses.container) : undefined
    const ofNode = sharesProcesses === 'node' ? this.nodeOf(spec) : undefined
    const namespace = target ?? (sharesProcesses === 'pod' ? this.ofPod(spec) : new PidNamespace(ofNode && optionsOf(id, ofNode)))
    this.byContainer.set(id, namespace)
    if (sharesProcesses === 'pod') this.byPod.get(podUID)?.members.add(id)
    return namespace
  }

  leave({ id, podUID }: ContainerSpec): void {
    this.byContainer.delete(id)
    const pod = this.byPod.get(podUID)
    if (!pod?.members.delete(id) || pod.members.size > 0) return
    pod.pause.killAll()
    this.byPod.delete(podUID)
  }

  private ofPod(spec: ContainerSpec): PidNamespace {
    const known = this.byPod.get(spec.podUID)
    if (known) return known.namespace
    const namespace = new PidNamespace()
    const pause = sandboxMachine(this.ctx, spec, namespace)
    this.byPod.set(spec.podUID, { namespace, pause, members: new Set() })
    return namespace
  }
}

/** A container's processes have the numbers that the node knows them by. */
function optionsOf(id: string, { pids, host }: NodeOfProcesses): PidNamespaceOptions {
  return { first: () => pids.of(id), next: () => pids.take(), node: host }
}

/** A pod's sandbox container: nothing but the pause program, which is process 1 of all. */
function sandboxMachine(ctx: ClusterContext, spec: ContainerSpec, pids: PidNamespace): Machine {
  const { root } = resolveImage('registry.k8s.io/pause:3.10.1')
  const tree = new Tree(root, { limitBytes: 0, shared: true })
  const fs = new FileSystem({ path: '/', tree, prefix: [], readOnly: true, source: 'overlay', type: 'overlay' }, () => ctx.clock.now())
  const machine: Machine = new Machine({
    clock: ctx.clock,
    random: ctx.random,
    fs,
    network: spec.network,
    cpu: new Cpu(ctx.clock, undefined),
    hostname: spec.hostname,
    parameters: new KernelParameters({}, () => spec.hostname),
    noNewPrivileges: true,
    pids,
    memoryLimit: undefined,
    memoryTrees: [],
    programs,
    report: (where, error) => ctx.report(`sandbox of ${spec.podNamespace}/${spec.podName}: ${where}`, error),
  })
  const nobody = { uid: 65535, gid: 65535, umask: 0o022 }
  const process = machine.create({
    argv: ['/pause'],
    env: new Map(),
    cwd: '/',
    ...nobody,
    parent: undefined,
    files: new Map(),
    terminal: undefined,
  })
  const target = machine.resolve('/pause', process)
  machine.prepare(process, target, ['/pause'])
  void machine.run(process, target.program.run)
  return machine
}
