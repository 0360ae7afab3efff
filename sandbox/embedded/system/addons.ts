import type { KubeObject } from '../machinery/object.ts'
import { builtInResources } from '../registry/index.ts'
import type { DaemonSet, Deployment } from '../schema/types/apps.v1.ts'
import type { Lease } from '../schema/types/coordination.v1.ts'
import type { ConfigMap, Container, PodSpec, Service, ServiceAccount } from '../schema/types/core.v1.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../schema/types/rbac.v1.ts'

const system = 'kube-system'
const storage = 'local-path-storage'
const dnsAddress = '10.96.0.10'

/** The controllers that have accounts of their own, by which their requests are told apart. */
const controllerAccounts =
  'attachdetach-controller bootstrap-signer certificate-controller clusterrole-aggregation-controller cronjob-controller daemon-set-controller deployment-controller disruption-controller endpoint-controller endpointslice-controller endpointslicemirroring-controller ephemeral-volume-controller expand-controller generic-garbage-collector horizontal-pod-autoscaler job-controller legacy-service-account-token-cleaner namespace-controller node-controller persistent-volume-binder pod-garbage-collector pv-protection-controller pvc-protection-controller replicaset-controller replication-controller resource-claim-controller resourcequota-controller root-ca-cert-publisher service-account-controller service-cidrs-controller statefulset-controller token-cleaner ttl-after-finished-controller ttl-controller validatingadmissionpolicy-status-controller volumeattributesclass-protection-controller'

/**
 * What kubeadm and kind put into a new cluster beside the API server's own objects: DNS, kube-proxy, the CNI plugin and
 * the storage provisioner, with their accounts and settings. The work of kube-proxy, kindnet and the provisioner is done
 * by the network and the controllers of this process: their pods are there to be seen.
 */
export function addons({
  controlPlane,
  ca,
  now,
  kindnet,
}: {
  controlPlane: string
  ca: string
  now: string
  kindnet: boolean
}): KubeObject[] {
  return [
    ...apiServices(),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: storage } },
    ...controllerAccounts.split(' ').map((name) => account(name)),
    ...['coredns', 'kube-proxy'].map((name) => account(name)),
    account(provisioner, storage),
    ...provisionerGrant,
    ...configMaps(controlPlane, ca, now.slice(0, 10)),
    dnsService,
    ...['kube-controller-manager', 'kube-scheduler'].map((name) => leaderLease(name, controlPlane, now)),
    deployment('coredns', system, { 'k8s-app': 'kube-dns' }, 2, dnsPod),
    ...(kindnet ? kindnetObjects(controlPlane) : []),
    daemonSet('kube-proxy', { 'k8s-app': 'kube-proxy' }, 'k8s-app', kubeProxyPod),
    deployment('local-path-provisioner', storage, { app: 'local-path-provisioner' }, 1, provisionerPod),
  ]
}

function kindnetObjects(controlPlane: string): KubeObject[] {
  return [
    account('kindnet'),
    ...grant('kindnet', 'kindnet', [
      { apiGroups: [''], resources: ['nodes', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list', 'watch'] },
    ]),
    daemonSet('kindnet', { app: 'kindnet', 'k8s-app': 'kindnet', tier: 'node' }, 'app', kindnetPod(controlPlane)),
  ]
}

const provisioner = 'local-path-provisioner-service-account'

const dnsService: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'kube-dns',
    namespace: system,
    annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
    labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
  },
  spec: {
    clusterIP: dnsAddress,
    ports: [
      { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
      { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
    ],
    selector: { 'k8s-app': 'kube-dns' },
  },
}

const dnsPod: PodSpec = {
  affinity: {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          podAffinityTerm: {
            labelSelector: { matchExpressions: [{ key: 'k8s-app', operator: 'In', values: ['kube-dns'] }] },
            topologyKey: 'kubernetes.io/hostname',
          },
          weight: 100,
        },
      ],
    },
  },
  containers: [
    {
      name: 'coredns',
      image: 'registry.k8s.io/coredns/coredns:v1.12.1',
      imagePullPolicy: 'IfNotPresent',
      args: ['-conf', '/etc/coredns/Corefile'],
      ports: [
        { containerPort: 53, name: 'dns', protocol: 'UDP' },
        { containerPort: 53, name: 'dns-tcp', protocol: 'TCP' },
        { containerPort: 9153, name: 'metrics', protocol: 'TCP' },
      ],
      resources: { limits: { memory: '170Mi' }, requests: { cpu: '100m', memory: '70Mi' } },
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
        readOnlyRootFilesystem: true,
      },
      volumeMounts: [{ mountPath: '/etc/coredns', name: 'config-volume', readOnly: true }],
    },
  ],
  dnsPolicy: 'Default',
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  priorityClassName: 'system-cluster-critical',
  serviceAccountName: 'coredns',
  tolerations: [
    { key: 'CriticalAddonsOnly', operator: 'Exists' },
    { effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane' },
  ],
  volumes: [{ configMap: { items: [{ key: 'Corefile', path: 'Corefile' }], name: 'coredns' }, name: 'config-volume' }],
}

