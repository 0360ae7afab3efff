import type { KubeObject } from '../../machinery/object.ts'
import type { Pod, ResourceQuota } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podPhase } from './states.ts'

/** What a namespace allows, and the words with which more is refused. */

const pod = (name: string, spec: object = {}, container: object = {}, metadata: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: {
      nodeSelector: { 'story/nowhere': 'yes' },
      ...spec,
      containers: [{ name: 'main', image: 'busybox:1.36', ...container }],
    },
  }) as KubeObject

const quota = (name: string, hard: Record<string, string>, rest: object = {}): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name }, spec: { hard, ...rest } }) as KubeObject

const limits = (...items: object[]): KubeObject =>
  ({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'bounds' }, spec: { limits: items } }) as KubeObject

const claim = (name: string, storage: string, spec: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'story-none', resources: { requests: { storage } }, ...spec },
  }) as KubeObject

const service = (name: string, spec: object): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } }) as KubeObject

const counted = (scene: Scene, ...names: string[]) =>
  scene.until('the quotas are counted', () =>
    names.every((name) => scene.one<ResourceQuota>('ResourceQuota', name)?.status?.used !== undefined),
  )

const some = { resources: { requests: { cpu: '10m', memory: '8Mi' }, limits: { cpu: '20m', memory: '16Mi' } } }

