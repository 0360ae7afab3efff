import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib'

/** One stream of a SPDY/3.1 session, opened by the other side. */
export interface SpdyStream {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  write(data: Uint8Array): void
  /** Closes our half. */
  end(): void
  /** Hears what comes; an empty array is the end of their half. */
  onData: (data: Uint8Array) => void
}

export interface SpdyTransport {
  send(data: Uint8Array): void
  onStream(stream: SpdyStream): void
}

const version = 3
const frames = { synStream: 1, synReply: 2, reset: 3, ping: 6, goAway: 7 } as const
const finFlag = 1
const headerSize = 8
const largestData = 32 * 1024

/**
 * The server's side of SPDY/3.1 as far as Kubernetes' clients speak it: streams with headers, data, ping, reset. It has
 * no windows, as Go's spdystream has none. Feed it what arrives; it sends through the transport.
 */
export class SpdySession implements Disposable {
  private readonly transport: SpdyTransport
  private readonly streams = new Map<number, SpdyStream>()
  private readonly inflate: Inflate = createInflate({ dictionary: dictionary(), finishFlush: constants.Z_SYNC_FLUSH })
  private readonly deflate: Deflate = createDeflate({ dictionary: dictionary(), flush: constants.Z_SYNC_FLUSH })
  private rest: Buffer = Buffer.alloc(0)
  private queue: Promise<void> = Promise.resolve()
  private closed = false

  constructor(transport: SpdyTransport) {
    this.transport = transport
  }

  /** Resolves when it has been worked through; rejects for what is no SPDY. */
  receive(data: Uint8Array): Promise<void> {
    this.queue = this.queue.then(() => this.read(data))
    return this.queue
  }

  [Symbol.dispose](): void {
    if (this.closed) return
    this.closed = true
    for (const stream of this.streams.values()) stream.onData(new Uint8Array())
    this.streams.clear()
    this.inflate.destroy()
    this.deflate.destroy()
  }

  private async read(data: Uint8Array): Promise<void> {
    this.rest = Buffer.concat([this.rest, data])
    while (!this.closed && this.rest.length >= headerSize) {
      const length = this.rest.readUIntBE(5, 3)
      if (this.rest.length < headerSize + length) return
      const frame = this.rest.subarray(0, headerSize + length)
      this.rest = this.rest.subarray(headerSize + length)
      await this.frame(frame)
    }
  }

  private async frame(frame: Buffer): Promise<void> {
    const flags = frame.readUInt8(4)
    const payload = frame.subarray(headerSize)
    if ((frame.readUInt8(0) & 0x80) === 0) {
      const stream = this.streams.get(frame.readUInt32BE(0))
      if (payload.length > 0) stream?.onData(payload)
      if (flags & finFlag) stream?.onData(new Uint8Array())
      return
    }
    switch (frame.readUInt16BE(2)) {
      case frames.synStream:
        return this.open(payload)
      case frames.reset:
        this.streams.get(payload.readUInt32BE(0))?.onData(new Uint8Array())
        this.streams.delete(payload.readUInt32BE(0))
        return
      case frames.ping:
        this.control(frames.ping, 0, payload)
        return
    }
  }

  private async open(payload: Buffer): Promise<void> {
    const id = payload.readUInt32BE(0) & 0x7fffffff
    const headers = readHeaders(await through(this.inflate, payload.subarray(10)))
    const reply = await through(this.deflate, Buffer.alloc(4))
    const head = Buffer.alloc(4)
    head.writeUInt32BE(id)
    this.control(frames.synReply, 0, Buffer.concat([head, reply]))
    let ended = false
    const stream: SpdyStream = {
      headers,
      onData: () => {},
      write: (data) => {
        for (let start = 0; start < data.length && !ended; start += largestData) this.data(id, 0, data.subarray(start, start + largestData))
      },
      end: () => {
        if (ended) return
        ended = true
        this.data(id, finFlag, new Uint8Array())
      },
    }
    this.streams.set(id, stream)
    this.transport.onStream(stream)
  }

  private control(type: number, flags: number, payload: Uint8Array): void {
    const head = Buffer.alloc(headerSize)
    head.writeUInt16BE(0x8000 | version, 0)
    head.writeUInt16BE(type, 2)
    head.writeUInt8(flags, 4)
    head.writeUIntBE(payload.length, 5, 3)
    this.send(head, payload)
  }

  private data(id: number, flags: number, payload: Uint8Array): void {
    const head = Buffer.alloc(headerSize)
    head.writeUInt32BE(id, 0)
    head.writeUInt8(flags, 4)
    head.writeUIntBE(payload.length, 5, 3)
    this.send(head, payload)
  }

  private send(head: Uint8Array, payload: Uint8Array): void {
    if (!this.closed) this.transport.send(Buffer.concat([head, payload]))
  }
}

/** One block through a compressor or decompressor whose state goes on to the next block. */
function through(stream: Inflate | Deflate, block: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject)
    stream.write(block, () => {
      stream.off('error', reject)
      resolve((stream.read() as Buffer | null) ?? Buffer.alloc(0))
    })
  })
}

function readHeaders(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {}
  let at = 4
  const text = () => {
    const length = block.readUInt32BE(at)
    at += 4 + length
    return block.toString('utf8', at - length, at)
  }
  for (let count = block.readUInt32BE(0); count > 0; count--) {
    const name = text().toLowerCase()
    headers[name] = text()
  }
  return headers
}

/** The words that SPDY/3 headers are compressed with, each after its length: section 2.6.10.1 of the SPDY protocol draft 3.1. */
const words =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin'
const tail =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'

function dictionary(): Buffer {
  const parts = words.split(' ').flatMap((word) => {
    const text = Buffer.from(word.replace('_', ' '))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    return [length, text]
  })
  return Buffer.concat([...parts, Buffer.from(tail)])
}
