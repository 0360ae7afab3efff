import type { Deployment, ReplicaSet } from '../../schema/types/apps.v1.ts'
import type { CronJob, Job } from '../../schema/types/batch.v1.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { jobOf } from './manifests.ts'
import { conditionIs, podPhase, podReady, podsReady, rolledOut, settled } from './states.ts'

/** Controllers' rarer turns. */

interface Parts {
  spec?: string
  pods?: string
  container?: string
}

/** A ReplicaSet, or what makes some: of nginx, with more in its spec, its Pods' and their container's. */
const replicaSet = (replicas: number, kind = 'ReplicaSet', { spec = '', pods = '', container }: Parts = {}, name = 'web') => `
apiVersion: apps/v1
kind: ${kind}
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  ${spec}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      ${pods}
      containers: [{name: web, image: "nginx:1.27"${container ? `, ${container}` : ''}}]
`
const pod = (name: string, labels: string, spec = '', container = 'image: "nginx:1.27"') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: ${labels}}
spec:
  terminationGracePeriodSeconds: 1
  ${spec}
  containers: [{name: web, ${container}}]
`
const cronJob = (schedule: string, spec: string) => `
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: ${JSON.stringify(schedule)}
  ${spec}
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: "busybox:1.36", command: ["true"]}]
`

const owners = (scene: Scene, name: string) =>
  (scene.one<Pod>('Pod', name)?.metadata.ownerReferences ?? []).map(({ kind, name: owner }) => `${kind}/${owner}`).join()

const ready = (scene: Scene, replicas: number) => () =>
  scene.one<ReplicaSet>('ReplicaSet', 'web')?.status?.readyReplicas === replicas &&
  scene.one<ReplicaSet>('ReplicaSet', 'web')?.status?.replicas === replicas

/** A CronJob whose last start was so many minutes ago, by its status. */
async function lastStarted(scene: Scene, minutes: number): Promise<void> {
  const created = Date.parse(String(scene.one<CronJob>('CronJob', 'tick')?.metadata.creationTimestamp))
  const lastScheduleTime = new Date(created - minutes * 60_000).toISOString().replace(/\.\d+/, '')
  await scene.patch('CronJob', 'tick', { status: { lastScheduleTime } }, { subresource: 'status' })
}

export const workloadStories: readonly Story[] = [
  {
    name: 'replicaset-takes-in-and-lets-go',
    follows: ['ReplicaSet', 'Pod'],
    async play(scene) {
      await scene.apply(pod('stray', '{app: web}'))
      await scene.until('a Pod runs', podReady(scene, 'stray'))
      await scene.apply(replicaSet(2))
      await scene.until('it has two', ready(scene, 2))
      scene.note(`owner: ${owners(scene, 'stray')}`)
      await scene.patch('Pod', 'stray', { metadata: { labels: { app: 'other' } } })
      await scene.until('it has another', () => scene.all('Pod').length === 3 && ready(scene, 2)())
      scene.note(`owner: ${owners(scene, 'stray')}`)
    },
  },
  {
    name: 'replicaset-with-too-many-at-first',
    oneNode: true,
    follows: ['ReplicaSet', 'Pod'],
    async play(scene) {
      // How long each is ready differs by more than twice: of Pods of about an age any may go.
      for (const [name, seconds] of [
        ['one', 12],
        ['two', 4],
        ['three', 1],
      ] as const) {
        await scene.apply(pod(name, '{app: web}'))
        await scene.until('it runs', podReady(scene, name))
        await scene.wait(seconds)
      }
      await scene.apply(replicaSet(1))
      await scene.until('one is left', () => scene.all('Pod').length === 1 && ready(scene, 1)())
    },
  },
  {
    name: 'deleted-but-not-its-pods',
    follows: ['ReplicaSet', 'Pod'],
    // Whether its controller looks again before it is gone.
    loose: ['ReplicaSet availableReplicas', 'ReplicaSet fullyLabeledReplicas', 'ReplicaSet readyReplicas', 'ReplicaSet replicas'],
    async play(scene) {
      await scene.apply(replicaSet(2))
      await scene.until('it has two', ready(scene, 2))
      await scene.remove('ReplicaSet', 'web', { propagationPolicy: 'Orphan' })
      await scene.until('it is gone', () => scene.all('ReplicaSet').length === 0)
      await scene.wait(1)
      for (const { metadata } of scene.all<Pod>('Pod')) scene.note(`owner: ${owners(scene, metadata.name ?? '') || 'none'}`)
      await scene.apply(replicaSet(3))
      await scene.until('it has three', ready(scene, 3))
      for (const { metadata } of scene.all<Pod>('Pod')) scene.note(`owner: ${owners(scene, metadata.name ?? '') || 'none'}`)
    },
  },
  {
    name: 'deleted-after-its-pods',
    follows: ['Deployment', 'ReplicaSet', 'Pod'],
    // Whether its controller looks again before it is gone.
    loose: ['Deployment unavailableReplicas'],
    async play(scene) {
      await scene.apply(replicaSet(2, 'Deployment'))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.wait(1)
      await scene.remove('Deployment', 'web', { propagationPolicy: 'Foreground' })
      await scene.until('it is gone', () => scene.all('Deployment').length + scene.all('ReplicaSet').length + scene.all('Pod').length === 0)
    },
  },
  {
    name: 'rollout-late-but-done',
    follows: ['Deployment', 'ReplicaSet', 'Pod'],
    async play(scene) {
      const volumes = 'volumes: [{name: data, configMap: {name: switch, optional: true}}]'
      const probe =
        'readinessProbe: {exec: {command: [cat, /data/ready]}, periodSeconds: 1}, volumeMounts: [{name: data, mountPath: /data}]'
      await scene.apply(replicaSet(1, 'Deployment', { spec: 'progressDeadlineSeconds: 15', pods: volumes, container: probe }))
      await scene.until('it has timed out', conditionIs(scene, 'Deployment', 'web', 'Progressing', 'False'))
      await scene.apply('{apiVersion: v1, kind: ConfigMap, metadata: {name: switch}, data: {ready: "yes"}}')
      await scene.until('it is available', conditionIs(scene, 'Deployment', 'web', 'Progressing', 'True', 'NewReplicaSetAvailable'), 200)
    },
  },
  {
    name: 'revisions-that-are-kept',
    follows: ['Deployment', 'ReplicaSet', 'Pod'],
    async play(scene) {
      await scene.apply(replicaSet(1, 'Deployment', { spec: 'revisionHistoryLimit: 1' }))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      for (const version of ['two', 'three', 'four']) {
        await scene.patch('Deployment', 'web', { spec: { template: { metadata: { labels: { version } } } } })
        await scene.until('the update is rolled out', rolledOut(scene, 'web'))
        await scene.wait(2)
      }
      const revisions = scene.all<ReplicaSet>('ReplicaSet').map(({ metadata, spec }) => {
        return `revision ${metadata.annotations?.['deployment.kubernetes.io/revision']}: ${spec?.replicas}`
      })
      for (const revision of revisions.sort()) scene.note(revision)
    },
  },
  {
    name: 'available-only-after-a-while',
    follows: ['Deployment', 'ReplicaSet', 'Pod'],
    async play(scene) {
      await scene.apply(replicaSet(2, 'Deployment', { spec: 'minReadySeconds: 4' }))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
    },
  },
  {
    name: 'statefulset-counts-from-five',
    follows: ['StatefulSet', 'Pod'],
    async play(scene) {
      await scene.apply(replicaSet(2, 'StatefulSet', { spec: 'serviceName: web\n  ordinals: {start: 5}' }))
      await scene.until('it is settled', settled(scene, 'web'))
      await scene.wait(1)
      await scene.patch('StatefulSet', 'web', { spec: { ordinals: { start: 4 } } })
      await scene.until(
        'it has moved',
        () =>
          scene
            .all<Pod>('Pod')
            .map(({ metadata }) => metadata.name)
            .join() === 'web-4,web-5',
      )
      await scene.until('it is settled', settled(scene, 'web'))
    },
  },
  {
    name: 'statefulset-all-at-once',
    follows: ['StatefulSet', 'Pod'],
    async play(scene) {
      await scene.apply(replicaSet(3, 'StatefulSet', { spec: 'serviceName: web\n  podManagementPolicy: Parallel\n  minReadySeconds: 3' }))
      await scene.until('it is settled', settled(scene, 'web'))
      await scene.wait(4)
      await scene.scale('StatefulSet', 'web', 0)
      await scene.until('it has none', () => scene.all('Pod').length === 0)
      await scene.wait(1)
    },
  },
  {
    name: 'cronjob-that-slept-too-long',
    follows: ['CronJob', 'Job', 'Pod'],
    async play(scene) {
      await scene.apply(cronJob('* * * * *', 'suspend: true'))
      await scene.until('it is there', () => scene.one('CronJob', 'tick') !== undefined)
      await lastStarted(scene, 150)
      await scene.wait(1)
      await scene.patch('CronJob', 'tick', { spec: { suspend: false } })
      await scene.until('it has worked', () => scene.all<Job>('Job').some(({ status }) => status?.succeeded === 1))
    },
    loose: ['CronJob active'],
  },
  {
    name: 'cronjob-refused',
    follows: ['CronJob'],
    async play(scene) {
      const object = (spec: object) => ({
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'tick' },
        spec: {
          schedule: '0 0 1 1 *',
          jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1.36' }] } } } },
          ...spec,
        },
      })
      for (const schedule of [
        '',
        '* * * *',
        '60 * * * *',
        '* 24 * * *',
        '*/0 * * * *',
        '5-3 * * * *',
        '* * 0 * *',
        '* * * 13 *',
        '* * * * 8',
        'a * * * *',
        '@often',
        '@every 1h',
        '1,2,x * * * *',
        'TZ=Mars/Base * * * * *',
        'TZ=UTC * * * * *',
        '@every fast',
      ])
        await scene.attempt(schedule, { ...object({ schedule }), metadata: { name: `tick${schedule.length}` } })
      for (const timeZone of ['', 'Local', 'Mars/Base', 'UTC', ' UTC'])
        await scene.attempt(`zone ${timeZone}`, { ...object({ timeZone }), metadata: { name: `zone${timeZone.length}` } })
      await scene.attempt('both', object({ schedule: 'TZ=UTC 0 0 * * *', timeZone: 'UTC' }))
      await scene.attempt('policy', object({ concurrencyPolicy: 'Sometimes' }))
      await scene.attempt('deadline', object({ startingDeadlineSeconds: -1 }))
      await scene.attempt('limits', object({ successfulJobsHistoryLimit: -1, failedJobsHistoryLimit: -2 }))
      await scene.attempt(
        'restarts',
        object({ jobTemplate: { spec: { template: { spec: { containers: [{ name: 'main', image: 'a' }] } } } } }),
      )
      await scene.attempt('name', { ...object({}), metadata: { name: 'a'.repeat(53) } })
    },
  },
  {
    name: 'job-refused',
    follows: ['Job'],
    async play(scene) {
      const object = (spec: object, name = 'work') => ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name },
        spec: {
          suspend: true,
          template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1.36' }] } },
          ...spec,
        },
      })
      const indexed = { completionMode: 'Indexed', completions: 3 }
      await scene.attempt('per index without indexes', object({ backoffLimitPerIndex: 1 }))
      await scene.attempt('indexes without completions', object({ completionMode: 'Indexed' }))
      await scene.attempt('most failed without per index', object({ ...indexed, maxFailedIndexes: 1 }))
      await scene.attempt('success policy without indexes', object({ completions: 2, successPolicy: { rules: [{ succeededCount: 1 }] } }))
      await scene.attempt(
        'success of too many',
        object({ ...indexed, successPolicy: { rules: [{ succeededCount: 9 }, { succeededIndexes: '1-x' }, {}] } }),
      )
      const rule = (each: object) => object({ ...indexed, podFailurePolicy: { rules: [each] } })
      await scene.attempt('index rule without per index', rule({ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }))
      await scene.attempt('zero', rule({ action: 'FailJob', onExitCodes: { operator: 'In', values: [0] } }))
      await scene.attempt(
        'unknown container',
        rule({ action: 'Ignore', onExitCodes: { containerName: 'x', operator: 'NotIn', values: [3, 3] } }),
      )
      await scene.attempt('unknown action', rule({ action: 'Retry', onPodConditions: [{ type: 'DisruptionTarget' }] }))
      await scene.attempt('nothing to go by', rule({ action: 'Ignore' }))
      await scene.attempt(
        'restarts',
        object({
          podFailurePolicy: { rules: [] },
          template: { spec: { restartPolicy: 'OnFailure', containers: [{ name: 'a', image: 'a' }] } },
        }),
      )
      await scene.attempt('replaced too early', object({ podReplacementPolicy: 'TerminatingOrFailed', podFailurePolicy: { rules: [] } }))
      await scene.attempt(
        'negative',
        object({ parallelism: -1, completions: -1, backoffLimit: -1, activeDeadlineSeconds: -1, ttlSecondsAfterFinished: -1 }),
      )
      await scene.attempt('selector by hand', object({ selector: { matchLabels: { a: 'b' } } }))
      await scene.attempt('manager', object({ managedBy: 'nobody' }))
      await scene.attempt('fine', object({ ...indexed, suspend: true }, 'fine'))
      await scene.attemptPatch('completions', 'Job', 'fine', { spec: { completions: 4 } })
      await scene.attemptPatch('both', 'Job', 'fine', { spec: { completions: 4, parallelism: 4 } })
      await scene.attemptPatch('mode', 'Job', 'fine', { spec: { completionMode: 'NonIndexed' } })
      await scene.attemptPatch('image', 'Job', 'fine', { spec: { template: { spec: { containers: [{ name: 'main', image: 'other' }] } } } })
    },
  },
  {
    name: 'job-of-another-manager',
    follows: ['Job', 'Pod'],
    async play(scene) {
      await scene.apply(jobOf('managedBy: example.com/queue', 'exit 0'))
      await scene.wait(4)
    },
  },
  {
    name: 'job-that-grows-and-shrinks',
    follows: ['Job', 'Pod'],
    async play(scene) {
      await scene.apply(
        jobOf('completionMode: Indexed\n  completions: 2\n  parallelism: 2', 'trap "exit 1" TERM; while true; do sleep 0.2; done'),
      )
      await scene.until('two run', podsReady(scene, 2))
      await scene.wait(1)
      await scene.patch('Job', 'work', { spec: { completions: 4, parallelism: 4 } })
      await scene.until('four run', podsReady(scene, 4))
      await scene.wait(1)
      await scene.patch('Job', 'work', { spec: { completions: 1, parallelism: 1 } })
      await scene.until('one runs', podsReady(scene, 1))
      await scene.wait(2)
    },
  },
  {
    name: 'job-gives-way',
    follows: ['Job', 'Pod'],
    async play(scene) {
      await scene.apply(jobOf('backoffLimit: 4\n  parallelism: 2\n  completions: 4', 'trap "exit 0" TERM; while true; do sleep 0.2; done'))
      await scene.until('two run', podsReady(scene, 2))
      await scene.wait(1)
      await scene.patch('Job', 'work', { spec: { parallelism: 0 } })
      await scene.until('none is left', () => scene.all('Pod').length === 0)
      await scene.wait(2)
    },
  },
  {
    name: 'pod-on-a-node-that-is-not-there',
    follows: ['Pod'],
    async play(scene) {
      await scene.apply(pod('lost', '{app: web}', 'nodeName: no-such-node'))
      await scene.until('it is there', () => scene.one('Pod', 'lost') !== undefined)
      await scene.until('it is gone', () => scene.one('Pod', 'lost') === undefined, 150)
    },
  },
  {
    name: 'two-deployments-want-the-same-pods',
    follows: ['Deployment', 'ReplicaSet', 'Pod'],
    async play(scene) {
      await scene.apply(replicaSet(1, 'Deployment'))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.apply(replicaSet(1, 'Deployment', {}, 'twin'))
      await scene.until('both are rolled out', () => rolledOut(scene, 'twin')() && rolledOut(scene, 'web')())
      await scene.wait(2)
      for (const { metadata } of scene.all<Deployment>('Deployment')) scene.note(`${metadata.name}: ${metadata.generation}`)
    },
  },
  {
    name: 'pod-that-ends-well-alone',
    follows: ['Pod'],
    async play(scene) {
      await scene.apply(pod('alone', '{app: web}', 'restartPolicy: OnFailure', 'image: "busybox:1.36", command: [sleep, "4"]'))
      await scene.until('it has succeeded', podPhase(scene, 'alone', 'Succeeded'))
      await scene.wait(1)
      await scene.remove('Pod', 'alone')
      await scene.until('it is gone', () => scene.one('Pod', 'alone') === undefined)
    },
  },
]
