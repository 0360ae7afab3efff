/**
 * A function that has what it answered lately at hand: `most` answers, all of which it forgets for one more. Those to texts of more
 * than `longest` characters are made anew. Answers are shared: nobody may change them.
 */
export function remembering<T>(make: (text: string) => T, { most, longest = Number.POSITIVE_INFINITY }: Memory): (text: string) => T {
  const answers = new Map<string, T>()
  return (text) => {
    const known = answers.get(text)
    if (known !== undefined) return known
    const answer = make(text)
    if (text.length > longest) return answer
    if (answers.size >= most) answers.clear()
    answers.set(text, answer)
    return answer
  }
}

export interface Memory {
  most: number
  longest?: number
}