export const ruleStories: readonly Story[] = [
  {
    name: 'quotas-with-scopes',
    follows: ['ResourceQuota', 'Pod'],
    oneNode: true,
    async play(scene) {
      await scene.create(quota('best-effort', { pods: '1' }, { scopes: ['BestEffort'] }))
      await scene.create(quota('not-best-effort', { pods: '1', 'limits.memory': '20Mi' }, { scopes: ['NotBestEffort'] }))
      await scene.create(quota('ending', { pods: '0' }, { scopes: ['Terminating'] }))
      const classes = { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['system-node-critical'] }] }
      await scene.create(quota('important', { pods: '0' }, { scopeSelector: classes }))
      await counted(scene, 'best-effort', 'not-best-effort', 'ending', 'important')
      await scene.wait(1)
      await scene.attempt('first without wishes', pod('one'))
      await scene.attempt('second without wishes', pod('two'))
      await scene.attempt('no memory limit', pod('three', {}, { resources: { requests: { cpu: '1m' } } }))
      await scene.attempt('first with wishes', pod('four', {}, some))
      await scene.attempt('second with wishes', pod('five', {}, some))
      await scene.attempt('with a deadline', pod('six', { activeDeadlineSeconds: 60 }))
      await scene.attempt('important', pod('seven', { priorityClassName: 'system-node-critical' }))
      await scene.attempt('scope of no such name', quota('odd', { pods: '1' }, { scopes: ['Rare'] }))
      await scene.attempt('scope that does not fit', quota('odd', { 'requests.storage': '1Gi' }, { scopes: ['BestEffort'] }))
      await scene.attempt('scopes that exclude each other', quota('odd', { pods: '1' }, { scopes: ['BestEffort', 'NotBestEffort'] }))
      await scene.remove('Pod', 'one')
      await scene.until('there is room again', () => {
        return scene.one<ResourceQuota>('ResourceQuota', 'best-effort')?.status?.used?.['pods'] === '0'
      })
      await scene.attempt('another without wishes', pod('eight'))
      await scene.wait(1)
    },
  },
  {
    name: 'quotas-of-objects',
    follows: ['ResourceQuota', 'ConfigMap', 'Service', 'PersistentVolumeClaim'],
    async play(scene) {
      await scene.create(
        quota('objects', {
          'count/configmaps': '2',
          services: '2',
          'services.nodeports': '1',
          'services.loadbalancers': '0',
          persistentvolumeclaims: '2',
          'requests.storage': '1Gi',
          'story-none.storageclass.storage.k8s.io/requests.storage': '500Mi',
          'count/deployments.apps': '0',
        }),
      )
      await counted(scene, 'objects')
      await scene.wait(1)
      const settings = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
      await scene.attempt('a ConfigMap beside the root certificate', settings('one'))
      await scene.attempt('another', settings('two'))
      await scene.attempt('a balancer', service('balancer', { type: 'LoadBalancer' }))
      await scene.attempt(
        'two node ports',
        service('open', {
          type: 'NodePort',
          ports: [
            { name: 'a', port: 80 },
            { name: 'b', port: 81 },
          ],
        }),
      )
      await scene.attempt('a node port', service('open', { type: 'NodePort' }))
      await scene.attempt('inside', service('inside', {}))
      await scene.attempt('a third', service('third', {}))
      await scene.attempt('small claim', claim('small', '400Mi'))
      await scene.attempt('too much of the class', claim('more', '200Mi'))
      await scene.attempt('too much in all', claim('most', '700Mi', { storageClassName: 'other' }))
      const web = {
        replicas: 1,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
      }
      await scene.attempt('deployment', { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: web } as KubeObject)
      await scene.wait(2)
    },
  },
  {
    name: 'bounds-of-pods-and-claims',
    follows: ['LimitRange', 'Pod'],
    oneNode: true,
    async play(scene) {
      await scene.create(
        limits(
          { type: 'Container', default: { cpu: '200m', memory: '64Mi' }, defaultRequest: { cpu: '50m' }, max: { cpu: '500m' } },
          { type: 'Pod', max: { memory: '100Mi' }, maxLimitRequestRatio: { memory: '2' } },
          { type: 'PersistentVolumeClaim', min: { storage: '1Mi' }, max: { storage: '50Mi' } },
        ),
      )
      await scene.wait(1)
      await scene.attempt('without wishes', pod('one'))
      await scene.until('it is there', () => scene.one('Pod', 'one') !== undefined)
      const one = scene.one<Pod>('Pod', 'one')
      const { limits: most, requests } = one?.spec?.containers[0]?.resources ?? {}
      scene.note(JSON.stringify([most, requests]))
      scene.note(JSON.stringify(one?.metadata.annotations))
      scene.note(String(one?.status?.qosClass))
      const resources = (requests: object, most: object) => ({ resources: { requests, limits: most } })
      await scene.attempt('more than a container may', pod('two', {}, resources({ cpu: '1' }, { cpu: '1' })))
      await scene.attempt('more than a Pod may', pod('two', {}, resources({ memory: '200Mi' }, { memory: '200Mi' })))
      await scene.attempt('limit far above', pod('two', {}, resources({ memory: '8Mi' }, { memory: '64Mi' })))
      await scene.attempt('request above the default', pod('two', {}, { resources: { requests: { cpu: '300m' } } }))
      await scene.attempt('claim too small', claim('data', '1Ki'))
      await scene.attempt('claim too large', claim('data', '1Gi'))
      await scene.attempt('bounds upside down', {
        ...limits({ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }),
        metadata: { name: 'odd' },
      })
      await scene.attempt('default above the maximum', {
        ...limits({ type: 'Container', default: { cpu: '2' }, max: { cpu: '1' } }),
        metadata: { name: 'odd' },
      })
      await scene.attempt('default of a Pod', { ...limits({ type: 'Pod', default: { cpu: '2' } }), metadata: { name: 'odd' } })
    },
  },
  {
    name: 'security-standards',
    follows: ['Pod'],
    oneNode: true,
    async play(scene) {
      await scene.labelNamespace({ 'pod-security.kubernetes.io/enforce': 'baseline' })
      await scene.attempt('privileged', pod('one', {}, { securityContext: { privileged: true } }))
      await scene.attempt(
        'of the host',
        pod('one', { hostNetwork: true, hostPID: true, volumes: [{ name: 'root', hostPath: { path: '/' } }] }),
      )
      await scene.attempt('capability', pod('one', {}, { securityContext: { capabilities: { add: ['SYS_ADMIN', 'NET_RAW'] } } }))
      await scene.attempt('host port', pod('one', {}, { ports: [{ containerPort: 80, hostPort: 80 }] }))
      await scene.attempt('sysctl', pod('one', { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }))
      await scene.attempt('ordinary', pod('plain'))
      await scene.labelNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' })
      await scene.attempt('ordinary', pod('two'))
      const careful = {
        allowPrivilegeEscalation: false,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      }
      await scene.attempt('root', pod('two', {}, { securityContext: { ...careful, runAsUser: 0 } }))
      await scene.attempt('volume', pod('two', { volumes: [{ name: 'a', nfs: { server: 'a', path: '/' } }] }, { securityContext: careful }))
      await scene.attempt('careful', pod('careful', {}, { securityContext: careful }))
    },
  },
  {
    name: 'pods-refused',
    follows: ['Pod'],
    oneNode: true,
    async play(scene) {
      await scene.attempt('no container', { ...pod('one'), spec: { containers: [] } } as KubeObject)
      await scene.attempt('name', pod('Not_A_Name'))
      await scene.attempt('label', pod('one', {}, {}, { labels: { 'a b': 'c', ok: 'no way!' } }))
      await scene.attempt('image', pod('one', {}, { image: ' ' }))
      await scene.attempt('pull policy', pod('one', {}, { imagePullPolicy: 'Sometimes' }))
      await scene.attempt('restart policy', pod('one', { restartPolicy: 'Maybe' }))
      await scene.attempt(
        'ports',
        pod('one', {}, { ports: [{ containerPort: 0 }, { containerPort: 70000 }, { name: 'a-very-long-port-name', containerPort: 1 }] }),
      )
      await scene.attempt(
        'twice the same port',
        pod(
          'one',
          {},
          {
            ports: [
              { name: 'a', containerPort: 1 },
              { name: 'a', containerPort: 2 },
            ],
          },
        ),
      )
      await scene.attempt('two handlers', pod('one', {}, { livenessProbe: { exec: { command: ['a'] }, tcpSocket: { port: 1 } } }))
      await scene.attempt('no handler', pod('one', {}, { livenessProbe: { periodSeconds: 3 } }))
      await scene.attempt(
        'probe numbers',
        pod('one', {}, { livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: -1, successThreshold: 2, failureThreshold: -1 } }),
      )
      await scene.attempt('mount of nothing', pod('one', {}, { volumeMounts: [{ name: 'data', mountPath: '/data' }] }))
      await scene.attempt(
        'mounted twice',
        pod(
          'one',
          { volumes: [{ name: 'a', emptyDir: {} }] },
          {
            volumeMounts: [
              { name: 'a', mountPath: '/a' },
              { name: 'a', mountPath: '/a' },
            ],
          },
        ),
      )
      await scene.attempt('volume of two kinds', pod('one', { volumes: [{ name: 'a', emptyDir: {}, hostPath: { path: '/a' } }] }))
      await scene.attempt(
        'volumes of one name',
        pod('one', {
          volumes: [
            { name: 'a', emptyDir: {} },
            { name: 'a', emptyDir: {} },
          ],
        }),
      )
      await scene.attempt(
        'variable',
        pod(
          'one',
          {},
          {
            env: [
              { name: '1=2', value: 'a' },
              { name: 'A', value: 'a', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            ],
          },
        ),
      )
      await scene.attempt(
        'field of nothing',
        pod('one', {}, { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.replicas' } } }] }),
      )
      await scene.attempt(
        'toleration',
        pod('one', {
          tolerations: [
            { key: 'a', operator: 'Exists', value: 'b' },
            { operator: 'Equal' },
            { key: 'a', effect: 'NoSchedule', tolerationSeconds: 3 },
          ],
        }),
      )
      await scene.attempt(
        'quantity',
        pod('one', {}, { resources: { requests: { cpu: '-1', 'no such thing': '1' }, limits: { memory: '12x' } } }),
      )
      await scene.attempt(
        'extended',
        pod('one', {}, { resources: { requests: { 'example.com/gpu': '1' }, limits: { 'example.com/gpu': '2' } } }),
      )
      await scene.attempt('grace', pod('one', { terminationGracePeriodSeconds: -1, activeDeadlineSeconds: 0 }))
      await scene.attempt('host name', pod('one', { hostname: 'A.b', subdomain: '-', hostAliases: [{ ip: 'x', hostnames: ['a'] }] }))
      await scene.attempt(
        'spread',
        pod('one', { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'Perhaps' }] }),
      )
      await scene.attempt('resolver', pod('one', { dnsPolicy: 'None' }))
    },
  },
  {
    name: 'pods-changed-in-vain',
    follows: ['Pod'],
    oneNode: true,
    async play(scene) {
      await scene.create(pod('fixed', { activeDeadlineSeconds: 600 }, some))
      await scene.attemptPatch('command', 'Pod', 'fixed', { spec: { containers: [{ name: 'main', command: ['a'] }] } })
      await scene.attemptPatch('another container', 'Pod', 'fixed', { spec: { containers: [{ name: 'b', image: 'b' }] } })
      await scene.attemptPatch('later', 'Pod', 'fixed', { spec: { activeDeadlineSeconds: 700 } })
      await scene.attemptPatch('earlier', 'Pod', 'fixed', { spec: { activeDeadlineSeconds: 500 } })
      await scene.attemptPatch('toleration taken away', 'Pod', 'fixed', { spec: { tolerations: null } })
      await scene.attemptPatch('toleration added', 'Pod', 'fixed', { spec: { tolerations: [{ key: 'a', operator: 'Exists' }] } })
      await scene.attemptPatch('node', 'Pod', 'fixed', { spec: { nodeName: 'elsewhere' } })
      await scene.attemptPatch('no image', 'Pod', 'fixed', { spec: { containers: [{ name: 'main', image: '' }] } })
      await scene.attemptPatch('name', 'Pod', 'fixed', { metadata: { name: 'other' } })
      await scene.attemptPatch('identity', 'Pod', 'fixed', { metadata: { uid: 'other' } })
    },
  },
  {
    name: 'services-refused',
    follows: ['Service'],
    async play(scene) {
      await scene.attempt('no ports', service('a', { ports: [] }))
      await scene.attempt('ports without names', service('a', { ports: [{ port: 80 }, { port: 81 }] }))
      await scene.attempt('port', service('a', { ports: [{ port: 0, targetPort: 70000 }] }))
      await scene.attempt('type', service('a', { type: 'Internal' }))
      await scene.attempt('name', service('1a', {}))
      await scene.attempt('address outside', service('a', { clusterIP: '1.2.3.4' }))
      await scene.attempt('no address', service('a', { clusterIP: 'nowhere' }))
      await scene.attempt('address of the cluster itself', service('a', { clusterIP: '10.96.0.1' }))
      await scene.attempt('node port outside', service('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }))
      await scene.attempt('node port', service('taken', { type: 'NodePort', ports: [{ port: 80, nodePort: 31999 }] }))
      await scene.attempt('node port again', service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: 31999 }] }))
      await scene.attempt('headless with a node port', service('b', { type: 'NodePort', clusterIP: 'None' }))
      await scene.attempt('other name without one', service('b', { type: 'ExternalName' }))
      await scene.attempt(
        'affinity',
        service('b', { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }),
      )
      await scene.attempt('traffic', service('b', { externalTrafficPolicy: 'Local' }))
      await scene.attempt('families', service('b', { ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' }))
      await scene.attempt('both families', service('b', { ipFamilyPolicy: 'RequireDualStack' }))
      await scene.attemptPatch('another address', 'Service', 'taken', { spec: { clusterIP: '10.96.77.77', clusterIPs: ['10.96.77.77'] } })
      await scene.attemptPatch('to another type', 'Service', 'taken', { spec: { type: 'ClusterIP' } })
    },
  },
  {
    name: 'settings-that-are-fixed',
    follows: ['ConfigMap', 'Secret'],
    async play(scene) {
      await scene.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'fixed' },
        data: { a: 'b' },
        immutable: true,
      } as KubeObject)
      await scene.attemptPatch('data', 'ConfigMap', 'fixed', { data: { a: 'c' } })
      await scene.attemptPatch('loosened', 'ConfigMap', 'fixed', { immutable: false })
      await scene.attempt('key', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'odd' },
        data: { 'a b': 'c' },
      } as KubeObject)
      await scene.attempt('twice', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'odd' },
        data: { a: 'c' },
        binaryData: { a: 'YQ==' },
      } as KubeObject)
      const secret = (type: string, data?: Record<string, string>) =>
        ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'odd' }, type, ...(data && { data }) }) as KubeObject
      await scene.attempt('certificate', secret('kubernetes.io/tls', {}))
      await scene.attempt('login', secret('kubernetes.io/basic-auth', {}))
      await scene.attempt('registry', secret('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': 'bm8=' }))
      await scene.attempt('account', secret('kubernetes.io/service-account-token'))
      await scene.attempt('opaque', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'typed' }, data: { a: 'b' } } as KubeObject)
      await scene.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'typed' } } as KubeObject)
      await scene.attemptPatch('type', 'Secret', 'typed', { type: 'other' })
    },
  },
  {
    name: 'pod-with-resources-as-a-whole',
    follows: ['Pod'],
    async play(scene) {
      const whole = (resources: object, container: object = {}) =>
        pod('whole', { nodeSelector: {}, restartPolicy: 'Never', resources }, { command: ['true'], ...container })
      await scene.attempt('storage', whole({ requests: { 'ephemeral-storage': '1Gi' } }))
      await scene.attempt('less than its containers', whole({ requests: { cpu: '5m' } }, { resources: { requests: { cpu: '10m' } } }))
      await scene.attempt('container above', whole({ limits: { memory: '16Mi' } }, { resources: { limits: { memory: '32Mi' } } }))
      await scene.attempt('fine', whole({ requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '20m', memory: '32Mi' } }))
      await scene.until('it is there', () => scene.one('Pod', 'whole') !== undefined)
      await scene.until('it has ended', podPhase(scene, 'whole', 'Succeeded'))
      const { spec, status } = scene.one<Pod>('Pod', 'whole') ?? {}
      scene.note([status?.qosClass, JSON.stringify(spec?.resources?.requests), JSON.stringify(spec?.resources?.limits)].join(' '))
    },
  },
]
