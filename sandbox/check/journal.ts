import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { ApiRequest, ApiResponse, WatchedObject } from '../engine.ts'

type Api = (request: ApiRequest) => Promise<ApiResponse>

/**
 * Passes requests on and remembers how each object was before it was first changed, so that all of it can be put back: changed
 * objects get back their spec and metadata, created ones are deleted, deleted ones are created anew unless a controller does
 * that. Their status, and what controllers made of it meanwhile, follows by itself.
 */
export class Journal {
  private readonly api: Api
  /** Where the journal is kept while there is something to put back, so that a killed process leaves it to the next. */
  private readonly file: string | undefined
  /** Path of an object -> the object as it was; null where there was none. Oldest first. */
  private readonly before = new Map<string, WatchedObject | null>()

  constructor(api: Api, file?: string) {
    this.api = api
    this.file = file
  }

  /** Puts back what a process that was killed in the middle left changed; does nothing when there is no such file. */
  static async undoLeft(api: Api, file: string): Promise<void> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (text === null) return
    const journal = new Journal(api, file)
    for (const [path, object] of JSON.parse(text) as [string, WatchedObject | null][]) journal.before.set(path, object)
    await journal.undo()
  }

  async request(request: ApiRequest): Promise<ApiResponse> {
    if (request.method === 'GET') return this.api(request)
    const target = targetOf(request.path)
    if (!target || isReview(target)) return this.api(request)
    if (target.name !== null) await this.remember(`${target.collection}/${target.name}`)
    else if (request.method === 'DELETE') await this.rememberAll(target.collection, request.path)
    const named = request.method === 'POST' && target.name === null ? (request.body as Partial<WatchedObject>).metadata?.name : undefined
    // by its name before it is there: a process that is killed right after still leaves it to be deleted
    if (named !== undefined) await this.remember(`${target.collection}/${named}`)
    const response = await this.api(request)
    if (request.method === 'POST' && target.name === null && response.status < 300) {
      const { metadata } = response.body as WatchedObject
      const path = `${target.collection}/${metadata.name}`
      if (!this.before.has(path)) await this.note(path, null)
    }
    return response
  }

  /** Puts everything back, the last change first. Rejects, after having tried all, with what could not be put back. */
  async undo(): Promise<void> {
    const faults: string[] = []
    for (const [path, object] of [...this.before].reverse())
      await this.restore(path, object).catch((error: Error) => faults.push(`${path}: ${error.message}`))
    this.before.clear()
    if (this.file) await rm(this.file, { force: true })
    if (faults.length > 0) throw new Error(`This could not be undone: ${faults.join('; ')}`)
  }

  private async remember(path: string): Promise<void> {
    if (this.before.has(path)) return
    const { status, body } = await this.api({ method: 'GET', path })
    if (status === 200) await this.note(path, body as WatchedObject)
    else if (status === 404) await this.note(path, null)
    else throw new Error(`${path} cannot be read (${status}), so it is not changed`)
  }

  private async rememberAll(collection: string, path: string): Promise<void> {
    const { body } = await this.api({ method: 'GET', path })
    const { apiVersion, kind, items } = body as { apiVersion: string; kind: string; items: WatchedObject[] }
    for (const item of items) {
      const one = `${collection}/${item.metadata.name}`
      if (!this.before.has(one)) await this.note(one, { ...item, apiVersion, kind: kind.replace(/List$/, '') })
    }
  }

  private async note(path: string, object: WatchedObject | null): Promise<void> {
    this.before.set(path, object)
    if (!this.file) return
    await writeFile(`${this.file}.draft`, JSON.stringify([...this.before]), { mode: 0o600 })
    await rename(`${this.file}.draft`, this.file)
  }

  private async restore(path: string, object: WatchedObject | null, tries = 5): Promise<void> {
    const now = await this.api({ method: 'GET', path })
    if (!object) {
      if (now.status === 200) expect(await this.api({ method: 'DELETE', path }))
      return
    }
    const { uid, resourceVersion, creationTimestamp, generation, deletionTimestamp, ...metadata } = object.metadata
    if (now.status === 404) {
      const owners = (metadata['ownerReferences'] ?? []) as { controller?: boolean }[]
      if (owners.some(({ controller }) => controller)) return
      const { status: _status, ...rest } = object
      expect(await this.api({ method: 'POST', path: path.slice(0, path.lastIndexOf('/')), body: { ...rest, metadata } }))
      return
    }
    const present = now.body as WatchedObject
    // one of the same name that came after it is not the one that was changed
    if (present.metadata.uid !== uid || sameButStatus(present, object)) return
    const { resourceVersion: latest } = present.metadata
    const answer = await this.api({ method: 'PUT', path, body: { ...object, metadata: { ...object.metadata, resourceVersion: latest } } })
    // a controller was faster
    if (answer.status === 409 && tries > 1) return this.restore(path, object, tries - 1)
    expect(answer)
  }
}

interface Target {
  /** Path of the resource in its namespace, without a name. */
  collection: string
  name: string | null
}

/** What a request is about; a subresource (scale, status) is about its object. Null for what is no resource. */
function targetOf(path: string): Target | null {
  const [plain = ''] = path.split('?')
  const match = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)((?:\/namespaces\/[^/]+)?\/[^/]+)(?:\/([^/]+))?(?:\/.*)?$/.exec(plain)
  if (!match) return null
  const [, version = '', resource = '', name] = match
  return { collection: `${version}${resource}`, name: name ?? null }
}

/** Questions are asked by POST and leave nothing. */
function isReview({ collection }: Target): boolean {
  return /\/(authorization|authentication)\.k8s\.io\//.test(collection)
}

function sameButStatus(a: WatchedObject, b: WatchedObject): boolean {
  const shape = (object: WatchedObject) => {
    const { status: _status, metadata, ...rest } = object
    return JSON.stringify([rest, metadata['labels'], metadata['annotations'], metadata['finalizers'], metadata['ownerReferences']])
  }
  return shape(a) === shape(b)
}

function expect({ status, body }: ApiResponse): void {
  if (status < 300 || status === 404) return
  throw new Error((body as { message?: string }).message ?? `answered ${status}`)
}
