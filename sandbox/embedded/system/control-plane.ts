import { stringify } from 'yaml'
import type { Container, Pod, Volume } from '../schema/types/core.v1.ts'

const pki = '/etc/kubernetes/pki'

/** The manifests of a control plane's static pods as kubeadm writes them on kind, by file name. */
export function controlPlaneManifests(node: string, ip: string): Readonly<Record<string, string>> {
  if (last?.node !== node || last.ip !== ip) last = { node, ip, manifests: manifestsOf(node, ip) }
  return last.manifests
}

/** Most clusters of a process call their nodes the same. */
let last: { node: string; ip: string; manifests: Readonly<Record<string, string>> } | undefined

function manifestsOf(node: string, ip: string): Record<string, string> {
  return Object.fromEntries(
    components(node, ip).map(({ container, mounts, annotations }) => {
      const volumeMounts = mounts.map(({ name, path, readOnly }) => ({ mountPath: path, name, ...(readOnly && { readOnly }) }))
      const volumes = mounts.map(({ name, path, type = 'DirectoryOrCreate' }): Volume => ({ hostPath: { path, type }, name }))
      const pod: Pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...(annotations && { annotations }),
          labels: { component: container.name, tier: 'control-plane' },
          name: container.name,
          namespace: 'kube-system',
        },
        spec: {
          containers: [{ ...container, volumeMounts }],
          hostNetwork: true,
          priority: 2_000_001_000,
          priorityClassName: 'system-node-critical',
          securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
          volumes: volumes.sort((one, other) => (one.name < other.name ? -1 : 1)),
        },
        status: {},
      }
      return [`${container.name}.yaml`, stringify(pod, { indentSeq: false, lineWidth: 0, sortMapEntries: true })]
    }),
  )
}

interface StaticComponent {
  container: Container
  mounts: { name: string; path: string; readOnly?: boolean; type?: string }[]
  annotations?: Record<string, string>
}

interface HealthPaths {
  live: string
  ready?: string
  started: string
}

/** @see cmd/kubeadm/app/util/staticpod, LivenessProbe, ReadinessProbe and StartupProbe */
function probesOf(
  { live, ready, started }: HealthPaths,
  host: string,
  scheme: string,
): Pick<Container, `${'liveness' | 'readiness' | 'startup'}Probe`> {
  const get = (path: string) => ({ httpGet: { host, path, port: 'probe-port', scheme }, timeoutSeconds: 15 })
  const now = { initialDelaySeconds: 10, periodSeconds: 10 }
  return {
    livenessProbe: { failureThreshold: 8, ...now, ...get(live) },
    ...(ready !== undefined && { readinessProbe: { failureThreshold: 3, periodSeconds: 1, ...get(ready) } }),
    startupProbe: { failureThreshold: 24, ...now, ...get(started) },
  }
}

const certificateFolders = [
  { name: 'ca-certs', path: '/etc/ssl/certs', readOnly: true },
  { name: 'etc-ca-certificates', path: '/etc/ca-certificates', readOnly: true },
  { name: 'k8s-certs', path: pki, readOnly: true },
  { name: 'usr-local-share-ca-certificates', path: '/usr/local/share/ca-certificates', readOnly: true },
  { name: 'usr-share-ca-certificates', path: '/usr/share/ca-certificates', readOnly: true },
]

