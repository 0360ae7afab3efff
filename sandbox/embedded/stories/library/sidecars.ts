import type { Pod } from '../../schema/types/core.v1.ts'
import type { Story } from '../story.ts'
import { podGone, podPhase, podReady } from './states.ts'

const follows = ['Pod'] as const

/** Writes its name when it begins and when it ends; what was written before its end is its termination message. */
const steady = (name: string, extra = '') => `
    - name: ${name}
      image: busybox:1.36
      command:
        - sh
        - -c
        - 'echo +${name} >> /state/order; trap "sleep 1; echo -${name} >> /state/order; cat /state/order | xargs > /dev/termination-log; exit 0" TERM; while true; do sleep 0.2; done'
      volumeMounts: [{name: state, mountPath: /state}]
      ${extra}`

const always = 'restartPolicy: Always\n      startupProbe: {exec: {command: ["true"]}, periodSeconds: 1}'
const once = (name: string) => `
    - name: ${name}
      image: busybox:1.36
      command: [sh, -c, "sleep 1; echo ${name} >> /state/order"]
      volumeMounts: [{name: state, mountPath: /state}]`

const pod = (spec: string, init: string, containers: string) => `
apiVersion: v1
kind: Pod
metadata: {name: crew}
spec:
  terminationGracePeriodSeconds: 20
  ${spec}
  volumes: [{name: state, emptyDir: {}}]
  initContainers:${init}
  containers:${containers}
`

export const sidecarStories: readonly Story[] = [
  {
    name: 'sidecars-in-their-order',
    follows,
    async play(scene) {
      await scene.apply(pod('', steady('one', always) + once('prepare') + steady('two', always), steady('main')))
      await scene.until('it runs', podReady(scene, 'crew'))
      await scene.wait(1)
      await scene.remove('Pod', 'crew')
      await scene.until('it is gone', podGone(scene, 'crew'))
    },
  },
  {
    name: 'sidecars-end-after-the-work',
    follows,
    async play(scene) {
      const work = `
    - {name: main, image: "busybox:1.36", command: [sh, -c, "sleep 4; exit 2"], volumeMounts: [{name: state, mountPath: /state}]}`
      await scene.apply(pod('restartPolicy: Never', steady('one', always) + steady('two', always), work))
      await scene.until('it has failed', podPhase(scene, 'crew', 'Failed'))
    },
  },
  {
    name: 'sidecar-that-crashes',
    follows,
    // Whether the sidecar waits or ends at that moment.
    loose: ['Pod condition Ready', 'Pod condition ContainersReady'],
    async play(scene) {
      const crashing = `
    - name: helper
      image: busybox:1.36
      restartPolicy: Always
      command: [sh, -c, "sleep 4; exit 9"]`
      const work = `
    - {name: main, image: "busybox:1.36", command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.2; done"]}`
      await scene.apply(pod('', crashing, work))
      const helper = () => scene.one<Pod>('Pod', 'crew')?.status?.initContainerStatuses?.[0]
      await scene.until(
        'it backs off a second time',
        () => helper()?.restartCount === 2 && helper()?.state?.waiting?.reason === 'CrashLoopBackOff',
      )
    },
  },
  {
    name: 'init-container-that-fails-for-good',
    follows,
    async play(scene) {
      const first = `
    - {name: first, image: "busybox:1.36", command: [sh, -c, "sleep 3; exit 6"]}`
      await scene.apply(pod('restartPolicy: Never', first, steady('main')))
      await scene.until('it has failed', podPhase(scene, 'crew', 'Failed'))
    },
  },
  {
    name: 'init-container-in-a-crash-loop',
    follows,
    async play(scene) {
      const first = `
    - {name: first, image: "busybox:1.36", command: [sh, -c, "sleep 3; exit 6"]}`
      await scene.apply(pod('', first, steady('main')))
      const init = () => scene.one<Pod>('Pod', 'crew')?.status?.initContainerStatuses?.[0]
      await scene.until('it backs off twice', () => init()?.restartCount === 2 && init()?.state?.waiting?.reason === 'CrashLoopBackOff')
    },
  },
]
