import type { Docker } from '../docker.ts'

/** Where the networks of learners may lead besides themselves. */
export type Egress = 'none' | 'internet'

/** The bridge of every sandbox's network begins with this; the walls stand around all of them. */
export const bridgePrefix = 'br-lbn'

/**
 * Walls off the Docker networks whose bridges are called `br-lbn...`: from them nobody reaches this machine's own addresses
 * (any of them: the platform, Docker, ssh, another learner's published port), link-local addresses such as the cloud's
 * metadata, private networks, or each other. With egress 'internet' public addresses remain; with 'none' nothing does. What the
 * platform itself opens to a node is answered. They are firewall rules by interface, so that a learner with root on a node
 * cannot get around them with other addresses; IPv6 is closed altogether. Nor is anything said about what lies beyond: the
 * kernel looks at a packet's size before it asks the firewall, and would tell a learner's node the size that fits this machine's
 * own uplink, which the node then takes for that of the way to a neighbour for ten minutes. Idempotent, and quick when they
 * stand already.
 *
 * They are put up by a container in the host's network with CAP_NET_ADMIN: whoever may use Docker may do that, root or not,
 * and with rootless Docker it is the rootless network that they stand in. Rejects when they cannot be put up.
 */
export async function raiseWalls(docker: Docker, image: string, egress: Egress = 'none'): Promise<void> {
  const flags = ['--rm', '--interactive', '--network=host', '--user=0:0', '--cap-drop=ALL', '--cap-add=NET_ADMIN', '--cap-add=NET_RAW']
  try {
    await docker.call(['run', ...flags, '--read-only', '--tmpfs=/run', '--entrypoint=/bin/sh', image, '-s'], {
      stdin: script(egress),
      timeout: 60_000,
    })
  } catch (cause) {
    throw new Error(`The walls around learners' networks cannot be put up: ${(cause as Error).message}`, { cause })
  }
}

const inward = 'LABERNETES-INPUT'
const onward = 'LABERNETES-FORWARD'
const outward = 'LABERNETES-OUTPUT'
/** Said at once rather than dropped: nobody waits for an image that cannot come. */
const refuse = ['-p tcp -j REJECT --reject-with tcp-reset', '-j REJECT --reject-with icmp-admin-prohibited']
const refuse6 = ['-p tcp -j REJECT --reject-with tcp-reset', '-j REJECT --reject-with icmp6-adm-prohibited']
/** RFC 6890's, and Docker's own networks with them. */
const privateNetworks = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'],
]

function script(egress: Egress): string {
  const replies = '-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN'
  // within one bridge traffic passes the forward chain too (br_netfilter); Docker's own rules keep two bridges apart
  const within = `-o ${bridgePrefix}+ -j RETURN`
  // names are asked for where this machine asks, which may well be a private address
  const names = ['-p udp --dport 53 -j RETURN', '-p tcp --dport 53 -j RETURN']
  const refused = privateNetworks.flatMap((network) => refuse.map((rule) => rule.replace('-j', `-d ${network} -j`)))
  const onward4 = egress === 'none' ? refuse : [...names, ...refused, '-j RETURN']
  const tooLong = '-p icmp --icmp-type fragmentation-needed'
  const untold =
    egress === 'none' ? [`${tooLong} -j DROP`] : privateNetworks.map((to) => `${tooLong} -m conntrack --ctorigdst ${to} -j DROP`)
  return `set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
for backend in nft legacy; do
  iptables-$backend -w -S DOCKER-USER >/dev/null 2>&1 && break
  backend=
done
test -n "$backend" || { echo 'error: this Docker has no DOCKER-USER chain in iptables' >&2; exit 1; }
wall() { # COMMAND CHAIN PARENT DIRECTION RULE...
  command=$1 chain=$2 parent=$3 direction=$4
  shift 4
  { echo '*filter'; echo ":$chain - [0:0]"; for rule; do echo "-A $chain $rule"; done; echo COMMIT; } | $command-restore -w --noflush
  $command -w -C $parent $direction ${bridgePrefix}+ -j $chain 2>/dev/null || $command -w -I $parent 1 $direction ${bridgePrefix}+ -j $chain
}
wall iptables-$backend ${inward} INPUT -i ${quoted([replies, ...refuse])}
wall iptables-$backend ${onward} DOCKER-USER -i ${quoted([replies, within, ...onward4])}
wall iptables-$backend ${outward} OUTPUT -o ${quoted(untold)}
if test -e /proc/net/if_inet6; then
  wall ip6tables-$backend ${inward} INPUT -i ${quoted(refuse6)}
  wall ip6tables-$backend ${onward} FORWARD -i ${quoted([`-o ${bridgePrefix}+ -j RETURN`, ...refuse6])}
fi
`
}

function quoted(rules: readonly string[]): string {
  return rules.map((rule) => `'${rule}'`).join(' ')
}
