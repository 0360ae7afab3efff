import { type Browser, type BrowserContext, type BrowserContextOptions, expect, type Page, test as playwright } from '@playwright/test'
import type { AttemptView } from '../../platform/services.ts'
import { newDataDir, type Product, removeDataDir, startProduct } from './product.ts'
import type { Locale } from './words.ts'

export interface VisitorOptions extends BrowserContextOptions {
  as?: 'guest' | 'learner' | 'administrator'
}

/** Somebody in a browser of their own. */
export interface Visitor {
  readonly page: Page
  readonly context: BrowserContext
  readonly id: string
  readonly email: string
  /** Asks the API with this visitor's cookies, as their page would. */
  ask(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>
  /** Starts an attempt and waits until its cluster runs. */
  start(what: { lab: string } | { lesson: string }): Promise<AttemptView>
}

interface TestFixtures {
  visit: (options?: VisitorOptions) => Promise<Visitor>
}

interface WorkerFixtures {
  product: Product
  /** How the product's administrator signs in. */
  office: { email: string; password: string }
}

let number = 0

/**
 * Tests get one running product a worker, with data of its own, and as many visitors as they ask for. A page that throws,
 * logs an error or is answered with a 5xx makes its test fail.
 */
export const test = playwright.extend<TestFixtures, WorkerFixtures>({
  product: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from the pattern
    async ({}, use) => {
      const folder = await newDataDir()
      const product = await startProduct(folder)
      await use(product)
      await product[Symbol.asyncDispose]()
      await removeDataDir(folder)
    },
    { scope: 'worker', timeout: 90_000 },
  ],

  office: [
    async ({ product, browser }, use) => {
      const person = { email: 'office@example.org', password: 'a password for the office' }
      const context = await browser.newContext({ baseURL: product.url })
      await signUp(context, product.url, { name: 'Office', ...person })
      const token = new URL(product.firstRunLink!).hash.slice(1)
      const answer = await context.request.post('/api/first-run', { data: { token }, headers: { origin: product.url } })
      expect(answer.ok(), await answer.text()).toBe(true)
      await context.close()
      await use(person)
    },
    { scope: 'worker' },
  ],

  visit: async ({ product, browser }, use, info) => {
    const guests = new Visitors(browser, product.url)
    await use((options) => guests.visit(options))
    await guests.leave(info.status === 'passed')
  },
})

export { expect }

/** Makes visitors of one product, and sees that nothing went wrong on their pages. */
export class Visitors {
  readonly #browser: Browser
  readonly #url: string
  readonly #contexts: BrowserContext[] = []
  readonly #faults: string[] = []
  /** Set while a test breaks something on purpose: what pages complain of then is not a fault. */
  forgiving = false

  constructor(browser: Browser, url: string) {
    this.#browser = browser
    this.#url = url
  }

  async visit({ as = 'learner', ...options }: VisitorOptions = {}): Promise<Visitor> {
    const context = await this.#browser.newContext({
      baseURL: this.#url,
      viewport: { width: 1440, height: 900 },
      // Motion is for people; a test that looks mid-way would see another picture each time.
      reducedMotion: 'reduce',
      permissions: ['clipboard-read', 'clipboard-write'],
      ...options,
    })
    this.#contexts.push(context)
    this.#listen(context)
    const name = `Visitor ${++number}`
    const email = `visitor-${number}@example.org`
    const id =
      as === 'guest'
        ? await signIn(context, this.#url, 'sign-in/anonymous', {})
        : as === 'learner'
          ? await signUp(context, this.#url, { name, email, password: 'a password of a visitor' })
          : await signIn(context, this.#url, 'sign-in/email', { email: 'office@example.org', password: 'a password for the office' })
    const ask = async (method: string, path: string, body?: unknown) => {
      const answer = await context.request.fetch(path, {
        method,
        headers: { origin: this.#url },
        ...(body === undefined ? {} : { data: body }),
        maxRedirects: 0,
      })
      const text = await answer.text()
      return { status: answer.status(), body: /json/.test(answer.headers()['content-type'] ?? '') ? JSON.parse(text) : text }
    }
    const start = async (what: { lab: string } | { lesson: string }) => {
      const { id: attempt } = (await ask('POST', '/api/attempts', what)).body as AttemptView
      const look = async () => (await ask('GET', `/api/attempts/${attempt}`)).body as AttemptView
      await expect.poll(async () => (await look()).lease.state, { timeout: 30_000 }).toMatch(/ready|ended/)
      const ready = await look()
      expect(ready.lease).toMatchObject({ state: 'ready', reason: null })
      return ready
    }
    return { page: await context.newPage(), context, id, email, ask, start }
  }

  /** Somebody who has not signed in. */
  async stranger(options: BrowserContextOptions & { locale?: Locale } = {}): Promise<Page> {
    const context = await this.#browser.newContext({ baseURL: this.#url, reducedMotion: 'reduce', ...options })
    this.#contexts.push(context)
    this.#listen(context)
    return context.newPage()
  }

  /** Closes all their pages; throws when one of them had a fault and the test found nothing else. */
  async leave(report: boolean): Promise<void> {
    for (const context of this.#contexts) await context.close()
    if (report) expect(this.#faults, 'faults on the pages').toEqual([])
  }

  #listen(context: BrowserContext): void {
    const note = (fault: string) => {
      if (!this.forgiving) this.#faults.push(fault)
    }
    context.on('weberror', (fault) => note(`${fault.page()?.url()}: ${fault.error()}`))
    context.on('console', (message) => {
      // An answer that refuses is told by its own status; tests that expect one look at it.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        note(`${message.location().url}: ${message.text()}`)
    })
    context.on('response', (response) => {
      if (response.status() >= 500) note(`${response.status()} ${response.request().method()} ${response.url()}`)
    })
  }
}

interface Account {
  name: string
  email: string
  password: string
}

function signUp(context: BrowserContext, url: string, account: Account): Promise<string> {
  return signIn(context, url, 'sign-up/email', account)
}

async function signIn(context: BrowserContext, url: string, way: string, body: object): Promise<string> {
  const answer = await context.request.post(`/api/auth/${way}`, { data: body, headers: { origin: url } })
  expect(answer.ok(), await answer.text()).toBe(true)
  return ((await answer.json()) as { user: { id: string } }).user.id
}
