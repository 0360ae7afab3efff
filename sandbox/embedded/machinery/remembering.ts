/** What was answered lately, by what was asked: `most` answers, all of which are forgotten for one more. */
export class Answers<Question, Answer> {
  private readonly known = new Map<Question, Answer>()
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  get(question: Question): Answer | undefined {
    return this.known.get(question)
  }

  set(question: Question, answer: Answer): void {
    if (this.known.size >= this.most) this.clear()
    this.known.set(question, answer)
  }

  clear(): void {
    this.known.clear()
  }
}

/**
 * A function that has what it answered lately at hand: `most` answers, all of which it forgets for one more. Those to texts of more
 * than `longest` characters are made anew. Answers are shared: nobody may change them.
 */
export function remembering<T>(make: (text: string) => T, { most, longest = Number.POSITIVE_INFINITY }: Memory): (text: string) => T {
  const answers = new Answers<string, T>(most)
  return (text) => {
    const known = answers.get(text)
    if (known !== undefined) return known
    const answer = make(text)
    if (text.length <= longest) answers.set(text, answer)
    return answer
  }
}

export interface Memory {
  most: number
  longest?: number
}
