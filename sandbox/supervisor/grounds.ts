import type { Text } from '../check/kit.ts'
import type { Capability, ClusterShape, Engine, EngineName } from '../engine.ts'
import { joined, Shortage } from '../text.ts'
import type { Lab } from './labs.ts'

/** A sandbox to try things in, without tasks. */
export interface Bench {
  needs: readonly Capability[]
  engines?: readonly EngineName[]
  nodes?: number
  shape?: ClusterShape
}

/** An engine that a lab or bench may run on, and the sentence that says why not here. */
export interface EngineChoice {
  engine: string
  missing: Text | null
}

/** What is to stand somewhere: a lab, or the bench beside a lesson. */
interface Subject {
  lab: string | null
  /** '<module>/<lesson>' */
  lesson?: string | null
}

interface Parts {
  /** Cheapest first. */
  engines: readonly Engine[]
  labs: ReadonlyMap<string, Lab>
  /** By lesson; a plain cluster for one that is not here. */
  benches?: Readonly<Record<string, Bench>>
}

const plainBench: Bench = { needs: ['api', 'pods', 'exec', 'terminal'] }

/** What labs and benches stand on, and which engines can give it. */
export class Grounds {
  private readonly parts: Parts

  constructor(parts: Parts) {
    this.parts = parts
  }

  labOf(slug: string): Lab {
    const lab = this.parts.labs.get(slug)
    if (!lab) throw new Error(`There is no lab ${slug}`)
    return lab
  }

  of({ lab, lesson }: Subject): Bench {
    return (lab === null ? this.parts.benches?.[lesson ?? ''] : this.labOf(lab).definition) ?? plainBench
  }

  /** Which engines could run a lab or a bench, the one that is taken unless another is asked for first. */
  async choices(subject: Subject): Promise<EngineChoice[]> {
    const ground = this.of(subject)
    const choices = await Promise.all(
      this.candidates(ground).map(async (engine) => {
        const capabilities = await engine.capabilities()
        const missing = new Map<string, Text>()
        for (const need of ground.needs) {
          const has = capabilities[need]
          if (has !== true) missing.set(has.en, has)
        }
        return { engine: engine.name, missing: missing.size > 0 ? joined([...missing.values()]) : null }
      }),
    )
    return [...choices.filter(({ missing }) => missing === null), ...choices.filter(({ missing }) => missing !== null)]
  }

  /** The one that is asked for, or else the first of `choices` that can. Rejects with why there is none. */
  async engineFor(subject: Subject, asked: string | null): Promise<Engine> {
    const choices = await this.choices(subject)
    const chosen = choices.find(({ engine, missing }) => (asked === null ? missing === null : engine === asked))
    const engine = this.parts.engines.find(({ name }) => name === chosen?.engine)
    if (engine && chosen?.missing === null) return engine
    if (chosen)
      throw new Shortage({
        en: `It cannot run on ${chosen.engine} here. ${chosen.missing?.en}`,
        zh: `在这台服务器上不能用 ${chosen.engine} 运行。${chosen.missing?.zh}`,
      })
    if (asked !== null) throw new Shortage({ en: `It does not run on ${asked} here.`, zh: `这里不能用 ${asked} 运行。` })
    if (choices.length === 0)
      throw new Shortage({ en: 'This server has none of the engines that it is made for.', zh: '这台服务器没有它所需的引擎。' })
    throw new Shortage({
      en: `No engine of this server can run it. ${choices.map(({ engine: name, missing }) => `${name}: ${missing?.en}`).join(' ')}`,
      zh: `这台服务器上没有引擎能运行它。${choices.map(({ engine: name, missing }) => `${name}：${missing?.zh}`).join('')}`,
    })
  }

  /** Those that it is made for in its order of preference, or all, cheapest first. */
  private candidates({ engines }: Bench): readonly Engine[] {
    return engines ? engines.flatMap((name) => this.parts.engines.filter((engine) => engine.name === name)) : this.parts.engines
  }
}

/** Root on a node is given to those alone who cannot do without. */
export function allowsNodeShells({ needs }: Bench): boolean {
  return needs.includes('node-shell') || needs.includes('hosts')
}
