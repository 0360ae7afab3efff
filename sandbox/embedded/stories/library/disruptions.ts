import type { Pod } from '../../schema/types/core.v1.ts'
import type { PodDisruptionBudget } from '../../schema/types/policy.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podGone, podPhase, podReady } from './states.ts'

const follows = ['Pod', 'PodDisruptionBudget'] as const

const pod = (name: string, app: string, spec = '', container = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${app}}}
spec:
  terminationGracePeriodSeconds: 2
  ${spec}
  containers: [{name: main, image: "nginx:1.27"${container && `, ${container}`}}]
`
const budget = (name: string, app: string, spec: string) => `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: ${name}}
spec: {selector: {matchLabels: {app: ${app}}}, ${spec}}
`
const slots = (count: number) => `resources: {requests: {example.com/slots: ${count}}, limits: {example.com/slots: ${count}}}`
const urgent = '{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: story-urgent}, value: 1000}'
const middling = '{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: story-middling}, value: 10}'

const capacity = (count: number | null) => ({ status: { capacity: { 'example.com/slots': count === null ? null : String(count) } } })

/** Gives the first workers so many slots each and the story their names, and takes the slots away afterwards. */
async function withSlots(scene: Scene, counts: readonly number[], story: (nodes: string[]) => Promise<void>): Promise<void> {
  const workers = await scene.workers()
  const nodes = counts.map((_, index) => workers[index]?.metadata.name ?? '')
  for (const [index, count] of counts.entries()) await scene.patch('Node', nodes[index] ?? '', capacity(count), { subresource: 'status' })
  await scene.until('the nodes have slots', async () => {
    const allocatable = (node: unknown) => (node as { status?: { allocatable?: Record<string, string> } }).status?.allocatable
    return (await scene.workers()).every((node) => {
      const wanted = counts[nodes.indexOf(node.metadata.name ?? '')]
      return allocatable(node)?.['example.com/slots'] === (wanted === undefined ? undefined : String(wanted))
    })
  })
  await scene.wait(1)
  await story(nodes)
  for (const node of nodes) await scene.patch('Node', node, capacity(null), { subresource: 'status' })
}

const on = (node: string | undefined) => `nodeSelector: {kubernetes.io/hostname: ${node}}`

const healthy = (scene: Scene, name: string, count: number) => () =>
  scene.one<PodDisruptionBudget>('PodDisruptionBudget', name)?.status?.currentHealthy === count

export const disruptionStories: readonly Story[] = [
  {
    name: 'preemption-of-several',
    follows,
    alone: true,
    // Whether the scheduler looks once more when one of the two is gone and the other not yet.
    loose: ['Pod condition PodScheduled', 'Pod events default-scheduler'],
    async play(scene) {
      await withSlots(scene, [3], async () => {
        await scene.apply(`${urgent}\n---\n${middling}`)
        await scene.apply(pod('first', 'web', '', slots(1)))
        await scene.apply(pod('second', 'web', 'priorityClassName: story-middling', slots(1)))
        await scene.apply(pod('third', 'web', '', slots(1)))
        await scene.until('they run', () => ['first', 'second', 'third'].every((name) => podReady(scene, name)()))
        await scene.apply(pod('urgent', 'urgent', 'priorityClassName: story-urgent', slots(2)))
        await scene.until('the urgent one runs', podReady(scene, 'urgent'))
      })
    },
  },
  {
    name: 'preemption-spares-a-budget',
    follows,
    alone: true,
    async play(scene) {
      await withSlots(scene, [1, 1], async ([one, two]) => {
        await scene.apply(urgent)
        await scene.apply(budget('kept', 'kept', 'minAvailable: 1'))
        await scene.apply(pod('kept', 'kept', on(one), slots(1)))
        await scene.apply(pod('free', 'free', on(two), slots(1)))
        await scene.until('both run', () => podReady(scene, 'kept')() && podReady(scene, 'free')())
        await scene.until('the budget knows', healthy(scene, 'kept', 1))
        await scene.wait(1)
        await scene.apply(pod('urgent', 'urgent', 'priorityClassName: story-urgent', slots(1)))
        await scene.until('the urgent one runs', podReady(scene, 'urgent'))
      })
    },
  },
  {
    name: 'preemption-breaks-a-budget',
    follows,
    alone: true,
    async play(scene) {
      await withSlots(scene, [1], async ([one]) => {
        await scene.apply(urgent)
        await scene.apply(budget('kept', 'kept', 'minAvailable: 1'))
        await scene.apply(pod('kept', 'kept', on(one), slots(1)))
        await scene.until('it runs', podReady(scene, 'kept'))
        await scene.until('the budget knows', healthy(scene, 'kept', 1))
        await scene.wait(1)
        await scene.apply(pod('urgent', 'urgent', 'priorityClassName: story-urgent', slots(1)))
        await scene.until('the urgent one runs', podReady(scene, 'urgent'))
      })
    },
  },
  {
    name: 'preemption-for-anti-affinity',
    follows,
    alone: true,
    async play(scene) {
      const [one, two] = (await scene.workers()).map(({ metadata }) => metadata.name ?? '')
      await scene.apply(urgent)
      for (const [name, node] of [
        ['left', one],
        ['right', two],
      ] as const) {
        await scene.apply(pod(name, 'noisy', `${on(node)}\n  priority: 0`))
      }
      await scene.until('both run', () => podReady(scene, 'left')() && podReady(scene, 'right')())
      const terms = '[{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: noisy}}}]'
      const affinity = `affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: ${terms}}}`
      await scene.apply(pod('urgent', 'urgent', `priorityClassName: story-urgent\n  ${on(one)}\n  ${affinity}`))
      await scene.until('the urgent one runs', podReady(scene, 'urgent'))
    },
  },
  {
    name: 'preemption-in-vain',
    follows,
    alone: true,
    async play(scene) {
      await withSlots(scene, [1, 2], async ([one]) => {
        await scene.apply(urgent)
        await scene.apply(pod('equal', 'web', `priorityClassName: story-urgent\n  ${on(one)}`, slots(1)))
        await scene.until('it runs', podReady(scene, 'equal'))
        await scene.apply(pod('urgent', 'urgent', `priorityClassName: story-urgent\n  ${on(one)}`, slots(1)))
        await scene.apply(pod('large', 'urgent', 'priorityClassName: story-urgent', slots(3)))
        await scene.wait(3)
      })
    },
  },
  {
    name: 'eviction-of-an-unready-pod',
    follows,
    async play(scene) {
      await scene.apply(budget('web', 'web', 'minAvailable: 2'))
      await scene.apply(pod('well', 'web'))
      await scene.apply(pod('unwell', 'web', '', 'readinessProbe: {exec: {command: ["false"]}, periodSeconds: 30}'))
      await scene.until('one runs', podReady(scene, 'well'))
      await scene.until('both run', podPhase(scene, 'unwell', 'Running'))
      await scene.until('the budget knows', healthy(scene, 'web', 1))
      await scene.wait(1)
      await scene.evict('unwell')
      await scene.evict('well')
      await scene.patch('PodDisruptionBudget', 'web', { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } })
      await scene.wait(2)
      await scene.evict('well')
      await scene.evict('unwell')
      await scene.until('it is gone', podGone(scene, 'unwell'))
    },
  },
  {
    name: 'eviction-with-two-budgets',
    follows: ['Pod'],
    // Which of the two hears of the Pod.
    loose: ['Pod events controllermanager', 'PodDisruptionBudget events controllermanager'],
    async play(scene) {
      await scene.apply(budget('one', 'web', 'minAvailable: 0'))
      await scene.apply(budget('two', 'web', 'maxUnavailable: 1'))
      await scene.apply(pod('web', 'web'))
      await scene.until('it runs', podReady(scene, 'web'))
      await scene.wait(2)
      await scene.evict('web')
    },
  },
  {
    name: 'eviction-of-what-does-not-run',
    follows,
    async play(scene) {
      await scene.apply(budget('web', 'web', 'minAvailable: 1'))
      await scene.apply(pod('waiting', 'web', 'nodeSelector: {story/nowhere: "yes"}'))
      const brief = pod('done', 'web', 'restartPolicy: Never').replace('image: "nginx:1.27"', 'image: "nginx:1.27", command: ["true"]')
      await scene.apply(brief)
      await scene.until('one is done', podPhase(scene, 'done', 'Succeeded'))
      await scene.wait(2)
      await scene.evict('waiting')
      await scene.evict('done')
      await scene.evict('nobody')
      await scene.until('both are gone', () => scene.all<Pod>('Pod').length === 0)
    },
  },
  {
    name: 'budget-of-bare-pods',
    follows,
    async play(scene) {
      await scene.apply(budget('web', 'web', 'maxUnavailable: 50%'))
      await scene.apply(pod('web', 'web'))
      await scene.until('it runs', podReady(scene, 'web'))
      await scene.wait(3)
      await scene.evict('web')
    },
  },
]
