import { ContainerError, type ContainerRuntime, type Image, ImageError } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import type { Container } from '../schema/types/core.v1.ts'
import { backOffLeftSinceUpdate, nextBackOff } from './back-off.ts'
import { goDuration } from './duration.ts'
import type { BackOffEntry } from './pod-record.ts'

/** A container cannot be started; `reason` and the message are those of its waiting state. */
export class StartError extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface ImagePull {
  ctx: ClusterContext
  runtime: ContainerRuntime
  container: Container
  backOff: Record<string, BackOffEntry>
  /** What the last pull of an image failed with. */
  previous: Map<string, string>
  event(type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** Has the image on the node as the pull policy wants it, with the kubelet's events. Rejects with StartError. */
export async function ensureImage(pull: ImagePull, signal: AbortSignal): Promise<Image> {
  try {
    return await pulled(pull, signal)
  } catch (error) {
    if (error instanceof StartError) pull.event('Warning', 'Failed', `Error: ${error.reason}`)
    throw error
  }
}

async function pulled({ ctx, runtime, container, backOff, previous, event }: ImagePull, signal: AbortSignal): Promise<Image> {
  const image = container.image ?? ''
  const quoted = JSON.stringify(image)
  const present = container.imagePullPolicy === 'Always' ? undefined : runtime.present(image)
  if (present) {
    event('Normal', 'Pulled', `Container image ${quoted} already present on machine`)
    return present
  }
  if (container.imagePullPolicy === 'Never') {
    const message = `Container image ${quoted} is not present with pull policy of Never`
    event('Warning', 'ErrImageNeverPull', message)
    throw new StartError('ErrImageNeverPull', message)
  }
  const key = `image/${image}`
  if (backOffLeftSinceUpdate(backOff[key], ctx.clock.now()) > 0) {
    const message = `Back-off pulling image ${quoted}`
    event('Normal', 'BackOff', message)
    const before = previous.get(image)
    throw new StartError('ImagePullBackOff', before ? `${message}: ${before}` : message)
  }
  event('Normal', 'Pulling', `Pulling image ${quoted}`)
  const started = ctx.clock.now()
  try {
    const found = await runtime.pull(image, signal)
    const took = goDuration(Math.floor(ctx.clock.now() - started))
    event(
      'Normal',
      'Pulled',
      `Successfully pulled image ${quoted} in ${took} (${took} including waiting). Image size: ${found.sizeBytes} bytes.`,
    )
    previous.delete(image)
    return found
  } catch (error) {
    if (signal.aborted || !(error instanceof ImageError || error instanceof ContainerError)) throw error
    if (error.reason === 'InvalidImageName') {
      const message = `Failed to apply default image tag ${quoted}: ${error.message}`
      event('Warning', 'InspectFailed', message)
      throw new StartError('InvalidImageName', message)
    }
    event('Warning', 'Failed', `Failed to pull image ${quoted}: ${error.message}`)
    const now = ctx.clock.now()
    nextBackOff(backOff, key, now, now)
    previous.set(image, `ErrImagePull: ${error.message}`)
    throw new StartError('ErrImagePull', error.message)
  }
}
