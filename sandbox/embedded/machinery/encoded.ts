import { goJson } from '../schema/go-order.ts'

/** Bytes that objects are in one format. Of frozen objects alone, which never say anything else; the oldest go first. */
class Kept {
  private readonly bytes = new Map<object, Buffer>()
  private readonly budget: number
  private size = 0

  /** Of bytes that are kept in this process, whatever the number of its clusters. */
  constructor(budget: number) {
    this.budget = budget
  }

  known(object: object): Buffer | undefined {
    return this.bytes.get(object)
  }

  of(object: object, encode: () => Buffer): Buffer {
    const known = this.known(object)
    if (known) return known
    const made = encode()
    if (!Object.isFrozen(object)) return made
    this.bytes.set(object, made)
    this.size += made.length
    if (this.size > this.budget) this.forgetOldest()
    return made
  }

  hasRoomFor(bytes: number): boolean {
    return this.size + bytes <= this.budget
  }

  /** A good part at once: each look for the oldest passes by all that have gone before. */
  private forgetOldest(): void {
    for (const oldest of this.bytes.keys()) {
      if (this.size <= this.budget * 0.9) return
      this.forget(oldest)
    }
  }

  forget(object: object): void {
    const bytes = this.bytes.get(object)
    if (!bytes) return
    this.bytes.delete(object)
    this.size -= bytes.length
  }
}

const lines = new Kept(16 * 2 ** 20)
const messages = new Kept(8 * 2 ** 20)

/**
 * An object as a line of JSON, as the API server writes it. That of a stored (frozen) object is made once for everybody who
 * wants it: the answer, every watcher and list. Nobody may change the bytes.
 */
export function jsonLine(object: object): Buffer {
  return lines.of(object, () => Buffer.from(`${goJson(object)}\n`))
}

/**
 * The same without the end of its line, for one of many. Bytes that are not kept yet are kept while there is room, and are a text
 * otherwise: a long list would push out all that others want.
 */
export function jsonOfOne(object: object): Buffer | string {
  const known = lines.known(object)
  if (known) return known.subarray(0, -1)
  const json = goJson(object)
  return lines.hasRoomFor(json.length) ? lines.of(object, () => Buffer.from(`${json}\n`)).subarray(0, -1) : json
}

/** An object as a message of protobuf, which is made once likewise. */
export function messageOf(object: object, encode: () => Buffer): Buffer {
  return messages.of(object, encode)
}

/** What has been replaced is hardly asked for again. */
export function forgetEncoded(object: object): void {
  lines.forget(object)
  messages.forget(object)
}
