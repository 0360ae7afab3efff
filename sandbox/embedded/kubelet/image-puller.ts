import type { Clock } from '../clock.ts'
import { ImageError } from '../containers/runtime.ts'
import type { KubeletConfiguration } from './configuration.ts'

export type PullLimits = Pick<KubeletConfiguration, 'serializeImagePulls' | 'maxParallelImagePulls' | 'registryPullQPS' | 'registryBurst'>

/** Lets a node's pulls begin as its kubelet's configuration has it: one after the other or side by side, and not too many a second. */
export class ImagePuller {
  private readonly clock: Clock
  private readonly limits: () => PullLimits
  private readonly waiting: (() => void)[] = []
  private running = 0
  /** Pulls that may begin at once, as of `countedAt`; undefined before the first. */
  private tokens: number | undefined
  private countedAt = 0

  constructor(clock: Clock, limits: () => PullLimits) {
    this.clock = clock
    this.limits = limits
  }

  /**
   * Settles as the pull does when its turn has come. Rejects with ImageError
   * where the registry is asked too often, and with the signal's reason.
   */
  async pull<T>(start: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.running < this.most()) this.running++
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      signal.throwIfAborted()
      if (!this.takeToken()) throw new ImageError('ErrImagePull', 'pull QPS exceeded')
      return await start()
    } finally {
      // Whoever waits takes this one's place.
      const next = this.waiting.shift()
      if (next) next()
      else this.running--
    }
  }

  private most(): number {
    const { serializeImagePulls, maxParallelImagePulls } = this.limits()
    return serializeImagePulls ? 1 : (maxParallelImagePulls ?? Number.POSITIVE_INFINITY)
  }

  /** The kubelet's token bucket: registryBurst at once, registryPullQPS more each second; no limit at 0. */
  private takeToken(): boolean {
    const { registryPullQPS, registryBurst } = this.limits()
    if (registryPullQPS === 0) return true
    const now = this.clock.now()
    const refilled = ((now - this.countedAt) / 1000) * registryPullQPS
    const tokens = this.tokens === undefined ? registryBurst : Math.min(registryBurst, this.tokens + refilled)
    this.countedAt = now
    this.tokens = tokens >= 1 ? tokens - 1 : tokens
    return tokens >= 1
  }
}
