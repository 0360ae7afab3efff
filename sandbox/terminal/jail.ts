import { execFileSync } from 'node:child_process'
import { lstatSync, readlinkSync } from 'node:fs'
import type { Text } from '../text.ts'

/**
 * How a toolbox is walled off. All ways share the namespaces (user, pid, network, ipc, uts, mount) of one holder process a
 * sandbox, whose standard input is a pipe of the platform's: when the platform ends, however it ends, the holder reads
 * end of file, and the kernel kills everything in its pid namespace.
 */
export type JailKind = 'bubblewrap' | 'unshare'

export interface JailPaths {
  home: string
  tools: string
  /** A folder that everyone may enter, with an empty folder `root` in it; what is mounted there is seen by the holder only. */
  stage: string
}

/** The jails this machine can make, best first; or the sentence that says why there is none. Tries, does not guess. */
export function findJails(): { kinds: JailKind[]; reason: Text | null } {
  if (process.platform !== 'linux')
    return {
      kinds: [],
      reason: {
        en: `There are no Linux namespaces on ${process.platform}, so the shell runs as you.`,
        zh: `${process.platform} 上没有 Linux 命名空间，因此 shell 以你的身份运行。`,
      },
    }
  for (const tool of ['unshare', 'nsenter', 'setpriv', 'prlimit', 'bash'])
    if (!succeeds(tool, ['--version']))
      return {
        kinds: [],
        reason: {
          en: `${tool} is not installed (packages util-linux and bash).`,
          zh: `没有安装 ${tool}（软件包 util-linux 和 bash）。`,
        },
      }
  if (!succeeds('unshare', ['-U', '-r', '-m', '-n', '-p', '-i', '-u', '--fork', 'true']))
    return {
      kinds: [],
      reason: {
        en: 'This kernel does not let us make user namespaces (sysctl kernel.unprivileged_userns_clone or user.max_user_namespaces).',
        zh: '这个内核不允许创建用户命名空间（sysctl kernel.unprivileged_userns_clone 或 user.max_user_namespaces）。',
      },
    }
  const bubblewrap =
    succeeds('bwrap', ['--version']) &&
    succeeds('unshare', ['-U', '-r', 'bwrap', '--unshare-pid', '--unshare-net', '--ro-bind', '/', '/', '--proc', '/proc', 'true'])
  return { kinds: bubblewrap ? ['bubblewrap', 'unshare'] : ['unshare'], reason: null }
}

/**
 * The command line of a holder. As root the jail belongs to `uid` (never to root, whose uid owns the machine's /proc/sys),
 * and the folders are first mounted where that uid can reach them.
 */
export function holderCommand(kind: JailKind, paths: JailPaths, uid: number | null): string[] {
  const staged = uid === null ? paths : { ...paths, home: `${paths.stage}/home`, tools: `${paths.stage}/tools` }
  const inner =
    kind === 'bubblewrap'
      ? ['unshare', '-U', '-r', ...bubblewrap(staged)]
      : [
          'unshare',
          '-U',
          '-r',
          '-m',
          '-n',
          '-p',
          '-i',
          '-u',
          '--fork',
          '--kill-child',
          'bash',
          '-c',
          rootScript,
          'holder',
          staged.home,
          staged.tools,
          `${paths.stage}/root`,
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
    paths.home,
    paths.tools,
    paths.stage,
    ...drop,
  ]
}

