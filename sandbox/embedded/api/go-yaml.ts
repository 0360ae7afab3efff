import { type Pair, Scalar, stringify } from 'yaml'

/** A document of YAML as the API server writes it: of every object the keys in go-yaml's order, lists not indented. */
export function goYaml(value: unknown): string {
  const sharesNothing = { aliasDuplicateObjects: false }
  return stringify(value, {
    ...sharesNothing,
    indentSeq: false,
    sortMapEntries: (one: Pair, other: Pair) => compareKeys(keyOf(one), keyOf(other)),
  })
}

function keyOf({ key }: Pair): string {
  return String(key instanceof Scalar ? key.value : key)
}

/** By letters, what is none before what is one, and numbers by what they count: a-b, a9, a10, aB, ab. Source: keyList of go-yaml 2. */
export function compareKeys(one: string, other: string): number {
  const [a, b] = [[...one], [...other]]
  for (const [index, left] of a.entries()) {
    const right = b[index]
    if (right === undefined) break
    if (left === right) continue
    if (isLetter(left) || isLetter(right)) {
      if (isLetter(left) !== isLetter(right)) return isLetter(right) ? -1 : 1
      return left < right ? -1 : 1
    }
    const [leftNumber, rightNumber] = [numberAt(a, index), numberAt(b, index)]
    const led = (left === '0' || right === '0') && hasDigitsBefore(a, index) ? '1' : ''
    const difference = Number(led + leftNumber) - Number(led + rightNumber)
    if (difference !== 0) return difference
    if (leftNumber.length !== rightNumber.length) return leftNumber.length - rightNumber.length
    return left < right ? -1 : 1
  }
  return a.length - b.length
}

const isLetter = (text: string) => /\p{L}/u.test(text)

/** The digits from a place on. */
function numberAt(letters: readonly string[], index: number): string {
  return /^\d*/.exec(letters.slice(index).join(''))?.[0] ?? ''
}

/** Whether what stands before a place ends with digits that are not all zeros. */
function hasDigitsBefore(letters: readonly string[], index: number): boolean {
  return /[1-9]/.test(/\d*$/.exec(letters.slice(0, index).join(''))?.[0] ?? '')
}
