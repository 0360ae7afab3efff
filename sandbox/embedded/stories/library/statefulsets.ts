import type { PersistentVolumeClaim, Pod } from '../../schema/types/core.v1.ts'
import type { Story } from '../story.ts'
import { podGone, podReady, podsReady, settled } from './states.ts'

const follows = ['StatefulSet', 'Pod'] as const

const set = (spec = '', replicas = 3) => `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: ${replicas}
  serviceName: db
  ${spec}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: db
          image: nginx:1.27
          readinessProbe: {exec: {command: [ls, /etc/nginx/nginx.conf]}, periodSeconds: 20, timeoutSeconds: 10}
`

const template = (path: string) => ({
  spec: { template: { spec: { containers: [{ name: 'db', readinessProbe: { exec: { command: ['ls', path] }, periodSeconds: 20 } }] } } },
})
const claims = `volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}`

export const statefulSetStories: readonly Story[] = [
  {
    name: 'statefulset-scaling',
    follows,
    async play(scene) {
      await scene.apply(set())
      await scene.until('all are ready', settled(scene, 'db'))
      await scene.scale('StatefulSet', 'db', 1)
      await scene.until('one is left', podsReady(scene, 1))
    },
  },
  {
    name: 'statefulset-update',
    follows,
    async play(scene) {
      await scene.apply(set('', 2))
      await scene.until('all are ready', settled(scene, 'db'))
      await scene.patch('StatefulSet', 'db', template('/etc/nginx/conf.d'), { strategic: true })
      await scene.until('all are updated', settled(scene, 'db'))
    },
  },
  {
    name: 'statefulset-partition',
    follows,
    async play(scene) {
      await scene.apply(set('updateStrategy: {rollingUpdate: {partition: 1}}', 2))
      await scene.until('all are ready', settled(scene, 'db'))
      await scene.patch('StatefulSet', 'db', template('/etc/nginx/conf.d'), { strategic: true })
      await scene.until('the last goes', () => !podReady(scene, 'db-1')())
      await scene.until('both are ready', podsReady(scene, 2))
      await scene.wait(2)
      await scene.patch('StatefulSet', 'db', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } })
      await scene.until('all are updated', settled(scene, 'db'))
    },
  },
  {
    name: 'statefulset-update-stuck',
    follows,
    async play(scene) {
      await scene.apply(set('', 2))
      await scene.until('all are ready', settled(scene, 'db'))
      await scene.patch('StatefulSet', 'db', template('/nowhere'), { strategic: true })
      await scene.until('the last goes', () => !podReady(scene, 'db-1')())
      await scene.until('it runs again', () => scene.one<Pod>('Pod', 'db-1')?.status?.phase === 'Running')
      await scene.wait(6)
      await scene.patch('StatefulSet', 'db', template('/etc/nginx/nginx.conf'), { strategic: true })
      await scene.wait(4)
      await scene.remove('Pod', 'db-1')
      await scene.until('all are ready', settled(scene, 'db'))
    },
  },
  {
    name: 'statefulset-on-delete',
    follows,
    async play(scene) {
      await scene.apply(set('updateStrategy: {type: OnDelete}\n  podManagementPolicy: Parallel', 2))
      await scene.until('all are ready', podsReady(scene, 2))
      await scene.patch('StatefulSet', 'db', template('/etc/nginx/conf.d'), { strategic: true })
      await scene.wait(3)
      const before = scene.one<Pod>('Pod', 'db-0')?.metadata.uid
      await scene.remove('Pod', 'db-0')
      await scene.until('it is made anew', () => scene.one<Pod>('Pod', 'db-0')?.metadata.uid !== before && podReady(scene, 'db-0')())
    },
  },
  {
    name: 'statefulset-claims',
    follows: [...follows, 'PersistentVolumeClaim'],
    // Whether the Pod is there when the controller first looks at its claim.
    loose: ['PersistentVolumeClaim events persistentvolume-controller'],
    async play(scene) {
      const policy = 'persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}'
      await scene.apply(set(`${policy}\n  ${claims}`, 2))
      await scene.until('all are ready', settled(scene, 'db'))
      await scene.scale('StatefulSet', 'db', 1)
      await scene.until('the Pod is gone', podGone(scene, 'db-1'))
      const claim = () => scene.one<PersistentVolumeClaim>('PersistentVolumeClaim', 'data-db-1')
      await scene.until('its claim is gone', () => claim() === undefined)
      await scene.remove('StatefulSet', 'db')
      await scene.until('no Pod is left', () => scene.all('Pod').length === 0)
    },
  },
  {
    name: 'statefulset-claims-go-with-it',
    follows: [...follows, 'PersistentVolumeClaim'],
    // The controller and the scheduler write to a new claim at the same moment.
    loose: [
      'StatefulSet events statefulset-controller',
      'PersistentVolumeClaim events persistentvolume-controller',
      'Pod condition PodScheduled',
      'Pod events default-scheduler',
    ],
    async play(scene) {
      const policy = 'persistentVolumeClaimRetentionPolicy: {whenScaled: Retain, whenDeleted: Delete}'
      await scene.apply(set(`${policy}\n  ${claims}`, 2))
      await scene.until('all are ready', settled(scene, 'db'))
      await scene.scale('StatefulSet', 'db', 1)
      await scene.until('the Pod is gone', podGone(scene, 'db-1'))
      await scene.wait(2)
      await scene.remove('StatefulSet', 'db')
      await scene.until('no Pod is left', () => scene.all('Pod').length === 0)
      await scene.until('no claim is left', () => scene.all('PersistentVolumeClaim').length === 0)
    },
  },
]
