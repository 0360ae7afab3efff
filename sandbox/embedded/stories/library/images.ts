import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podOf } from './manifests.ts'
import { podReady } from './states.ts'

const follows = ['Pod'] as const

const pod = (name: string, image: string, spec = '', container = '') =>
  podOf(name, image, `command: [sleep, "600"]\n      ${container}`, spec)

const waitsFor = (scene: Scene, name: string, reason: string) => () => {
  const { containerStatuses = [], initContainerStatuses = [] } = scene.one<Pod>('Pod', name)?.status ?? {}
  return [...initContainerStatuses, ...containerStatuses].some(({ state }) => state?.waiting?.reason === reason)
}

/** A registry that is nowhere. */
const nowhere = 'registry.invalid/team/app:1'

export const imageStories: readonly Story[] = [
  {
    name: 'image-of-no-registry',
    follows,
    // The next attempt comes before the change or after it.
    loose: ['Pod container main'],
    async play(scene) {
      await scene.apply(pod('lost', nowhere))
      await scene.until('the kubelet waits', waitsFor(scene, 'lost', 'ImagePullBackOff'))
      await scene.patch('Pod', 'lost', { spec: { containers: [{ name: 'main', image: 'busybox:1.36' }] } }, { strategic: true })
      await scene.until('it runs', podReady(scene, 'lost'))
    },
  },
  {
    name: 'image-of-a-port-where-nobody-listens',
    follows,
    async play(scene) {
      await scene.apply(pod('refused', 'localhost:5999/team/app:1'))
      await scene.until('the kubelet waits', waitsFor(scene, 'refused', 'ImagePullBackOff'))
    },
  },
  {
    name: 'image-names-that-are-none',
    follows,
    async play(scene) {
      const names = ['Nginx:UPPER', 'nginx:a b', 'nginx@sha256:12', 'registry.invalid:port/app', 'a//b']
      for (const [index, name] of names.entries()) await scene.apply(pod(`name-${index}`, name))
      const all = names.map((_, index) => waitsFor(scene, `name-${index}`, 'InvalidImageName'))
      await scene.until('all are refused', () => all.every((refused) => refused()))
    },
  },
  {
    name: 'image-must-not-be-pulled',
    follows,
    async play(scene) {
      await scene.apply(pod('forbidden', 'registry.invalid/forbidden:1', '', 'imagePullPolicy: Never'))
      await scene.apply(pod('there', 'busybox:1.36', '', 'imagePullPolicy: Never'))
      await scene.until('one runs', podReady(scene, 'there'))
      await scene.until('the other is refused', waitsFor(scene, 'forbidden', 'ErrImageNeverPull'))
    },
  },
  {
    name: 'image-secret-that-is-missing',
    follows,
    async play(scene) {
      await scene.apply(pod('there', 'busybox:1.36', 'imagePullSecrets: [{name: nothere}, {name: norhere}]'))
      await scene.until('it runs all the same', podReady(scene, 'there'))
      await scene.apply(pod('lost', nowhere, 'imagePullSecrets: [{name: nothere}]'))
      await scene.until('the kubelet waits', waitsFor(scene, 'lost', 'ImagePullBackOff'))
    },
  },
  {
    name: 'image-of-an-init-container',
    follows,
    async play(scene) {
      await scene.apply(pod('held', 'busybox:1.36', `initContainers: [{name: first, image: ${nowhere}}]`))
      await scene.until('the kubelet waits', waitsFor(scene, 'held', 'ImagePullBackOff'))
    },
  },
]
