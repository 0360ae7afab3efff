import type { Story } from '../story.ts'
import { podReady, podsReady } from './states.ts'

const follows = ['Pod', 'EndpointSlice'] as const

const service = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`
const headless = `
apiVersion: v1
kind: Service
metadata: {name: direct}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
`
const server = (name: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 6
  containers:
    - name: web
      image: nginx:1.27
      lifecycle: {preStop: {exec: {command: [sleep, "4"]}}}
      readinessProbe: {httpGet: {port: 80, path: /}, periodSeconds: 1, timeoutSeconds: 10}
`
/** Says what it gets each second, and each answer that differs from the one before once. */
const client = (command: string) => `
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: client
      image: busybox:1.36
      command: [sh, -c, ${JSON.stringify(`last=; while true; do now=$(${command}); [ "$now" = "$last" ] || echo "$now"; last=$now; sleep 0.5; done`)}]
`

export const networkStories: readonly Story[] = [
  {
    name: 'service-while-pods-come-and-go',
    follows,
    async play(scene) {
      await scene.apply(service)
      await scene.apply(client('wget -q -T 2 -O /dev/null http://web 2>/dev/null && echo answered || echo failed'))
      await scene.until('the client runs', podReady(scene, 'client'))
      await scene.wait(3)
      await scene.apply(server('one'))
      await scene.until('the first is ready', podReady(scene, 'one'))
      await scene.wait(3)
      await scene.apply(server('two'))
      await scene.until('the second is ready', podsReady(scene, 3))
      await scene.wait(2)
      await scene.remove('Pod', 'one')
      await scene.until('the first is gone', podsReady(scene, 2))
      await scene.wait(2)
      await scene.remove('Pod', 'two')
      await scene.until('the second is gone', podsReady(scene, 1))
      await scene.wait(4)
      scene.note(await scene.logs('client'))
    },
  },
  {
    name: 'names-of-a-headless-service',
    follows,
    async play(scene) {
      await scene.apply(headless)
      await scene.apply(
        client(
          "nslookup -type=a direct.$(cat /var/run/secrets/kubernetes.io/serviceaccount/namespace).svc.cluster.local 2>&1 | grep -c '^Name'",
        ),
      )
      await scene.until('the client runs', podReady(scene, 'client'))
      await scene.wait(3)
      await scene.apply(server('one'))
      await scene.until('the first is ready', podReady(scene, 'one'))
      await scene.wait(40)
      await scene.remove('Pod', 'one')
      await scene.until('the first is gone', podsReady(scene, 1))
      await scene.wait(40)
      scene.note(await scene.logs('client'))
    },
  },
]
