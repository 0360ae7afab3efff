import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Capabilities, Engine, Progress, Sandbox, SandboxSpec } from '../engine.ts'
import { clusterLabel, KindCluster, removeCluster } from './cluster.ts'
import { createCold, type Step } from './create.ts'
import type { Docker } from './docker.ts'
import { findKind } from './kind.ts'
import { examineMachine, type Machine } from './machine.ts'
import { createNetwork } from './network.ts'
import { type ClusterRecord, Records } from './records.ts'
import { administrator, KindSandbox } from './sandbox.ts'
import { planNodes, type Shape, shapeOf } from './shape.ts'
import type { ClusterToolbox, ClusterToolboxes, ToolboxLimits } from './toolbox/contract.ts'

export interface KindOptions {
  /** Folder for what is known of the clusters; one folder inside per cluster. */
  dir: string
  /** Where a downloaded kind is kept. */
  cache: string
  /** Kubernetes version ('1.34') -> node image; the first is what a lab gets that asks for none. */
  nodeImages: ReadonlyMap<string, string>
  /** Images that every node has besides those a lab asks for. */
  images?: readonly string[]
  /** Addresses for the clusters' networks: '10.201.0.0/16'. */
  subnets: string
  flannel?: { image?: string; cniImage?: string }
  /** Null: clusters without a place for the learner's shell. */
  toolboxes: ClusterToolboxes | null
  toolboxLimits: ToolboxLimits
  /** ms that a creation may take; 300 000 unless given. */
  timeout?: number
  onFault: (fault: string) => void
}

const gibibyte = 2 ** 30
export const toolboxLimits: ToolboxLimits = { memory: 0.75 * gibibyte, cpus: 1, pids: 512 }
const answersKeptMs = 10_000
const ownerLabel = 'labernetes.owner'

/** Real Kubernetes clusters, made by the kind CLI in Docker. */
export class KindEngine implements Engine {
  readonly name = 'kind'
  private readonly options: KindOptions
  private readonly records: Records
  /** This installation, among others on the same Docker. */
  private readonly owner: string
  private readonly sandboxes = new Map<string, KindSandbox>()
  /** Clusters that are being made or used by this process: the sweep leaves them alone. */
  private readonly held = new Set<string>()
  private answer: { at: number; capabilities: Promise<Capabilities> } | null = null

  private constructor(options: KindOptions, owner: string) {
    this.options = options
    this.owner = owner
    this.records = new Records(join(options.dir, 'clusters'))
  }

  /** Does not ask for Docker yet: capabilities() says whether there is one. */
  static async start(options: KindOptions): Promise<KindEngine> {
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    return new KindEngine(options, await ownerOf(options.dir))
  }

  capabilities(): Promise<Capabilities> {
    if (this.answer && performance.now() - this.answer.at < answersKeptMs) return this.answer.capabilities
    const capabilities = this.examine()
    this.answer = { at: performance.now(), capabilities }
    capabilities.catch(() => (this.answer = null))
    return capabilities
  }

