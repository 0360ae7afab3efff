/** Bytes of JSON that are kept in this process, whatever the number of its clusters. */
const budget = 16 * 2 ** 20

/** Of frozen objects alone, which never say anything else; the oldest go first. */
const kept = new Map<object, Buffer>()
let size = 0

/**
 * An object as a line of JSON. That of a stored (frozen) object is made once for everybody who wants it: the log, the answer,
 * every watcher and list. Nobody may change the bytes.
 */
export function jsonLine(object: object): Buffer {
  const known = kept.get(object)
  if (known) return known
  const line = Buffer.from(`${JSON.stringify(object)}\n`)
  if (!Object.isFrozen(object)) return line
  kept.set(object, line)
  size += line.length
  for (const [oldest] of kept) {
    if (size <= budget) break
    forgetJson(oldest)
  }
  return line
}

/** The same without the end of its line. */
export function jsonOf(object: object): Buffer {
  return jsonLine(object).subarray(0, -1)
}

/** What has been replaced is hardly asked for again. */
export function forgetJson(object: object): void {
  const line = kept.get(object)
  if (!line) return
  kept.delete(object)
  size -= line.length
}
