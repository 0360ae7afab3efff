import { join } from 'node:path'
import { EmbeddedEngine } from '../sandbox/embedded/engine/engine.ts'
import { type Lab, loadLabs } from '../sandbox/supervisor/labs.ts'
import { prepareTools } from '../sandbox/terminal/tools.ts'
import type { Context } from './harness.ts'

const root = join(import.meta.dirname, '..')

/** The lab that benchmarks work on. */
export const labName = 'readiness-gate'

/** The embedded engine in this process, without site and platform, and a lab to run on it. */
export async function startEngine({ folder, cleanup, say }: Context, processes?: number): Promise<{ engine: EmbeddedEngine; lab: Lab }> {
  const [tools, labs] = await Promise.all([prepareTools(join(root, '.cache')), loadLabs(join(root, 'labs'))])
  const lab = labs.get(labName)
  if (!lab) throw new Error(`There is no lab ${labName}`)
  const engine = await EmbeddedEngine.start({
    dir: join(folder, 'sandboxes'),
    tools: tools.folder,
    allowNoJail: true,
    onFault: say,
    ...(processes ? { processes } : {}),
  })
  cleanup.use(engine)
  return { engine, lab }
}

export function specOf(id: string, { definition, manifests, homeFiles }: Lab) {
  return { id, nodes: definition.nodes ?? 2, ...(manifests ? { manifests } : {}), ...(homeFiles ? { homeFiles } : {}) }
}
