import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podGone, podReady, restarted } from './states.ts'

/** Pods that a kubelet has from files of its node, and what the API shows of them. */

const follows = ['Pod'] as const
/** Whether the containers run already when the mirror is made. */
const loose = ['Pod condition ContainersReady', 'Pod condition Ready', 'Pod ready main']
const folder = '/etc/kubernetes/manifests'

const manifest = (scene: Scene, name: string, container: string, spec = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${scene.namespace}, labels: {app: ${name}}, annotations: {example.com/owner: blue}}
spec:
  terminationGracePeriodSeconds: 1
  ${spec}
  containers: [{name: main, ${container}}]
`
const sleeping = (seconds: string) => `image: "busybox:1.36", command: [sleep, "${seconds}"]`

/** Puts a manifest where the kubelet looks. */
async function put(scene: Scene, node: string, name: string, text: string): Promise<void> {
  await scene.onNode(node, `cat > ${folder}/${scene.namespace}-${name}.yaml <<'END'\n${text}END`)
}

async function takeAway(scene: Scene, node: string, name: string): Promise<void> {
  await scene.onNode(node, `rm ${folder}/${scene.namespace}-${name}.yaml`)
}

function noteShape(scene: Scene, name: string): void {
  const { metadata, spec, status } = scene.one<Pod>('Pod', name) ?? {}
  const { annotations = {}, labels, ownerReferences } = metadata ?? {}
  scene.note(`annotations: ${Object.keys(annotations).sort().join(', ')}`)
  scene.note(`labels: ${JSON.stringify(labels)}`)
  scene.note(`owners: ${ownerReferences?.map((owner) => JSON.stringify({ ...owner, uid: typeof owner.uid })).join(', ')}`)
  scene.note(`source: ${annotations['kubernetes.io/config.source']}`)
  scene.note(`hash: ${/^[0-9a-f]{32}$/.test(annotations['kubernetes.io/config.hash'] ?? '')}`)
  scene.note(`mirror of that hash: ${annotations['kubernetes.io/config.mirror'] === annotations['kubernetes.io/config.hash']}`)
  scene.note(`uid of its own: ${metadata?.uid !== annotations['kubernetes.io/config.hash']}`)
  const { enableServiceLinks, priority, serviceAccountName, tolerations, volumes, preemptionPolicy } = spec ?? {}
  scene.note(`spec: ${JSON.stringify({ enableServiceLinks, priority, serviceAccountName, tolerations, volumes, preemptionPolicy })}`)
  scene.note(`class: ${status?.qosClass}`)
}

const hashOf = (scene: Scene, name: string) => scene.one<Pod>('Pod', name)?.metadata.annotations?.['kubernetes.io/config.hash']
const containerOf = (scene: Scene, name: string) => scene.one<Pod>('Pod', name)?.status?.containerStatuses?.[0]?.containerID

/** What happens to Pods of the only node's files. */
const ofNode = (name: string, play: (scene: Scene, node: string) => Promise<void>): Story => ({
  name,
  follows,
  loose,
  oneNode: true,
  play: async (scene) => play(scene, (await scene.nodes())[0]?.metadata.name ?? ''),
})

export const staticPodStories: readonly Story[] = [
  ofNode('static-pod', async (scene, node) => {
    const name = `web-${node}`
    await put(scene, node, 'web', manifest(scene, 'web', sleeping('3600')))
    await scene.until('its mirror is ready', podReady(scene, name))
    noteShape(scene, name)
    await takeAway(scene, node, 'web')
    await scene.until('it is gone', podGone(scene, name))
  }),
  ofNode('static-pod-whose-mirror-is-deleted', async (scene, node) => {
    const name = `web-${node}`
    await put(scene, node, 'web', manifest(scene, 'web', sleeping('3600')))
    await scene.until('its mirror is ready', podReady(scene, name))
    const first = scene.one<Pod>('Pod', name)
    const container = containerOf(scene, name)
    for (const options of [{}, { gracePeriodSeconds: 0 }]) {
      const before = scene.one<Pod>('Pod', name)?.metadata.uid
      await scene.remove('Pod', name, options)
      await scene.until('it is back', () => podReady(scene, name)() && scene.one<Pod>('Pod', name)?.metadata.uid !== before)
    }
    scene.note(`the same hash: ${hashOf(scene, name) === first?.metadata.annotations?.['kubernetes.io/config.hash']}`)
    scene.note(`the same container: ${containerOf(scene, name) === container}`)
    await scene.attemptPatch('image', 'Pod', name, { spec: { containers: [{ name: 'main', image: 'nginx:1.27' }] } })
    await scene.attemptPatch('label', 'Pod', name, { metadata: { labels: { tier: 'front' } } })
    await scene.attemptPatch('mirror', 'Pod', name, { metadata: { annotations: { 'kubernetes.io/config.mirror': 'other' } } })
    await scene.wait(3)
    const before = scene.one<Pod>('Pod', name)?.metadata.uid
    await scene.evict(name)
    await scene.until('it is back', () => podReady(scene, name)() && scene.one<Pod>('Pod', name)?.metadata.uid !== before)
    await scene.wait(3)
    await takeAway(scene, node, 'web')
    await scene.until('it is gone', podGone(scene, name))
  }),
  ofNode('static-pod-changed', async (scene, node) => {
    const name = `web-${node}`
    await put(scene, node, 'web', manifest(scene, 'web', sleeping('3600')))
    await scene.until('its mirror is ready', podReady(scene, name))
    const hash = hashOf(scene, name)
    const container = containerOf(scene, name)
    await put(scene, node, 'web', manifest(scene, 'web', sleeping('7200')))
    await scene.until('it is another one', () => podReady(scene, name)() && hashOf(scene, name) !== hash)
    scene.note(`the same container: ${containerOf(scene, name) === container}`)
    scene.note(`command: ${scene.one<Pod>('Pod', name)?.spec?.containers?.[0]?.command?.join(' ')}`)
    await takeAway(scene, node, 'web')
    await scene.until('it is gone', podGone(scene, name))
  }),
  ofNode('static-pod-that-crashes', async (scene, node) => {
    const name = `crash-${node}`
    await put(scene, node, 'crash', manifest(scene, 'crash', 'image: "busybox:1.36", command: [sh, -c, "sleep 1; exit 4"]'))
    await scene.until('it waits to be tried again', restarted(scene, name, 1, 'CrashLoopBackOff'))
    await takeAway(scene, node, 'crash')
    await scene.until('it is gone', podGone(scene, name))
  }),
  ofNode('static-pod-with-its-end', async (scene, node) => {
    const name = `once-${node}`
    const once = manifest(scene, 'once', 'image: "busybox:1.36", command: [sh, -c, "sleep 2"]', 'restartPolicy: Never')
    await put(scene, node, 'once', once)
    await scene.until('it has ended', () => scene.one<Pod>('Pod', name)?.status?.phase === 'Succeeded')
    await scene.wait(2)
    await takeAway(scene, node, 'once')
    await scene.until('it is gone', podGone(scene, name))
  }),
  ofNode('static-pods-refused', async (scene, node) => {
    await put(scene, node, 'account', manifest(scene, 'account', sleeping('3600'), 'serviceAccountName: default'))
    const secret = 'env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]'
    await put(scene, node, 'secret', manifest(scene, 'secret', `${sleeping('3600')}, ${secret}`))
    const settings = 'volumes: [{name: v, configMap: {name: c}}]'
    await put(scene, node, 'settings', manifest(scene, 'settings', sleeping('3600'), settings))
    await put(scene, node, 'name', manifest(scene, 'Not_a_name', sleeping('3600')))
    await put(scene, node, 'nothing', 'kind: Nothing\n')
    await put(scene, node, 'good', manifest(scene, 'good', sleeping('3600')))
    await scene.until('the good one is ready', podReady(scene, `good-${node}`))
    await scene.wait(5)
    scene.note(
      scene
        .all('Pod')
        .map(({ metadata }) => metadata.name)
        .join(', '),
    )
    await scene.attempt('a mirror by hand', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'by-hand', annotations: { 'kubernetes.io/config.mirror': 'x' } },
      spec: { nodeName: node, containers: [{ name: 'main', image: 'busybox:1.36' }] },
    } as Pod)
    await scene.onNode(node, `rm ${folder}/${scene.namespace}-*`)
    await scene.until('it is gone', podGone(scene, `good-${node}`))
  }),
]
