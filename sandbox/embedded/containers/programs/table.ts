import type { Program, Run } from '../kernel/process.ts'
import { labapp } from '../servers/labapp.ts'
import { nginx } from '../servers/nginx.ts'
import { coreutils } from './coreutils.ts'
import { shellProgram } from './shell-program.ts'

/** Every program by the name that its file in an image carries. */
export const programs: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['sh', shellProgram('ash')],
  ['dash', shellProgram('dash')],
  ['bash', shellProgram('bash')],
  ...Object.entries(coreutils).map(([name, run]): [string, Program] => [name, { run: run as Run }]),
  ['labapp', labapp],
  ['nginx', nginx],
])
