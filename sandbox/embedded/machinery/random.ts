/** The cluster's only source of chance: mulberry32, which a fork can take over where it stands. */
export class Random {
  private state: number

  constructor(state: number) {
    this.state = state >>> 0
  }

  /** 0 <= n < 1 */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }

  fork(): Random {
    return new Random(this.state)
  }
}

/** So many hexadecimal digits, as in the ids that a runtime gives. */
export function randomHex(random: () => number, digits: number): string {
  let text = ''
  while (text.length < digits)
    text += Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return text.slice(0, digits)
}

/** The letters of generated names, which spell no words (apimachinery's util/rand). */
export const safeLetters = 'bcdfghjklmnpqrstvwxz2456789'

/** So many letters, as names from generateName end. */
export function randomLetters(random: () => number, length: number): string {
  return Array.from({ length }, () => safeLetters[Math.floor(random() * safeLetters.length)]).join('')
}
