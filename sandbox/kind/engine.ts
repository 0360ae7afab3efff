import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Capabilities, Engine, Progress, Sandbox, SandboxSpec } from '../engine.ts'
import { Shortage, type Text, textOf } from '../text.ts'
import { Budget, type BudgetLimits } from './budget.ts'
import { clusterLabel, KindCluster } from './cluster.ts'
import type { Step } from './create.ts'
import type { Docker, ObjectKind } from './docker.ts'
import { findKind } from './kind.ts'
import { examineMachine, type Machine, whyNoCluster } from './machine.ts'
import { ClusterMaker, type Order } from './maker.ts'
import { equipNodes } from './node-tools.ts'
import { type PoolTarget, type WarmCluster, WarmPool } from './pool.ts'
import { type ClusterRecord, Records } from './records.ts'
import { administrator, KindSandbox } from './sandbox.ts'
import { type Shape, shapeKey, shapeOf } from './shape.ts'
import { Templates, whenInUse } from './template.ts'
import type { ClusterToolbox, ClusterToolboxes, KindToolboxOptions, ToolboxLimits } from './toolbox/contract.ts'

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
  toolboxLimits?: ToolboxLimits
  /** Shapes (as a sandbox asks for them) of which so many clusters are to wait. */
  pool?: readonly { nodes: number; shape?: SandboxSpec['shape']; size: number }[]
  budget?: BudgetLimits
  /** Templates to keep for quick clones; 0 for none. 4 unless given. */
  templates?: number
  /** ms that a creation may take; 300 000 unless given. */
  timeout?: number
  onFault: (fault: string) => void
}

const gibibyte = 2 ** 30
const defaultToolboxLimits: ToolboxLimits = { memory: 0.75 * gibibyte, cpus: 1, pids: 512 }
export const defaultBudget: BudgetLimits = { memory: 0.75, load: 1.5, disk: 5 * gibibyte }
const answersKeptMs = 10_000
/** How long capabilities() waits for a toolbox image that is being built. */
const patienceMs = 5_000
/** ms between looks for what a killed process left in the making, and how often. */
const sweepPause = 500
const sweepAttempts = 20
const ownerLabel = 'labernetes.owner'

/** Real Kubernetes clusters, made by the kind CLI in Docker or copied from such ones. */
export class KindEngine implements Engine {
  readonly name = 'kind'
  readonly pool: WarmPool
  private readonly options: KindOptions
  private readonly records: Records
  private readonly templates: Templates
  private readonly maker: ClusterMaker
  private readonly budget: Budget
  /** This installation, among others on the same Docker. */
  private readonly owner: string
  private readonly sandboxes = new Map<string, KindSandbox>()
  /** Names of clusters that are being made or used by this process: the sweep leaves them alone. */
  private readonly held = new Set<string>()
  private answer: { at: number; capabilities: Promise<Capabilities> } | null = null
  /** What is done for later requests, one after the other. */
  private background: Promise<void> = Promise.resolve()
  private readonly ended = new AbortController()

  private constructor(options: KindOptions, owner: string) {
    this.options = options
    this.owner = owner
    this.records = new Records(join(options.dir, 'clusters'))
    this.templates = new Templates(join(options.dir, 'templates'))
    this.budget = new Budget(options.budget ?? defaultBudget, ownerLabel)
    this.maker = new ClusterMaker({
      cache: options.cache,
      subnets: options.subnets,
      flannel: options.flannel ?? {},
      timeout: options.timeout ?? 300_000,
      templates: options.templates ?? 4,
      records: this.records,
      kept: this.templates,
      held: this.held,
      labelsOf: (cluster) => ({ [ownerLabel]: owner, [clusterLabel]: cluster }),
      newName: () => `labernetes-${owner}-${randomBytes(4).toString('hex')}`,
    })
    this.pool = new WarmPool({
      targets: (options.pool ?? []).map(({ size, ...spec }): PoolTarget => ({ shape: this.shapeOf(spec), size })),
      maker: this.maker,
      records: this.records,
      budget: this.budget,
      docker: () => this.docker(),
      make: (docker, shape, signal) => this.makeWithToolbox(docker, { shape, sandbox: null, onStep: () => undefined, signal }),
      onFault: options.onFault,
    })
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
    return capabilities
  }

