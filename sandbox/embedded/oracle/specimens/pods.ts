import { type Fields, namespaced, type Specimen } from './specimen.ts'

/** A template in which nothing but the least is said, for kinds whose own fields are in question. */
export function template(more: Fields = {}): Fields {
  return {
    metadata: { labels: { app: 'one' } },
    spec: { containers: [{ name: 'main', image: 'nginx:1.27' }], ...more },
  }
}

const term = {
  matchExpressions: [
    { key: 'zone', operator: 'In', values: ['a', 'b'] },
    { key: 'cores', operator: 'Gt', values: ['2'] },
  ],
  matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1'] }],
}

const selector = {
  matchLabels: { app: 'one' },
  matchExpressions: [
    { key: 'tier', operator: 'NotIn', values: ['web'] },
    { key: 'old', operator: 'DoesNotExist' },
  ],
}

const placed: Fields = {
  containers: [{ name: 'main', image: 'nginx:1.27' }],
  nodeSelector: { disk: 'ssd' },
  nodeName: 'node-1',
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, preference: term }],
    },
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'zone', labelSelector: selector, namespaces: ['other'], matchLabelKeys: ['hash'] },
      ],
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 5, podAffinityTerm: { topologyKey: 'zone', labelSelector: selector, namespaceSelector: { matchLabels: { team: 'a' } } } },
      ],
    },
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'host', labelSelector: selector }] },
  },
  tolerations: [
    { key: 'dedicated', operator: 'Equal', value: 'gpu', effect: 'NoSchedule' },
    { key: 'gone', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 30 },
  ],
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: selector,
      minDomains: 2,
      nodeAffinityPolicy: 'Honor',
      nodeTaintsPolicy: 'Ignore',
      matchLabelKeys: ['hash'],
    },
  ],
}

const container: Fields = {
  name: 'main',
  image: 'nginx:1.27',
  command: ['sh'],
  args: ['-c', 'true'],
  workingDir: '/srv',
  ports: [
    { name: 'http', containerPort: 80, protocol: 'TCP' },
    { name: 'dns', containerPort: 53, protocol: 'UDP', hostPort: 5353, hostIP: '127.0.0.1' },
  ],
  env: [
    { name: 'PLAIN', value: 'x' },
    { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m', containerName: 'main' } } },
    { name: 'MAP', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a', optional: true } } },
    { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'secret', key: 'b' } } },
  ],
  envFrom: [{ prefix: 'P_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'secret', optional: true } }],
  resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '128Mi' } },
  resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
  livenessProbe: {
    httpGet: { path: '/', port: 'http', scheme: 'HTTP', host: 'a', httpHeaders: [{ name: 'X-One', value: '1' }] },
    initialDelaySeconds: 1,
    timeoutSeconds: 2,
    periodSeconds: 3,
    successThreshold: 1,
    failureThreshold: 4,
    terminationGracePeriodSeconds: 5,
  },
  readinessProbe: { exec: { command: ['true'] } },
  startupProbe: { grpc: { port: 9000, service: 'health' } },
  lifecycle: { postStart: { exec: { command: ['true'] } }, preStop: { tcpSocket: { port: 80, host: 'a' } } },
  terminationMessagePath: '/dev/log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'IfNotPresent',
  securityContext: {
    capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
    privileged: false,
    runAsUser: 1000,
    runAsGroup: 1000,
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    procMount: 'Default',
    seccompProfile: { type: 'RuntimeDefault' },
    appArmorProfile: { type: 'RuntimeDefault' },
    seLinuxOptions: { level: 's0' },
  },
  volumeMounts: [{ name: 'empty', mountPath: '/a', readOnly: true, subPath: 'b', mountPropagation: 'None', recursiveReadOnly: 'Disabled' }],
  stdin: true,
  stdinOnce: true,
  tty: true,
}

const contained: Fields = {
  containers: [container],
  initContainers: [
    { name: 'first', image: 'busybox:1.36', command: ['true'] },
    { name: 'side', image: 'busybox:1.36', restartPolicy: 'Always', startupProbe: { exec: { command: ['true'] } } },
  ],
  volumes: [{ name: 'empty', emptyDir: {} }],
}

