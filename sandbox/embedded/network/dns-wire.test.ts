import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { DnsReply } from './dns.ts'
import { readQuestion, writeReply } from './dns-wire.ts'

/** Node's own resolver asks a socket of this machine, which answers with these. */
async function asked(reply: DnsReply): Promise<Resolver> {
  const socket = createSocket('udp4', (message, { address, port }) => {
    const question = readQuestion(message)
    if (question) socket.send(writeReply(question, reply), port, address)
  })
  onTestFinished(() => void socket.close())
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return resolver
}

const name = 'web.default.svc.cluster.local'

test('a resolver understands addresses, services and names', async () => {
  const a = await asked({ rcode: 'NOERROR', answers: [{ name, type: 'A', ttl: 30, data: '10.96.7.1' }] })
  expect(await a.resolve4(name, { ttl: true })).toEqual([{ address: '10.96.7.1', ttl: 30 }])
  const wide = await asked({ rcode: 'NOERROR', answers: [{ name, type: 'AAAA', ttl: 30, data: 'fd00::7:1' }] })
  expect(await wide.resolve6(name)).toEqual(['fd00::7:1'])
  const srv = await asked({
    rcode: 'NOERROR',
    answers: [{ name: `_http._tcp.${name}`, type: 'SRV', ttl: 30, data: name, port: 80, weight: 100 }],
  })
  expect(await srv.resolveSrv(`_http._tcp.${name}`)).toMatchObject([{ name, port: 80, priority: 0, weight: 100 }])
  const back = '1.7.96.10.in-addr.arpa'
  const ptr = await asked({ rcode: 'NOERROR', answers: [{ name: back, type: 'PTR', ttl: 30, data: name }] })
  expect(await ptr.resolvePtr(back)).toEqual([name])
})

test('it understands that there is nothing', async () => {
  const unknown = await asked({ rcode: 'NXDOMAIN', answers: [] })
  await expect(unknown.resolve4(name)).rejects.toMatchObject({ code: 'ENOTFOUND' })
  const empty = await asked({ rcode: 'NOERROR', answers: [] })
  await expect(empty.resolve4(name)).rejects.toMatchObject({ code: 'ENODATA' })
})

test('what is no question is none', () => {
  for (const bytes of [[], [0, 1, 2], Array.from({ length: 40 }, () => 255), Array.from({ length: 12 }, () => 0)]) {
    expect(readQuestion(Uint8Array.from(bytes))).toBeUndefined()
  }
})
