import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyPair } from './pki.ts'
import type { NodePlan, Shape } from './shape.ts'

/**
 * What is known of one cluster, stored before anything is made of it, so that whoever comes after a kill -9 knows what to
 * adopt and what to remove. `creating` and `claiming` do not survive a restart; `warm` and `ready` do.
 */
export interface ClusterRecord {
  /** Unique on this Docker; container, network and volume names begin with it. */
  name: string
  stage: 'creating' | 'warm' | 'claiming' | 'ready'
  /** The sandbox it serves; null while it is warm. */
  sandbox: string | null
  shape: Shape
  subnet: string
  nodes: NodePlan[]
  /** The cluster's certificate authority; null until there is one. */
  authority: KeyPair | null
  paused: boolean
  /** Its nodes were ended while it was paused. */
  stopped?: boolean
  createdAt: number
}

/** The records of one engine: a folder a cluster, under `dir`, with whatever else belongs to that cluster. */
export class Records {
  private readonly dir: string

  constructor(dir: string) {
    this.dir = dir
  }

  /** The cluster's own folder on this machine. */
  folder(name: string): string {
    return join(this.dir, name)
  }

  async all(): Promise<ClusterRecord[]> {
    const names = await readdir(this.dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const found = await Promise.all(
      names.map((name) =>
        readFile(join(this.dir, name, 'cluster.json'), 'utf8').then(
          (text) => JSON.parse(text) as ClusterRecord,
          () => null,
        ),
      ),
    )
    return found.filter((record) => record !== null)
  }

  async put(record: ClusterRecord): Promise<void> {
    const folder = this.folder(record.name)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const draft = join(folder, 'draft')
    await writeFile(draft, JSON.stringify(record), { mode: 0o600 })
    await rename(draft, join(folder, 'cluster.json'))
  }

  async remove(name: string): Promise<void> {
    await rm(this.folder(name), { recursive: true, force: true })
  }

  /** Removes every folder that is not one of these clusters'. */
  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.dir).catch(() => [])) if (!names.has(name)) await this.remove(name)
  }
}
