import { access } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import path from 'node:path'
import next from 'next'

/** What answers everything that the server does not answer itself. */
export interface Pages extends AsyncDisposable {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
}

const root = path.resolve(import.meta.dirname, '..')

/** The built Next app. Throws a sentence when it was not built. */
export async function openPages(hostname: string, port: number): Promise<Pages> {
  await access(path.join(root, '.next/BUILD_ID')).catch(() => {
    throw new Error('The site is not built. Run `npm start`, or `npm run build` once before `node server/main.ts`.')
  })
  const app = next({ dev: false, dir: root, hostname, port })
  await app.prepare()
  const handle = app.getRequestHandler()
  return { handle: (request, response) => handle(request, response), [Symbol.asyncDispose]: () => app.close() }
}
