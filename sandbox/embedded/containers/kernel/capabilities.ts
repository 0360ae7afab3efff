/** A set of capabilities, a bit each as in /proc/PID/status. */
export type Capabilities = bigint

/** What a runtime's container gets of them by default (oci defaults of containerd, the 14 of Docker). */
const usual = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SYS_CHROOT',
  'MKNOD',
  'AUDIT_WRITE',
  'SETFCAP',
] as const

/** In the kernel's order (linux/capability.h); the place is the bit. */
const names = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const

export type Capability = (typeof names)[number]

const bits: ReadonlyMap<Capability, Capabilities> = new Map(names.map((name, bit) => [name, 1n << BigInt(bit)]))

export const allCapabilities: Capabilities = (1n << BigInt(names.length)) - 1n

const usualSet = setOf(usual)

/** Nothing of the given names that is no capability's counts. Names come with or without CAP_, in any case; ALL means each. */
export function capabilitiesOf({ add = [], drop = [] }: { add?: readonly string[]; drop?: readonly string[] }): Capabilities {
  return (usualSet & ~setOf(drop)) | setOf(add)
}

export function hasCapability(set: Capabilities, name: Capability): boolean {
  return set === allCapabilities || (set & (bits.get(name) as Capabilities)) !== 0n
}

/** As /proc/PID/status has them. */
export function formatCapabilities(set: Capabilities): string {
  return set.toString(16).padStart(16, '0')
}

function setOf(wanted: readonly string[]): Capabilities {
  if (wanted.length === 0) return 0n
  const plain = wanted.map((name) => name.toUpperCase().replace(/^CAP_/, ''))
  if (plain.includes('ALL')) return allCapabilities
  return names.reduce((set, name, bit) => (plain.includes(name) ? set | (1n << BigInt(bit)) : set), 0n)
}
