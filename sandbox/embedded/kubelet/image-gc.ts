import type { ContainerRuntime, Image } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { NodeUse } from '../node/host.ts'
import type { Node } from '../schema/types/core.v1.ts'
import type { Kubelet } from './kubelet.ts'
import { nodeEvent } from './node.ts'

/** ms between two collections. */
const period = 300_000

export interface ImageCollectorParts {
  ctx: ClusterContext
  runtime: ContainerRuntime
  kubelet: Kubelet
  use(): NodeUse
}

/**
 * A kubelet's image manager: above the high mark of its disk it removes images that nothing runs from, those first that were
 * not used for longest, until the low mark is reached (pkg/kubelet/images/image_gc_manager.go).
 */
export class ImageCollector {
  private readonly parts: ImageCollectorParts
  /** By name, cluster ms. */
  private readonly seen = new Map<string, { detected: number; used: number }>()
  private lookedAt = Number.NEGATIVE_INFINITY
  private detectedAt = Number.NEGATIVE_INFINITY
  private failedBefore = false

  constructor(parts: ImageCollectorParts) {
    this.parts = parts
  }

  /** A kubelet that begins collects for the first time at once, and takes what is there for old. */
  reset(): void {
    this.seen.clear()
    this.detect(Number.NEGATIVE_INFINITY)
    this.detectedAt = this.parts.ctx.clock.now()
    this.lookedAt = Number.NEGATIVE_INFINITY
    this.failedBefore = false
  }

  /** One look; collects every five minutes. */
  look(): void {
    const { ctx, kubelet } = this.parts
    const { imageGCHighThresholdPercent: high = 100 } = kubelet.configured ?? {}
    const now = ctx.clock.now()
    if (now - this.detectedAt >= period) {
      this.detectedAt = now
      this.detect(now)
    }
    if (high >= 100 || now - this.lookedAt < period) return
    this.lookedAt = now
    const failure = this.collect(high)
    if (failure !== undefined && this.failedBefore) {
      kubelet.say('E', 'kubelet.go:1623', 'Image garbage collection failed multiple times in a row', { err: failure })
      this.event('ImageGCFailed', failure)
    } else if (failure !== undefined) {
      const text = 'Image garbage collection failed once. Stats initialization may not have completed yet'
      kubelet.say('E', 'kubelet.go:1627', text, { err: failure })
    }
    this.failedBefore = failure !== undefined
  }

  /** Removes all that nothing runs from: the disk is short of room. */
  deleteUnused(): void {
    this.parts.kubelet.say('I', 'image_gc_manager.go:447', 'Attempting to delete unused images')
    this.free(Number.POSITIVE_INFINITY)
  }

  private collect(high: number): string | undefined {
    const { kubelet, use } = this.parts
    const { total, used } = use().disk
    const low = kubelet.configured?.imageGCLowThresholdPercent ?? 80
    const available = Math.max(0, total - used)
    const usage = 100 - Math.floor((available * 100) / total)
    if (usage < high) return undefined
    const amountToFree = Math.floor((total * (100 - low)) / 100) - available
    const text = 'Disk usage on image filesystem is over the high threshold, trying to free bytes down to the low threshold'
    kubelet.say('I', 'image_gc_manager.go:386', text, { usage, highThreshold: high, amountToFree, lowThreshold: low })
    const freed = this.free(amountToFree)
    if (freed >= amountToFree) return undefined
    const attempted = `Attempted to free ${amountToFree} bytes, but only found ${freed} bytes eligible to free.`
    const failure = `Failed to garbage collect required amount of images. ${attempted}`
    this.event('FreeDiskSpaceFailed', failure)
    return failure
  }

  /** @returns bytes that were won */
  private free(wanted: number): number {
    const { ctx, runtime, kubelet } = this.parts
    const now = ctx.clock.now()
    const youngest = kubelet.configured?.imageMinimumGCAge ?? 0
    let freed = 0
    for (const image of this.inOrder()) {
      const known = this.seen.get(image.name)
      if (!known || known.used >= now || now - known.detected < youngest) continue
      kubelet.say('I', 'image_gc_manager.go:513', 'Removing image to free bytes', { imageID: image.id, size: image.sizeBytes })
      if (!runtime.removeImage(image.name, kubelet.node.name)) continue
      this.seen.delete(image.name)
      freed += image.sizeBytes
      if (freed >= wanted) break
    }
    return freed
  }

  /** The images of the node, those first that were not used for longest. */
  private inOrder(): Image[] {
    const images = this.detect(this.parts.ctx.clock.now())
    const of = ({ name }: Image) => this.seen.get(name) as { detected: number; used: number }
    return images.sort((one, other) => of(one).used - of(other).used || of(one).detected - of(other).detected)
  }

  /** @param since when those are taken to have come that were not seen before; what is used is used now */
  private detect(since: number): Image[] {
    const { ctx, runtime, kubelet } = this.parts
    const inUse = new Set(kubelet.workers().flatMap(({ record, active }) => (active ? record.runs.map(({ image }) => image) : [])))
    const images = runtime.images(kubelet.node.name)
    for (const { name } of images) {
      const { detected = since, used = Number.NEGATIVE_INFINITY } = this.seen.get(name) ?? {}
      this.seen.set(name, { detected, used: inUse.has(name) ? ctx.clock.now() : used })
    }
    return images
  }

  private event(reason: string, message: string): void {
    const { ctx, kubelet } = this.parts
    const node = ctx.cache.get<Node>(resources.nodes, kubelet.node.name)
    if (node) nodeEvent(ctx, node, reason, message, 'Warning')
  }
}