  async create(spec: SandboxSpec, onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<Sandbox> {
    const docker = await this.docker()
    const shape = shapeOf(spec, this.options.nodeImages, this.options.images ?? [])
    const onStep = (step: Step) => onProgress({ step, fraction: fractions[step] })
    const name = this.newName()
    this.held.add(name)
    try {
      const cluster = await this.make(docker, name, shape, spec.id, onStep, signal)
      const { record } = cluster
      onStep('toolbox')
      const toolbox = await this.openToolbox(docker, cluster, spec, signal)
      const sandbox = this.sandboxOf(spec.id, cluster, toolbox)
      onStep('objects')
      if (spec.manifests) await sandbox.apply(spec.manifests)
      signal?.throwIfAborted()
      record.stage = 'ready'
      await this.records.put(record)
      this.sandboxes.set(spec.id, sandbox)
      onStep('ready')
      return sandbox
    } catch (error) {
      await this.removeCluster(docker, name)
      throw error
    }
  }

  async adopt(ids: readonly string[]): Promise<Sandbox[]> {
    const { docker, missing } = await examineMachine()
    if (!docker || missing.length > 0) return []
    const found: Sandbox[] = []
    for (const record of await this.records.all()) {
      if (record.stage !== 'ready' || record.sandbox === null || !ids.includes(record.sandbox)) continue
      try {
        const sandbox = await this.bringBack(docker, record, record.sandbox)
        this.held.add(record.name)
        this.sandboxes.set(sandbox.id, sandbox)
        found.push(sandbox)
      } catch (error) {
        this.options.onFault(`sandbox ${record.sandbox} could not be brought back: ${(error as Error).message}`)
      }
    }
    await this.sweep(docker)
    return found
  }

  async destroy(id: string): Promise<void> {
    const known = this.sandboxes.get(id)?.record
    const record = known ?? (await this.records.all()).find(({ sandbox }) => sandbox === id)
    if (!record) return
    await this.removeCluster(await this.docker(), record.name)
    this.sandboxes.delete(id)
  }

  /** Lets go of every cluster; they go on, for the next process to adopt. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sandboxes.values()].map((sandbox) => sandbox.letGo()))
    this.sandboxes.clear()
  }

  /** Removes every object of this installation that belongs to no cluster of this process. */
  async sweep(docker: Docker): Promise<void> {
    await this.records.keepOnly(this.held)
    for (const kind of ['container', 'network', 'volume'] as const) {
      const names = await docker.list(kind, { [ownerLabel]: this.owner })
      const objects = await docker.inspect<{ Labels?: Labels; Config?: { Labels: Labels } }>(kind, names)
      const strays = names.filter((_, index) => {
        const labels = objects[index]?.Config?.Labels ?? objects[index]?.Labels ?? {}
        return !this.held.has(labels[clusterLabel] ?? '')
      })
      await docker.remove(kind, strays)
    }
  }

  private async make(
    docker: Docker,
    name: string,
    shape: Shape,
    sandbox: string | null,
    onStep: (step: Step) => void,
    signal?: AbortSignal,
  ): Promise<KindCluster> {
    const labels = this.labelsOf(name)
    const kind = await findKind(this.options.cache)
    const record: ClusterRecord = {
      name,
      stage: 'creating',
      sandbox,
      shape,
      subnet: '',
      nodes: [],
      authority: null,
      paused: false,
      createdAt: Date.now(),
    }
    await this.records.put(record)
    onStep('network')
    const subnet = await createNetwork(docker, { name, range: this.options.subnets, labels, ...(signal ? { signal } : {}) })
    record.subnet = subnet.cidr
    record.nodes = planNodes(name, shape, subnet.addressOf)
    await this.records.put(record)
    const cluster = await createCold({
      docker,
      kind,
      record,
      labels,
      folder: this.records.folder(name),
      flannel: { image: this.options.flannel?.image, cniImage: this.options.flannel?.cniImage },
      timeout: this.options.timeout ?? 300_000,
      onStep,
      ...(signal ? { signal } : {}),
    })
    await this.records.put(record)
    return cluster
  }

  private async openToolbox(docker: Docker, cluster: KindCluster, spec: SandboxSpec, signal?: AbortSignal): Promise<ClusterToolbox | null> {
    const { toolboxes, toolboxLimits: limits } = this.options
    if (!toolboxes || 'missing' in (await toolboxes.image(docker, signal))) return null
    const { name } = cluster.record
    const options = { docker, id: name, network: name, labels: this.labelsOf(name), kubeconfig: cluster.kubeconfig(administrator), limits }
    return toolboxes.start({ ...options, ...(spec.homeFiles ? { homeFiles: spec.homeFiles } : {}) }, signal)
  }

  private async bringBack(docker: Docker, record: ClusterRecord, id: string): Promise<KindSandbox> {
    const containers = record.nodes.map(({ container }) => container)
    if ((await docker.inspect('container', containers)).length < containers.length) throw new Error('a node is gone')
    const cluster = await KindCluster.connect(docker, record)
    try {
      await cluster.start(this.options.timeout ?? 300_000)
      record.paused = false
      await this.records.put(record)
      const { name } = record
      const limits = this.options.toolboxLimits
      const toolbox =
        (await this.options.toolboxes?.adopt({ docker, id: name, network: name, labels: this.labelsOf(name), limits })) ?? null
      return this.sandboxOf(id, cluster, toolbox)
    } catch (error) {
      cluster[Symbol.dispose]()
      throw error
    }
  }

  private sandboxOf(id: string, cluster: KindCluster, toolbox: ClusterToolbox | null): KindSandbox {
    return new KindSandbox({ id, cluster, toolbox, records: this.records, remove: () => this.destroy(id) })
  }

  private async removeCluster(docker: Docker, name: string): Promise<void> {
    for (const sandbox of this.sandboxes.values()) if (sandbox.record.name === name) await sandbox.letGo()
    await removeCluster(docker, this.labelsOf(name))
    await this.records.remove(name)
    this.held.delete(name)
  }

  private async examine(): Promise<Capabilities> {
    const machine = await examineMachine()
    const reason = machine.missing[0] ?? (await this.whatElseIsMissing(machine))
    const has = reason ?? true
    const shell = reason ?? (await this.whyNoToolbox(machine)) ?? true
    return {
      api: has,
      pods: has,
      exec: has,
      network: has,
      'multi-node': has,
      etcd: has,
      cni: has,
      'node-shell': shell,
      terminal: shell,
      fork: 'A real cluster cannot be copied while it runs; the embedded engine can.',
      hosts: 'The hosts engine has Linux hosts.',
    }
  }

  private async whatElseIsMissing({ docker }: Machine): Promise<string | null> {
    const noKind = await findKind(this.options.cache).then(
      () => null,
      (error: Error) => error.message,
    )
    if (noKind || !docker) return noKind
    return null
  }

  private async whyNoToolbox({ docker }: Machine): Promise<string | null> {
    const { toolboxes } = this.options
    if (!docker || !toolboxes) return 'This server has no toolbox for kind clusters.'
    const image = await toolboxes.image(docker)
    return 'missing' in image ? image.missing : null
  }

  private async docker(): Promise<Docker> {
    const { docker, missing } = await examineMachine()
    if (!docker || missing[0]) throw new Error(missing[0] ?? 'Docker is not installed')
    return docker
  }

  private newName(): string {
    return `labernetes-${this.owner}-${randomBytes(4).toString('hex')}`
  }

  private labelsOf(cluster: string): Record<string, string> {
    return { [ownerLabel]: this.owner, [clusterLabel]: cluster }
  }
}

type Labels = Record<string, string> | null

/** How far each step is from the start, as it was measured on a cold creation. */
const fractions: Record<Step, number> = {
  image: 0.02,
  network: 0.04,
  nodes: 0.08,
  'control plane': 0.25,
  'pod network': 0.6,
  workers: 0.65,
  images: 0.7,
  waiting: 0.75,
  toolbox: 0.92,
  objects: 0.96,
  ready: 1,
}

/** The installation's own id, made once for a data folder. */
async function ownerOf(dir: string): Promise<string> {
  const file = join(dir, 'owner')
  const made = createHash('sha256').update(randomBytes(32)).digest('hex').slice(0, 8)
  await writeFile(file, made, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  return readFile(file, 'utf8')
}
