import type { DaemonSet } from '../../schema/types/apps.v1.ts'
import type { ResourceQuota } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { conditionIs, podsReady } from './states.ts'

/** A Pod's template that sleeps. */
const sleeper = `
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 2
      containers: [{name: agent, image: "nginx:1.27"}]`

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
    async play(scene) {
      await scene.apply(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:${sleeper}
`)
      await scene.until('one runs on each node', podsReady(scene, 2))
      await scene.wait(2)
      await scene.patch('DaemonSet', 'agent', { spec: { template: { metadata: { labels: { version: 'two' } } } } })
      await scene.until('all are updated', updated(scene))
      await scene.until('the old ones are gone', podsReady(scene, 2))
    },
  },
  {
    name: 'daemonset-surge',
    follows: ['DaemonSet', 'Pod'],
    // Whether a Pod that goes is missed before the next is there.
    loose: ['DaemonSet currentNumberScheduled'],
    async play(scene) {
      await scene.apply(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: agent}}
  template:${sleeper}
`)
      await scene.until('one runs on each node', podsReady(scene, 2))
      await scene.wait(2)
      await scene.patch('DaemonSet', 'agent', { spec: { template: { metadata: { labels: { version: 'two' } } } } })
      await scene.until('all are updated', updated(scene))
      await scene.until('the old ones are gone', podsReady(scene, 2))
    },
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
    name: 'cronjob-forbids-a-second',
    follows: ['CronJob', 'Job', 'Pod'],
    async play(scene) {
      await scene.apply(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 1
          containers: [{name: main, image: "busybox:1.36", command: [sleep, "600"]}]
`)
      await scene.until('it has made one', () => scene.all('Job').length === 1, 70)
      await scene.wait(62)
    },
  },
]
