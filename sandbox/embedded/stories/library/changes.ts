import type { Namespace, Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podOf } from './manifests.ts'
import { podReady, restarted } from './states.ts'

/** What is changed while it runs, and what does not want to go. */

const follows = ['Pod'] as const

const pod = (container: string) => podOf('web', 'nginx:1.27', container)
const resized = (resources: unknown) => ({ spec: { containers: [{ name: 'main', resources }] } })

const applied = (scene: Scene, kind: 'requests' | 'limits', name: string, amount: string) => () =>
  scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0]?.resources?.[kind]?.[name] === amount

function noteResources(scene: Scene): void {
  const { allocatedResources, resources, restartCount } = scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0] ?? {}
  scene.note(JSON.stringify({ allocatedResources, resources, restartCount }))
}

const resizePending = (scene: Scene) => () =>
  scene.one<Pod>('Pod', 'web')?.status?.conditions?.some(({ type }) => type === 'PodResizePending') ?? false

export const changeStories: readonly Story[] = [
  {
    name: 'resize-in-place',
    follows,
    async play(scene) {
      await scene.apply(pod('resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: 100m, memory: 64Mi}}'))
      await scene.until('it runs', podReady(scene, 'web'))
      await scene.wait(2)
      noteResources(scene)
      await scene.patch('Pod', 'web', resized({ requests: { cpu: '20m' }, limits: { cpu: '200m' } }), {
        subresource: 'resize',
        strategic: true,
      })
      await scene.until('it has more', applied(scene, 'limits', 'cpu', '200m'))
      await scene.wait(3)
      noteResources(scene)
      await scene.patch('Pod', 'web', resized({ limits: { memory: '96Mi' } }), { subresource: 'resize', strategic: true })
      await scene.until('it has more memory', applied(scene, 'limits', 'memory', '96Mi'))
      await scene.wait(3)
      noteResources(scene)
    },
  },
  {
    name: 'resize-by-restart',
    follows,
    async play(scene) {
      const policy = 'resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]'
      await scene.apply(pod(`${policy}\n      resources: {limits: {cpu: 100m, memory: 64Mi}}`))
      await scene.until('it runs', podReady(scene, 'web'))
      await scene.wait(2)
      const resources = { requests: { memory: '96Mi' }, limits: { memory: '96Mi' } }
      await scene.patch('Pod', 'web', resized(resources), { subresource: 'resize', strategic: true })
      await scene.until('it begins again', restarted(scene, 'web', 1))
      await scene.until('it has more memory', applied(scene, 'limits', 'memory', '96Mi'))
      await scene.until('it is ready', podReady(scene, 'web'))
      await scene.wait(3)
      noteResources(scene)
    },
  },
  {
    name: 'resize-beyond-the-node',
    follows,
    async play(scene) {
      await scene.apply(pod('resources: {requests: {cpu: 10m}}'))
      await scene.until('it runs', podReady(scene, 'web'))
      await scene.wait(2)
      await scene.patch('Pod', 'web', resized({ requests: { cpu: '1000' } }), { subresource: 'resize', strategic: true })
      await scene.until('it is refused', resizePending(scene))
      await scene.patch('Pod', 'web', resized({ requests: { cpu: '15m' } }), { subresource: 'resize', strategic: true })
      await scene.until('it has more', applied(scene, 'requests', 'cpu', '15m'))
      await scene.wait(3)
      noteResources(scene)
    },
  },
  {
    name: 'resize-that-is-refused',
    follows,
    async play(scene) {
      await scene.apply(pod('resources: {requests: {cpu: 10m, memory: 32Mi}}'))
      await scene.until('it runs', podReady(scene, 'web'))
      await scene.attemptPatch(
        'other class',
        'Pod',
        'web',
        resized({ requests: { cpu: '20m', memory: '20Mi' }, limits: { cpu: '20m', memory: '20Mi' } }),
        'resize',
      )
      await scene.attemptPatch('not by the Pod itself', 'Pod', 'web', resized({ requests: { cpu: '20m' } }))
      await scene.attemptPatch(
        'no such container',
        'Pod',
        'web',
        { spec: { containers: [{ name: 'other', resources: { requests: { cpu: '1m' } } }] } },
        'resize',
      )
      await scene.attemptPatch('image', 'Pod', 'web', { spec: { containers: [{ name: 'main', image: 'busybox:1.36' }] } }, 'resize')
      await scene.attemptPatch('storage', 'Pod', 'web', resized({ requests: { 'ephemeral-storage': '1Mi' } }), 'resize')
    },
  },
  {
    name: 'ephemeral-container',
    follows,
    async play(scene) {
      await scene.apply(pod(''))
      await scene.until('it runs', podReady(scene, 'web'))
      const debugger_ = { name: 'look', image: 'busybox:1.36', command: ['sh', '-c', 'sleep 3; exit 3'], targetContainerName: 'main' }
      const added = { spec: { ephemeralContainers: [debugger_] } }
      await scene.patch('Pod', 'web', added, { subresource: 'ephemeralcontainers', strategic: true })
      const ended = () => scene.one<Pod>('Pod', 'web')?.status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined
      await scene.until('it has ended', ended)
      await scene.wait(2)
      const changed = { spec: { ephemeralContainers: [{ ...debugger_, image: 'nginx:1.27' }] } }
      await scene.attemptPatch('changed', 'Pod', 'web', changed, 'ephemeralcontainers')
      const ports = { spec: { ephemeralContainers: [{ name: 'open', image: 'busybox:1.36', ports: [{ containerPort: 80 }] }] } }
      await scene.attemptPatch('with ports', 'Pod', 'web', ports, 'ephemeralcontainers')
    },
  },
  {
    name: 'namespace-held-by-a-finalizer',
    follows: ['ConfigMap'],
    async play(scene) {
      const held = (name: string, finalizers: string) =>
        `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}, finalizers: [${finalizers}]}}`
      await scene.apply(`${held('one', 'example.com/first')}\n---\n${held('two', '"example.com/first", "example.com/second"')}`)
      await scene.removeNamespace()
      const conditions = async () => (await scene.ownNamespace<Namespace>())?.status?.conditions ?? []
      await scene.until('it says what remains', async () =>
        (await conditions()).some(({ type, status }) => type === 'NamespaceFinalizersRemaining' && status === 'True'),
      )
      for (const { type, status, reason, message } of await conditions()) scene.note([type, status, reason, message].join(' | '))
      await scene.attempt('something new', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new' } })
      await scene.patch('ConfigMap', 'one', { metadata: { finalizers: null } })
      await scene.patch('ConfigMap', 'two', { metadata: { finalizers: null } })
      await scene.until('it is gone', async () => (await scene.ownNamespace()) === undefined)
    },
  },
]
