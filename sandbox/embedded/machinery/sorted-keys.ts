/** Keys that one chunk holds at most: what is moved for a key that comes or goes. */
const largestChunk = 256

/** Distinct keys in the order of JavaScript's strings; among tens of thousands one comes or goes at little cost. */
export class SortedKeys {
  /** In order, and none of them empty. */
  private chunks: string[][] = []

  /** For a key that is not there. */
  add(key: string): void {
    const at = this.chunkOf(key)
    const chunk = this.chunks[at]
    if (!chunk) this.chunks.push([key])
    else {
      chunk.splice(position(chunk, key), 0, key)
      if (chunk.length > largestChunk) this.chunks.splice(at + 1, 0, chunk.splice(largestChunk / 2))
    }
  }

  /** For a key that is there. */
  delete(key: string): void {
    const at = this.chunkOf(key)
    const chunk = this.chunks[at] as string[]
    chunk.splice(position(chunk, key), 1)
    if (chunk.length === 0) this.chunks.splice(at, 1)
  }

  /** Those that start with the prefix. */
  startingWith(prefix: string): string[] {
    if (prefix === '') return this.chunks.flat()
    const found: string[] = []
    const first = this.chunkOf(prefix)
    let start = position(this.chunks[first] ?? [], prefix)
    for (let at = first; at < this.chunks.length; at++) {
      const chunk = this.chunks[at] as string[]
      for (; start < chunk.length; start++) {
        const key = chunk[start] as string
        if (!key.startsWith(prefix)) return found
        found.push(key)
      }
      start = 0
    }
    return found
  }

  copy(): SortedKeys {
    const copy = new SortedKeys()
    copy.chunks = this.chunks.map((chunk) => chunk.slice())
    return copy
  }

  /** The last chunk that does not begin after the key; the first where all do. */
  private chunkOf(key: string): number {
    let low = 0
    let high = this.chunks.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.chunks[middle]?.[0] as string) <= key) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }
}

/** Where a key is, or would be, in the order of JavaScript's strings. */
export function position(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
