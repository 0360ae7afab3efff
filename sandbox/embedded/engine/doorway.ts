import type { Surroundings } from '../../terminal/addresses.ts'
import type { OutsideView } from '../network/outside.ts'
import type { ProcessPool } from './pool.ts'

/** The platform's side of a cluster's door (door.ts): where its shell connects to addresses, and who hears which they are. */
export class Doorway implements Surroundings, Disposable {
  readonly socket: string
  private readonly listening: { number: number } & Disposable
  private readonly listeners = new Set<(view: OutsideView) => void>()
  private view: OutsideView | undefined

  constructor(pool: ProcessPool, socket: string) {
    this.socket = socket
    this.listening = pool.door((view) => {
      this.view = view
      for (const listener of [...this.listeners]) listener(view)
    })
  }

  get number(): number {
    return this.listening.number
  }

  follow(listener: (view: OutsideView) => void): Disposable {
    this.listeners.add(listener)
    if (this.view) listener(this.view)
    return { [Symbol.dispose]: () => this.listeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    this.listening[Symbol.dispose]()
  }
}

/** The door's socket beside that of the cluster's API, in as many letters: sockets' paths are short. */
export function doorOf(apiSocket: string): string {
  return apiSocket.replace(/sock$/, 'door')
}
