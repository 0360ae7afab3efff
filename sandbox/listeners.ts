/** Who wants to be told of something, each until its signal aborts. */
export class Listeners<T = void> {
  private readonly all = new Set<(told: T) => void>()

  add(listener: (told: T) => void, signal: AbortSignal): void {
    this.all.add(listener)
    signal.addEventListener('abort', () => this.all.delete(listener), { once: true })
  }

  tell(told: T): void {
    for (const listener of this.all) listener(told)
  }
}