  async create(spec: SandboxSpec, onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<Sandbox> {
    const docker = await this.docker()
    const shape = this.shapeOf(spec)
    const onStep = (step: Step) => onProgress({ step, fraction: fractions[step] })
    const order = { shape, sandbox: spec.id, onStep, ...(signal ? { signal } : {}) }
    const warm = await this.pool.claim(shape, spec.id)
    const { cluster, toolbox } = warm ?? (await this.pool.first(() => this.makeInBudget(docker, order)))
    try {
      onStep('toolbox')
      await toolbox?.setKubeconfig(cluster.kubeconfig(administrator))
      if (spec.homeFiles) await toolbox?.addHomeFiles(spec.homeFiles)
      const sandbox = new KindSandbox({ id: spec.id, cluster, toolbox, records: this.records, remove: () => this.destroy(spec.id) })
      onStep('objects')
      if (spec.manifests) await sandbox.apply(spec.manifests)
      signal?.throwIfAborted()
      cluster.record.stage = 'ready'
      await this.records.put(cluster.record)
      this.sandboxes.set(spec.id, sandbox)
      onStep('ready')
      if (!warm) this.prepareForNext(docker, shape)
      return sandbox
    } catch (error) {
      cluster[Symbol.dispose]()
      await this.maker.remove(docker, cluster.record.name)
      throw error
    }
  }

  async adopt(ids: readonly string[]): Promise<Sandbox[]> {
    const { docker, version } = await examineMachine()
    if (!docker || version === null) return []
    const found: Sandbox[] = []
    for (const { name } of await this.templates.all()) this.held.add(name)
    for (const record of await this.records.all()) {
      try {
        if (record.stage === 'warm' && (await this.pool.adopt(docker, record, (cluster) => this.findToolbox(docker, cluster)))) {
          this.held.add(record.name)
        } else if (record.stage === 'ready' && record.sandbox !== null && ids.includes(record.sandbox)) {
          const sandbox = await this.bringBack(docker, record, record.sandbox)
          this.held.add(record.name)
          this.sandboxes.set(sandbox.id, sandbox)
          found.push(sandbox)
        }
      } catch (error) {
        this.options.onFault(`cluster ${record.name} could not be brought back: ${(error as Error).message}`)
      }
    }
    await this.sweep(docker)
    this.pool.refill()
    return found
  }

  async destroy(id: string): Promise<void> {
    const known = this.sandboxes.get(id)
    const record = known?.record ?? (await this.records.all()).find(({ sandbox }) => sandbox === id)
    if (!record) return
    await known?.letGo()
    this.sandboxes.delete(id)
    await this.maker.remove(await this.docker(), record.name)
    this.pool.refill()
  }

  /** Lets go of every cluster; they go on, for the next process to adopt. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.ended.abort(new Error('The server is stopping'))
    await this.pool[Symbol.asyncDispose]()
    await this.background
    await Promise.all([...this.sandboxes.values()].map((sandbox) => sandbox.letGo()))
    this.sandboxes.clear()
  }

  /** Ends everything that this installation has in Docker: clusters, templates, what waits. For one whose folder goes too. */
  async removeAll(): Promise<void> {
    await this[Symbol.asyncDispose]()
    const { docker, version } = await examineMachine()
    if (!docker || version === null) return
    this.held.clear()
    for (const { key } of await this.templates.all()) await this.templates.remove(key)
    await this.sweep(docker)
  }

  /** Removes every object of this installation that belongs to no cluster or template of this process. */
  async sweep(docker: Docker): Promise<void> {
    await this.records.keepOnly(this.held)
    for (let attempt = 1; ; attempt++) {
      try {
        for (const kind of ['container', 'network', 'image', 'volume'] as const)
          for (const name of await this.strays(docker, kind)) await docker.remove(kind, [name]).catch(whenInUse)
        return
      } catch (error) {
        // Docker may still be making a container that a killed process had asked for
        if (!/active endpoints/.test((error as Error).message) || attempt === sweepAttempts) throw error
        await sleep(sweepPause)
      }
    }
  }

  /** Resolves when nothing is being made ahead: for tests and figures. */
  async settled(): Promise<void> {
    await this.background
    await this.pool.settled()
  }

  private async strays(docker: Docker, kind: ObjectKind): Promise<string[]> {
    const names = await docker.list(kind, { [ownerLabel]: this.owner })
    const objects = await docker.inspect<{ Labels?: Labels; Config?: { Labels?: Labels } }>(kind, names)
    return names.filter((_, index) => {
      const labels = objects[index]?.Config?.Labels ?? objects[index]?.Labels ?? {}
      return !this.held.has(labels[clusterLabel] ?? '')
    })
  }

  private shapeOf(spec: Pick<SandboxSpec, 'nodes' | 'shape'>): Shape {
    return shapeOf(spec, this.options.nodeImages, this.options.images ?? [])
  }

  /** With room made by giving back what waits for others, and then by ending the nodes of who is away. */
  private async makeInBudget(docker: Docker, order: Omit<Order<never>, 'beside'>): Promise<WarmCluster> {
    const { shape } = order
    const cost = this.budget.costOf(shapeKey(shape), shape.nodes)
    for (;;) {
      const reason = await this.budget.whyNoRoom(docker, cost)
      if (!reason) break
      if (!(await this.pool.giveBack()) && !(await this.stopOnePaused())) throw new Shortage(reason)
    }
    return this.makeWithToolbox(docker, order)
  }

  private async stopOnePaused(): Promise<boolean> {
    for (const sandbox of this.sandboxes.values()) if (await sandbox.giveMemoryBack()) return true
    return false
  }

  private async makeWithToolbox(docker: Docker, order: Omit<Order<never>, 'beside'>): Promise<WarmCluster> {
    const { cluster, beside } = await this.maker.make(docker, {
      ...order,
      beside: (record) => this.openToolbox(docker, record, order.signal),
    })
    try {
      await this.equip(docker, cluster, order.signal)
    } catch (error) {
      cluster[Symbol.dispose]()
      await this.maker.remove(docker, cluster.record.name)
      throw error
    }
    return { cluster, toolbox: beside }
  }

  /** What the next learner with this shape will be glad of: a template, and knowing what such a cluster takes. */
  private prepareForNext(docker: Docker, shape: Shape): void {
    this.background = this.background
      .then(async () => {
        const cost = this.budget.costOf(shapeKey(shape), shape.nodes)
        if (this.ended.signal.aborted || (await this.budget.whyNotAhead(docker, cost))) return
        await this.maker.prepareTemplate(docker, shape, this.ended.signal)
      })
      .catch((error: Error) => {
        if (!this.ended.signal.aborted) this.options.onFault(`no template could be made: ${error.message}`)
      })
  }

  /** Without credentials: they come once the cluster is somebody's. */
  private async openToolbox(docker: Docker, record: ClusterRecord, signal?: AbortSignal): Promise<ClusterToolbox | null> {
    const { toolboxes } = this.options
    if (!toolboxes || 'missing' in (await toolboxes.image(docker, signal))) return null
    return toolboxes.start({ ...this.toolboxOptions(docker, record), kubeconfig: '' }, signal)
  }

  /** Where node shells are offered, nodes have what one needs in them. */
  private async equip(docker: Docker, cluster: KindCluster, signal?: AbortSignal): Promise<void> {
    const image = await this.options.toolboxes?.image(docker, signal)
    if (image && 'image' in image) await equipNodes(docker, image.image, cluster.containers, signal)
  }

  private async findToolbox(docker: Docker, cluster: KindCluster): Promise<ClusterToolbox | null> {
    return (await this.options.toolboxes?.adopt(this.toolboxOptions(docker, cluster.record))) ?? null
  }

  private toolboxOptions(docker: Docker, { name }: ClusterRecord): Omit<KindToolboxOptions, 'kubeconfig' | 'homeFiles'> {
    const { toolboxLimits: limits = defaultToolboxLimits } = this.options
    return {
      docker,
      id: name,
      network: name,
      labels: { [ownerLabel]: this.owner, [clusterLabel]: name },
      limits,
    }
  }

  private async bringBack(docker: Docker, record: ClusterRecord, id: string): Promise<KindSandbox> {
    const containers = record.nodes.map(({ container }) => container)
    if ((await docker.inspect('container', containers)).length < containers.length) throw new Error('a node is gone')
    const cluster = await KindCluster.restart(docker, record, this.options.timeout ?? 300_000)
    try {
      record.paused = false
      delete record.stopped
      await this.records.put(record)
      const toolbox = await this.findToolbox(docker, cluster)
      return new KindSandbox({ id, cluster, toolbox, records: this.records, remove: () => this.destroy(id) })
    } catch (error) {
      cluster[Symbol.dispose]()
      throw error
    }
  }

  private async examine(): Promise<Capabilities> {
    const machine = await examineMachine()
    const reason = whyNoCluster(machine) ?? (await whyNoKind(this.options.cache))
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
      fork: {
        en: 'A real cluster cannot be copied while it runs; the embedded engine can.',
        zh: '真实的集群在运行时不能复制；内嵌引擎可以。',
      },
      hosts: { en: 'The hosts engine has Linux hosts.', zh: 'Linux 主机由 hosts 引擎提供。' },
      clock: {
        en: 'A kind cluster keeps the time of its machine; the embedded engine has a clock of its own.',
        zh: 'kind 集群使用所在机器的时间；内嵌引擎有自己的时钟。',
      },
      audit: {
        en: 'The API server of a kind cluster keeps no audit log here; that of the embedded engine does.',
        zh: '这里的 kind 集群，其 API 服务器不记录审计日志；内嵌引擎会记录。',
      },
    }
  }

