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

/** Has it done with a pause between two pieces; at once without one, or where it is all of one piece. */
export function withPauses<T>(work: Pieces<T>, pause: (() => Promise<void>) | undefined): T | Promise<T> {
  if (!pause) return atOnce(work)
  const { done, value } = work.next()
  return done ? value : afterPauses(work, pause)
}

async function afterPauses<T>(work: Pieces<T>, pause: () => Promise<void>): Promise<T> {
  for (;;) {
    await pause()
    const { done, value } = work.next()
    if (done) return value
  }
}
