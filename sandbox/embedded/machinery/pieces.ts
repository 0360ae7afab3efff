/**
 * Work in pieces: between two of them others may go on, if whoever has it done lets them. What is given back is the result.
 */
export type Pieces<T> = Generator<void, T, void>

/** Has all of it done at once. */
export function atOnce<T>(work: Pieces<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** Has it done with a pause between two pieces; at once without one. */
export async function withPauses<T>(work: Pieces<T>, pause: (() => Promise<void>) | undefined): Promise<T> {
  if (!pause) return atOnce(work)
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    await pause()
  }
}
