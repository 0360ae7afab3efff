import type { DaemonSet } from '../../schema/types/apps.v1.ts'
import type { Pod, ResourceQuota } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { conditionIs, podGone, podsReady } from './states.ts'

/** A Pod's template that sleeps. */
const sleeper = `
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 2
      containers: [{name: agent, image: "nginx:1.27"}]`

const agents = (set = '', pod = '') => `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  ${set}
  selector: {matchLabels: {app: agent}}
  template:${sleeper}
      ${pod}
`

const cronJob = (spec: string, script: string) => `
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  ${spec}
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 1
          containers: [{name: main, image: "busybox:1.36", command: [${script
            .split(' ')
            .map((word) => JSON.stringify(word))
            .join(', ')}]}]
`

async function update(scene: Scene, set: string): Promise<void> {
  await scene.apply(set)
  await scene.until('one runs on each node', podsReady(scene, 2))
  await scene.wait(2)
  await scene.patch('DaemonSet', 'agent', { spec: { template: { metadata: { labels: { version: 'two' } } } } })
  await scene.until('all are updated', updated(scene))
  await scene.until('the old ones are gone', podsReady(scene, 2))
}

function updated(scene: Scene): () => boolean {
  return () => {
    const set = scene.one<DaemonSet>('DaemonSet', 'agent')
    const { updatedNumberScheduled = 0, numberAvailable = 0, observedGeneration = 0 } = set?.status ?? {}
    const seen = observedGeneration >= (set?.metadata.generation ?? 0)
    return seen && updatedNumberScheduled === 2 && numberAvailable === 2
  }
}

export const controllerStories: readonly Story[] = [
  {
    name: 'daemonset-update',
    follows: ['DaemonSet', 'Pod'],
    // Whether a Pod that goes is missed before the next is there.
    loose: ['DaemonSet currentNumberScheduled'],
    play: (scene) => update(scene, agents()),
  },
  {
    name: 'daemonset-surge',
    follows: ['DaemonSet', 'Pod'],
    // Whether a Pod that goes is missed before the next is there.
    loose: ['DaemonSet currentNumberScheduled'],
    play: (scene) => update(scene, agents('updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}')),
  },
  {
    name: 'quota-exceeded',
    follows: ['ReplicaSet', 'Deployment', 'Pod', 'ResourceQuota'],
    async play(scene) {
      await scene.apply('{apiVersion: v1, kind: ResourceQuota, metadata: {name: small}, spec: {hard: {pods: "1"}}}')
      await scene.until('the quota is ready', () => scene.one<ResourceQuota>('ResourceQuota', 'small')?.status?.used?.['pods'] === '0')
      await scene.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: agent}
spec:
  replicas: 2
  selector: {matchLabels: {app: agent}}
  template:${sleeper}
`)
      await scene.until('it fails to make one', conditionIs(scene, 'Deployment', 'agent', 'ReplicaFailure', 'True'))
      await scene.until('the other runs', podsReady(scene, 1))
      await scene.patch('ResourceQuota', 'small', { spec: { hard: { pods: '2' } } })
      await scene.until('both run', podsReady(scene, 2), 180)
    },
  },
  {
    name: 'daemonset-on-a-cordoned-node',
    follows: ['DaemonSet', 'Pod'],
    alone: true,
    // Whether a Pod that goes is missed before the next is there.
    loose: ['DaemonSet currentNumberScheduled'],
    async play(scene) {
      const [worker] = await scene.workers()
      const name = worker?.metadata.name ?? ''
      await scene.apply(agents())
      await scene.until('one runs on each node', podsReady(scene, 2))
      await scene.patch('Node', name, { spec: { unschedulable: true } })
      const there = scene.all<Pod>('Pod').find(({ spec }) => spec?.nodeName === name)?.metadata.name ?? ''
      await scene.evict(there)
      await scene.until('it is gone', podGone(scene, there))
      await scene.until('another is there', podsReady(scene, 2))
      await scene.patch('Node', name, { spec: { unschedulable: null } })
    },
  },
  {
    name: 'daemonset-follows-a-label',
    follows: ['DaemonSet', 'Pod'],
    alone: true,
    async play(scene) {
      const [worker] = await scene.workers()
      const name = worker?.metadata.name ?? ''
      await scene.apply(agents('', 'nodeSelector: {story/agents: wanted}'))
      await scene.wait(2)
      await scene.patch('Node', name, { metadata: { labels: { 'story/agents': 'wanted' } } })
      await scene.until('it runs there', podsReady(scene, 1))
      await scene.wait(1)
      await scene.patch('Node', name, { metadata: { labels: { 'story/agents': null } } })
      await scene.until('it is gone', () => scene.all('Pod').length === 0)
    },
  },
  {
    name: 'cronjob-replaces-the-first',
    follows: ['CronJob', 'Job', 'Pod'],
    // How long the first Job's last state is seen.
    loose: ['Job finalizers', 'CronJob active'],
    async play(scene) {
      await scene.apply(cronJob('concurrencyPolicy: Replace', 'sleep 600'))
      await scene.until('it has made one', () => scene.all('Job').length === 1, 70)
      await scene.wait(62)
    },
  },
  {
    name: 'cronjob-keeps-the-last',
    follows: ['CronJob', 'Job', 'Pod'],
    loose: ['CronJob active'],
    async play(scene) {
      await scene.apply(cronJob('successfulJobsHistoryLimit: 1', 'sleep 3'))
      await scene.until('it has made one', () => scene.all('Job').length === 1, 70)
      await scene.wait(75)
      await scene.patch('CronJob', 'tick', { spec: { suspend: true } })
      await scene.wait(60)
    },
  },
  {
    name: 'cronjob-forbids-a-second',
    follows: ['CronJob', 'Job', 'Pod'],
    async play(scene) {
      await scene.apply(cronJob('concurrencyPolicy: Forbid', 'sleep 600'))
      await scene.until('it has made one', () => scene.all('Job').length === 1, 70)
      await scene.wait(62)
    },
  },
]
