import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podPhase, podReady } from './states.ts'

/** Why a cluster's only node does not take a Pod, in the scheduler's sentences and in the kubelet's. */

const follows = ['Pod'] as const

const pod = (name: string, spec: string, container = '', labels = '{}') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: ${labels}}
spec:
  terminationGracePeriodSeconds: 1
  ${spec}
  containers: [{name: main, image: "busybox:1.36", command: [sleep, "3600"]${container && `, ${container}`}}]
`

const refused = (scene: Scene, name: string) => () =>
  scene.one<Pod>('Pod', name)?.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False') ?? false

const unschedulable = (name: string, ...manifests: string[]): Story => ({
  name,
  follows,
  oneNode: true,
  async play(scene) {
    for (const manifest of manifests) await scene.apply(manifest)
    await scene.until('it is refused', refused(scene, 'web'))
  },
})

const affinity = (kind: string, term: string) => `affinity: {${kind}: {requiredDuringSchedulingIgnoredDuringExecution: ${term}}}`
const near = (app: string) => `[{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: ${app}}}}]`
const zone = '{nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [north]}]}]}'
const host = (name: string) =>
  `${affinity('nodeAffinity', `{nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [${name}]}]}]}`)}`

const volume = (name: string, nodeAffinity: string, claimed = '10Mi') => `
apiVersion: v1
kind: PersistentVolume
metadata: {name: ${name}}
spec:
  capacity: {storage: 10Mi}
  accessModes: [ReadWriteOnce]
  storageClassName: story-manual
  hostPath: {path: /tmp/story-volume}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [${nodeAffinity}]}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: story-manual
  resources: {requests: {storage: ${claimed}}}