function kindnetPod(controlPlane: string): PodSpec {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })
  return onEveryNode('kindnet', {
    name: 'kindnet-cni',
    image: 'docker.io/kindest/kindnetd:v20260820-69b56db7',
    env: [
      field('HOST_IP', 'status.hostIP'),
      field('POD_IP', 'status.podIP'),
      { name: 'POD_SUBNET', value: '10.244.0.0/16' },
      { name: 'CONTROL_PLANE_ENDPOINT', value: `${controlPlane}:6443` },
    ],
    resources: { requests: { cpu: '100m', memory: '50Mi' } },
    securityContext: { capabilities: { add: ['NET_RAW', 'NET_ADMIN'] }, privileged: false },
  })
}

const kubeProxyPod: PodSpec = {
  ...onEveryNode('kube-proxy', {
    name: 'kube-proxy',
    image: 'registry.k8s.io/kube-proxy:v1.34.4',
    imagePullPolicy: 'IfNotPresent',
    command: ['/usr/local/bin/kube-proxy', '--config=/var/lib/kube-proxy/config.conf', '--hostname-override=$(NODE_NAME)'],
    env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
    securityContext: { privileged: true },
    volumeMounts: [{ mountPath: '/var/lib/kube-proxy', name: 'kube-proxy' }],
  }),
  volumes: [{ configMap: { name: 'kube-proxy' }, name: 'kube-proxy' }],
}

