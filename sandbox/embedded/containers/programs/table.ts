import type { Program, Run } from '../kernel/process.ts'
import { agnhost } from '../servers/agnhost/index.ts'
import { controlPlanePrograms } from '../servers/control-plane.ts'
import { coredns } from '../servers/coredns.ts'
import { flanneld } from '../servers/flanneld.ts'
import { gateway } from '../servers/gateway.ts'
import { labapp } from '../servers/labapp.ts'
import { nginx } from '../servers/nginx.ts'
import { nnp } from '../servers/nnp.ts'
import { redisCli, redisServer } from '../servers/redis.ts'
import { resourceConsumer } from '../servers/resource-consumer.ts'
import { sampleApiServer } from '../servers/sample-apiserver.ts'
import { smallServers } from '../servers/small.ts'
import { awk } from './awk.ts'
import { envsubst } from './envsubst.ts'
import { filePrograms } from './files.ts'
import { fileServers } from './httpd.ts'
import { linePrograms } from './lines.ts'
import { namePrograms } from './names.ts'
import { connectionPrograms } from './nc.ts'
import { netPrograms } from './net.ts'
import { nodePrograms } from './node.ts'
import { nsenter } from './nsenter.ts'
import { packagePrograms } from './packages.ts'
import { sed } from './sed.ts'
import { shellProgram } from './shell-program.ts'
import { smallApplets } from './small-applets.ts'
import { systemPrograms } from './system.ts'
import { tar } from './tar.ts'
import { helpOf } from './usage.ts'
import { webPrograms } from './web.ts'

const plain: Record<string, Run> = {
  ...filePrograms,
  ...linePrograms,
  ...systemPrograms,
  ...netPrograms,
  ...namePrograms,
  ...connectionPrograms,
  ...fileServers,
  ...smallApplets,
  ...webPrograms,
  sed,
  tar,
  awk,
  envsubst,
  nsenter,
}

/** What a busybox-like image has in /bin. */
export const tools: readonly string[] = Object.keys(plain)

/** Every program by the name that its file in an image carries. */
export const programs: ReadonlyMap<string, Program> = new Map<string, Program>([
  ...Object.entries(plain).map(([name, run]): [string, Program] => [name, { run: withHelp(run) }]),
  ['sh', shellProgram('ash')],
  ['dash', shellProgram('dash')],
  ['bash', shellProgram('bash')],
  ['agnhost', agnhost],
  ['nnp', { run: nnp }],
  ['flanneld', { run: flanneld, memoryBytes: 24 * 1024 * 1024 }],
  ...Object.entries(packagePrograms).map(([name, run]): [string, Program] => [name, { run }]),
  ...Object.entries(nodePrograms).map(([name, run]): [string, Program] => [name, { run }]),
  ['coredns', { run: coredns, memoryBytes: 14 * 1024 * 1024 }],
  ['gateway', { run: gateway, memoryBytes: 20 * 1024 * 1024 }],
  ['labapp', labapp],
  ['resource-consumer', resourceConsumer],
  ['nginx', nginx],
  ['redis-server', redisServer],
  ['redis-cli', redisCli],
  ['sample-apiserver', sampleApiServer],
  ...Object.entries(controlPlanePrograms),
  ...Object.entries(smallServers),
])

/** An applet is asked for help by --help alone, whatever else it understands. */
function withHelp(run: Run): Run {
  return async (process) => {
    const help = process.args.length === 1 && process.args[0] === '--help' ? helpOf(process) : undefined
    if (help === undefined) return run(process)
    await process.complain(help)
    return 0
  }
}
