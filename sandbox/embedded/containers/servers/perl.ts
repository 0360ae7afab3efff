import type { Process } from '../kernel/process.ts'

/**
 * perl, as far as the Job of Kubernetes' documentation uses it: -Mbignum=bpi -wle 'print bpi(2000)'. Anything else says that the
 * kind engine runs it.
 */
export async function perl(process: Process): Promise<number> {
  const { args } = process
  if (args[0] === '-v' || args[0] === '--version') {
    await process.print('\nThis is perl 5, version 34, subversion 0 (v5.34.0) built for x86_64-linux-gnu\n')
    return 0
  }
  const script = args.at(-1) ?? ''
  const digits = /^\s*print\s+bpi\s*\(\s*(\d{1,4})\s*\)\s*;?\s*$/.exec(script)?.[1]
  if (digits === undefined || !args.includes('-Mbignum=bpi')) {
    await process.complain('perl: only `-Mbignum=bpi -wle "print bpi(N)"` runs on the embedded engine; the kind engine runs Perl itself\n')
    return 2
  }
  const count = Number(digits)
  const wait = process.spend(count * count * nanosecondsPerDigitSquared)
  if (wait) await wait
  await process.print(`${pi(count)}\n`)
  return 0
}

/** 2000 digits take some five seconds of a core. */
const nanosecondsPerDigitSquared = 1250

/** With so many digits in all, the last one rounded, by Machin's formula. */
function pi(count: number): string {
  const guard = 10
  const one = 10n ** BigInt(count - 1 + guard)
  const arccot = (x: bigint) => {
    let sum = 0n
    let term = one / x
    for (let n = 1n, sign = 1n; term !== 0n; n += 2n, sign = -sign) {
      sum += (sign * term) / n
      term /= x * x
    }
    return sum
  }
  const whole = 4n * (4n * arccot(5n) - arccot(239n))
  const unit = 10n ** BigInt(guard)
  const text = ((whole + unit / 2n) / unit).toString()
  return count > 1 ? `${text[0]}.${text.slice(1)}` : text
}