const provisionerPod: PodSpec = {
  containers: [
    {
      name: 'local-path-provisioner',
      image: 'docker.io/kindest/local-path-provisioner:v20260820-69b56db7',
      imagePullPolicy: 'IfNotPresent',
      command: ['local-path-provisioner', '--debug', 'start', '--config', '/etc/config/config.json'],
      env: [
        { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
        { name: 'CONFIG_MOUNT_PATH', value: '/etc/config/' },
      ],
      volumeMounts: [{ mountPath: '/etc/config/', name: 'config-volume' }],
    },
  ],
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  serviceAccountName: provisioner,
  tolerations: [{ effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane', operator: 'Equal' }],
  volumes: [{ configMap: { name: 'local-path-config' }, name: 'config-volume' }],
}

const provisionerGrant = grant(
  'local-path-provisioner-role',
  provisioner,
  [
    { apiGroups: [''], resources: ['nodes', 'persistentvolumeclaims', 'configmaps', 'pods', 'pods/log'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'] },
    { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
    { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list', 'watch'] },
  ],
  storage,
  'local-path-provisioner-bind',
)

/** What each component reads; the texts are those that kubeadm and kind write, as far as they say something here. */
function configMaps(controlPlane: string, ca: string, day: string): ConfigMap[] {
  const server = `https://${controlPlane}:6443`
  return [
    configMap('coredns', { Corefile: corefile }),
    configMap('kube-proxy', {
      'config.conf': `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
clientConnection:
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
clusterCIDR: 10.244.0.0/16
iptables:
  minSyncPeriod: 1s
kind: KubeProxyConfiguration
mode: iptables
`,
      'kubeconfig.conf': `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    server: ${server}
  name: default
contexts:
- context:
    cluster: default
    namespace: default
    user: default
  name: default
current-context: default
users:
- name: default
  user:
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
`,
    }),
    configMap('kubeadm-config', {
      // of the algorithms that kubeadm knows the one of this cluster's authorities and tokens
      ClusterConfiguration: `apiServer:
  certSANs:
  - localhost
  - 127.0.0.1
  extraArgs:
  - name: runtime-config
    value: ""
apiVersion: kubeadm.k8s.io/v1beta4
caCertificateValidityPeriod: 87600h0m0s
certificateValidityPeriod: 8760h0m0s
certificatesDir: /etc/kubernetes/pki
clusterName: ${controlPlane.replace(/-control-plane$/, '')}
controlPlaneEndpoint: ${controlPlane}:6443
controllerManager:
  extraArgs:
  - name: enable-hostpath-provisioner
    value: "true"
dns: {}
encryptionAlgorithm: ECDSA-P256
etcd:
  local:
    dataDir: /var/lib/etcd
imageRepository: registry.k8s.io
kind: ClusterConfiguration
kubernetesVersion: v1.34.4
networking:
  dnsDomain: cluster.local
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/16
proxy: {}
scheduler: {}
`,
    }),
    configMap('kubelet-config', {
      kubelet: `apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
cgroupDriver: systemd
cgroupRoot: /kubelet
clusterDNS:
- ${dnsAddress}
clusterDomain: cluster.local
kind: KubeletConfiguration
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
`,
    }),
    configMap('extension-apiserver-authentication', { 'client-ca-file': ca }),
    configMap('kube-apiserver-legacy-service-account-token-tracking', { since: day }),
    configMap(
      'cluster-info',
      {
        kubeconfig: `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from(ca).toString('base64')}
    server: ${server}
  name: ""
contexts: null
current-context: ""
kind: Config
users: null
`,
      },
      'kube-public',
    ),
    configMap(
      'local-path-config',
      {
        'config.json':
          '{\n  "nodePathMap": [\n    {"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": ["/var/local-path-provisioner"]}\n  ]\n}\n',
      },
      storage,
    ),
  ]
}

const corefile = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
`

/** Which group comes before which in discovery, as kube-apiserver registers them. */
const groupPriorities: Readonly<Record<string, number>> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'admissionregistration.k8s.io': 16_700,
  'apiextensions.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'resource.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
}

function apiServices(): KubeObject[] {
  const versions = new Set(builtInResources.map(({ group, version }) => `${version}.${group}`))
  return [...versions].flatMap((name) => {
    const version = name.slice(0, name.indexOf('.'))
    const group = name.slice(version.length + 1)
    const groupPriorityMinimum = groupPriorities[group]
    if (groupPriorityMinimum === undefined) return []
    const versionPriority =
      group === '' ? 1 : version === 'v2' ? 30 : groupPriorityMinimum === 16_100 || group === 'resource.k8s.io' ? 21 : 15
    return {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name, labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
      spec: { ...(group ? { group } : {}), groupPriorityMinimum, version, versionPriority },
    }
  })
}

/** Held for good: there is one of each and nobody else who could lead. */
function leaderLease(name: string, controlPlane: string, now: string): Lease {
  const time = now.replace('Z', '000Z')
  const spec = {
    acquireTime: time,
    renewTime: time,
    leaseDurationSeconds: 15,
    leaseTransitions: 0,
    holderIdentity: `${controlPlane}_${name}`,
  }
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: system }, spec }
}

function onEveryNode(serviceAccountName: string, container: Container): PodSpec {
  return {
    containers: [container],
    hostNetwork: true,
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    priorityClassName: 'system-node-critical',
    serviceAccountName,
    tolerations: [{ operator: 'Exists' }],
  }
}

function account(name: string, namespace = system): ServiceAccount {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } }
}

function configMap(name: string, data: Record<string, string>, namespace = system): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }
}

function grant(
  role: string,
  serviceAccount: string,
  rules: PolicyRule[],
  namespace = system,
  binding = role,
): (ClusterRole | ClusterRoleBinding)[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  return [
    { apiVersion, kind: 'ClusterRole', metadata: { name: role }, rules },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: binding },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
    },
  ]
}

function deployment(name: string, namespace: string, labels: Record<string, string>, replicas: number, spec: PodSpec): Deployment {
  const rollingUpdate = name === 'coredns' ? { maxSurge: '25%', maxUnavailable: 1 } : undefined
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, ...(name === 'coredns' ? { labels } : {}) },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      ...(rollingUpdate ? { strategy: { type: 'RollingUpdate', rollingUpdate } } : {}),
      template: { metadata: { labels }, spec },
    },
  }
}

function daemonSet(name: string, labels: Record<string, string>, key: string, spec: PodSpec): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: system, labels },
    spec: { selector: { matchLabels: { [key]: labels[key] ?? '' } }, template: { metadata: { labels }, spec } },
  }
}
