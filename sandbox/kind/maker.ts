import { createClone } from './clone.ts'
import { type KindCluster, removeCluster } from './cluster.ts'
import { createCold, type Step } from './create.ts'
import type { Docker } from './docker.ts'
import { ensureImage } from './images.ts'
import { findKind } from './kind.ts'
import { createNetwork } from './network.ts'
import type { ClusterRecord, Records } from './records.ts'
import { mayBeMadeAhead, planNodes, type Shape, shapeKey } from './shape.ts'
import { makeTemplate, removeTemplate, type Template, type Templates } from './template.ts'

export interface MakerOptions {
  /** Where a downloaded kind is kept. */
  cache: string
  /** Addresses for the clusters' networks. */
  subnets: string
  flannel: { image?: string; cniImage?: string }
  /** ms that a creation may take. */
  timeout: number
  /** Templates that are kept; the oldest makes room. 0: every cluster is made by kind itself. */
  templates: number
  records: Records
  kept: Templates
  /** Names of the clusters that live in this process: whatever is not among them is swept. */
  held: Set<string>
  labelsOf: (cluster: string) => Record<string, string>
  newName: () => string
}

export interface Order<Beside> {
  shape: Shape
  /** Null for one that is made ahead. */
  sandbox: string | null
  onStep: (step: Step) => void
  /** Begun as soon as the cluster's network is there. */
  beside: (record: ClusterRecord) => Promise<Beside>
  signal?: AbortSignal
}

/** Makes clusters: copied from a template where there is one of their shape, by kind itself otherwise. */
export class ClusterMaker {
  private readonly options: MakerOptions

  constructor(options: MakerOptions) {
    this.options = options
  }

  /**
   * A ready cluster, stored as `creating`, and what `beside` has made on its network meanwhile. Rejects with the cause;
   * nothing is left behind then.
   */
  async make<Beside>(docker: Docker, order: Order<Beside>): Promise<{ cluster: KindCluster; beside: Beside }> {
    const name = this.options.newName()
    this.options.held.add(name)
    let beside: Promise<Beside> | undefined
    try {
      const template = await this.templateFor(docker, order.shape)
      const cluster = await this.begin(docker, name, order, template, (record) => {
        beside = order.beside(record)
        beside.catch(() => undefined) // awaited below
      })
      try {
        if (!beside) throw new Error('A cluster without a network')
        return { cluster, beside: await beside }
      } catch (error) {
        cluster[Symbol.dispose]()
        throw error
      }
    } catch (error) {
      await beside?.catch(() => undefined) // one cause is enough; it is over before the rest is removed
      await this.remove(docker, name)
      throw error
    }
  }

  /** Removes whatever there is of a cluster, and forgets it. */
  async remove(docker: Docker, name: string): Promise<void> {
    await removeCluster(docker, this.options.labelsOf(name))
    await this.options.records.remove(name)
    this.options.held.delete(name)
  }

  /** The template for a shape; null when there is none, or when its node image is another one by now. */
  async templateFor(docker: Docker, shape: Shape): Promise<Template | null> {
    if (this.options.templates === 0 || !mayBeMadeAhead(shape)) return null
    const template = await this.options.kept.find(shapeKey(shape))
    if (!template) return null
    const [image] = await docker.inspect<{ Id: string }>('image', [shape.nodeImage])
    const there = await docker.inspect<object>(
      'image',
      template.nodes.map((node) => node.image),
    )
    return image?.Id === template.imageId && there.length === template.nodes.length ? template : null
  }

  /** Makes the template for a shape, unless there is one. Takes as long as a cluster by kind itself, and ten seconds. */
  async prepareTemplate(docker: Docker, shape: Shape, signal?: AbortSignal): Promise<void> {
    if (this.options.templates === 0 || !mayBeMadeAhead(shape)) return
    if (await this.templateFor(docker, shape)) return
    const { kept, held, records, newName, labelsOf } = this.options
    const key = shapeKey(shape)
    const stale = await kept.find(key)
    if (stale) await this.forget(docker, stale)
    const name = newName()
    held.add(name)
    try {
      const order = { shape, sandbox: null, onStep: () => undefined, ...(signal ? { signal } : {}) }
      using cluster = await this.begin(docker, name, order, null, () => undefined)
      const folder = records.folder(name)
      await kept.put(await makeTemplate(cluster, { key, folder, labels: labelsOf(name), ...(signal ? { signal } : {}) }))
      await records.remove(name)
    } catch (error) {
      await removeTemplate(docker, { key, name, imageId: '', nodes: [] })
      await this.remove(docker, name)
      throw error
    }
    const all = await kept.all()
    for (const old of all.slice(0, Math.max(0, all.length - this.options.templates))) if (old.key !== key) await this.forget(docker, old)
  }

  private async forget(docker: Docker, template: Template): Promise<void> {
    await this.options.kept.remove(template.key)
    this.options.held.delete(template.name)
    await removeTemplate(docker, template)
  }

  private async begin(
    docker: Docker,
    name: string,
    { shape, sandbox, onStep, signal }: Omit<Order<never>, 'beside'>,
    template: Template | null,
    onNetwork: (record: ClusterRecord) => void,
  ): Promise<KindCluster> {
    const { records, labelsOf, subnets, timeout, flannel, cache } = this.options
    const labels = labelsOf(name)
    const abort = signal ? { signal } : {}
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
    await records.put(record)
    onStep('image')
    await ensureImage(docker, shape.nodeImage, signal)
    onStep('network')
    const subnet = await createNetwork(docker, { name, range: subnets, labels, ...abort })
    record.subnet = subnet.cidr
    record.nodes = planNodes(name, shape, subnet.addressOf)
    await records.put(record)
    onNetwork(record)
    await createVolumes(docker, record, labels)
    const common = { docker, record, labels, timeout, onStep, ...abort }
    const cluster = template
      ? await createClone({ ...common, records, template })
      : await createCold({ ...common, kind: await findKind(cache), folder: records.folder(name), flannel })
    await records.put(record)
    return cluster
  }
}

/** Each node's /var, by name, so that a label says whose it is. */
async function createVolumes(docker: Docker, record: ClusterRecord, labels: Readonly<Record<string, string>>): Promise<void> {
  const flags = Object.entries(labels).map(([name, value]) => `--label=${name}=${value}`)
  await Promise.all(record.nodes.map(({ container }) => docker.call(['volume', 'create', ...flags, `${container}-var`])))
}
