import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../schema/types/core.v1.ts'
import type { Story } from '../story.ts'
import { podGone, podReady } from './states.ts'

const follows = ['Pod', 'PersistentVolumeClaim'] as const

const claim = (name: string, spec = '') => `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ${name}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 10Mi}}
  ${spec}
`
const pod = (name: string, volume: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 2
  volumes: [{name: data, ${volume}}]
  containers: [{name: main, image: "nginx:1.27", volumeMounts: [{name: data, mountPath: /data}]}]
`
const phase = (scene: Parameters<Story['play']>[0], name: string) =>
  scene.one<PersistentVolumeClaim>('PersistentVolumeClaim', name)?.status?.phase

export const storageStories: readonly Story[] = [
  {
    name: 'claim-waits-for-its-first-consumer',
    follows,
    async play(scene) {
      await scene.apply(claim('data'))
      await scene.wait(3)
      await scene.apply(pod('user', 'persistentVolumeClaim: {claimName: data}'))
      await scene.until('it runs', podReady(scene, 'user'))
    },
  },
  {
    name: 'claim-in-use-is-protected',
    follows,
    async play(scene) {
      await scene.apply(claim('data'))
      await scene.apply(pod('user', 'persistentVolumeClaim: {claimName: data}'))
      await scene.until('it runs', podReady(scene, 'user'))
      await scene.remove('PersistentVolumeClaim', 'data')
      await scene.wait(3)
      await scene.remove('Pod', 'user')
      await scene.until('the Pod is gone', podGone(scene, 'user'))
      await scene.until('the claim is gone', () => phase(scene, 'data') === undefined)
    },
  },
  {
    name: 'claim-of-an-unknown-class',
    follows,
    async play(scene) {
      await scene.apply(claim('data', 'storageClassName: story-none'))
      await scene.apply(pod('user', 'persistentVolumeClaim: {claimName: data}'))
      const refused = () =>
        scene.one<Pod>('Pod', 'user')?.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False')
      await scene.until('it is refused', () => refused() ?? false)
      await scene.wait(1)
    },
  },
  {
    name: 'ephemeral-claim',
    follows,
    // The scheduler may look before the claim is there, or while it knows of it by one cache and not by the other.
    loose: ['Pod condition PodScheduled', 'Pod events default-scheduler', 'PersistentVolumeClaim events persistentvolume-controller'],
    async play(scene) {
      const template = '{spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}}'
      await scene.apply(pod('user', `ephemeral: {volumeClaimTemplate: ${template}}`))
      await scene.until('it runs', podReady(scene, 'user'))
      await scene.wait(1)
      await scene.remove('Pod', 'user')
      await scene.until('the Pod is gone', podGone(scene, 'user'))
      await scene.until('its claim is gone', () => phase(scene, 'user-data') === undefined)
    },
  },
  {
    name: 'volume-that-was-released',
    follows: [...follows, 'PersistentVolume'],
    alone: true,
    async play(scene) {
      await scene.apply(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: story-volume}
spec:
  capacity: {storage: 20Mi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  hostPath: {path: /tmp/story-volume}
`)
      await scene.apply(claim('data', 'storageClassName: ""'))
      await scene.until('it is bound', () => phase(scene, 'data') === 'Bound', 60)
      await scene.remove('PersistentVolumeClaim', 'data')
      await scene.until('the claim is gone', () => phase(scene, 'data') === undefined)
      await scene.until(
        'it is released',
        () => scene.one<PersistentVolume>('PersistentVolume', 'story-volume')?.status?.phase === 'Released',
      )
      await scene.apply(claim('again', 'storageClassName: ""\n  volumeName: story-volume'))
      await scene.wait(3)
      await scene.patch('PersistentVolume', 'story-volume', { spec: { claimRef: null } })
      await scene.until('it is bound', () => phase(scene, 'again') === 'Bound', 60)
    },
  },
  {
    name: 'claim-that-cannot-grow',
    follows,
    async play(scene) {
      await scene.apply(claim('data'))
      await scene.apply(pod('user', 'persistentVolumeClaim: {claimName: data}'))
      await scene.until('it runs', podReady(scene, 'user'))
      const storage = (amount: string) => ({ spec: { resources: { requests: { storage: amount } } } })
      await scene.attemptPatch('larger', 'PersistentVolumeClaim', 'data', storage('20Mi'))
      await scene.attemptPatch('smaller', 'PersistentVolumeClaim', 'data', storage('5Mi'))
      await scene.attemptPatch('another class', 'PersistentVolumeClaim', 'data', { spec: { storageClassName: 'other' } })
    },
  },
]
