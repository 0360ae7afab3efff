import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podGone, podPhase, podReady } from './states.ts'

/** What `kubectl debug` makes: containers added to Pods that run, and Pods that look at their node. */

const follows = ['Pod'] as const

const pod = (spec: string, command: string) => `
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 2
  ${spec}
  containers: [{name: main, image: "busybox:1.36", command: [sh, -c, ${JSON.stringify(command)}]}]
`

interface Debugger {
  name: string
  command: string
  image?: string
  target?: string
}

/** Adds containers behind those that are there already, as their list only grows. */
async function add(scene: Scene, ...debuggers: Debugger[]): Promise<void> {
  const ephemeralContainers = debuggers.map(({ name, command, image = 'busybox:1.36', target }) => ({
    name,
    image,
    command: ['sh', '-c', command],
    ...(target && { targetContainerName: target }),
  }))
  await scene.patch('Pod', 'web', { spec: { ephemeralContainers } }, { subresource: 'ephemeralcontainers', strategic: true })
}

const statusOf = (scene: Scene, name: string) =>
  scene.one<Pod>('Pod', 'web')?.status?.ephemeralContainerStatuses?.find((status) => status.name === name)

export const debuggingStories: readonly Story[] = [
  {
    name: 'ephemeral-containers-of-all-kinds',
    follows,
    async play(scene) {
      await scene.apply(pod('', 'sleep 3600'))
      await scene.until('it runs', podReady(scene, 'web'))
      await add(scene, { name: 'sees', command: 'tr "\\0" " " < /proc/1/cmdline; echo; sleep 3600', target: 'main' })
      await scene.until('it runs', () => statusOf(scene, 'sees')?.state?.running !== undefined)
      await add(scene, { name: 'fails', command: 'exit 7' })
      await scene.until('it has failed', () => statusOf(scene, 'fails')?.state?.terminated !== undefined)
      await add(scene, { name: 'unknown', command: 'true', image: 'localhost:1/none:1' })
      await scene.until('its image is not there', () => statusOf(scene, 'unknown')?.state?.waiting?.reason === 'ImagePullBackOff')
      const alone = { name: 'alone', image: 'busybox:1.36', targetContainerName: 'nobody' }
      const body = { spec: { ephemeralContainers: [alone] } }
      await scene.attemptPatch('no such target', 'Pod', 'web', body, 'ephemeralcontainers')
      const twice = { spec: { ephemeralContainers: [{ name: 'main', image: 'busybox:1.36' }] } }
      await scene.attemptPatch('a name that is taken', 'Pod', 'web', twice, 'ephemeralcontainers')
      const probed = { name: 'probed', image: 'busybox:1.36', livenessProbe: { exec: { command: ['true'] } } }
      await scene.attemptPatch('with a probe', 'Pod', 'web', { spec: { ephemeralContainers: [probed] } }, 'ephemeralcontainers')
      scene.note(await scene.logs('web', { container: 'sees' }))
      await scene.remove('Pod', 'web')
      await scene.until('it is gone', podGone(scene, 'web'))
    },
  },
  {
    name: 'ephemeral-container-outlives-the-work',
    follows,
    async play(scene) {
      await scene.apply(pod('restartPolicy: Never', 'sleep 6'))
      await scene.until('it runs', podReady(scene, 'web'))
      await add(scene, { name: 'look', command: 'sleep 3600' })
      await scene.until('its work is done', podPhase(scene, 'web', 'Succeeded'))
      await scene.wait(5)
      const late = { spec: { ephemeralContainers: [{ name: 'late', image: 'busybox:1.36' }] } }
      await scene.attemptPatch('after the end', 'Pod', 'web', late, 'ephemeralcontainers')
      await scene.wait(3)
    },
  },
  {
    name: 'ephemeral-container-while-the-work-restarts',
    follows,
    async play(scene) {
      await scene.apply(pod('', 'sleep 8; exit 1'))
      await scene.until('it runs', podReady(scene, 'web'))
      await add(scene, { name: 'look', command: 'sleep 3600', target: 'main' })
      const restarts = () => scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0]?.restartCount
      await scene.until('it has begun again', () => restarts() === 1)
      await scene.wait(2)
    },
  },
]