  private async whyNoToolbox({ docker }: Machine): Promise<Text | null> {
    const { toolboxes } = this.options
    if (!docker || !toolboxes) return { en: 'This server has no toolbox for kind clusters.', zh: '这台服务器没有给 kind 集群用的工具箱。' }
    const built = toolboxes.image(docker, this.ended.signal).catch((error: Error) => ({ missing: textOf(error) }))
    const later = new Promise<{ missing: Text }>((resolve) => {
      setTimeout(() => resolve({ missing: beingBuilt }), patienceMs).unref()
    })
    const image = await Promise.race([built, later])
    return 'missing' in image ? image.missing : null
  }

  private async docker(): Promise<Docker> {
    const machine = await examineMachine()
    const reason = whyNoCluster(machine)
    if (reason) throw new Shortage(reason)
    return machine.docker!
  }
}

const beingBuilt: Text = {
  en: 'The toolbox image is being built; this takes a minute, once.',
  zh: '正在构建工具箱镜像；只需一次，大约一分钟。',
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

async function whyNoKind(cache: string): Promise<Text | null> {
  return findKind(cache).then(() => null, textOf)
}

/** The installation's own id, made once for a data folder. */
async function ownerOf(dir: string): Promise<string> {
  const file = join(dir, 'owner')
  await writeFile(file, randomBytes(4).toString('hex'), { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  return readFile(file, 'utf8')
}
