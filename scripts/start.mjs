/** `npm start`: prepares what is missing, then runs the server until Ctrl-C. */
import { spawn } from 'node:child_process'
import { buildSite, checkNode, installPackages, node, prepareTools, root } from './prepare.mjs'
import { run } from './say.mjs'

await run(async () => {
  checkNode()
  await installPackages()
  await prepareTools()
  await buildSite()
  // Through the channel the server notices when this process is gone, however it went.
  // A young generation of the usual size keeps 100 MB that are never needed again once the server has started.
  const server = spawn(node, ['--max-semi-space-size=4', 'server/main.ts'], { cwd: root, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal))
  process.exitCode = await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
})
