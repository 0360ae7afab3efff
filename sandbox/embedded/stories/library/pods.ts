import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podGone, podPhase, podReady, restarted } from './states.ts'

const follows = ['Pod'] as const

const shell = (name: string, script: string, pod = '', container = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 2
  ${pod}
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, ${JSON.stringify(script)}]
      ${container}
`

export const podStories: readonly Story[] = [
  {
    name: 'crash-loop',
    follows,
    async play(scene) {
      await scene.apply(shell('crash', 'sleep 4; exit 3'))
      await scene.until('it backs off a third time', restarted(scene, 'crash', 2, 'CrashLoopBackOff'), 180)
    },
  },
  {
    name: 'retries-until-it-succeeds',
    follows,
    async play(scene) {
      const script = 'sleep 4; echo x >> /state/tries; [ $(wc -l < /state/tries) -ge 3 ]'
      const volumes = 'restartPolicy: OnFailure\n  volumes: [{name: state, emptyDir: {}}]'
      await scene.apply(shell('retry', script, volumes, 'volumeMounts: [{name: state, mountPath: /state}]'))
      await scene.until('it has succeeded', podPhase(scene, 'retry', 'Succeeded'), 180)
    },
  },
  {
    name: 'fails-once',
    follows,
    async play(scene) {
      const container = 'terminationMessagePolicy: FallbackToLogsOnError'
      await scene.apply(shell('once', 'sleep 4; echo no such luck; exit 7', 'restartPolicy: Never', container))
      await scene.until('it has failed', podPhase(scene, 'once', 'Failed'))
    },
  },
  {
    name: 'liveness-kill',
    follows,
    async play(scene) {
      const probe = 'livenessProbe: {exec: {command: [cat, /tmp/healthy]}, periodSeconds: 2, failureThreshold: 2}'
      await scene.apply(shell('sick', 'touch /tmp/healthy; sleep 6; rm /tmp/healthy; sleep 600', '', probe))
      await scene.until('it is restarted', restarted(scene, 'sick', 1))
      await scene.wait(3)
    },
  },
  {
    name: 'readiness-comes-and-goes',
    follows,
    async play(scene) {
      const probe = 'readinessProbe: {exec: {command: [cat, /tmp/ready]}, periodSeconds: 1, failureThreshold: 2}'
      await scene.apply(shell('moody', 'sleep 3; touch /tmp/ready; sleep 5; rm /tmp/ready; sleep 600', '', probe))
      await scene.until('it is ready', podReady(scene, 'moody'))
      await scene.until('it is not ready any more', () => !podReady(scene, 'moody')())
    },
  },
  {
    name: 'startup-probe-gives-up',
    follows,
    async play(scene) {
      const probes = `startupProbe: {exec: {command: [cat, /tmp/started]}, periodSeconds: 2, failureThreshold: 4}
      livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}`
      await scene.apply(shell('slow', 'sleep 600', '', probes))
      await scene.until('it is restarted', restarted(scene, 'slow', 1))
      await scene.wait(1)
    },
  },
  {
    name: 'tcp-and-http-probes-refused',
    follows,
    async play(scene) {
      const probes = `readinessProbe: {httpGet: {port: 8080, path: /ready}, periodSeconds: 1}
      livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 4, failureThreshold: 2}`
      await scene.apply(shell('deaf', 'sleep 600', '', probes))
      await scene.until('it is restarted', restarted(scene, 'deaf', 1))
      await scene.wait(1)
    },
  },
  {
    name: 'grpc-probes-of-what-is-no-grpc-server',
    follows,
    async play(scene) {
      const probes = `readinessProbe: {grpc: {port: 80}, periodSeconds: 2}
      livenessProbe: {grpc: {port: 5000, service: shop}, periodSeconds: 3, failureThreshold: 2}`
      await scene.apply(
        shell('mute', 'sleep 600', '', probes)
          .replace('busybox:1.36', 'nginx:1.27')
          .replace(/command: .*/, ''),
      )
      await scene.until('it is restarted', restarted(scene, 'mute', 1))
      await scene.wait(1)
    },
  },
  {
    name: 'graceful-shutdown',
    follows,
    async play(scene) {
      const script = "trap 'echo bye; sleep 1; exit 0' TERM; while true; do sleep 0.2; done"
      await scene.apply(shell('polite', script).replace('GracePeriodSeconds: 2', 'GracePeriodSeconds: 20'))
      await runAndRemove(scene, 'polite')
    },
  },
  {
    name: 'killed-after-its-grace',
    follows,
    async play(scene) {
      await scene.apply(shell('stubborn', "trap '' TERM; while true; do sleep 1; done"))
      await runAndRemove(scene, 'stubborn')
    },
  },
  {
    name: 'hooks',
    follows,
    async play(scene) {
      const hooks = `lifecycle:
        postStart: {exec: {command: [sh, -c, "sleep 2; touch /tmp/after"]}}
        preStop: {exec: {command: [sh, -c, "sleep 2"]}}`
      const pod = shell('hooked', 'trap "exit 0" TERM; while true; do sleep 0.2; done', '', hooks)
      await scene.apply(pod.replace('GracePeriodSeconds: 2', 'GracePeriodSeconds: 10'))
      await runAndRemove(scene, 'hooked')
    },
  },
  {
    name: 'failing-post-start-hook',
    follows,
    async play(scene) {
      const hooks = 'lifecycle: {postStart: {exec: {command: [sh, -c, "echo not today; exit 4"]}}}'
      await scene.apply(shell('hooked', 'sleep 600', '', hooks))
      await scene.until('it is restarted', restarted(scene, 'hooked', 1, 'CrashLoopBackOff'))
    },
  },
  {
    name: 'init-containers',
    follows,
    async play(scene) {
      const init = `volumes: [{name: state, emptyDir: {}}]
  initContainers:
    - {name: first, image: "busybox:1.36", command: [sh, -c, "sleep 4"]}
    - name: second
      image: busybox:1.36
      command: [sh, -c, "sleep 4; echo x >> /state/tries; [ $(wc -l < /state/tries) -ge 2 ]"]
      volumeMounts: [{name: state, mountPath: /state}]`
      await scene.apply(shell('prepared', 'sleep 600', init))
      await scene.until('it runs', podReady(scene, 'prepared'))
    },
  },
  {
    name: 'sidecar',
    follows,
    async play(scene) {
      const sidecar = `restartPolicy: Never
  initContainers:
    - name: helper
      image: busybox:1.36
      restartPolicy: Always
      command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.2; done"]
      startupProbe: {exec: {command: ["true"]}, periodSeconds: 1}`
      await scene.apply(shell('accompanied', 'sleep 5', sidecar))
      await scene.until('it has succeeded', podPhase(scene, 'accompanied', 'Succeeded'))
    },
  },
  {
    name: 'active-deadline',
    follows,
    async play(scene) {
      await scene.apply(shell('late', 'trap "exit 0" TERM; while true; do sleep 0.2; done', 'activeDeadlineSeconds: 8'))
      await scene.until('it has failed', podPhase(scene, 'late', 'Failed'))
    },
  },
  {
    name: 'missing-config',
    follows,
    async play(scene) {
      await scene.apply(shell('needy', 'sleep 600', '', 'envFrom: [{configMapRef: {name: settings}}]'))
      await scene.wait(5)
      await scene.apply('{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {COLOUR: green}}')
      await scene.until('it runs', podReady(scene, 'needy'))
    },
  },
]

async function runAndRemove(scene: Scene, name: string): Promise<void> {
  await scene.until('it runs', podReady(scene, name))
  await scene.wait(1)
  await scene.remove('Pod', name)
  await scene.until('it is gone', podGone(scene, name))
}
