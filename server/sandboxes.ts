import { join } from 'node:path'
import type { Logger } from 'pino'
import { benches } from '../content/benches.ts'
import packageJson from '../package.json' with { type: 'json' }
import { PlatformError } from '../platform/errors.ts'
import type { Services } from '../platform/services.ts'
import { EmbeddedEngine } from '../sandbox/embedded/engine/engine.ts'
import type { Engine } from '../sandbox/engine.ts'
import { HostsEngine } from '../sandbox/hosts/engine.ts'
import { defaultBudget, KindEngine, type KindOptions } from '../sandbox/kind/engine.ts'
import { labappImages } from '../sandbox/kind/images.ts'
import { kindToolboxes } from '../sandbox/kind/toolbox/toolbox.ts'
import { type Lab, loadLabs } from '../sandbox/supervisor/labs.ts'
import { Supervisor } from '../sandbox/supervisor/supervisor.ts'
import { serveTerminal } from '../sandbox/terminal/socket.ts'
import { prepareTools } from '../sandbox/terminal/tools.ts'
import { Told } from '../sandbox/text.ts'
import type { Config } from './config.ts'
import type { Sandboxes } from './server.ts'

const root = join(import.meta.dirname, '..')

/** The engines of this machine under one supervisor, and the labs that they run. */
export async function openSandboxes(config: Config, log: Logger): Promise<Sandboxes> {
  const [engines, labs] = await Promise.all([openEngines(config, log), loadLabs(join(root, 'labs'))])
  for (const engine of engines) {
    const withoutJail = engine instanceof EmbeddedEngine ? engine.withoutJail() : null
    if (withoutJail)
      log.warn(
        `${withoutJail} Shells run as the user of this server; they are offered on loopback only, and reach Services by kubectl port-forward.`,
      )
  }
  const supervisor = new Supervisor({
    engines,
    labs,
    benches,
    dir: join(config.dataDir, 'attempts'),
    version: packageJson.version,
    onFault: (where, err) => log.error({ err }, where),
  })
  return {
    host: supervisor,
    labs: new Map([...labs].map(([slug, lab]) => [slug, outline(lab)])),
    serveTerminal: (socket, redeem) =>
      serveTerminal(socket, async (ticket, language) => {
        const grant = await redeem(ticket).catch((error: unknown) => {
          throw error instanceof PlatformError ? new Told(error.sentence, { cause: error }) : error
        })
        return { session: await supervisor.session(grant.lease, grant.terminal, language), write: grant.mode === 'write' }
      }),
    [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose](),
  }
}

/** The engines that the settings name, cheapest first. */
export async function openEngines(config: Config, log: Pick<Logger, 'warn'>): Promise<Engine[]> {
  const onFault = (engine: string) => (fault: string) => log.warn({ engine }, fault)
  const engines: Engine[] = []
  if (config.ENGINES.includes('embedded'))
    engines.push(
      await EmbeddedEngine.start({
        dir: join(config.dataDir, 'sandboxes'),
        tools: (await prepareTools(join(root, '.cache'))).folder,
        allowNoJail: isLoopback(config.HOST),
        onFault: onFault('embedded'),
      }),
    )
  if (config.ENGINES.includes('hosts'))
    engines.push(await HostsEngine.start({ dir: join(config.dataDir, 'hosts'), onFault: onFault('hosts') }))
  if (config.ENGINES.includes('kind')) engines.push(await openKind(config, onFault('kind')))
  return engines
}

/** Kind clusters as the settings ask for them. */
export function openKind(config: Config, onFault: (fault: string) => void): Promise<KindEngine> {
  return KindEngine.start({
    dir: join(config.dataDir, 'kind'),
    cache: join(root, '.cache'),
    nodeImages: new Map(config.KIND_NODE_IMAGES.map((pair) => pair.split(/=(.*)/s, 2) as [string, string])),
    images: [...labappImages, ...config.KIND_IMAGES],
    subnets: config.KIND_SUBNETS,
    flannel: {
      ...(config.KIND_FLANNEL_IMAGE ? { image: config.KIND_FLANNEL_IMAGE } : {}),
      ...(config.KIND_FLANNEL_CNI_IMAGE ? { cniImage: config.KIND_FLANNEL_CNI_IMAGE } : {}),
    },
    toolboxes: kindToolboxes({
      egress: config.KIND_EGRESS,
      image: {
        ...(config.KIND_TOOLBOX_IMAGE ? { image: config.KIND_TOOLBOX_IMAGE } : {}),
        ...(config.KIND_TOOLBOX_BASE ? { base: config.KIND_TOOLBOX_BASE } : {}),
      },
    }),
    pool: config.KIND_POOL.map(poolEntry),
    templates: config.KIND_TEMPLATES,
    budget: { ...defaultBudget, memory: config.KIND_MEMORY_PERCENT / 100 },
    onFault,
  })
}

/** '3/flannel=1': one cluster of three nodes with flannel. */
function poolEntry(text: string): NonNullable<KindOptions['pool']>[number] {
  const [, nodes, cni, size] = /^(\d+)(?:\/(kindnet|flannel|none))?=(\d+)$/.exec(text) ?? []
  return { nodes: Number(nodes), size: Number(size), ...(cni ? { shape: { cni: cni as 'kindnet' | 'flannel' | 'none' } } : {}) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function outline({ definition }: Lab): NonNullable<ReturnType<Services['labs']['get']>> {
  const tasks = definition.tasks.map(({ id, criteria }) => ({
    id,
    maxPoints: criteria.reduce((sum, criterion) => sum + criterion.points, 0),
    criteria: criteria.map(({ id: name, points, label }) => ({ id: name, points, label })),
  }))
  return {
    slug: definition.slug,
    minutes: definition.minutes,
    maxPoints: tasks.reduce((sum, task) => sum + task.maxPoints, 0),
    trials: Object.values(definition.provoke ?? {}).map(({ what }) => what),
    tasks,
  }
}
