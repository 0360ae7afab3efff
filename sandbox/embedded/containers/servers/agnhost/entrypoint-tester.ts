import { command } from '../../go/flags.ts'

/** Prints all of its arguments, its own name first. */
export const entrypointTester = command({
  short: "Prints the args it's passed and exits",
  flags: {},
  async run(process) {
    await process.print(`[${process.argv.join(' ')}]\n`)
    return 0
  },
})
