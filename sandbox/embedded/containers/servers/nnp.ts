import type { Run } from '../kernel/process.ts'

/** Says as whom it runs: its file belongs to root and is set-user-ID, which no_new_privs makes void. */
export const nnp: Run = async (process) => {
  await process.print(`Effective uid: ${process.uid}\n`)
  return 0
}
