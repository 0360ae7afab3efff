import { addressIn } from '../network/addresses.ts'
import { nodeCIDR, serviceCIDR } from '../network/index.ts'
import type { DnsConfig } from '../network/network.ts'
import type { Pod } from '../schema/types/core.v1.ts'

const clusterDomain = 'cluster.local'

/** How a pod's names are resolved, by dnsPolicy and dnsConfig. */
export function dnsOf(pod: Pod): DnsConfig {
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = pod.spec ?? {}
  const cluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork)
  const base: DnsConfig =
    dnsPolicy === 'None'
      ? { nameservers: [], searches: [], ndots: 1 }
      : cluster
        ? {
            nameservers: [addressIn(serviceCIDR, 10)],
            searches: [`${pod.metadata.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain],
            ndots: 5,
          }
        : { nameservers: [addressIn(nodeCIDR, 1)], searches: [], ndots: 1 }
  const ndots = dnsConfig?.options?.find(({ name }) => name === 'ndots')?.value
  return {
    nameservers: [...new Set([...base.nameservers, ...(dnsConfig?.nameservers ?? [])])],
    searches: [...new Set([...base.searches, ...(dnsConfig?.searches ?? [])])],
    ndots: ndots === undefined ? base.ndots : Number(ndots),
  }
}

export function hostnameOf(pod: Pod, nodeName: string): string {
  if (pod.spec?.hostNetwork) return nodeName
  return (pod.spec?.hostname || pod.metadata.name || '').slice(0, 63).replace(/[-.]+$/, '')
}

/** The names /etc/hosts gives besides localhost. */
export function hostsOf(pod: Pod, ip: string, nodeName: string): { ip: string; names: string[] }[] {
  const hostname = hostnameOf(pod, nodeName)
  const { subdomain, hostAliases = [] } = pod.spec ?? {}
  const full = subdomain ? [`${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`] : []
  return [{ ip, names: [...full, hostname] }, ...hostAliases.map((alias) => ({ ip: alias.ip, names: alias.hostnames ?? [] }))]
}

/** /etc/hosts of a node, as kind makes it. */
export function nodeHostsFile(name: string, ip: string): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    `${ip}\t${name}`,
  ]
  return `${lines.join('\n')}\n`
}

/** The files the kubelet puts into every container: hosts, hostname, resolv.conf. */
export function podFiles(pod: Pod, ip: string, nodeName: string, nodeHosts: string): Record<string, { content: Uint8Array; mode: number }> {
  const [own, ...aliases] = hostsOf(pod, ip, nodeName)
  const entries = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    `${ip}\t${own?.names.join('\t')}`,
  ]
  // In the node's network the node's own file holds.
  const hosts = [
    ...(pod.spec?.hostNetwork ? ['# Kubernetes-managed hosts file (host network).', ...nodeHosts.replace(/\n$/, '').split('\n')] : entries),
    ...(aliases.length > 0
      ? ['', '# Entries added by HostAliases.', ...aliases.map((alias) => `${alias.ip}\t${alias.names.join('\t')}`)]
      : []),
  ]
  const dns = dnsOf(pod)
  const options = [...(dns.ndots === 1 ? [] : [`ndots:${dns.ndots}`])]
  for (const { name, value } of pod.spec?.dnsConfig?.options ?? []) {
    if (name && name !== 'ndots') options.push(value === undefined ? name : `${name}:${value}`)
  }
  const resolv = [
    ...(dns.searches.length > 0 ? [`search ${dns.searches.join(' ')}`] : []),
    ...dns.nameservers.map((nameserver) => `nameserver ${nameserver}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ]
  const file = (lines: string[]) => ({ content: Buffer.from(`${lines.join('\n')}\n`), mode: 0o644 })
  return { hosts: file(hosts), hostname: file([hostnameOf(pod, nodeName)]), 'resolv.conf': file(resolv) }
}
