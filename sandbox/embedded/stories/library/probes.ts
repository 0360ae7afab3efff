import type { Pod } from '../../schema/types/core.v1.ts'
import type { Story } from '../story.ts'
import { podGone, podReady, restarted } from './states.ts'

/** How probes and hooks fail, and what is told about it. */

const follows = ['Pod'] as const

/** nginx with pages that answer with another code each. */
const web = (container: string, spec = '') => `
apiVersion: v1
kind: ConfigMap
metadata: {name: pages}
data:
  default.conf: |
    server {
      listen 80;
      location / { return 200 "fine"; }
      location /missing { return 404 "no such page"; }
      location /broken { return 503 "out of order"; }
      location /moved { return 302 /; }
      location /away { return 302 http://192.0.2.1/; }
    }
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 2
  ${spec}
  volumes: [{name: pages, configMap: {name: pages}}]
  containers:
    - name: main
      image: nginx:1.27
      ports: [{name: http, containerPort: 80}]
      volumeMounts: [{name: pages, mountPath: /etc/nginx/conf.d}]
      ${container}
`
const shell = (script: string, container: string, grace = 2) => `
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: ${grace}
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, ${JSON.stringify(script)}]
      ${container}
`

const patient = 'trap "exit 0" TERM; while true; do sleep 0.2; done'

/** A Pod that is watched for a while, whatever becomes of it. */
const watched = (name: string, manifest: string, seconds = 8): Story => ({
  name,
  follows,
  async play(scene) {
    await scene.apply(manifest)
    await scene.until('it runs', () => scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0]?.state?.running !== undefined)
    await scene.wait(seconds)
  },
})

const restartedOnce = (name: string, manifest: string): Story => ({
  name,
  follows,
  async play(scene) {
    await scene.apply(manifest)
    await scene.until('it is restarted', restarted(scene, 'web', 1))
    await scene.wait(1)
  },
})

const readiness = (probe: string, seconds = 2) => `readinessProbe: {${probe}, periodSeconds: ${seconds}}`

const removed = (name: string, manifest: string): Story => ({
  name,
  follows,
  async play(scene) {
    await scene.apply(manifest)
    await scene.until('it runs', podReady(scene, 'web'))
    await scene.wait(1)
    await scene.remove('Pod', 'web')
    await scene.until('it is gone', podGone(scene, 'web'))
  },
})

export const probeStories: readonly Story[] = [
  watched('probe-finds-no-page', web(readiness('httpGet: {path: /missing, port: http}'))),
  watched('probe-finds-it-out-of-order', web(readiness('httpGet: {path: /broken, port: 80}'))),
  watched('probe-is-sent-on', web(readiness('httpGet: {path: /moved, port: http}'))),
  watched('probe-is-sent-elsewhere', web(readiness('httpGet: {path: /away, port: http}'))),
  watched('probe-of-a-port-without-a-name', web(readiness('httpGet: {path: /, port: https}'))),
  watched('probe-expects-https', web(readiness('httpGet: {path: /, port: http, scheme: HTTPS}'))),
  watched('probe-command-that-is-not-there', shell(patient, readiness('exec: {command: [nosuch, -x]}'))),
  watched('probe-command-that-fails-aloud', shell(patient, readiness('exec: {command: [sh, -c, "echo not yet; echo soon >&2; exit 9"]}'))),
  watched(
    'probe-command-takes-too-long',
    shell(patient, readiness('exec: {command: [sh, -c, "echo slow; sleep 30"]}, timeoutSeconds: 1', 3)),
  ),
  restartedOnce(
    'probe-with-a-grace-of-its-own',
    shell(
      "trap '' TERM; while true; do sleep 1; done",
      'livenessProbe: {exec: {command: ["false"]}, periodSeconds: 2, failureThreshold: 1, terminationGracePeriodSeconds: 1}',
      300,
    ),
  ),
  restartedOnce(
    'started-and-then-dead',
    shell(
      'sleep 2; touch /tmp/started; sleep 3; rm /tmp/started; sleep 600',
      `startupProbe: {exec: {command: [cat, /tmp/started]}, periodSeconds: 1, failureThreshold: 10}
      livenessProbe: {exec: {command: [cat, /tmp/started]}, periodSeconds: 1, failureThreshold: 2}`,
    ),
  ),
  removed('hook-longer-than-the-grace', shell(patient, 'lifecycle: {preStop: {exec: {command: [sleep, "60"]}}}', 3)),
  removed('hook-that-fails-at-the-end', shell(patient, 'lifecycle: {preStop: {exec: {command: [sh, -c, "echo lost; exit 3"]}}}', 5)),
  removed('hook-that-nobody-answers', shell(patient, 'lifecycle: {preStop: {httpGet: {port: 8080, path: /bye}}}', 5)),
  removed('hook-that-sleeps', shell(patient, 'lifecycle: {preStop: {sleep: {seconds: 3}}}', 10)),
  {
    name: 'hook-that-nobody-answers-at-the-start',
    follows,
    async play(scene) {
      await scene.apply(shell(patient, 'lifecycle: {postStart: {httpGet: {port: 8080, path: /hello}}}', 2))
      await scene.until('it is restarted', restarted(scene, 'web', 1, 'CrashLoopBackOff'))
    },
  },
]
