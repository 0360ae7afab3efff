import type { Story } from '../story.ts'
import { jobOf } from './manifests.ts'
import { conditionIs, podsReady } from './states.ts'

const follows = ['Job', 'Pod'] as const

/** A Job that runs until its condition of this type is true. */
const toItsEnd = (name: string, manifest: string, end: 'Complete' | 'Failed'): Story => ({
  name,
  follows,
  async play(scene) {
    await scene.apply(manifest)
    await scene.until(end === 'Complete' ? 'it is complete' : 'it has failed', conditionIs(scene, 'Job', 'work', end, 'True'))
  },
})

const indexed = 'completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  backoffLimitPerIndex: 1'
const failureRules = 'podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {containerName: main, operator: In, values: [42]}}]}'
const firstSucceeds = 'completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  successPolicy: {rules: [{succeededIndexes: "0"}]}'
const othersWait = 'trap "exit 1" TERM; if [ $JOB_COMPLETION_INDEX = 0 ]; then sleep 4; else while true; do sleep 0.2; done; fi'

const indexRules = 'podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {containerName: main, operator: In, values: [42]}}]}'
const disruptionRules = 'podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}'
const tooMany = 'completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  backoffLimitPerIndex: 1\n  maxFailedIndexes: 1'
const failsOrWaits = 'trap "exit 1" TERM; if [ $JOB_COMPLETION_INDEX != 0 ]; then sleep 4; exit 42; else while true; do sleep 0.2; done; fi'

export const jobStories: readonly Story[] = [
  toItsEnd('job-succeeds', jobOf('completions: 4\n  parallelism: 2', 'sleep 4'), 'Complete'),
  toItsEnd('job-backoff-limit', jobOf('backoffLimit: 1', 'sleep 4; exit 5'), 'Failed'),
  toItsEnd('job-restarts-on-failure', jobOf('backoffLimit: 2', 'sleep 8; exit 5', 'OnFailure'), 'Failed'),
  toItsEnd('job-deadline', jobOf('activeDeadlineSeconds: 5', 'trap "exit 1" TERM; while true; do sleep 0.2; done'), 'Failed'),
  toItsEnd('job-indexed-with-failures', jobOf(indexed, 'sleep 4; [ $JOB_COMPLETION_INDEX != 1 ]'), 'Failed'),
  toItsEnd('job-pod-failure-policy', jobOf(`backoffLimit: 6\n  ${failureRules}`, 'sleep 4; exit 42'), 'Failed'),
  toItsEnd('job-success-policy', jobOf(firstSucceeds, othersWait), 'Complete'),
  toItsEnd(
    'job-fails-an-index',
    jobOf(`${indexed}\n  maxFailedIndexes: 1\n  ${indexRules}`, 'sleep 4; [ $JOB_COMPLETION_INDEX != 1 ] || exit 42'),
    'Failed',
  ),
  toItsEnd('job-too-many-failed-indexes', jobOf(`${tooMany}\n  ${indexRules}`, failsOrWaits), 'Failed'),
  {
    name: 'job-ignores-disruptions',
    follows,
    async play(scene) {
      await scene.apply(jobOf(`backoffLimit: 0\n  ${disruptionRules}`, 'trap "exit 1" TERM; for i in 1 2 3 4 5 6 7 8; do sleep 1; done'))
      await scene.until('it runs', podsReady(scene, 1))
      await scene.evict(scene.all('Pod')[0]?.metadata.name ?? '')
      await scene.until('it is complete', conditionIs(scene, 'Job', 'work', 'Complete', 'True'))
    },
  },
  {
    name: 'job-counts-disruptions',
    follows,
    async play(scene) {
      await scene.apply(jobOf('backoffLimit: 0', 'trap "exit 1" TERM; for i in 1 2 3 4 5 6 7 8; do sleep 1; done'))
      await scene.until('it runs', podsReady(scene, 1))
      await scene.evict(scene.all('Pod')[0]?.metadata.name ?? '')
      await scene.until('it has failed', conditionIs(scene, 'Job', 'work', 'Failed', 'True'))
    },
  },
  {
    name: 'job-replaces-what-is-gone',
    follows,
    async play(scene) {
      const slow = 'trap "sleep 4; exit 1" TERM; for i in 1 2 3 4 5 6 7 8; do sleep 1; done'
      await scene.apply(jobOf('podReplacementPolicy: Failed', slow).replace('PeriodSeconds: 1', 'PeriodSeconds: 20'))
      await scene.until('it runs', podsReady(scene, 1))
      await scene.remove('Pod', scene.all('Pod')[0]?.metadata.name ?? '')
      await scene.until('it is complete', conditionIs(scene, 'Job', 'work', 'Complete', 'True'))
    },
  },
  {
    name: 'job-with-a-time-to-live',
    follows,
    async play(scene) {
      await scene.apply(jobOf('ttlSecondsAfterFinished: 3', 'sleep 3'))
      await scene.until('it is complete', conditionIs(scene, 'Job', 'work', 'Complete', 'True'))
      await scene.until('it is gone', () => scene.all('Job').length === 0 && scene.all('Pod').length === 0)
    },
  },
  {
    name: 'job-suspended',
    follows,
    async play(scene) {
      await scene.apply(jobOf('suspend: true\n  parallelism: 2\n  completions: 2', 'sleep 20'))
      await scene.until('it is suspended', conditionIs(scene, 'Job', 'work', 'Suspended', 'True'))
      await scene.wait(1)
      await scene.patch('Job', 'work', { spec: { suspend: false } })
      await scene.until('it runs', podsReady(scene, 2))
      await scene.wait(2)
      await scene.patch('Job', 'work', { spec: { suspend: true } })
      await scene.until('no Pod is left', () => scene.all('Pod').length === 0)
      await scene.wait(1)
      await scene.patch('Job', 'work', { spec: { suspend: false } })
      await scene.until('it is complete', conditionIs(scene, 'Job', 'work', 'Complete', 'True'))
    },
  },
]