const configured: Fields = {
  containers: [{ name: 'main', image: 'nginx:1.27' }],
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 20,
  activeDeadlineSeconds: 100,
  dnsPolicy: 'ClusterFirst',
  serviceAccountName: 'default',
  automountServiceAccountToken: false,
  hostNetwork: false,
  shareProcessNamespace: true,
  securityContext: {
    runAsUser: 1000,
    runAsGroup: 1000,
    runAsNonRoot: true,
    fsGroup: 2000,
    fsGroupChangePolicy: 'Always',
    supplementalGroups: [3000],
    supplementalGroupsPolicy: 'Merge',
    sysctls: [{ name: 'net.ipv4.ip_local_port_range', value: '1024 2048' }],
    seccompProfile: { type: 'Localhost', localhostProfile: 'a.json' },
    appArmorProfile: { type: 'RuntimeDefault' },
    seLinuxOptions: { user: 'u' },
  },
  imagePullSecrets: [{ name: 'pull' }],
  hostname: 'one',
  subdomain: 'sub',
  schedulerName: 'default-scheduler',
  hostAliases: [{ ip: '10.0.0.1', hostnames: ['a.example.com', 'b'] }],
  dnsConfig: { nameservers: ['10.0.0.2'], searches: ['example.com'], options: [{ name: 'ndots', value: '2' }] },
  readinessGates: [{ conditionType: 'example.com/ready' }],
  schedulingGates: [{ name: 'example.com/gate' }],
  enableServiceLinks: true,
  preemptionPolicy: 'PreemptLowerPriority',
  setHostnameAsFQDN: true,
  os: { name: 'linux' },
  resources: { requests: { cpu: '1' }, limits: { cpu: '2' } },
}

const items = [{ key: 'a', path: 'b/c', mode: 256 }]

const volumes: Fields = {
  containers: [
    {
      name: 'main',
      image: 'nginx:1.27',
      volumeMounts: [{ name: 'empty', mountPath: '/a', subPathExpr: 'x' }],
      volumeDevices: [{ name: 'claim', devicePath: '/dev/a' }],
    },
  ],
  volumes: [
    { name: 'empty', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
    { name: 'claim', persistentVolumeClaim: { claimName: 'data', readOnly: false } },
    { name: 'host', hostPath: { path: '/var/a', type: 'Directory' } },
    { name: 'map', configMap: { name: 'settings', items, defaultMode: 420, optional: true } },
    { name: 'secret', secret: { secretName: 'secret', items, defaultMode: 420 } },
    { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' }, mode: 256 }] } },
    {
      name: 'limits',
      downwardAPI: { items: [{ path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu', divisor: '1m' } }] },
    },
    {
      name: 'all',
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 3600, audience: 'a' } },
          { configMap: { name: 'settings', items } },
          { secret: { name: 'secret', items: [{ key: 'a', path: 'd' }] } },
          { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        ],
      },
    },
    { name: 'nfs', nfs: { server: 'a', path: '/b' } },
    { name: 'csi', csi: { driver: 'csi.example.com', fsType: 'ext4', volumeAttributes: { a: 'b' }, nodePublishSecretRef: { name: 's' } } },
    {
      name: 'made',
      ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } } },
    },
    { name: 'iscsi', iscsi: { targetPortal: '10.0.0.1:3260', iqn: 'iqn.2001-04.com.example:storage.disk', lun: 0 } },
    { name: 'image', image: { reference: 'busybox:1.36', pullPolicy: 'IfNotPresent' } },
  ],
}

const pod = (title: string, spec: Fields) => namespaced('v1', 'Pod', 'pods', { metadata: { labels: { app: 'one' } }, spec }, title)

export const podSpecimens: readonly Specimen[] = [
  namespaced('v1', 'Pod', 'pods', {
    metadata: { labels: { app: 'one' }, annotations: { 'example.com/note': 'x' }, finalizers: ['example.com/hold'] },
    spec: { containers: [{ name: 'main', image: 'nginx:1.27' }] },
  }),
  pod('Pod (containers)', contained),
  pod('Pod (settings)', configured),
  pod('Pod (placement)', placed),
  pod('Pod (volumes)', volumes),
]
