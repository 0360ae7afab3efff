import type { Process, Run } from '../kernel/process.ts'
import { crictl } from './crictl.ts'
import { bridge } from './iproute.ts'
import { iptables, iptablesSave } from './iptables.ts'
import { dmesg, journalctl } from './journalctl.ts'
import { lsblk } from './node-figures.ts'
import { nsenter } from './nsenter.ts'
import { systemctl } from './systemctl.ts'
import { tcpdump } from './tcpdump.ts'

/** What a node has and a container's image has not. */
export const nodePrograms: Record<string, Run> = {
  bridge,
  iptables,
  'iptables-save': iptablesSave,
  'cni-plugin': cniPlugin,
  systemctl,
  journalctl,
  dmesg,
  crictl,
  nsenter,
  lsblk,
  tcpdump,
}

/** A network plugin called by hand: containerd is who calls it, with its settings in the environment. */
async function cniPlugin(process: Process): Promise<number> {
  const name = process.name.split('/').pop() ?? ''
  if (process.env.get('CNI_COMMAND') === undefined) {
    await process.print(`CNI ${name} plugin v1.9.0\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n`)
    return 0
  }
  const missing = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'].filter((variable) => !process.env.get(variable))
  await process.print(
    `${JSON.stringify({ code: 4, msg: missing.length > 0 ? `required env variables [${missing.join(',')}] missing` : 'there is no such network namespace here' }, null, 4)}\n`,
  )
  return 1
}
