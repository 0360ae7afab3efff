import { template } from './pods.ts'
import { clusterWide, namespaced, type Specimen } from './specimen.ts'

const claim = {
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: '1Gi' }, limits: { storage: '2Gi' } },
  storageClassName: 'fast',
  volumeMode: 'Filesystem',
  volumeName: 'one',
  selector: { matchLabels: { a: 'b' } },
  dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'before' },
}

export const coreSpecimens: readonly Specimen[] = [
  namespaced('v1', 'ConfigMap', 'configmaps', {
    metadata: {
      labels: { app: 'one', 'example.com/tier': 'web' },
      annotations: { 'example.com/note': 'x' },
      finalizers: ['example.com/hold'],
      ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'c0ffee', controller: true, blockOwnerDeletion: false }],
    },
    data: { a: 'x', 'b.txt': 'y' },
    binaryData: { c: 'aGk=' },
    immutable: false,
  }),
  namespaced('v1', 'Secret', 'secrets', { type: 'Opaque', data: { a: 'aGk=' }, stringData: { b: 'x' }, immutable: false }),
  namespaced('v1', 'Secret', 'secrets', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'aGk=', 'tls.key': 'aGk=' } }, 'Secret (tls)'),
  namespaced(
    'v1',
    'Secret',
    'secrets',
    { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'e30=' } },
    'Secret (registry)',
  ),
  namespaced('v1', 'Secret', 'secrets', { type: 'kubernetes.io/ssh-auth', data: { 'ssh-privatekey': 'aGk=' } }, 'Secret (ssh)'),
  namespaced('v1', 'Secret', 'secrets', { type: 'kubernetes.io/basic-auth', data: { username: 'aGk=' } }, 'Secret (password)'),
  namespaced('v1', 'Secret', 'secrets', { type: 'bootstrap.kubernetes.io/token', data: { 'token-id': 'aGk=' } }, 'Secret (bootstrap)'),
  namespaced(
    'v1',
    'Secret',
    'secrets',
    { metadata: { annotations: { 'kubernetes.io/service-account.name': 'default' } }, type: 'kubernetes.io/service-account-token' },
    'Secret (token)',
  ),
  namespaced('v1', 'Service', 'services', {
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.7.7',
      clusterIPs: ['10.96.7.7'],
      selector: { app: 'one' },
      ports: [
        { name: 'http', port: 80, targetPort: 'web', protocol: 'TCP', appProtocol: 'http' },
        { name: 'dns', port: 53, targetPort: 5353, protocol: 'UDP' },
      ],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 100 } },
      externalIPs: ['192.0.2.7'],
      publishNotReadyAddresses: true,
      internalTrafficPolicy: 'Local',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      trafficDistribution: 'PreferClose',
    },
  }),
  namespaced(
    'v1',
    'Service',
    'services',
    {
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.96.7.8',
        ports: [{ name: 'http', port: 80, nodePort: 30777 }],
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30778,
        loadBalancerIP: '192.0.2.9',
        loadBalancerSourceRanges: ['10.0.0.0/8'],
        loadBalancerClass: 'example.com/lb',
        allocateLoadBalancerNodePorts: true,
      },
    },
    'Service (LoadBalancer)',
  ),
  namespaced('v1', 'Service', 'services', { spec: { type: 'ExternalName', externalName: 'example.com' } }, 'Service (ExternalName)'),
  namespaced(
    'v1',
    'Service',
    'services',
    { spec: { clusterIP: 'None', ports: [{ port: 80 }], selector: { app: 'one' } } },
    'Service (headless)',
  ),
  namespaced('v1', 'PodTemplate', 'podtemplates', { template: template() }),
  namespaced('v1', 'ReplicationController', 'replicationcontrollers', {
    spec: { replicas: 2, minReadySeconds: 1, selector: { app: 'one' }, template: template() },
  }),
  namespaced('v1', 'Endpoints', 'endpoints', {
    subsets: [
      {
        addresses: [{ ip: '10.0.0.1', hostname: 'a', nodeName: 'node-1', targetRef: { kind: 'Pod', name: 'a', namespace: 'default' } }],
        notReadyAddresses: [{ ip: '10.0.0.2' }],
        ports: [
          { name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
      },
    ],
  }),
  namespaced('v1', 'Event', 'events', {
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'one', namespace: 'default', fieldPath: 'spec' },
    reason: 'Started',
    message: 'it has',
    source: { component: 'kubelet', host: 'node-1' },
    type: 'Normal',
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
  }),
  namespaced('v1', 'LimitRange', 'limitranges', {
    spec: {
      limits: [
        {
          type: 'Container',
          max: { cpu: '2' },
          min: { cpu: '100m' },
          default: { cpu: '1' },
          defaultRequest: { cpu: '500m' },
          maxLimitRequestRatio: { cpu: '10' },
        },
        { type: 'Pod', max: { memory: '1Gi' } },
        { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
      ],
    },
  }),
  namespaced('v1', 'ResourceQuota', 'resourcequotas', {
    spec: {
      hard: { pods: '4', 'requests.cpu': '1', 'count/jobs.batch': '2' },
      scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
    },
  }),
  namespaced(
    'v1',
    'ResourceQuota',
    'resourcequotas',
    { spec: { hard: { pods: '4' }, scopes: ['BestEffort', 'NotTerminating'] } },
    'ResourceQuota (scopes)',
  ),
  namespaced('v1', 'ServiceAccount', 'serviceaccounts', {
    secrets: [{ name: 'a' }],
    imagePullSecrets: [{ name: 'b' }],
    automountServiceAccountToken: true,
  }),
  namespaced('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', { spec: claim }),
  clusterWide('v1', 'PersistentVolume', 'persistentvolumes', {
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: 'fast',
      volumeMode: 'Filesystem',
      mountOptions: ['ro'],
      hostPath: { path: '/var/a', type: 'Directory' },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'default', name: 'data' },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node-1'] }] }] },
      },
    },
  }),
  clusterWide(
    'v1',
    'PersistentVolume',
    'persistentvolumes',
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        csi: {
          driver: 'csi.example.com',
          volumeHandle: 'v-1',
          fsType: 'ext4',
          volumeAttributes: { a: 'b' },
          nodeStageSecretRef: { name: 's', namespace: 'default' },
        },
      },
    },
    'PersistentVolume (csi)',
  ),
  clusterWide(
    'v1',
    'PersistentVolume',
    'persistentvolumes',
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        local: { path: '/mnt/a', fsType: 'ext4' },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }] } },
      },
    },
    'PersistentVolume (local)',
  ),
  clusterWide('v1', 'Namespace', 'namespaces', {
    metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } },
    spec: { finalizers: ['kubernetes'] },
  }),
  clusterWide('v1', 'Node', 'nodes', {
    metadata: { labels: { zone: 'a' } },
    spec: {
      podCIDR: '10.244.9.0/24',
      podCIDRs: ['10.244.9.0/24'],
      providerID: 'kind://one',
      taints: [{ key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }],
      unschedulable: false,
    },
    status: {
      capacity: { cpu: '2', memory: '4Gi', pods: '110' },
      allocatable: { cpu: '2', memory: '4Gi', pods: '110' },
      addresses: [{ type: 'InternalIP', address: '10.0.0.9' }],
    },
  }),
]
