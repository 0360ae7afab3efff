import { join } from 'node:path'
import { limits } from './limits.ts'

/*
 * How hosts are walled off. One user namespace a sandbox has the underlay: a network with a bridge and a port for each host,
 * and nothing that leads out. In it each host is a user namespace of its own with pid, network, ipc, uts and mount namespaces:
 * its mounts come from the outer one, so that its root cannot undo what is read-only, and the underlay is not its own.
 */
/**
 * The command line that makes the hosts and keeps them. Says "ready" on its standard output, then lasts until its standard
 * input says "end", or nothing for limits.orphanSeconds. As root it belongs to `uid`. The stage is a folder that everyone may
 * enter, as furnish() leaves it.
 */
export function hostsCommand(stage: string, uid: number | null, names: readonly string[]): string[] {
  const inner = [
    ...['unshare', '-U', '-r', '-m', '-n', '-p', '-i', '-u', '--fork', '--kill-child'],
    ...['bash', '--norc', '-c', underlayScript, 'underlay', stage, hostScript, ...names],
  ]
  if (uid === null) return inner
  const drop = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', ...inner]
  return [
    'unshare',
    '-m',
    '--propagation',
    'private',
    'bash',
    '--norc',
    '-c',
    stageScript,
    'stage',
    process.execPath,
    nodeOf(stage, uid),
    ...drop,
  ]
}

/** Where the hosts find this program's Node: as root, in the stage, since their uid may not enter the folder where it is. */
export function nodeOf(stage: string, uid: number | null): string {
  return uid === null ? process.execPath : join(stage, 'node')
}

/** Runs a command on the host whose first process this is: as root there. */
export function enterHost(pid: number, uid: number | null, argv: readonly string[], environment: Record<string, string>): string[] {
  const drop = uid === null ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
  return [
    ...drop,
    ...['nsenter', '-t', `${pid}`, '-U', '-m', '-n', '-p', '-i', '-u', '--preserve-credentials', '--'],
    ...['prlimit', `--nproc=${limits.processes}`, `--as=${limits.addressSpaceBytes}`, `--fsize=${limits.fileBytes}`],
    ...['--core=0', '--nofile=1024', '--'],
    ...['env', '-i', '-C', '/root', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
    ...argv,
  ]
}

/** As root: puts Node where the uid of the hosts can reach it. */
const stageScript = `
set -e
mount --bind "$1" "$2"
shift 2
exec "$@"
`

/**
 * $1 the stage, $2 the script of a host, then the hosts' names. Hosts say a line on 8 at each step that others wait for, and
 * are told to go on by a line on 9.
 */
const underlayScript = `
set -e
stage=$1 script=$2; shift 2
ulimit -u ${limits.processes}
mount --make-rprivate /
mount -a -T "$stage/folders.fstab"
cp -RP --preserve=mode "$stage/files/." "$stage/root"
mount -a -T "$stage/files.fstab"
exec 8<> <(:) 9<> <(:)
hosts=()
for name; do
  unshare -U -r -m -n -p -i -u --fork bash --norc -c "$script" host "$stage" "$name" <&9 >&8 8<&- 9<&- &
  hosts+=($!)
done
for name; do read -r -t 20 -u 8 _; done
{
  echo link add underlay type bridge
  echo link set underlay up
  for name; do
    echo "link add $name type veth peer name eth0 netns \${hosts[0]}"
    echo "link set $name master underlay up"
    hosts=("\${hosts[@]:1}")
  done
} | ip -batch -
for name; do echo >&9; done
for name; do read -r -t 20 -u 8 _; done
exec 8<&- 9<&-
echo ready
exec > /dev/null 2>&1
while read -r -t ${limits.orphanSeconds} line && [ "$line" != end ]; do :; done
`

/** $1 the stage, $2 the name. What the underlay mounted is locked here: this user namespace did not mount it. */
const hostScript = `
set -e
root=$1/root/$2
exec 7< "$1/$2.network"
# itself, so that it can be pivoted into: what the underlay mounted is locked where it is
mount --rbind "$root" "$root"
mount -a -T "$1/$2.fstab"
hostname "$2"
cd "$root"
pivot_root . .
umount -l .
cd /
echo up
read -r _
ip -batch - <&7
# as on a node; by itself a new network takes it over from the machine
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
exec 9<> <(:) >/dev/null 2>&1 <&9 9<&- 7<&-
exec -a init bash --norc -c 'while :; do read -r _; done'
`
