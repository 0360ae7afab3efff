import { type FlannelConfig, parseFlannelConfig } from '../../network/flannel.ts'
import type { Process } from '../kernel/process.ts'
import { Errno } from '../vfs/errno.ts'

const configFile = '/etc/kube-flannel/net-conf.json'
const subnetFile = '/run/flannel/subnet.env'

/** flannel's daemon: works on the node's own network, and says in /run/flannel/subnet.env which addresses are the node's. */
export async function flanneld(process: Process): Promise<number> {
  const log = (level: 'I' | 'W' | 'E', place: string, text: string) =>
    process.complain(`${level}${stamp(process)}       1 ${place}] ${text}\n`)
  if (!process.args.includes('--kube-subnet-mgr')) {
    await log(
      'E',
      'main.go:232',
      'Failed to create SubnetManager: etcd is not reachable: client: etcd cluster is unavailable or misconfigured',
    )
    return 1
  }
  const { node } = process.machine.network
  if (!node) {
    await log('E', 'main.go:211', 'Failed to find any valid interface to use: the pod is not on the network of its node')
    return 1
  }
  let config: FlannelConfig
  try {
    config = parseFlannelConfig(Buffer.from(await process.readWhole(configFile)).toString())
  } catch (error) {
    if (process.ended || !(error instanceof Error)) throw error
    const reason = error instanceof Errno ? `failed to read net conf: open ${configFile}: ${error.message.toLowerCase()}` : error.message
    await log('E', 'main.go:232', `Failed to create SubnetManager: ${reason}`)
    return 1
  }
  try {
    const runsOn = process.resume<{ runs: boolean }>()?.runs === true
    const flannel = await process.machine.clock.during(node.flannel(config, runsOn))
    process.save({ runs: true })
    process.onEnd(() => flannel[Symbol.dispose]())
    const { lease } = flannel
    if (runsOn) return await untilTold(process)
    await log('I', 'main.go:523', `Found network config - Backend type: ${config.backend.type}`)
    const masquerade = process.args.some((arg) => /^--?ip-masq(?:=true)?$/.test(arg))
    const env = `FLANNEL_NETWORK=${config.network}\nFLANNEL_SUBNET=${lease.subnet}\nFLANNEL_MTU=${lease.mtu}\nFLANNEL_IPMASQ=${masquerade}\n`
    process.fs.write(subnetFile, env, process.who, 0o644)
    await log('I', 'match.go:259', `Using interface with name eth0 and address ${lease.publicIP}`)
    await log('I', 'main.go:408', `Wrote subnet file to ${subnetFile}`)
    await log('I', 'main.go:412', 'Running backend.')
  } catch (error) {
    if (process.ended || !(error instanceof Error)) throw error
    await log('E', 'main.go:359', error.message)
    return 1
  }
  return await untilTold(process)
}

function untilTold(process: Process): Promise<number> {
  return process.block<number>((resolve) => process.trap('TERM', () => resolve(0)))
}

function stamp(process: Process): string {
  const time = new Date(process.machine.now()).toISOString()
  return `${time.slice(5, 7)}${time.slice(8, 10)} ${time.slice(11, 23)}000`
}
