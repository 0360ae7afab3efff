import { kubernetesTypes, Library } from '../declarations.ts'
import { Failure, maxUint, OpaqueValue } from '../values.ts'

class Version extends OpaqueValue {
  readonly type = kubernetesTypes.Semver
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly pre: readonly string[]
  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    super()
    this.numbers = numbers
    this.pre = pre
  }
  equals(other: OpaqueValue): boolean {
    return compared(this, other as Version) === 0
  }
  override toString(): string {
    return this.numbers.join('.') + (this.pre.length > 0 ? `-${this.pre.join('.')}` : '')
  }
}

/** Kubernetes' Semver library. */
export const semanticVersions = new Library()
  .declare('string_to_semver', 'semver(string): Semver', ([text]) => parsed(text as string))
  .declare('string_bool_to_semver', 'semver(string, bool): Semver', ([text, loose]) =>
    loose ? normalized(text as string) : parsed(text as string),
  )
  .declare('is_semver_string', 'isSemver(string): bool', ([text]) => parsed(text as string) instanceof Version)
  .declare('is_semver_string_bool', 'isSemver(string, bool): bool', ([text, loose]) => {
    return (loose ? normalized(text as string) : parsed(text as string)) instanceof Version
  })
  .declare('semver_is_greater_than', 'Semver::isGreaterThan(Semver): bool', ([a, b]) => compared(a as Version, b as Version) > 0)
  .declare('semver_is_less_than', 'Semver::isLessThan(Semver): bool', ([a, b]) => compared(a as Version, b as Version) < 0)
  .declare('semver_compare_to', 'Semver::compareTo(Semver): int', ([a, b]) => BigInt(compared(a as Version, b as Version)))
for (const [index, name] of ['major', 'minor', 'patch'].entries()) {
  semanticVersions.declare(`semver_${name}`, `Semver::${name}(): int`, ([version]) => (version as Version).numbers[index] as bigint)
}

/** As blang/semver reads it, with its words for what is wrong. */
function parsed(text: string): Version | Failure {
  if (text === '') return new Failure('Version string empty')
  const [, core = '', pre, build] = /^([^+-]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(text) ?? []
  const parts = splitCore(text)
  if (parts.length !== 3) return new Failure('No Major.Minor.Patch elements found')
  const numbers: bigint[] = []
  for (const [index, name] of ['Major', 'Minor', 'Patch'].entries()) {
    const part = index < 2 ? (parts[index] as string) : (core.split('.').slice(2).join('.') as string)
    if (!/^\d+$/.test(part)) {
      return index < 2
        ? new Failure(`Invalid character(s) found in ${name.toLowerCase()} number ${JSON.stringify(part)}`)
        : wrongPatch(part)
    }
    if (part.length > 1 && part.startsWith('0'))
      return new Failure(`${name} number must not contain leading zeroes ${JSON.stringify(part)}`)
    if (BigInt(part) > maxUint) return new Failure(`strconv.ParseUint: parsing ${JSON.stringify(part)}: value out of range`)
    numbers.push(BigInt(part))
  }
  const names = pre === undefined ? [] : pre.split('.')
  for (const name of names) {
    if (name === '') return new Failure('Prerelease is empty')
    if (!/^[0-9A-Za-z-]+$/.test(name)) return new Failure(`Invalid character(s) found in prerelease ${JSON.stringify(name)}`)
    if (/^0\d+$/.test(name)) return new Failure(`Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(name)}`)
  }
  for (const name of build === undefined ? [] : build.split('.')) {
    if (name === '') return new Failure('Build meta data is empty')
    if (!/^[0-9A-Za-z-]+$/.test(name)) return new Failure(`Invalid character(s) found in build meta data ${JSON.stringify(name)}`)
  }
  return new Version(numbers as unknown as [bigint, bigint, bigint], names)
}

function wrongPatch(part: string): Failure {
  return new Failure(`Invalid character(s) found in patch number ${JSON.stringify(part)}`)
}

/** At the first two dots. */
function splitCore(text: string): string[] {
  const [first, second, ...rest] = text.split('.')
  return rest.length > 0
    ? [first as string, second as string, rest.join('.')]
    : [first as string, ...(second === undefined ? [] : [second])]
}

/** v1, 1.2 and 01.2.3 as the versions that they mean. */
function normalized(text: string): Version | Failure {
  const parts = splitCore(text.replace(/^v/, '')).map((part) => {
    if (part.length <= 1) return part
    const bare = part.replace(/^0+/, '')
    return /^\d/.test(bare) ? bare : `0${bare}`
  })
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) as string)) return new Failure('short version cannot contain PreRelease/Build meta data')
  while (parts.length < 3) parts.push('0')
  return parsed(parts.join('.'))
}

function compared(a: Version, b: Version): number {
  for (const at of [0, 1, 2] as const) if (a.numbers[at] !== b.numbers[at]) return a.numbers[at] < b.numbers[at] ? -1 : 1
  // What is not yet released comes before what is.
  if (a.pre.length === 0 || b.pre.length === 0) return Math.sign(b.pre.length - a.pre.length)
  for (let at = 0; at < Math.max(a.pre.length, b.pre.length); at++) {
    const [left, right] = [a.pre[at], b.pre[at]]
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1
    if (left === right) continue
    const [isLeftNumber, isRightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)]
    if (isLeftNumber && isRightNumber) return BigInt(left) < BigInt(right) ? -1 : 1
    if (isLeftNumber !== isRightNumber) return isLeftNumber ? -1 : 1
    return left < right ? -1 : 1
  }
  return 0
}