`
const claimed = 'volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]'

export const oneNodeStories: readonly Story[] = [
  unschedulable('only-node-has-no-such-label', pod('web', 'nodeSelector: {disk: fast}')),
  unschedulable('only-node-is-in-no-zone', pod('web', affinity('nodeAffinity', zone))),
  unschedulable('only-node-has-another-name', pod('web', host('somewhere'))),
  unschedulable('only-node-has-no-such-neighbour', pod('web', affinity('podAffinity', near('db')))),
  unschedulable(
    'only-node-has-itself-as-neighbour',
    pod('web', `${affinity('podAffinity', near('db'))}\n  nodeSelector: {disk: fast}`, '', '{app: db}'),
  ),
  unschedulable('only-node-has-no-such-device', pod('web', '', 'resources: {limits: {example.com/gpu: 1}}')),
  unschedulable(
    'only-node-is-too-small-in-several-ways',
    pod('web', '', 'resources: {requests: {cpu: "1000", memory: 9000Gi, ephemeral-storage: 90000Gi}}'),
  ),
  {
    name: 'only-node-has-a-pod-that-keeps-others-away',
    follows,
    oneNode: true,
    async play(scene) {
      await scene.apply(pod('shy', affinity('podAntiAffinity', near('web'))))
      await scene.until('it runs', podReady(scene, 'shy'))
      await scene.apply(pod('web', '', '', '{app: web}'))
      await scene.until('it is refused', refused(scene, 'web'))
      await scene.apply(pod('loud', affinity('podAntiAffinity', near('web')), '', '{app: web}'))
      await scene.until('it is refused', refused(scene, 'loud'))
    },
  },
  {
    name: 'only-node-has-its-port-taken',
    follows,
    oneNode: true,
    async play(scene) {
      const ports = 'ports: [{containerPort: 80, hostPort: 31080}]'
      await scene.apply(pod('first', '', ports))
      await scene.until('it runs', podReady(scene, 'first'))
      await scene.apply(pod('web', '', ports))
      await scene.until('it is refused', refused(scene, 'web'))
      await scene.apply(pod('other', '', 'ports: [{containerPort: 80, hostPort: 31080, protocol: UDP}]'))
      await scene.until('it runs', podReady(scene, 'other'))
      await scene.remove('Pod', 'first')
      await scene.until('it runs', podReady(scene, 'web'))
    },
  },
  {
    name: 'only-node-is-cordoned',
    follows,
    oneNode: true,
    alone: true,
    async play(scene) {
      const node = (await scene.nodes())[0]?.metadata.name ?? ''
      await scene.patch('Node', node, { spec: { unschedulable: true } })
      await scene.wait(2)
      await scene.apply(pod('web', ''))
      await scene.until('it is refused', refused(scene, 'web'))
      await scene.apply(pod('patient', 'tolerations: [{key: node.kubernetes.io/unschedulable, operator: Exists}]'))
      await scene.until('it runs', podReady(scene, 'patient'))
      await scene.remove('Pod', 'web')
      await scene.patch('Node', node, { spec: { unschedulable: null } })
    },
  },
  {
    name: 'only-node-is-tainted',
    follows,
    oneNode: true,
    alone: true,
    async play(scene) {
      const node = (await scene.nodes())[0]?.metadata.name ?? ''
      await scene.apply(pod('settled', 'tolerations: [{key: story/purpose, operator: Exists, effect: NoExecute, tolerationSeconds: 4}]'))
      await scene.until('it runs', podReady(scene, 'settled'))
      await scene.patch('Node', node, { spec: { taints: [{ key: 'story/purpose', value: 'batch', effect: 'NoSchedule' }] } })
      await scene.wait(2)
      await scene.apply(pod('web', 'tolerations: [{key: story/purpose, value: other}]'))
      await scene.until('it is refused', refused(scene, 'web'))
      await scene.apply(pod('batch', 'tolerations: [{key: story/purpose, value: batch}]'))
      await scene.until('it runs', podReady(scene, 'batch'))
      await scene.patch('Node', node, { spec: { taints: [{ key: 'story/purpose', value: 'batch', effect: 'NoExecute' }] } })
      await scene.until('one has to go', () => scene.one('Pod', 'settled') === undefined)
      await scene.patch('Node', node, { spec: { taints: null } })
      await scene.until('the other runs', podReady(scene, 'web'))
    },
  },
  {
    name: 'only-node-would-be-crowded',
    follows,
    oneNode: true,
    async play(scene) {
      const spread = (more = '') =>
        `topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}${more}}]`
      await scene.apply(pod('first', spread(), '', '{app: web}'))
      await scene.until('it runs', podReady(scene, 'first'))
      await scene.apply(pod('web', spread(', minDomains: 2'), '', '{app: web}'))
      await scene.until('it is refused', refused(scene, 'web'))
      await scene.apply(pod('another', spread(', matchLabelKeys: [version]'), '', '{app: web, version: two}'))
      await scene.until('it runs', podReady(scene, 'another'))
      await scene.apply(pod('nowhere', spread().replace('kubernetes.io/hostname', 'story/rack'), '', '{app: web}'))
      await scene.until('it is refused', refused(scene, 'nowhere'))
    },
  },
  unschedulable(
    'only-node-cannot-reach-the-volume',
    volume('story-far-away', '{key: kubernetes.io/hostname, operator: In, values: [elsewhere]}'),
    pod('web', claimed),
  ),
  unschedulable(
    'only-node-waits-for-a-claim-to-be-bound',
    volume('story-too-small', '{key: kubernetes.io/hostname, operator: Exists}', '20Mi'),
    pod('web', claimed),
  ),
  {
    name: 'only-node-has-somebody-less-important',
    follows: ['Pod'],
    oneNode: true,
    async play(scene) {
      await scene.create({
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name: 'story-polite' },
        value: 1000,
        preemptionPolicy: 'Never',
      } as never)
      await scene.apply(pod('web', 'priorityClassName: story-polite', 'resources: {requests: {cpu: "1000"}}'))
      await scene.until('it is refused', refused(scene, 'web'))
    },
  },
  {
    name: 'only-node-given-by-name',
    follows,
    oneNode: true,
    async play(scene) {
      const node = (await scene.nodes())[0]?.metadata.name ?? ''
      await scene.apply(pod('large', `nodeName: ${node}`, 'resources: {requests: {memory: 9000Gi}}'))
      await scene.until('it is refused', podPhase(scene, 'large', 'Failed'))
      await scene.apply(pod('device', `nodeName: ${node}`, 'resources: {limits: {example.com/gpu: 1}}'))
      await scene.until('it runs', podReady(scene, 'device'))
      await scene.apply(pod('picky', `nodeName: ${node}\n  nodeSelector: {disk: fast}`))
      await scene.until('it is refused', podPhase(scene, 'picky', 'Failed'))
      await scene.apply(pod('windows', `nodeName: ${node}\n  nodeSelector: {kubernetes.io/os: windows}`))
      await scene.until('it is refused', podPhase(scene, 'windows', 'Failed'))
    },
  },
]
