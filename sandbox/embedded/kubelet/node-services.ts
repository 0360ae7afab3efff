import type { Service } from '../node/systemd.ts'
import { configurationFile } from './configuration.ts'
import type { NodeFacts } from './environment.ts'
import type { Kubelet } from './kubelet.ts'
import { kubeletFlags } from './node-files.ts'

/** kind's two services of a node; the order is that of a boot. */
export function servicesOf(node: NodeFacts, kubelet: Kubelet, onStop: () => void): Service[] {
  return [
    {
      name: 'containerd.service',
      description: 'containerd container runtime',
      documentation: 'https://containerd.io',
      file: '/etc/systemd/system/containerd.service',
      dropIns: [],
      text: containerdUnit,
      slice: 'system.slice',
      executable: '/usr/local/bin/containerd',
      firstPid: 182,
      args: () => '',
      start: (pid) => kubelet.runtimeStarted(pid),
      stop: () => kubelet.runtimeStopped(),
      restartAfter: 1000,
    },
    {
      name: 'kubelet.service',
      description: 'kubelet: The Kubernetes Node Agent',
      documentation: 'http://kubernetes.io/docs/',
      file: '/etc/systemd/system/kubelet.service',
      dropIns: ['/etc/systemd/system/kubelet.service.d/10-kubeadm.conf'],
      text: kubeletUnit,
      slice: 'kubelet.slice',
      executable: '/usr/bin/kubelet',
      firstPid: 651,
      args: () => kubeletFlags(node),
      condition: { path: `/${configurationFile}`, met: () => kubelet.files.kindOf(configurationFile) === 'file' },
      start: (pid) => kubelet.start(pid),
      stop: () => {
        kubelet.stop()
        onStop()
      },
      restartAfter: 1000,
    },
  ]
}

const containerdUnit = `# /etc/systemd/system/containerd.service
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target local-fs.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=1
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`

const kubeletUnit = `# /etc/systemd/system/kubelet.service
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=http://kubernetes.io/docs/
ConditionPathExists=/var/lib/kubelet/config.yaml

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=1s
CPUAccounting=true
MemoryAccounting=true
Slice=kubelet.slice
KillMode=process

[Install]
WantedBy=multi-user.target

# /etc/systemd/system/kubelet.service.d/10-kubeadm.conf
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`
