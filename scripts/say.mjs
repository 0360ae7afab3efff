/** What scripts print: one calm line a step, with the time it took. */

/** Runs `work` under a heading: "Building the site ... 21 s". On a terminal the seconds count while it works. */
export async function step(heading, work) {
  const began = Date.now()
  const seconds = () => Math.round((Date.now() - began) / 1000)
  const live = process.stdout.isTTY
  if (live) process.stdout.write(`  ${heading} ...`)
  const timer = live ? setInterval(() => process.stdout.write(`\r  ${heading} ... ${seconds()} s`), 1000) : undefined
  if (!live) process.stdout.write(`  ${heading} ...\n`)
  try {
    const result = await work()
    if (live) process.stdout.write(`\r  ${heading} ... ${seconds()} s\n`)
    return result
  } catch (error) {
    if (live) process.stdout.write('\n')
    throw error
  } finally {
    clearInterval(timer)
  }
}

export function say(line) {
  process.stdout.write(`  ${line}\n`)
}

/** A fault that the person at the keyboard can mend: its message is all that is shown. */
export class Fault extends Error {}

/** Runs a script's main function; a Fault ends it with its sentence and exit code 1. */
export async function run(main) {
  try {
    await main()
  } catch (error) {
    process.stderr.write(error instanceof Fault ? `\n${error.message}\n` : `\n${error.stack ?? error}\n`)
    process.exitCode = 1
  }
}