/** Runs a command in the jail of the holder: as uid 1000 with no privilege there and no way to gain one. */
export function enterCommand(holder: number, uid: number | null, argv: readonly string[], environment: Record<string, string>): string[] {
  const drop = uid === null ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
  return [
    ...drop,
    ...['nsenter', '-t', `${holder}`, '-U', '-m', '-n', '-p', '-i', '-u', '--preserve-credentials', '--'],
    ...['unshare', '-U', '--map-user=1000', '--map-group=1000', '--'],
    ...['setpriv', '--no-new-privs', '--inh-caps=-all', '--'],
    ...[
      'prlimit',
      `--nproc=${limits.processes}`,
      `--as=${limits.addressSpaceBytes}`,
      `--fsize=${limits.fileBytes}`,
      '--core=0',
      '--nofile=1024',
      '--',
    ],
    ...['env', '-i', '-C', home, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
    ...argv,
  ]
}

/** Where the learner's files are inside the jail. */
export const home = '/home/learner'
/** Where kubectl, helm and their completions are inside the jail (read-only). */
export const tools = '/opt/labernetes'

export const limits = {
  processes: 512,
  addressSpaceBytes: 6 * 2 ** 30,
  fileBytes: 64 * 2 ** 20,
  /** Of all processes of a toolbox together, watched (watchdog.ts). */
  memoryBytes: 768 * 2 ** 20,
  homeBytes: 256 * 2 ** 20,
  tmpBytes: 64 * 2 ** 20,
}

function bubblewrap(paths: JailPaths): string[] {
  const system = ['--ro-bind', '/usr', '/usr']
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    const kind = kindOf(`/${name}`)
    if (kind === 'link') system.push('--symlink', readlinkSync(`/${name}`), `/${name}`)
    else if (kind === 'folder') system.push('--ro-bind', `/${name}`, `/${name}`)
  }
  const files = etcFiles.flatMap((file) => ['--ro-bind-try', file, file])
  return [
    'bwrap',
    ...['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--hostname', 'toolbox', '--new-session', '--die-with-parent'],
    ...system,
    ...['--proc', '/proc', '--dev', '/dev', '--size', `${16 * 2 ** 20}`, '--tmpfs', '/dev/shm'],
    ...['--size', `${limits.tmpBytes}`, '--tmpfs', '/tmp', '--dir', '/run', '--dir', '/etc'],
    ...files,
    ...[
      '--symlink',
      `${tools}/etc/passwd`,
      '/etc/passwd',
      '--symlink',
      `${tools}/etc/group`,
      '/etc/group',
      '--symlink',
      `${tools}/etc/hosts`,
      '/etc/hosts',
    ],
    ...['--ro-bind', paths.tools, tools, '--bind', paths.home, home],
    ...['--chmod', '0755', '/opt', '--chmod', '0755', '/home', '--chmod', '1777', '/tmp'],
    ...['--remount-ro', '/', '--remount-ro', '/dev'],
    ...['--info-fd', '3', 'bash', '--norc', '-c', holdScript],
  ]
}

/** System files a shell is glad to have; none of them tells anything about the machine. */
const etcFiles = [
  '/etc/ld.so.cache',
  '/etc/alternatives',
  '/etc/bash_completion.d',
  '/etc/terminfo',
  '/etc/inputrc',
  '/etc/nanorc',
  '/etc/vim',
  '/etc/localtime',
  '/etc/services',
  '/etc/protocols',
]

/** Says that the jail stands, then lasts until its standard input ends. */
const holdScript = 'echo; while read -r _; do :; done'

const stageScript = `
set -e
home=$1 tools=$2 stage=$3; shift 3
mount -t tmpfs -o mode=755,size=1m none "$stage"
mkdir "$stage/home" "$stage/tools" "$stage/root"
mount --bind "$home" "$stage/home"
mount --bind "$tools" "$stage/tools"
exec "$@"
`

/** What bubblewrap does, by mount(8) and pivot_root(8). */
const rootScript = `
set -e
home=$1 tools=$2 root=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755,size=2m none "$root"
cd "$root"
for name in usr bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$name"
  elif [ -d "/$name" ]; then mkdir "$name"; mount --rbind "/$name" "$name"; mount -o remount,bind,ro "$name"
  fi
done
mkdir -p proc dev tmp run etc home/learner opt/labernetes old
mount -t proc proc proc
mount -t tmpfs -o mode=755,size=1m none dev
for device in null zero full random urandom tty; do touch "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=1777,size=16m none dev/shm
mount -t tmpfs -o mode=1777,size=${limits.tmpBytes} none tmp
for file in ${etcFiles.join(' ')}; do
  [ -e "$file" ] || continue
  if [ -d "$file" ]; then mkdir -p ".$file"; else touch ".$file"; fi
  mount --bind "$file" ".$file"; mount -o remount,bind,ro ".$file"
done
for file in passwd group hosts; do ln -s "${tools}/etc/$file" "etc/$file"; done
mount --bind "$tools" opt/labernetes; mount -o remount,bind,ro opt/labernetes
mount --bind "$home" home/learner
hostname toolbox
ip link set lo up 2>/dev/null || true
pivot_root . old
umount -l /old
rmdir /old
mount -o remount,bind,ro /dev
mount -o remount,bind,ro /
exec bash --norc -c '${holdScript}'
`

function succeeds(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

function kindOf(path: string): 'link' | 'folder' | 'none' {
  try {
    return lstatSync(path).isSymbolicLink() ? 'link' : 'folder'
  } catch {
    return 'none'
  }
}
