import { Errno } from './errno.ts'
import { type DirNode, directory, generated } from './node.ts'

/** Kernel parameters by their dotted names, as a fresh pod's namespaces have them. */
const defaults: Readonly<Record<string, string>> = {
  'fs.file-max': '9223372036854775807',
  'fs.inotify.max_user_watches': '524288',
  'kernel.msgmax': '8192',
  'kernel.msgmnb': '16384',
  'kernel.msgmni': '32000',
  'kernel.osrelease': '6.12.0-embedded',
  'kernel.ostype': 'Linux',
  'kernel.pid_max': '4194304',
  'kernel.sem': '32000\t1024000000\t500\t32000',
  'kernel.shm_rmid_forced': '0',
  'kernel.shmall': '18446744073692774399',
  'kernel.shmmax': '18446744073692774399',
  'kernel.shmmni': '4096',
  'net.core.somaxconn': '4096',
  'net.ipv4.ip_forward': '0',
  'net.ipv4.ip_local_port_range': '32768\t60999',
  'net.ipv4.ip_local_reserved_ports': '',
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0\t2147483647',
  'net.ipv4.tcp_fin_timeout': '60',
  'net.ipv4.tcp_keepalive_intvl': '75',
  'net.ipv4.tcp_keepalive_probes': '9',
  'net.ipv4.tcp_keepalive_time': '7200',
  'net.ipv4.tcp_rmem': '4096\t131072\t6291456',
  'net.ipv4.tcp_syncookies': '1',
  'net.ipv4.tcp_wmem': '4096\t16384\t4194304',
  'vm.max_map_count': '262144',
  'vm.overcommit_memory': '1',
  'vm.panic_on_oom': '0',
}

/** Parameters that somebody else keeps and root may change: a node's network stack. */
export interface Parameters {
  sysctl(name: string): string | undefined
  setSysctl(name: string, value: string): void
}

/** The kernel parameters that a container sees: the defaults, and those that the pod's security context sets. */
export class KernelParameters {
  /** Those that are not as they are by default. */
  private readonly values: ReadonlyMap<string, string>

  /** @param set names with dots, or with slashes between their parts */
  constructor(set: Readonly<Record<string, string>>, hostname: () => string, stack?: Parameters) {
    this.values = new Map(Object.entries(set).map(([name, value]) => [dotted(name), value]))
    this.hostname = hostname
    this.stack = stack
  }

  private readonly hostname: () => string
  private readonly stack: Parameters | undefined

  names(): string[] {
    return [...new Set([...Object.keys(defaults), ...this.values.keys(), 'kernel.hostname'])].sort()
  }

  /** Undefined where the kernel knows no such parameter. */
  get(name: string): string | undefined {
    const full = dotted(name)
    if (full === 'kernel.hostname') return this.hostname()
    return this.stack?.sysctl(full) ?? this.values.get(full) ?? (Object.hasOwn(defaults, full) ? defaults[full] : undefined)
  }

  /** An unprivileged container may change none: /proc/sys is mounted read-only. A node's own may be changed. Throws Errno. */
  set(name: string, value: string): void {
    if (this.get(name) === undefined) throw new Errno('ENOENT')
    if (!this.stack) throw new Errno('EROFS')
    this.stack.setSysctl(dotted(name), value)
  }

  /** /proc/sys */
  folder(): DirNode {
    const root = directory(0o555)
    for (const name of this.names()) {
      const parts = name.split('.')
      const last = parts.pop() as string
      let dir = root
      for (const part of parts) {
        const next = dir.entries.get(part)
        const known = next?.type === 'dir' ? next : directory(0o555)
        dir.entries.set(part, known)
        dir = known
      }
      dir.entries.set(
        last,
        generated(() => `${this.get(name)}\n`, 0o644),
      )
    }
    return root
  }
}

/** With a slash before any dot, slashes part the name and dots are part of it (sysctl.d(5)). */
export function dotted(name: string): string {
  const slash = name.indexOf('/')
  const dot = name.indexOf('.')
  if (slash === -1 || (dot !== -1 && dot < slash)) return name
  return name.replace(/[./]/g, (letter) => (letter === '/' ? '.' : '/'))
}
