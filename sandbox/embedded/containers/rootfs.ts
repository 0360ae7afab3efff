import { type KeyPair, selfSigned } from '../auth/certificates.ts'
import { programMark } from './kernel/machine.ts'
import { tools } from './programs/table.ts'
import { type DirNode, directory, file, generated } from './vfs/node.ts'

export interface RootOptions {
  base: 'busybox' | 'alpine' | 'debian' | 'scratch'
  /** Path to the name of the program in it. */
  programs?: Record<string, string>
  files?: Record<string, string>
  modes?: Record<string, number>
  /** Empty folders. */
  folders?: string[]
  /** Users beside root and nobody, with the groups that /etc/group puts them in. */
  users?: { name: string; uid: number; groups?: { name: string; gid: number }[] }[]
  /** A certificate for localhost and its key. */
  localhostCertificate?: { certificate: string; key: string }
  /** bash beside the base's own shell. */
  bash?: boolean
  /** Tools beside those that the base has. */
  tools?: readonly string[] | 'all'
}

/** What busybox has no applet for: an image has it only where its makers put it there. */
const added = ['column', 'curl', 'dig', 'envsubst', 'host', 'netcat', 'ss', 'stress', 'stress-ng', 'tput']
/** Applets that are no part of Debian's smallest system. */
const appletsAlone = ['crc32', 'dos2unix', 'strings', 'tree', 'unix2dos']
const lacking = {
  busybox: new Set([...added, 'getent']),
  alpine: new Set([...added, 'crc32']),
  debian: new Set(['stress', 'stress-ng', ...appletsAlone]),
}

const roots = new Map<string, DirNode>()

/** The read-only root of an image; equal options share one tree. */
export function baseRoot(options: RootOptions): DirNode {
  const key = JSON.stringify(options)
  let root = roots.get(key)
  if (!root) {
    root = build(options)
    roots.set(key, root)
  }
  return root
}

/** A program's file: an ELF header, then its name, padded so that it does not look empty. */
function programFile(name: string) {
  return file(`${programMark}${name}\n`, 0o755, { mtime: built })
}

/** When our images were built, ms. */
const built = Date.UTC(2026, 0, 15, 9, 0, 0)

const release = {
  busybox: 'NAME="BusyBox"\nID=busybox\n',
  alpine: 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n',
  debian: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION="12 (bookworm)"\nID=debian\n',
}

function build(options: RootOptions): DirNode {
  const root = directory(0o755, { mtime: built })
  for (const path of [
    'bin',
    'dev',
    'etc',
    'home',
    'lib',
    'proc',
    'root',
    'run',
    'sys',
    'tmp',
    'usr/bin',
    'usr/sbin',
    'usr/local/bin',
    'var/log',
    'var/run',
    'var/tmp',
    'opt',
    'srv',
    'mnt',
    'sbin',
  ]) {
    folder(root, path)
  }
  folder(root, 'tmp').mode = 0o1777
  folder(root, 'var/tmp').mode = 0o1777
  folder(root, 'root').mode = 0o700
  const { users = [] } = options
  const accounts = users.map(({ name, uid }) => `${name}:x:${uid}:${uid}::/home/${name}:/bin/sh\n`)
  put(root, '/etc/passwd', `root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n${accounts.join('')}`)
  const groups = users.flatMap(({ name, uid, groups: more = [] }) => [
    `${name}:x:${uid}:\n`,
    ...more.map((group) => `${group.name}:x:${group.gid}:${name}\n`),
  ])
  put(root, '/etc/group', `root:x:0:\nnobody:x:65534:\n${groups.join('')}`)
  if (options.base !== 'scratch') {
    const { tools: more = [] } = options
    const missing = lacking[options.base]
    for (const name of tools) if (more === 'all' || more.includes(name) || !missing.has(name)) place(root, `/bin/${name}`, name)
    place(root, '/bin/sh', options.base === 'debian' ? 'dash' : 'sh')
    if (options.base === 'debian' || options.bash) place(root, '/bin/bash', 'bash')
    if (options.base === 'debian') place(root, '/bin/dash', 'dash')
    if (options.base === 'debian') put(root, '/etc/debian_version', '12.11\n')
    if (options.base === 'debian') for (const name of ['apt', 'apt-get']) place(root, `/usr/bin/${name}`, name)
    if (options.base === 'alpine') put(root, '/etc/alpine-release', '3.20.3\n')
    if (options.base === 'alpine') place(root, '/sbin/apk', 'apk')
    put(root, '/etc/os-release', release[options.base])
  }
  for (const [path, name] of Object.entries(options.programs ?? {})) place(root, path, name)
  for (const path of options.folders ?? []) folder(root, path)
  for (const [path, content] of Object.entries(options.files ?? {})) put(root, path, content, options.modes?.[path])
  for (const [path, mode] of Object.entries(options.modes ?? {})) setMode(root, path, mode)
  if (options.localhostCertificate) placeCertificate(root, options.localhostCertificate)
  return root
}

function folder(root: DirNode, path: string): DirNode {
  let dir = root
  for (const part of path.split('/').filter((each) => each !== '')) {
    let next = dir.entries.get(part)
    if (next?.type !== 'dir') {
      next = directory(0o755, { mtime: built })
      dir.entries.set(part, next)
    }
    dir = next
  }
  return dir
}

function put(root: DirNode, path: string, content: string, mode = 0o644): void {
  const slash = path.lastIndexOf('/')
  folder(root, path.slice(0, slash)).entries.set(path.slice(slash + 1), file(content, mode, { mtime: built }))
}

function setMode(root: DirNode, path: string, mode: number): void {
  const slash = path.lastIndexOf('/')
  const node = folder(root, path.slice(0, slash)).entries.get(path.slice(slash + 1))
  if (node) node.mode = mode
}

/** Made when somebody reads it; every container of this process has the same. */
function placeCertificate(root: DirNode, paths: { certificate: string; key: string }): void {
  let pair: KeyPair | undefined
  const made = () => {
    pair ??= selfSigned({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] }, built, built + 50 * 365 * 86_400_000)
    return pair
  }
  root.entries.set(
    paths.certificate.slice(1),
    generated(() => made().certificate, 0o644),
  )
  root.entries.set(
    paths.key.slice(1),
    generated(() => made().key, 0o600),
  )
}

function place(root: DirNode, path: string, program: string): void {
  const slash = path.lastIndexOf('/')
  folder(root, path.slice(0, slash)).entries.set(path.slice(slash + 1), programFile(program))
}
