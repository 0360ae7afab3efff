import type { ComponentName } from '../containers/servers/control-plane.ts'
import type { Records } from '../machinery/context.ts'

/** What a component does while it runs, and whom it cannot do it without. */
export interface Component {
  needs: readonly ComponentName[]
  start(): Disposable
}

/**
 * Which parts of the control plane run. They begin with the cluster, before their containers can; from then on they go by
 * these: a part runs while a container of it does.
 */
export class Components implements Disposable {
  private readonly records: Records
  private readonly parts: Readonly<Record<ComponentName, Component>>
  private readonly holders = new Map<ComponentName, number>()
  private readonly stopped: Set<ComponentName>
  private readonly running = new Map<ComponentName, Disposable>()
  private disposed = false

  constructor(records: Records, parts: Readonly<Record<ComponentName, Component>>) {
    this.records = records
    this.parts = parts
    this.stopped = new Set(records.get<ComponentName[]>(record) ?? [])
  }

  /** Starts all but those whose containers had ended when the cluster was last heard of. */
  begin(): void {
    this.settle()
  }

  runs(name: ComponentName): boolean {
    return this.running.has(name)
  }

  /** A container of the component runs, until it is disposed. */
  hold(name: ComponentName): Disposable {
    this.holders.set(name, (this.holders.get(name) ?? 0) + 1)
    this.mark(name)
    let over = false
    return {
      [Symbol.dispose]: () => {
        if (over || this.disposed) return
        over = true
        this.holders.set(name, (this.holders.get(name) ?? 1) - 1)
        this.mark(name)
      },
    }
  }

  [Symbol.dispose](): void {
    this.disposed = true
    for (const part of [...this.running.values()].reverse()) part[Symbol.dispose]()
    this.running.clear()
  }

  private mark(name: ComponentName): void {
    const before = this.stopped.size
    if (this.holders.get(name) === 0) this.stopped.add(name)
    else this.stopped.delete(name)
    if (this.stopped.size !== before) this.records.put(record, [...this.stopped])
    this.settle()
  }

  private settle(): void {
    const wanted = new Set<ComponentName>()
    for (const name of order) {
      if (!this.stopped.has(name) && this.parts[name].needs.every((need) => wanted.has(need))) wanted.add(name)
    }
    for (const name of [...order].reverse()) {
      if (wanted.has(name)) continue
      this.running.get(name)?.[Symbol.dispose]()
      this.running.delete(name)
    }
    for (const name of order) if (wanted.has(name) && !this.running.has(name)) this.running.set(name, this.parts[name].start())
  }
}

const order: readonly ComponentName[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']
const record = 'cluster/components/stopped'
