import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** What this machine has for hosts; each missing thing as the sentence that says what to do. */
export interface Requirements {
  /** null: hosts can be made here. */
  hosts: string | null
  /** null: a host can filter, translate and ping. */
  network: string | null
  /** The folder of the standard CNI plugins. */
  plugins: string | null
}

export const noPlugins = 'The standard CNI plugins are not installed on this machine (Debian: containernetworking-plugins).'

/** Looks by trying: makes the namespaces, the devices and a firewall rule of a host and lets them go. Never rejects. */
export async function findRequirements(): Promise<Requirements> {
  const [hosts, network, plugins] = await Promise.all([whyNoHosts(), whyNoNetwork(), findPlugins()])
  return { hosts, network: hosts ?? network, plugins }
}

async function whyNoHosts(): Promise<string | null> {
  if (process.platform !== 'linux') return `There are no Linux namespaces on ${process.platform}.`
  for (const tool of ['unshare', 'nsenter', 'setpriv', 'prlimit', 'mount', 'bash'])
    if (!(await succeeds(tool, '--version'))) return `${tool} is not installed (packages util-linux, mount and bash).`
  for (const tool of ['ip', 'bridge']) if (!(await succeeds(tool, '-V'))) return `${tool} is not installed (package iproute2).`
  if (!(await tried('true')))
    return 'This kernel does not let us make user namespaces (sysctl kernel.unprivileged_userns_clone or user.max_user_namespaces).'
  if (!(await tried('mount --make-rprivate / && mount -t proc proc /proc && mount -t sysfs sysfs /sys')))
    return 'This machine does not let us mount /proc and /sys in a user namespace (it is a container that hides parts of them).'
  if (
    !(await tried(
      'ip link add bridge0 type bridge && ip link add veth0 type veth peer name veth1 && ip link add vxlan0 type vxlan id 1 dstport 4789',
    ))
  )
    return 'This kernel cannot make bridge, veth and vxlan devices in a user namespace (modules bridge, veth, vxlan).'
  return null
}

async function whyNoNetwork(): Promise<string | null> {
  if (!(await succeeds('ping', '-V'))) return 'ping is not installed (Debian: iputils-ping).'
  if (!(await succeeds('iptables', '--version'))) return 'iptables is not installed.'
  if (!(await tried('mount -t tmpfs none /run && iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE')))
    return 'iptables cannot be used in a user namespace here (modules nf_tables and nft_compat, or ip_tables).'
  return null
}

async function findPlugins(): Promise<string | null> {
  for (const folder of ['/usr/lib/cni', '/usr/libexec/cni', '/opt/cni/bin']) {
    const names: string[] = await readdir(folder).catch(() => [])
    if (['bridge', 'host-local', 'ptp', 'loopback'].every((name) => names.includes(name))) return folder
  }
  return null
}

function tried(script: string): Promise<boolean> {
  return succeeds('unshare', '-U', '-r', '-m', '-n', '-p', '-i', '-u', '--fork', 'sh', '-c', script)
}

function succeeds(command: string, ...args: string[]): Promise<boolean> {
  return execute(command, args, { timeout: 10_000 }).then(
    () => true,
    () => false,
  )
}
