import { registryOf } from '../containers/images.ts'
import { ContainerError, type ContainerRuntime, type Credentials, type Image, ImageError } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import type { Container } from '../schema/types/core.v1.ts'
import { backOffLeftSinceUpdate, nextBackOff } from './back-off.ts'
import { goDuration } from './duration.ts'
import type { Kubelet } from './kubelet.ts'
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
  kubelet: Pick<Kubelet, 'say' | 'runtimeSays' | 'puller'>
  container: Container
  backOff: Record<string, BackOffEntry>
  /** What the last pull of an image failed with. */
  previous: Map<string, string>
  /** The node that is to have it. */
  node: string
  /** What the pod's secrets have for a registry. */
  credentials(host: string): Credentials[]
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

async function pulled(
  { ctx, runtime, kubelet, container, backOff, previous, node, credentials, event }: ImagePull,
  signal: AbortSignal,
): Promise<Image> {
  const image = container.image ?? ''
  const quoted = JSON.stringify(image)
  let registry: string
  try {
    registry = registryOf(image)
  } catch (error) {
    if (!(error instanceof ImageError)) throw error
    event('Warning', 'InspectFailed', error.message)
    throw new StartError('InvalidImageName', error.message)
  }
  const present = container.imagePullPolicy === 'Always' ? undefined : runtime.present(image, node)
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
  kubelet.runtimeSays('info', `PullImage ${quoted}`)
  const started = ctx.clock.now()
  try {
    const start = () => runtime.pull(image, { node, credentials: credentials(registry), signal })
    const { image: found, ms } = await kubelet.puller.pull(start, signal)
    const whole = goDuration(Math.floor(ctx.clock.now() - started))
    const took = goDuration(Math.floor(Math.min(ms, ctx.clock.now() - started)))
    event(
      'Normal',
      'Pulled',
      `Successfully pulled image ${quoted} in ${took} (${whole} including waiting). Image size: ${found.sizeBytes} bytes.`,
    )
    kubelet.runtimeSays('info', `PullImage ${quoted} returns image reference "${found.id}"`)
    previous.delete(image)
    return found
  } catch (error) {
    if (signal.aborted || !(error instanceof ImageError || error instanceof ContainerError)) throw error
    event('Warning', 'Failed', `Failed to pull image ${quoted}: ${error.message}`)
    kubelet.runtimeSays('error', `PullImage ${quoted} failed`, { error: error.message })
    kubelet.say('E', 'log.go:32', 'PullImage from image service failed', { err: error.message, image })
    kubelet.say('E', 'kuberuntime_image.go:43', 'Failed to pull image', { err: error.message, image })
    const now = ctx.clock.now()
    nextBackOff(backOff, key, now, now)
    previous.set(image, `ErrImagePull: ${error.message}`)
    throw new StartError('ErrImagePull', error.message)
  }
}
