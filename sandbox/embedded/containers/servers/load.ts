import type { Process } from '../kernel/process.ts'

/** Uses so much CPU in a child process, for so long (ms; without it for as long as the parent runs). */
export function consumeCpu(process: Process, millicores: number, forMs = Number.POSITIVE_INFINITY): void {
  const until = process.machine.now() + forMs
  background(process, async (child) => {
    while (child.machine.now() < until) {
      const wait = child.spend(millicores * step * 1000)
      if (wait) await wait
      await child.sleep(Math.max(0, step - (millicores * step) / 1000))
    }
  })
}

/** Holds so much memory in a child process, for so long. */
export function consumeMemory(process: Process, bytes: number, forMs: number): void {
  background(process, async (child) => {
    child.allocate(bytes)
    await child.sleep(forMs)
  })
}

/** ms over which a load is even. */
const step = 100

function background(process: Process, body: (child: Process) => Promise<void>): void {
  const child = process.machine.fork(process)
  process.onEnd((status) => child.end(status))
  void process.machine.run(child, async () => {
    await body(child)
    return 0
  })
}
