import type { Pod } from '../../schema/types/core.v1.ts'
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
const server = (name: string, labels = '{app: web}') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: ${labels}}
spec:
  terminationGracePeriodSeconds: 6
  containers:
    - name: web
      image: nginx:1.27
      ports: [{name: http, containerPort: 80}]
      lifecycle: {preStop: {exec: {command: [sleep, "4"]}}}
      readinessProbe: {httpGet: {port: 80, path: /}, periodSeconds: 1, timeoutSeconds: 10}
`
/** Says what it gets each second, and each answer that differs from the one before once. */
const client = (command: string) => `
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: client
      image: busybox:1.36
      command: [sh, -c, ${JSON.stringify(`last=; while true; do now=$(${command}); [ "$now" = "$last" ] || echo "$now"; last=$now; sleep 0.5; done`)}]
`

/** Says whether a URL is answered. */
const asks = (url: string, word = '') => `wget -q -T 2 -O /dev/null ${url} 2>/dev/null && echo ${word} answered || echo ${word} failed`

/** A server that answers with its name, on a port called http. */
const named = (name: string, port = 80) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: web, colour: ${name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: web
      image: busybox:1.36
      command: [sh, -c, 'mkdir /www; echo ${name} > /www/index.html; exec httpd -f -p ${port} -h /www']
      ports: [{name: http, containerPort: ${port}}]
      readinessProbe: {tcpSocket: {port: http}, initialDelaySeconds: 2, periodSeconds: 1, timeoutSeconds: 10}
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
  {
    name: 'service-points-elsewhere',
    follows,
    async play(scene) {
      await scene.apply(service.replace('{app: web}', '{app: web, colour: blue}'))
      await scene.apply(named('blue'))
      await scene.apply(named('green'))
      await scene.until('the servers are ready', podsReady(scene, 2))
      await scene.wait(2)
      await scene.apply(client('wget -q -T 2 -O - http://web 2>/dev/null || echo failed'))
      await scene.until('the client runs', podReady(scene, 'client'))
      await scene.wait(3)
      await scene.patch('Service', 'web', { spec: { selector: { colour: 'green' } } })
      await scene.wait(4)
      await scene.patch('Service', 'web', { spec: { selector: { colour: 'red' } } })
      await scene.wait(4)
      await scene.patch('Pod', 'blue', { metadata: { labels: { colour: 'red' } } })
      await scene.wait(4)
      await scene.patch('Service', 'web', { spec: { ports: [{ port: 80, targetPort: 81 }] } })
      await scene.wait(4)
      scene.note(await scene.logs('client'))
    },
  },
  {
    name: 'session-affinity',
    follows,
    async play(scene) {
      await scene.apply(service.replace('spec: {', 'spec: {sessionAffinity: ClientIP, '))
      for (const name of ['blue', 'green', 'red']) await scene.apply(named(name))
      await scene.until('the servers are ready', podsReady(scene, 3))
      const several = 'for i in $(seq 48); do wget -q -T 2 -O - http://web; done | sort -u | wc -l'
      await scene.apply(client(several))
      await scene.until('the client runs', podReady(scene, 'client'))
      await scene.wait(8)
      scene.note(await scene.logs('client'))
      await scene.patch('Service', 'web', { spec: { sessionAffinity: 'None', sessionAffinityConfig: null } })
      await scene.wait(12)
      scene.note((await scene.logs('client')).trim().split('\n').at(-1) ?? '')
    },
  },
  {
    name: 'ports-by-name',
    follows,
    async play(scene) {
      await scene.apply(service.replace('{port: 80}', '{port: 80, targetPort: http}'))
      await scene.apply(client('wget -q -T 2 -O - http://web 2>/dev/null || echo failed'))
      await scene.apply(named('blue', 8080))
      await scene.until('the first is ready', podsReady(scene, 2))
      await scene.wait(3)
      await scene.apply(named('green', 9090))
      await scene.until('the second is ready', podsReady(scene, 3))
      await scene.patch('Pod', 'blue', { metadata: { labels: { app: 'other' } } })
      await scene.wait(3)
      scene.note((await scene.logs('client')).split('\n').slice(-2).join())
    },
  },
  {
    name: 'endpoints-by-hand',
    follows: [...follows, 'Service'],
    async play(scene) {
      await scene.apply('{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}')
      await scene.apply(client(asks('http://web')))
      await scene.until('the client runs', podReady(scene, 'client'))
      await scene.wait(3)
      await scene.apply(server('one'))
      await scene.until('the server is ready', podReady(scene, 'one'))
      const address = scene.one<Pod>('Pod', 'one')?.status?.podIP
      await scene.apply(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80, protocol: TCP}]
endpoints: [{addresses: ['${address}']}]
`)
      await scene.wait(4)
      await scene.remove('EndpointSlice', 'web-1')
      await scene.wait(4)
      scene.note(await scene.logs('client'))
    },
  },
  {
    name: 'a-name-for-another-name',
    follows,
    async play(scene) {
      await scene.apply(service)
      await scene.apply(server('one'))
      await scene.apply(client('wget -q -T 2 -O /dev/null http://alias 2>/dev/null && echo answered || echo failed'))
      await scene.until('both are ready', podsReady(scene, 2))
      await scene.wait(3)
      const target = `web.${scene.namespace}.svc.cluster.local`
      await scene.apply(`{apiVersion: v1, kind: Service, metadata: {name: alias}, spec: {type: ExternalName, externalName: ${target}}}`)
      await scene.wait(40)
      await scene.remove('Service', 'alias')
      await scene.wait(40)
      scene.note(await scene.logs('client'))
    },
  },
  {
    name: 'addresses-that-are-not-ready',
    follows,
    async play(scene) {
      await scene.apply(headless.replace('clusterIP: None', 'clusterIP: None, publishNotReadyAddresses: true'))
      await scene.apply(service)
      await scene.apply(server('one').replace('port: 80, path: /', 'port: 80, path: /nothing'))
      await scene.apply(client(`${asks('http://web', 'service')}; ${asks('http://direct', 'direct')}`))
      await scene.until('the client runs', podReady(scene, 'client'))
      await scene.wait(45)
      scene.note((await scene.logs('client')).split('\n').slice(-3).join())
    },
  },
]
