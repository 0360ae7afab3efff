import { klogLine } from '../../node/journal.ts'
import type { Process, Program, Run } from '../kernel/process.ts'
import { componentFlags } from './control-plane-flags.ts'
import { serveHealth } from './control-plane-health.ts'

export type ComponentName = keyof typeof componentFlags

/**
 * The control plane's programs. What they are for is done by the cluster's own process: as long as one of them runs, and not
 * longer. What they are started with must be right.
 */
export const controlPlanePrograms: Record<ComponentName, Program> = {
  etcd: { run: component('etcd', etcdDemands), memoryBytes: 44 * 1024 * 1024 },
  'kube-apiserver': { run: component('kube-apiserver', apiServerDemands), memoryBytes: 240 * 1024 * 1024 },
  'kube-controller-manager': { run: component('kube-controller-manager', managerDemands), memoryBytes: 56 * 1024 * 1024 },
  'kube-scheduler': { run: component('kube-scheduler', schedulerDemands), memoryBytes: 26 * 1024 * 1024 },
}

type Flags = ReadonlyMap<string, string>

/** The first file that is not there, as the program says it; undefined where all are. */
type Demands = (flags: Flags, exists: (path: string) => boolean) => string | undefined

function component(name: ComponentName, demands: Demands): Run {
  return async (process) => {
    const flags = new Map<string, string>()
    const args = [...process.args]
    for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
      const [, flag = '', value] = /^--?([^=]+)(?:=(.*))?$/s.exec(arg) ?? []
      if (!componentFlags[name].has(flag)) return await unknownFlag(process, name, arg, flag)
      const apart = value === undefined && args[0] !== undefined && !args[0].startsWith('-') ? args.shift() : undefined
      flags.set(flag, value ?? apart ?? 'true')
    }
    const log = (severity: 'I' | 'E', place: string, message: string, values?: Record<string, unknown>) =>
      process.complain(`${klogLine(process.machine.now(), 1, severity, place, message, values)}\n`)
    const exists = (path: string) => process.fs.find(path, process.who) !== undefined
    const missing = demands(flags, exists)
    if (missing !== undefined) {
      if (name === 'etcd')
        await process.complain(`${JSON.stringify({ level: 'fatal', ts: stamp(process), msg: 'discovery failed', error: missing })}\n`)
      else await log('E', 'run.go:72', 'command failed', { err: missing })
      return 1
    }
    // an etcd without the cluster's certificates is somebody's own
    if (name !== 'etcd' || flags.has('cert-file')) {
      const health = serveHealth(process, name, flags)
      if (typeof health === 'string') {
        await log('E', 'run.go:72', 'command failed', { err: health })
        return 1
      }
      const running = process.machine.component(name)
      process.onEnd(() => {
        health[Symbol.dispose]()
        running[Symbol.dispose]()
      })
    }
    if (name === 'etcd')
      await process.complain(`${JSON.stringify({ level: 'info', ts: stamp(process), msg: 'ready to serve client requests' })}\n`)
    else await log('I', 'server.go:152', 'Golang settings', { GOGC: '', GOMAXPROCS: '', GOTRACEBACK: '' })
    return await process.block<number>((resolve) => {
      for (const signal of ['TERM', 'INT'] as const) process.trap(signal, () => resolve(0))
    })
  }
}

async function unknownFlag(process: Process, name: string, arg: string, flag: string): Promise<number> {
  if (flag === '') {
    await process.complain(`Error: unknown command ${JSON.stringify(arg)} for ${JSON.stringify(name)}\n`)
    return 1
  }
  const text = name === 'etcd' ? `flag provided but not defined: -${flag}` : `Error: unknown flag: --${flag}`
  await process.complain(`${text}\n`)
  return name === 'etcd' ? 2 : 1
}

function schedulerDemands(flags: Flags, exists: (path: string) => boolean): string | undefined {
  return missingOf(flags, ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig', 'config'], exists, 'stat')
}

function managerDemands(flags: Flags, exists: (path: string) => boolean): string | undefined {
  const configs = missingOf(flags, ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'], exists, 'stat')
  return (
    configs ?? missingOf(flags, ['client-ca-file', 'root-ca-file', 'service-account-private-key-file', 'cluster-signing-cert-file'], exists)
  )
}

function apiServerDemands(flags: Flags, exists: (path: string) => boolean): string | undefined {
  const files = ['client-ca-file', 'tls-cert-file', 'tls-private-key-file', 'service-account-key-file', 'service-account-signing-key-file']
  const missing = missingOf(flags, [...files, 'etcd-cafile', 'etcd-certfile', 'etcd-keyfile'], exists)
  if (missing) return missing
  const servers = (flags.get('etcd-servers') ?? '').split(',').filter((url) => url !== '')
  if (servers.length === 0) return '--etcd-servers must be specified'
  if (servers.some((url) => /:2379\/?$/.test(url))) return undefined
  return 'failed to initialize storage: context deadline exceeded'
}

function etcdDemands(flags: Flags, exists: (path: string) => boolean): string | undefined {
  return missingOf(flags, ['cert-file', 'key-file', 'trusted-ca-file', 'peer-cert-file', 'peer-key-file', 'peer-trusted-ca-file'], exists)
}

function missingOf(flags: Flags, names: string[], exists: (path: string) => boolean, call = 'open'): string | undefined {
  for (const name of names) {
    const path = flags.get(name)
    if (path && !exists(path)) return `${call} ${path}: no such file or directory`
  }
  return undefined
}

function stamp(process: Process): string {
  return new Date(process.machine.now()).toISOString()
}
