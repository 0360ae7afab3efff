import type { Story } from '../story.ts'
import { conditionIs, podsReady } from './states.ts'

const follows = ['Job', 'Pod'] as const

const job = (spec: string, script: string, restartPolicy = 'Never') => `
apiVersion: batch/v1
kind: Job
metadata: {name: work}
spec:
  ${spec}
  template:
    spec:
      restartPolicy: ${restartPolicy}
      terminationGracePeriodSeconds: 1
      containers:
        - {name: main, image: "busybox:1.36", command: [sh, -c, ${JSON.stringify(script)}]}
`

export const jobStories: readonly Story[] = [
  {
    name: 'job-succeeds',
    follows,
    async play(scene) {
      await scene.apply(job('completions: 4\n  parallelism: 2', 'sleep 4'))
      await scene.until('it is complete', conditionIs(scene, 'Job', 'work', 'Complete', 'True'))
    },
  },
  {
    name: 'job-backoff-limit',
    follows,
    async play(scene) {
      await scene.apply(job('backoffLimit: 1', 'sleep 4; exit 5'))
      await scene.until('it has failed', conditionIs(scene, 'Job', 'work', 'Failed', 'True'))
    },
  },
  {
    name: 'job-restarts-on-failure',
    follows,
    async play(scene) {
      await scene.apply(job('backoffLimit: 2', 'sleep 8; exit 5', 'OnFailure'))
      await scene.until('it has failed', conditionIs(scene, 'Job', 'work', 'Failed', 'True'))
    },
  },
  {
    name: 'job-deadline',
    follows,
    async play(scene) {
      await scene.apply(job('activeDeadlineSeconds: 5', 'trap "exit 1" TERM; while true; do sleep 0.2; done'))
      await scene.until('it has failed', conditionIs(scene, 'Job', 'work', 'Failed', 'True'))
    },
  },
  {
    name: 'job-indexed-with-failures',
    follows,
    async play(scene) {
      const spec = 'completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  backoffLimitPerIndex: 1'
      await scene.apply(job(spec, 'sleep 4; [ $JOB_COMPLETION_INDEX != 1 ]'))
      await scene.until('it has failed', conditionIs(scene, 'Job', 'work', 'Failed', 'True'))
    },
  },
  {
    name: 'job-pod-failure-policy',
    follows,
    async play(scene) {
      const rules = 'podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {containerName: main, operator: In, values: [42]}}]}'
      await scene.apply(job(`backoffLimit: 6\n  ${rules}`, 'sleep 4; exit 42'))
      await scene.until('it has failed', conditionIs(scene, 'Job', 'work', 'Failed', 'True'))
    },
  },
  {
    name: 'job-success-policy',
    follows,
    async play(scene) {
      const spec = 'completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  successPolicy: {rules: [{succeededIndexes: "0"}]}'
      const script = 'trap "exit 1" TERM; if [ $JOB_COMPLETION_INDEX = 0 ]; then sleep 4; else while true; do sleep 0.2; done; fi'
      await scene.apply(job(spec, script))
      await scene.until('it is complete', conditionIs(scene, 'Job', 'work', 'Complete', 'True'))
    },
  },
  {
    name: 'job-suspended',
    follows,
    async play(scene) {
      await scene.apply(job('suspend: true\n  parallelism: 2\n  completions: 2', 'sleep 20'))
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
