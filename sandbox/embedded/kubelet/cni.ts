import type { Volume } from '../containers/runtime.ts'
import { addressIn } from '../network/addresses.ts'
import type { Joint } from '../network/stacks.ts'

/** Where containerd looks, without the leading slash. */
const configFolder = 'etc/cni/net.d'
const pluginFolder = 'opt/cni/bin'
const subnetFile = 'run/flannel/subnet.env'

/** Why there is no network for a pod, in containerd's words. */
export class CniError extends Error {}

interface Plugin {
  type?: string
  bridge?: string
  mtu?: number
  subnetFile?: string
  delegate?: Plugin
  ipam?: { type?: string; subnet?: string; ranges?: { subnet?: string }[][] }
}

/** What is wrong with the node's network as its Ready condition says it; undefined when a plugin is configured. */
export function networkProblem(files: Volume): string | undefined {
  return configured(files) ? undefined : notReady
}

const notReady =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized'

/**
 * What the first network configuration of the node gives a pod: how it is joined, and the block its address comes from.
 * Throws CniError where a plugin fails (`plugin type="flannel" failed (add): ...`).
 */
export function planSandbox(files: Volume): { joint: Joint; subnet: string } {
  const plugin = configured(files)
  if (!plugin) throw new CniError('cni plugin not initialized')
  const type = plugin.type ?? ''
  const fail = (reason: string) => new CniError(`plugin type=${JSON.stringify(type)} failed (add): ${reason}`)
  demandPlugin(files, type, fail)
  const delegate = type === 'flannel' ? flannelDelegate(files, plugin, fail) : plugin
  const kind = delegate.type ?? 'bridge'
  if (kind !== type) demandPlugin(files, kind, (reason) => fail(reason))
  if (kind !== 'bridge' && kind !== 'ptp') throw fail(`fork/exec /${pluginFolder}/${kind}: exec format error`)
  demandPlugin(files, delegate.ipam?.type ?? 'host-local', fail)
  const subnet = delegate.ipam?.subnet ?? delegate.ipam?.ranges?.[0]?.[0]?.subnet
  if (!subnet) throw fail('no IP ranges specified')
  const [, bits = '24'] = subnet.split('/')
  const gateway = addressIn(subnet, 1)
  const mtu = delegate.mtu ?? 1500
  const joint: Joint =
    kind === 'ptp'
      ? { type: 'ptp', gateway, mtu }
      : { type: 'bridge', bridge: delegate.bridge ?? 'cni0', gateway, prefix: Number(bits), mtu }
  return { joint, subnet }
}

/** flannel's plugin writes the configuration of another one, by what its daemon has said. */
function flannelDelegate(files: Volume, plugin: Plugin, fail: (reason: string) => CniError): Plugin {
  const path = plugin.subnetFile?.replace(/^\/+/, '') ?? subnetFile
  const content = files.read(path)
  if (!content) throw fail(`loadFlannelSubnetEnv failed: open /${path}: no such file or directory`)
  const settings = new Map(
    Buffer.from(content)
      .toString()
      .split('\n')
      .flatMap((line): [string, string][] => {
        const at = line.indexOf('=')
        return at > 0 ? [[line.slice(0, at).trim(), line.slice(at + 1).trim()]] : []
      }),
  )
  const missing = ['FLANNEL_NETWORK', 'FLANNEL_SUBNET', 'FLANNEL_MTU', 'FLANNEL_IPMASQ'].filter((name) => !settings.has(name))
  if (missing.length > 0) throw fail(`/${path} is missing ${missing.join(', ')}`)
  const [address = '', bits = '24'] = (settings.get('FLANNEL_SUBNET') ?? '').split('/')
  const subnet = `${addressIn(address, -1)}/${bits}`
  return { type: 'bridge', bridge: 'cni0', ...plugin.delegate, mtu: Number(settings.get('FLANNEL_MTU')), ipam: { subnet } }
}

function demandPlugin(files: Volume, type: string, fail: (reason: string) => CniError): void {
  const content = files.read(`${pluginFolder}/${type}`)
  if (!content) throw fail(`failed to find plugin "${type}" in path [/${pluginFolder}]`)
  // Another program of that name says nothing that a plugin would say.
  if (!Buffer.from(content).includes('cni-plugin')) throw fail('netplugin failed with no error message: exit status 255')
}

/** The first plugin of the first configuration by name that can be read. */
function configured(files: Volume): Plugin | undefined {
  for (const name of files.list(configFolder)) {
    if (!/\.(?:conflist|conf|json)$/.test(name)) continue
    const content = files.read(`${configFolder}/${name}`)
    if (!content) continue
    try {
      const parsed = JSON.parse(Buffer.from(content).toString()) as Plugin & { plugins?: Plugin[] }
      const first = parsed.plugins ? parsed.plugins[0] : parsed
      if (first?.type) return first
    } catch (error) {
      // containerd skips what it cannot read and takes the next.
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return undefined
}
