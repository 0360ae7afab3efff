/** How many columns of a terminal a text takes: Chinese characters and their punctuation take two. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const character of text) columns += isWide(character) ? 2 : 1
  return columns
}

/** The beginning of a text that fits in so many columns. */
export function clipped(text: string, columns: number): string {
  let kept = ''
  let used = 0
  for (const character of text) {
    used += isWide(character) ? 2 : 1
    if (used > columns) break
    kept += character
  }
  return kept
}

/** Those of Unicode's wide ranges (East Asian Width W and F) in which Chinese is written. */
function isWide(character: string): boolean {
  return /[\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u.test(character)
}
