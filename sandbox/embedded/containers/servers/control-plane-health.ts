import { type KeyPair, selfSigned } from '../../auth/certificates.ts'
import { type HttpResponse, type Listener, NetworkError } from '../../network/network.ts'
import type { Process } from '../kernel/process.ts'
import type { ComponentName } from './control-plane.ts'

interface Health {
  /** Where it listens, by its flags. */
  address(flags: ReadonlyMap<string, string>): { host: string; port: number }
  secure: boolean
  paths: readonly string[]
}

/** Where each part of a control plane tells of its health; the API server does so with the API. */
const healths: Partial<Record<ComponentName, Health>> = {
  etcd: {
    address: (flags) => {
      const url = flags.get('listen-metrics-urls')?.split(',')[0]
      const { hostname, port } = new URL(url ?? 'http://127.0.0.1:2381')
      return { host: hostname, port: Number(port) }
    },
    secure: false,
    paths: ['/health', '/livez', '/readyz'],
  },
  'kube-controller-manager': { address: secureAddress(10257), secure: true, paths: ['/healthz'] },
  'kube-scheduler': { address: secureAddress(10259), secure: true, paths: ['/healthz', '/livez', '/readyz'] },
}

/**
 * Serves a component's health until it is disposed; the certificate is one of its own making. What it returns instead is why
 * it cannot.
 */
export function serveHealth(process: Process, name: ComponentName, flags: ReadonlyMap<string, string>): Disposable | string {
  const health = healths[name]
  if (!health) return { [Symbol.dispose]: () => {} }
  const { host, port } = health.address(flags)
  let pair: KeyPair | undefined
  const now = process.machine.now()
  const own = () => {
    pair ??= selfSigned({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }, now - 3_600_000, now + 365 * 86_400_000)
    return pair
  }
  const listener: Listener = {
    http: async ({ path }) => {
      const [asked = ''] = path.split('?')
      if (!health.paths.includes(asked)) return answer(404, '404 page not found\n')
      return answer(200, asked === '/health' ? '{"health":"true","reason":""}' : 'ok')
    },
    ...(health.secure && { tls: { plain: answer(400, 'Client sent an HTTP request to an HTTPS server.\n'), select: own } }),
  }
  try {
    return process.machine.network.listen(port, listener, host)
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return `failed to create listener: failed to listen on ${host}:${port}: listen tcp ${host}:${port}: bind: address already in use`
  }
}

function secureAddress(usual: number): Health['address'] {
  return (flags) => ({ host: flags.get('bind-address') ?? '0.0.0.0', port: Number(flags.get('secure-port') ?? usual) })
}

function answer(status: number, text: string): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: Buffer.from(text) }
}