function components(node: string, ip: string): StaticComponent[] {
  const component = (
    name: string,
    cpu: string,
    flags: string[],
    port: number,
    asked: HealthPaths,
    image = `registry.k8s.io/${name}:v1.34.4`,
  ): Container => ({
    command: [name, ...flags],
    image,
    imagePullPolicy: 'IfNotPresent',
    name,
    ports: [{ containerPort: port, name: 'probe-port', protocol: 'TCP' }],
    resources: { requests: { cpu, ...(name === 'etcd' && { memory: '100Mi' }) } },
    ...probesOf(asked, name === 'kube-apiserver' ? ip : '127.0.0.1', name === 'etcd' ? 'HTTP' : 'HTTPS'),
  })
  const config = (name: string) => ({ name: 'kubeconfig', path: `/etc/kubernetes/${name}.conf`, readOnly: true, type: 'FileOrCreate' })
  return [
    {
      annotations: { 'kubeadm.kubernetes.io/etcd.advertise-client-urls': `https://${ip}:2379` },
      container: component(
        'etcd',
        '100m',
        [
          `--advertise-client-urls=https://${ip}:2379`,
          `--cert-file=${pki}/etcd/server.crt`,
          '--client-cert-auth=true',
          '--data-dir=/var/lib/etcd',
          '--feature-gates=InitialCorruptCheck=true',
          `--initial-advertise-peer-urls=https://${ip}:2380`,
          `--initial-cluster=${node}=https://${ip}:2380`,
          `--key-file=${pki}/etcd/server.key`,
          `--listen-client-urls=https://127.0.0.1:2379,https://${ip}:2379`,
          '--listen-metrics-urls=http://127.0.0.1:2381',
          `--listen-peer-urls=https://${ip}:2380`,
          `--name=${node}`,
          `--peer-cert-file=${pki}/etcd/peer.crt`,
          '--peer-client-cert-auth=true',
          `--peer-key-file=${pki}/etcd/peer.key`,
          `--peer-trusted-ca-file=${pki}/etcd/ca.crt`,
          '--snapshot-count=10000',
          `--trusted-ca-file=${pki}/etcd/ca.crt`,
          '--watch-progress-notify-interval=5s',
        ],
        2381,
        { live: '/livez', ready: '/readyz', started: '/readyz' },
        'registry.k8s.io/etcd:3.6.5-0',
      ),
      mounts: [
        { name: 'etcd-data', path: '/var/lib/etcd' },
        { name: 'etcd-certs', path: `${pki}/etcd` },
      ],
    },
    {
      annotations: { 'kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint': `${ip}:6443` },
      container: component(
        'kube-apiserver',
        '250m',
        [
          `--advertise-address=${ip}`,
          '--allow-privileged=true',
          '--authorization-mode=Node,RBAC',
          `--client-ca-file=${pki}/ca.crt`,
          '--enable-admission-plugins=NodeRestriction',
          '--enable-bootstrap-token-auth=true',
          `--etcd-cafile=${pki}/etcd/ca.crt`,
          `--etcd-certfile=${pki}/apiserver-etcd-client.crt`,
          `--etcd-keyfile=${pki}/apiserver-etcd-client.key`,
          '--etcd-servers=https://127.0.0.1:2379',
          `--kubelet-client-certificate=${pki}/apiserver-kubelet-client.crt`,
          `--kubelet-client-key=${pki}/apiserver-kubelet-client.key`,
          '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
          `--proxy-client-cert-file=${pki}/front-proxy-client.crt`,
          `--proxy-client-key-file=${pki}/front-proxy-client.key`,
          '--requestheader-allowed-names=front-proxy-client',
          `--requestheader-client-ca-file=${pki}/front-proxy-ca.crt`,
          '--requestheader-extra-headers-prefix=X-Remote-Extra-',
          '--requestheader-group-headers=X-Remote-Group',
          '--requestheader-username-headers=X-Remote-User',
          '--secure-port=6443',
          '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
          `--service-account-key-file=${pki}/sa.pub`,
          `--service-account-signing-key-file=${pki}/sa.key`,
          '--service-cluster-ip-range=10.96.0.0/16',
          `--tls-cert-file=${pki}/apiserver.crt`,
          `--tls-private-key-file=${pki}/apiserver.key`,
          '--runtime-config=',
        ],
        6443,
        { live: '/livez', ready: '/readyz', started: '/livez' },
      ),
      mounts: certificateFolders,
    },
    {
      container: component(
        'kube-controller-manager',
        '200m',
        [
          '--allocate-node-cidrs=true',
          '--authentication-kubeconfig=/etc/kubernetes/controller-manager.conf',
          '--authorization-kubeconfig=/etc/kubernetes/controller-manager.conf',
          '--bind-address=127.0.0.1',
          `--client-ca-file=${pki}/ca.crt`,
          '--cluster-cidr=10.244.0.0/16',
          `--cluster-name=${node.replace(/-control-plane$/, '')}`,
          `--cluster-signing-cert-file=${pki}/ca.crt`,
          `--cluster-signing-key-file=${pki}/ca.key`,
          '--controllers=*,bootstrapsigner,tokencleaner',
          '--kubeconfig=/etc/kubernetes/controller-manager.conf',
          '--leader-elect=true',
          `--requestheader-client-ca-file=${pki}/front-proxy-ca.crt`,
          `--root-ca-file=${pki}/ca.crt`,
          `--service-account-private-key-file=${pki}/sa.key`,
          '--service-cluster-ip-range=10.96.0.0/16',
          '--use-service-account-credentials=true',
          '--enable-hostpath-provisioner=true',
        ],
        10257,
        { live: '/healthz', started: '/healthz' },
      ),
      mounts: [
        ...certificateFolders,
        { name: 'flexvolume-dir', path: '/usr/libexec/kubernetes/kubelet-plugins/volume/exec' },
        config('controller-manager'),
      ].sort((one, other) => (one.name < other.name ? -1 : 1)),
    },
    {
      container: component(
        'kube-scheduler',
        '100m',
        [
          '--authentication-kubeconfig=/etc/kubernetes/scheduler.conf',
          '--authorization-kubeconfig=/etc/kubernetes/scheduler.conf',
          '--bind-address=127.0.0.1',
          '--kubeconfig=/etc/kubernetes/scheduler.conf',
          '--leader-elect=true',
        ],
        10259,
        { live: '/livez', ready: '/readyz', started: '/livez' },
      ),
      mounts: [config('scheduler')],
    },
  ]
}
