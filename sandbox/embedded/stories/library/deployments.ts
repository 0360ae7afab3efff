import type { Story } from '../story.ts'
import { conditionIs, podsReady, rolledOut } from './states.ts'

const follows = ['Deployment', 'ReplicaSet', 'Pod'] as const

/** nginx, which is ready when its file is there; without the file a rollout gets stuck. */
const web = (spec = '', replicas = 3) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  ${spec}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: web
          image: nginx:1.27
          readinessProbe: {exec: {command: [ls, /etc/nginx/nginx.conf]}, periodSeconds: 20, timeoutSeconds: 10}
`

const template = (path: string) => ({
  spec: {
    template: { spec: { containers: [{ name: 'web', readinessProbe: { exec: { command: ['ls', path] }, periodSeconds: 20 } }] } },
  },
})
const sound = template('/etc/nginx/conf.d')
const stuck = template('/nowhere')

export const deploymentStories: readonly Story[] = [
  {
    name: 'rolling-update',
    follows,
    async play(scene) {
      await scene.apply(web())
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.patch('Deployment', 'web', sound, { strategic: true })
      await scene.until('the update is rolled out', rolledOut(scene, 'web'))
      await scene.until('the old Pods are gone', podsReady(scene, 3))
    },
  },
  {
    name: 'rolling-update-stuck',
    follows,
    async play(scene) {
      await scene.apply(web('progressDeadlineSeconds: 20'))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.patch('Deployment', 'web', stuck, { strategic: true })
      await scene.until('it has timed out', conditionIs(scene, 'Deployment', 'web', 'Progressing', 'False'))
    },
  },
  {
    name: 'rollback',
    follows,
    async play(scene) {
      await scene.apply(web('progressDeadlineSeconds: 20'))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.patch('Deployment', 'web', stuck, { strategic: true })
      await scene.until('it has timed out', conditionIs(scene, 'Deployment', 'web', 'Progressing', 'False'))
      await scene.patch('Deployment', 'web', template('/etc/nginx/nginx.conf'), { strategic: true })
      await scene.until('it is rolled back', rolledOut(scene, 'web'))
      await scene.until('the stuck Pods are gone', podsReady(scene, 3))
    },
  },
  {
    name: 'recreate',
    follows,
    async play(scene) {
      await scene.apply(web('strategy: {type: Recreate}'))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.patch('Deployment', 'web', sound, { strategic: true })
      await scene.until('the update is rolled out', rolledOut(scene, 'web'))
    },
  },
  {
    name: 'paused-rollout',
    follows,
    // Old Pods may go before or after new ones are made.
    loose: ['Deployment replicas', 'Deployment unavailableReplicas'],
    async play(scene) {
      await scene.apply(web())
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.patch('Deployment', 'web', { spec: { paused: true } })
      await scene.until('it is paused', conditionIs(scene, 'Deployment', 'web', 'Progressing', 'Unknown', 'DeploymentPaused'))
      await scene.patch('Deployment', 'web', sound, { strategic: true })
      await scene.wait(2)
      await scene.scale('Deployment', 'web', 4)
      await scene.until('it is scaled', podsReady(scene, 4))
      await scene.wait(1)
      await scene.patch('Deployment', 'web', { spec: { paused: null } })
      await scene.until('the update is rolled out', rolledOut(scene, 'web'))
      await scene.until('the old Pods are gone', podsReady(scene, 4))
    },
  },
  {
    name: 'scaling-within-a-rollout',
    follows,
    loose: ['Deployment replicas', 'Deployment unavailableReplicas'],
    async play(scene) {
      await scene.apply(web('strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}', 6))
      await scene.until('it is rolled out', rolledOut(scene, 'web'))
      await scene.patch('Deployment', 'web', stuck, { strategic: true })
      await scene.wait(6)
      await scene.scale('Deployment', 'web', 12)
      await scene.until('it is scaled', () => scene.all('Pod').length === 13)
      await scene.wait(12)
    },
  },
  {
    name: 'replication-controller',
    follows: ['ReplicationController', 'Pod'],
    async play(scene) {
      await scene.apply(`
apiVersion: v1
kind: ReplicationController
metadata: {name: old}
spec:
  replicas: 2
  selector: {app: old}
  template:
    metadata: {labels: {app: old}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: old, image: nginx:1.27}]
`)
      await scene.until('two run', podsReady(scene, 2))
      await scene.wait(2)
      await scene.scale('ReplicationController', 'old', 0)
      await scene.until('none is left', () => scene.all('Pod').length === 0)
    },
  },
]
