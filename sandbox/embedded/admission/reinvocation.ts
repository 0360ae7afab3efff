import { copyOf } from '../machinery/copy.ts'
import { deepEqual } from '../machinery/freeze.ts'
import type { KubeObject } from '../machinery/object.ts'

/**
 * The second round of a request's mutations: when a webhook or policy has changed the object, every plugin runs once more,
 * and of the webhooks those that ask for it (reinvocationPolicy IfNeeded) and were called before the change.
 */
export class Reinvocation {
  /** The second round is wanted. */
  needed = false
  /** The second round runs. */
  again = false
  private readonly plugins = new Map<string, PluginReinvocation>()

  of(plugin: string): PluginReinvocation {
    let found = this.plugins.get(plugin)
    if (!found) this.plugins.set(plugin, (found = new PluginReinvocation(this)))
    return found
  }
}

/** What one plugin remembers between the rounds. */
class PluginReinvocation {
  private readonly whole: Reinvocation
  private readonly invoked = new Set<string>()
  private readonly due = new Set<string>()
  private last: KubeObject | undefined

  constructor(whole: Reinvocation) {
    this.whole = whole
  }

  /** Before the plugin's turn: others may have changed the object since its last one. */
  begin(object: KubeObject | undefined): void {
    if (this.whole.again && !deepEqual(this.last, object)) this.makeDue()
  }

  /** Whether a webhook or policy is to be left out in this round. */
  skips(name: string): boolean {
    return this.whole.again && !this.due.has(name)
  }

  /** One has had its say. */
  called(name: string, { changed, reinvocable }: { changed: boolean; reinvocable: boolean }): void {
    if (changed) {
      this.makeDue()
      this.whole.needed = true
    }
    if (reinvocable) this.invoked.add(name)
  }

  end(object: KubeObject | undefined): void {
    this.last = copyOf(object)
  }

  private makeDue(): void {
    for (const name of this.invoked) this.due.add(name)
    this.invoked.clear()
  }
}
