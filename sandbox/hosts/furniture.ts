import { lstatSync, readlinkSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from './limits.ts'

export interface HostPlan {
  /** 'worker', 'worker2' ... */
  name: string
  /** Of its eth0 in the underlay. */
  address: string
}

/** The hosts of a sandbox: as many as asked for, two at least, named as kind names its workers. */
export function planHosts(count: number): HostPlan[] {
  return Array.from({ length: Math.min(limits.hosts, Math.max(2, count)) }, (_, index) => ({
    name: index === 0 ? 'worker' : `worker${index + 1}`,
    address: `172.30.0.${index + 2}`,
  }))
}

/**
 * Writes into the stage (an empty folder that everyone may enter) what the hosts are made of: their own files, and the tables
 * of what is mounted into them. `node` is the program they get as /opt/labernetes/bin/node, `plugins` the folder of this
 * machine's CNI plugins, `homeFiles` a folder that is copied to /root of the first host.
 */
export async function furnish(
  stage: string,
  hosts: readonly HostPlan[],
  { node, plugins, homeFiles }: { node: string; plugins: string | null; homeFiles: string | null },
): Promise<void> {
  await mkdir(join(stage, 'root'))
  await writeFile(join(stage, 'node'), '')
  const system = systemFolders()
  const files = etcFiles.filter((file) => kindOf(file) !== 'none')
  await Promise.all(hosts.map((host) => furnishHost(stage, host, hosts, system, files, plugins)))
  const [first] = hosts
  if (homeFiles !== null && first) await cp(homeFiles, join(stage, 'files', first.name, 'root'), { recursive: true })
  await furnishDevices(join(stage, 'files/.dev'))
  await writeFile(join(stage, 'folders.fstab'), foldersTable(stage, hosts))
  await writeFile(join(stage, 'files.fstab'), filesTable(stage, hosts, node, system, files))
}

interface SystemFolders {
  links: [name: string, to: string][]
  folders: string[]
}

function systemFolders(): SystemFolders {
  const found: SystemFolders = { links: [], folders: ['usr'] }
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    const kind = kindOf(`/${name}`)
    if (kind === 'link') found.links.push([name, readlinkSync(`/${name}`)])
    else if (kind === 'folder') found.folders.push(name)
  }
  return found
}

/** System files that programs are glad to have; none of them tells anything about the machine. */
const etcFiles = [
  '/etc/ld.so.cache',
  '/etc/alternatives',
  '/etc/terminfo',
  '/etc/inputrc',
  '/etc/nanorc',
  '/etc/vim',
  '/etc/services',
  '/etc/protocols',
  '/etc/ethertypes',
  '/etc/iproute2',
]

const folders = ['root', 'tmp', 'run', 'etc', 'etc/cni/net.d', 'var/lib/cni', 'var/log', 'var/tmp', 'opt/cni/bin', 'opt/labernetes/bin']
const mountPoints = ['proc', 'sys', 'dev', 'home', 'mnt', 'srv', 'media']
const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

function foldersTable(stage: string, hosts: readonly HostPlan[]): string {
  const root = quoted(join(stage, 'root'))
  const tmpfs = (target: string, options: string) => `none ${target} tmpfs X-mount.mkdir,${options} 0 0\n`
  const own = hosts.map(({ name }) => tmpfs(`${root}/${name}`, `mode=755,size=${limits.filesBytes},nr_inodes=16384`))
  return [tmpfs(root, 'mode=755,size=1m'), tmpfs(`${root}/.dev`, 'mode=755,size=1m'), ...own].join('')
}

function filesTable(stage: string, hosts: readonly HostPlan[], node: string, system: SystemFolders, files: readonly string[]): string {
  const root = quoted(join(stage, 'root'))
  const bind = (source: string, target: string, options: string) => `${source} ${target} none ${options} 0 0\n`
  const lines = devices.map((device) => bind(`/dev/${device}`, `${root}/.dev/${device}`, 'bind'))
  for (const { name } of hosts) {
    const at = `${root}/${name}`
    for (const folder of system.folders) lines.push(bind(`/${folder}`, `${at}/${folder}`, 'rbind,ro'))
    // below the host's own: `ip netns exec` takes that one away, and the kernel lets it mount another only where one is left
    lines.push(`underlay ${at}/sys sysfs defaults 0 0\n`)
    for (const file of files) lines.push(bind(file, `${at}${file}`, 'bind,ro'))
    lines.push(bind(quoted(node), `${at}/opt/labernetes/bin/node`, 'bind,ro'), bind(`${root}/.dev`, `${at}/dev`, 'rbind,ro'))
  }
  return lines.join('')
}

