import type { ContainerRuntime, Volume, VolumeTraits } from '../containers/runtime.ts'
import { addressIn } from '../network/addresses.ts'
import { nodeCIDR } from '../network/index.ts'
import { configurationFile, kindConfiguration } from './configuration.ts'
import type { NodeFacts } from './environment.ts'
import type { RegisteredNode } from './node.ts'
import { nodeHostsFile } from './pod-files.ts'

const traits: VolumeTraits = { image: 'docker.io/kindest/node:v1.34.4', sizeBytes: 128 * 1024 * 1024 }

/** The file system of a node, under which hostPaths lie. */
export function filesOfNode(runtime: ContainerRuntime, node: string): Volume {
  return runtime.volume(`host/${node}`, traits)
}

/** Files of a node by their path without the leading slash. */
export type GivenFiles = Record<string, { text: string; mode: number }>

/** The flags a node's kubelet runs with. */
export function kubeletFlags(node: NodeFacts): string {
  const files = '--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf'
  return `${files} --config=/${configurationFile} ${kubeadmFlags(node)} --runtime-cgroups=/system.slice/containerd.service`
}

function kubeadmFlags({ name, ip }: NodeFacts): string {
  const provider = `kind://docker/${name.replace(/-(control-plane|worker\d*)$/, '')}/${name}`
  return `--pod-infra-container-image=registry.k8s.io/pause:3.10.1 --node-ip=${ip} --node-labels= --provider-id=${provider}`
}

/** What kubeadm, the platform and kindnet have written on a new node. */
export function writeNodeFiles(files: Volume, node: RegisteredNode, kindnet: boolean, given: GivenFiles): void {
  // What is there from before somebody may have changed.
  const write = (path: string, text: string, mode?: number) => {
    if (files.kindOf(path) === undefined || path === 'etc/hosts' || path === 'etc/resolv.conf') files.write(path, Buffer.from(text), mode)
  }
  write('etc/hostname', `${node.name}\n`)
  write('etc/hosts', nodeHostsFile(node.name, node.ip))
  write('etc/resolv.conf', `nameserver ${addressIn(nodeCIDR, 1)}\noptions ndots:0\n`)
  write(configurationFile, kindConfiguration)
  write('var/lib/kubelet/kubeadm-flags.env', `KUBELET_KUBEADM_ARGS="${kubeadmFlags(node)}"\n`)
  write('etc/default/kubelet', 'KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service\n')
  for (const [path, { text, mode }] of Object.entries(given)) write(path, text, mode)
  files.makeDirectory('var/log/containers', 0o755)
  files.makeDirectory('var/log/pods', 0o750)
  if (kindnet) write('etc/cni/net.d/10-kindnet.conflist', kindnetConfig(node.podCIDR))
}

function kindnetConfig(subnet: string): string {
  const plugins = [
    {
      type: 'ptp',
      ipMasq: false,
      ipam: { type: 'host-local', dataDir: '/run/cni-ipam-state', routes: [{ dst: '0.0.0.0/0' }], ranges: [[{ subnet }]] },
      mtu: 1500,
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ]
  return `${JSON.stringify({ cniVersion: '0.3.1', name: 'kindnet', plugins }, null, 2)}\n`
}
