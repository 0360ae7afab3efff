import type { Pod } from '../../schema/types/core.v1.ts'
import type { Story } from '../story.ts'
import { podGone, podPhase, podReady } from './states.ts'

const follows = ['Pod'] as const

const pod = (name: string, spec: string, container = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 2
  ${spec}
  containers: [{name: main, image: "nginx:1.27"${container && `, ${container}`}}]
`

const slots = (count: number) => `resources: {requests: {example.com/slots: ${count}}, limits: {example.com/slots: ${count}}}`
const refused = (scene: Parameters<Story['play']>[0], name: string) => () =>
  scene.one<Pod>('Pod', name)?.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False') ?? false

export const schedulingStories: readonly Story[] = [
  {
    name: 'too-large-for-any-node',
    follows,
    async play(scene) {
      await scene.apply(pod('large', '', 'resources: {requests: {cpu: "1000", memory: 9000Gi}}'))
      await scene.until('it is refused', refused(scene, 'large'))
    },
  },
  {
    name: 'no-such-label',
    follows,
    alone: true,
    async play(scene) {
      const [worker] = await scene.workers()
      await scene.apply(pod('picky', 'nodeSelector: {story/disk: fast}'))
      await scene.until('it is refused', refused(scene, 'picky'))
      await scene.wait(1)
      await scene.patch('Node', worker?.metadata.name ?? '', { metadata: { labels: { 'story/disk': 'fast' } } })
      await scene.until('it runs', podReady(scene, 'picky'))
      await scene.patch('Node', worker?.metadata.name ?? '', { metadata: { labels: { 'story/disk': null } } })
    },
  },
  {
    name: 'scheduling-gates',
    follows,
    async play(scene) {
      await scene.apply(pod('gated', 'schedulingGates: [{name: example.com/quota}, {name: example.com/review}]'))
      await scene.wait(2)
      await scene.patch('Pod', 'gated', { spec: { schedulingGates: [{ name: 'example.com/review' }] } })
      await scene.wait(1)
      await scene.patch('Pod', 'gated', { spec: { schedulingGates: null } })
      await scene.until('it runs', podReady(scene, 'gated'))
    },
  },
  {
    name: 'anti-affinity',
    follows,
    async play(scene) {
      const terms = '[{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: apart}}}]'
      const spec = `affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: ${terms}}}`
      const apart = (name: string) => pod(name, spec).replace(`{name: ${name}}`, `{name: ${name}, labels: {app: apart}}`)
      await scene.apply(apart('one'))
      await scene.until('one runs', podReady(scene, 'one'))
      await scene.apply(apart('two'))
      await scene.until('two runs', podReady(scene, 'two'))
      await scene.apply(apart('three'))
      await scene.until('three is refused', refused(scene, 'three'))
      await scene.wait(1)
      await scene.remove('Pod', 'one')
      await scene.until('three runs', podReady(scene, 'three'))
    },
  },
  {
    name: 'topology-spread',
    follows,
    async play(scene) {
      const constraint =
        '{maxSkew: 1, topologyKey: story/none, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: spread}}}'
      await scene.apply(pod('spread', `topologySpreadConstraints: [${constraint}]`))
      await scene.until('it is refused', refused(scene, 'spread'))
    },
  },
  {
    name: 'missing-claim',
    follows,
    async play(scene) {
      await scene.apply(pod('wanting', 'volumes: [{name: data, persistentVolumeClaim: {claimName: none}}]'))
      await scene.until('it is refused', refused(scene, 'wanting'))
    },
  },
  {
    name: 'host-port-taken-on-the-node',
    follows,
    async play(scene) {
      const [worker] = await scene.workers()
      const spec = `nodeName: ${worker?.metadata.name}`
      const port = 'ports: [{containerPort: 80, hostPort: 28080}]'
      await scene.apply(pod('first', spec, port))
      await scene.until('the first runs', podReady(scene, 'first'))
      await scene.apply(pod('second', spec, port))
      await scene.until('the second is turned away', podPhase(scene, 'second', 'Failed'))
    },
  },
  {
    name: 'preemption',
    follows,
    alone: true,
    async play(scene) {
      const [worker] = await scene.workers()
      const name = worker?.metadata.name ?? ''
      const capacity = (count: string | null) => ({ status: { capacity: { 'example.com/slots': count } } })
      await scene.patch('Node', name, capacity('1'), { subresource: 'status' })
      await scene.apply('{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: story-urgent}, value: 1000}')
      const patient = '{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: story-patient}, value: 1000'
      await scene.apply(`${patient}, preemptionPolicy: Never}`)
      await scene.until('the node has a slot', async () => {
        const workers = (await scene.workers()) as { status?: { allocatable?: Record<string, string> } }[]
        return workers.some(({ status }) => status?.allocatable?.['example.com/slots'] === '1')
      })
      await scene.apply(pod('modest', '', slots(1)))
      await scene.until('the modest one runs', podReady(scene, 'modest'))
      await scene.apply(pod('patient', 'priorityClassName: story-patient', slots(1)))
      await scene.until('the patient one is refused', refused(scene, 'patient'))
      await scene.wait(1)
      await scene.remove('Pod', 'patient')
      await scene.until('the patient one is gone', podGone(scene, 'patient'))
      await scene.apply(pod('urgent', 'priorityClassName: story-urgent', slots(1)))
      await scene.until('the urgent one runs', podReady(scene, 'urgent'))
      await scene.patch('Node', name, capacity(null), { subresource: 'status' })
    },
  },
  {
    name: 'taint-evicts',
    follows: [...follows, 'Node'],
    alone: true,
    async play(scene) {
      const [worker] = await scene.workers()
      const name = worker?.metadata.name ?? ''
      const selector = `nodeSelector: {kubernetes.io/hostname: ${name}}`
      await scene.apply(pod('plain', selector))
      await scene.apply(
        pod('brief', `${selector}\n  tolerations: [{key: story, operator: Exists, effect: NoExecute, tolerationSeconds: 4}]`),
      )
      await scene.apply(pod('tolerant', `${selector}\n  tolerations: [{key: story, operator: Exists}]`))
      await scene.until('all run', () => ['plain', 'brief', 'tolerant'].every((one) => podReady(scene, one)()))
      await scene.wait(1)
      await scene.patch('Node', name, { spec: { taints: [{ key: 'story', value: 'now', effect: 'NoExecute' }] } })
      await scene.until('two are gone', () => podGone(scene, 'plain')() && podGone(scene, 'brief')())
      await scene.patch('Node', name, { spec: { taints: null } })
    },
  },
  {
    name: 'drain-with-a-budget',
    follows: [...follows, 'PodDisruptionBudget', 'Node'],
    alone: true,
    // An uncordoned node keeps its taint for a moment, in which the scheduler may look.
    loose: ['Pod condition PodScheduled', 'Pod events default-scheduler'],
    async play(scene) {
      const [worker, other] = await scene.workers()
      const name = worker?.metadata.name ?? ''
      await scene.patch('Node', other?.metadata.name ?? '', { spec: { unschedulable: true } })
      await scene.apply(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers: [{name: web, image: "nginx:1.27"}]
`)
      await scene.until('both run', () => {
        const pods = scene.all<Pod>('Pod')
        return pods.length === 2 && pods.every(({ metadata }) => podReady(scene, metadata.name ?? '')())
      })
      await scene.wait(2)
      await scene.patch('Node', name, { spec: { unschedulable: true } })
      const [first, second] = scene.all<Pod>('Pod').map(({ metadata }) => metadata.name ?? '')
      await scene.evict(first ?? '')
      await scene.wait(1)
      await scene.evict(second ?? '')
      await scene.until('the first is gone', podGone(scene, first ?? ''))
      await scene.wait(2)
      await scene.patch('Node', other?.metadata.name ?? '', { spec: { unschedulable: null } })
      const replacement = () => scene.all<Pod>('Pod').find(({ metadata }) => metadata.name !== second)?.metadata.name ?? ''
      await scene.until('its replacement runs', () => podReady(scene, replacement())())
      await scene.wait(2)
      await scene.evict(second ?? '')
      await scene.until('the second is gone', podGone(scene, second ?? ''))
      await scene.patch('Node', name, { spec: { unschedulable: null } })
      await scene.wait(3)
    },
  },
]
