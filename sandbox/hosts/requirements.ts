import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Text } from '../text.ts'

const execute = promisify(execFile)

/** What this machine has for hosts; each missing thing as the sentence that says what to do. */
export interface Requirements {
  /** null: hosts can be made here. */
  hosts: Text | null
  /** null: a host can filter, translate and ping. */
  network: Text | null
  /** The folder of the standard CNI plugins. */
  plugins: string | null
}

export const noPlugins: Text = {
  en: 'The standard CNI plugins are not installed on this machine (Debian: containernetworking-plugins).',
  zh: '这台机器没有安装标准 CNI 插件（Debian 软件包：containernetworking-plugins）。',
}

/** Looks by trying: makes the namespaces, the devices and a firewall rule of a host and lets them go. Never rejects. */
export async function findRequirements(): Promise<Requirements> {
  const [hosts, network, plugins] = await Promise.all([whyNoHosts(), whyNoNetwork(), findPlugins()])
  return { hosts, network: hosts ?? network, plugins }
}

async function whyNoHosts(): Promise<Text | null> {
  if (process.platform !== 'linux')
    return { en: `There are no Linux namespaces on ${process.platform}.`, zh: `${process.platform} 上没有 Linux 命名空间。` }
  for (const tool of ['unshare', 'nsenter', 'setpriv', 'prlimit', 'mount', 'bash'])
    if (!(await succeeds(tool, '--version'))) return notInstalled(tool, 'util-linux, mount, bash')
  for (const tool of ['ip', 'bridge']) if (!(await succeeds(tool, '-V'))) return notInstalled(tool, 'iproute2')
  if (!(await tried('true')))
    return {
      en: 'This kernel does not let us make user namespaces (sysctl kernel.unprivileged_userns_clone or user.max_user_namespaces).',
      zh: '这个内核不允许创建用户命名空间（sysctl kernel.unprivileged_userns_clone 或 user.max_user_namespaces）。',
    }
  if (!(await tried('mount --make-rprivate / && mount -t proc proc /proc && mount -t sysfs sysfs /sys')))
    return {
      en: 'This machine does not let us mount /proc and /sys in a user namespace (it is a container that hides parts of them).',
      zh: '这台机器不允许在用户命名空间里挂载 /proc 和 /sys（它是一个容器，隐藏了其中一部分）。',
    }
  if (
    !(await tried(
      'ip link add bridge0 type bridge && ip link add veth0 type veth peer name veth1 && ip link add vxlan0 type vxlan id 1 dstport 4789',
    ))
  )
    return {
      en: 'This kernel cannot make bridge, veth and vxlan devices in a user namespace (modules bridge, veth, vxlan).',
      zh: '这个内核无法在用户命名空间里创建 bridge、veth 和 vxlan 设备（模块 bridge、veth、vxlan）。',
    }
  return null
}

async function whyNoNetwork(): Promise<Text | null> {
  if (!(await succeeds('ping', '-V'))) return notInstalled('ping', 'iputils-ping')
  if (!(await succeeds('iptables', '--version'))) return notInstalled('iptables', 'iptables')
  if (!(await tried('mount -t tmpfs none /run && iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE')))
    return {
      en: 'iptables cannot be used in a user namespace here (modules nf_tables and nft_compat, or ip_tables).',
      zh: '这里的用户命名空间中不能使用 iptables（模块 nf_tables 和 nft_compat，或 ip_tables）。',
    }
  return null
}

/** Packages by Debian's names. */
function notInstalled(tool: string, packages: string): Text {
  return { en: `${tool} is not installed (Debian: ${packages}).`, zh: `没有安装 ${tool}（Debian 软件包：${packages}）。` }
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