async function furnishHost(
  stage: string,
  host: HostPlan,
  hosts: readonly HostPlan[],
  system: SystemFolders,
  files: readonly string[],
  plugins: string | null,
): Promise<void> {
  const at = join(stage, 'files', host.name)
  const made = [...folders, ...mountPoints, ...system.folders, ...files.filter((file) => kindOf(file) === 'folder')]
  for (const folder of made) await mkdir(join(at, folder), { recursive: true, mode: 0o755 })
  await chmod(join(at, 'tmp'), 0o1777)
  const links = [...system.links, ['var/run', '../run'] as const]
  if (plugins) for (const name of await readdir(plugins)) links.push([`opt/cni/bin/${name}`, join(plugins, name)])
  for (const [name, to] of links) await symlink(to, join(at, name))
  const texts: Record<string, string> = {
    ...Object.fromEntries(files.filter((file) => kindOf(file) !== 'folder').map((file) => [file, ''])),
    'opt/labernetes/bin/node': '',
    'etc/hostname': `${host.name}\n`,
    'etc/hosts': `127.0.0.1 localhost\n${hosts.map(({ name, address }) => `${address} ${name}\n`).join('')}`,
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
    'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
    'root/.bashrc': bashrc,
    'root/.profile': '[ -n "$BASH_VERSION" ] && . ~/.bashrc\n',
  }
  for (const [name, text] of Object.entries(texts)) await writeFile(join(at, name), text)
  for (const [name, text] of Object.entries(programs)) await writeFile(join(at, 'opt/labernetes/bin', name), text, { mode: 0o755 })
  await writeFile(join(stage, `${host.name}.fstab`), systemTable(`${quoted(join(stage, 'root'))}/${host.name}`))
  await writeFile(join(stage, `${host.name}.network`), `link set lo up\naddr add ${host.address}/24 dev eth0\nlink set eth0 up\n`)
}

/** Targets of the mounts, and the links beside them. */
async function furnishDevices(at: string): Promise<void> {
  for (const folder of ['pts', 'shm']) await mkdir(join(at, folder), { recursive: true, mode: 0o755 })
  for (const device of devices) await writeFile(join(at, device), '')
  const links = { ptmx: 'pts/ptmx', fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2' }
  for (const [name, to] of Object.entries(links)) await symlink(to, join(at, name))
}

/** What a host mounts by itself: these tell of its own processes and network. */
function systemTable(root: string): string {
  return [
    `proc ${root}/proc proc defaults 0 0\n`,
    `sysfs ${root}/sys sysfs defaults 0 0\n`,
    `devpts ${root}/dev/pts devpts newinstance,ptmxmode=0666,mode=620 0 0\n`,
    `shm ${root}/dev/shm tmpfs mode=1777,size=16m 0 0\n`,
  ].join('')
}

const bashrc = `# The shell of a host. Your own settings belong below.
case $- in *i*) ;; *) return ;; esac
HISTSIZE=5000 HISTFILESIZE=5000 HISTCONTROL=ignoreboth
shopt -s histappend checkwinsize huponexit
PROMPT_COMMAND='history -a'
PS1='\\[\\e[38;5;67m\\]\\h:\\w\\[\\e[0m\\] # '
alias ls='ls --color=auto' ll='ls -l' grep='grep --color=auto' ip='ip --color=auto' bridge='bridge --color=auto'
[ -r /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion
`

const programs: Record<string, string> = {
  // It gives up its groups at the start, which a host with one user may not: the filter makes setgroups(2) do nothing.
  tcpdump: `#!/usr/bin/perl
my ($setgroups, $seccomp) = \`uname -m\` =~ /^x86_64/ ? (116, 317) : (159, 277);
my $filter = join '', map { pack 'SCCL', @$_ } [0x20, 0, 0, 0], [0x15, 0, 1, $setgroups], [0x06, 0, 0, 0x50000], [0x06, 0, 0, 0x7fff0000];
my $program = pack 'S x6 P', 4, $filter;
syscall($seccomp, 1, 0, $program) == 0 or die "tcpdump: seccomp: $!\\n";
exec '/usr/bin/tcpdump', '-Z', 'root', @ARGV or die "tcpdump is not installed on this machine\\n";
`,
  webserver: `#!/opt/labernetes/bin/node
// webserver [port]: answers every request with the name of the host and the addresses of the connection.
const port = Number(process.argv[2] ?? 80)
require('node:http')
  .createServer(({ socket }, response) => {
    const bare = (address) => address.replace('::ffff:', '')
    response.end(\`\${require('node:os').hostname()} at \${bare(socket.localAddress)} hears \${bare(socket.remoteAddress)}\\n\`)
  })
  .listen(port, () => console.log(\`port \${port}\`))
`,
}

/** As fstab(5) wants a path. */
function quoted(path: string): string {
  return path.replace(/[\\\s]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

function kindOf(path: string): 'link' | 'folder' | 'file' | 'none' {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found === undefined ? 'none' : found.isSymbolicLink() ? 'link' : found.isDirectory() ? 'folder' : 'file'
}
