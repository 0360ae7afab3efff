import type { DnsReply, RecordType } from './dns.ts'
import type { Connection, DnsAnswer } from './network.ts'

/** A question as a client sends it (RFC 1035). */
export interface DnsQuestion {
  id: number
  /** Without the dot at its end. */
  name: string
  /** Undefined for one that nobody here has. */
  type: RecordType | undefined
  recursion: boolean
  /** The question's own bytes, which the answer repeats. */
  bytes: Buffer
}

const types: Record<RecordType, number> = { A: 1, CNAME: 5, PTR: 12, AAAA: 28, SRV: 33 }
const codes: Record<DnsReply['rcode'], number> = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 }
const headerLength = 12

type Reply = (message: Uint8Array, asker: Connection['remote']) => Uint8Array | undefined

/** Answers each datagram that is a question; others are passed over. */
export function answerDatagrams(connection: Connection, reply: Reply): void {
  connection.onData((message) => {
    const answer = reply(message, connection.remote)
    if (answer) connection.write(answer)
  })
  connection.onEnd(() => connection.end())
}

/** The same over TCP, where each message has its length before it. */
export function answerStream(connection: Connection, reply: Reply): void {
  let heard: Buffer = Buffer.alloc(0)
  connection.onData((data) => {
    heard = Buffer.concat([heard, data])
    while (heard.length >= 2 && heard.length >= 2 + heard.readUInt16BE(0)) {
      const end = 2 + heard.readUInt16BE(0)
      const answer = reply(heard.subarray(2, end), connection.remote)
      heard = heard.subarray(end)
      if (!answer) return connection.end()
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      connection.write(new Uint8Array(Buffer.concat([length, answer])))
    }
  })
  connection.onEnd(() => connection.end())
}

/** The question of a message; undefined for what is none. */
export function readQuestion(message: Uint8Array): DnsQuestion | undefined {
  const data = Buffer.from(message)
  if (data.length < headerLength + 5 || (data[2] as number) & 0x80 || data.readUInt16BE(4) !== 1) return undefined
  const labels: string[] = []
  let at = headerLength
  for (;;) {
    const length = data[at]
    if (length === undefined || length > 63 || at + 1 + length + 4 > data.length) return undefined
    at++
    if (length === 0) break
    labels.push(data.toString('latin1', at, at + length))
    at += length
  }
  const number = data.readUInt16BE(at)
  const type = (Object.keys(types) as RecordType[]).find((each) => types[each] === number)
  const recursion = ((data[2] as number) & 1) === 1
  return { id: data.readUInt16BE(0), name: labels.join('.'), type, recursion, bytes: data.subarray(headerLength, at + 4) }
}

/** The message that answers a question. */
export function writeReply({ id, recursion, bytes }: DnsQuestion, { rcode, answers }: DnsReply): Uint8Array {
  const head = Buffer.alloc(headerLength)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(0x8400 | (recursion ? 0x0100 : 0) | codes[rcode], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(answers.length, 6)
  return new Uint8Array(Buffer.concat([head, bytes, ...answers.map(recordOf)]))
}

function recordOf(answer: DnsAnswer): Buffer {
  const name = nameOf(answer.name)
  const data = dataOf(answer)
  const rest = Buffer.alloc(10)
  rest.writeUInt16BE(types[answer.type], 0)
  rest.writeUInt16BE(1, 2)
  rest.writeUInt32BE(answer.ttl, 4)
  rest.writeUInt16BE(data.length, 8)
  return Buffer.concat([name, rest, data])
}

function dataOf({ type, data, port = 0, weight = 0 }: DnsAnswer): Buffer {
  if (type === 'A') return Buffer.from(data.split('.').map(Number))
  if (type === 'AAAA') return Buffer.from(wideWords(data).flatMap((word) => [word >> 8, word & 255]))
  if (type !== 'SRV') return nameOf(data)
  const numbers = Buffer.alloc(6)
  numbers.writeUInt16BE(weight, 2)
  numbers.writeUInt16BE(port, 4)
  return Buffer.concat([numbers, nameOf(data)])
}

/** The eight words of an IPv6 address. */
function wideWords(address: string): number[] {
  const [front = '', back] = address.split('::')
  const words = (text: string | undefined) => (text ? text.split(':').map((word) => Number.parseInt(word, 16)) : [])
  const [first, last] = [words(front), words(back)]
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}

function nameOf(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  return Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]), Buffer.from([0])])
}
