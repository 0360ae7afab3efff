import type { Clock } from '../clock.ts'
import type { DnsReply, RecordType } from './dns.ts'
import { type DnsAnswer, type DnsConfig, NetworkError } from './network.ts'

/** Asks one name server; undefined when it doesn't answer. */
export type AskServer = (nameserver: string, name: string, type: RecordType) => DnsReply | undefined

/** A resolver waits 5 s for each server and tries all of them twice (resolv.conf(5): timeout, attempts). */
const waitPerServer = 5000
const attempts = 2

/**
 * Looks a name up as the C library does: the search list first when the name has fewer dots than ndots, the name itself
 * first otherwise. Rejects with NetworkError ENOTFOUND, or ETIMEDOUT when no server answers.
 */
export async function resolveName(
  clock: Clock,
  dns: DnsConfig,
  ask: AskServer,
  name: string,
  type: RecordType,
  signal?: AbortSignal,
): Promise<DnsAnswer[]> {
  let exists = false
  for (const candidate of candidates(dns, name, type)) {
    const reply = await askAll(clock, dns, ask, candidate, type, signal)
    if (reply.answers.length > 0) return reply.answers
    if (reply.rcode === 'NOERROR') exists = true
  }
  if (exists) return []
  throw new NetworkError('ENOTFOUND', `no such host: ${name}`)
}

function candidates(dns: DnsConfig, name: string, type: RecordType): string[] {
  if (name.endsWith('.') || type === 'PTR') return [name]
  const searched = dns.searches.map((search) => `${name}.${search}`)
  const dots = name.split('.').length - 1
  return dots >= dns.ndots ? [name, ...searched] : [...searched, name]
}

async function askAll(
  clock: Clock,
  dns: DnsConfig,
  ask: AskServer,
  name: string,
  type: RecordType,
  signal?: AbortSignal,
): Promise<DnsReply> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    for (const nameserver of dns.nameservers) {
      const reply = ask(nameserver, name, type)
      if (reply) return reply
      await clock.sleep(waitPerServer, signal)
    }
  }
  throw new NetworkError('ETIMEDOUT', `no name server answers for ${name}`)
}
