/** What every route handler is wrapped in: who asks, what they sent, what the platform says, and how errors are answered. */
import type { z } from 'zod'
import { asPlatformError, PlatformError } from '../../platform/errors.ts'
import { type Person, services } from '../../platform/services.ts'

interface Asked<P, B> {
  person: Person
  params: P
  body: B
  request: Request
}

interface Context<P> {
  params: Promise<P>
}

/** A handler for a person: 401 for nobody. `undefined` is answered with 204, a Response as it is, anything else as JSON. */
export function answer<P extends Record<string, string> = Record<never, never>>(call: (asked: Asked<P, undefined>) => Promise<unknown>) {
  return handle<P>(async (request, params) => call({ person: await personOf(request), params, body: undefined, request }))
}

/** The same with a JSON body, refused with 400 unless it has the given shape. */
export function answerBody<B, P extends Record<string, string> = Record<never, never>>(
  shape: z.ZodType<B>,
  call: (asked: Asked<P, B>) => Promise<unknown>,
) {
  return handle<P>(async (request, params) => {
    const person = await personOf(request)
    return call({ person, params, body: await bodyOf(request, shape), request })
  })
}

/** For what nobody must sign in for. */
export function answerAnybody(call: (request: Request) => Promise<unknown>) {
  return handle(async (request) => call(request))
}

function handle<P>(call: (request: Request, params: P) => Promise<unknown>) {
  return async (request: Request, context: Context<P>): Promise<Response> => {
    try {
      const result = await call(request, await context.params)
      if (result instanceof Response) return result
      return result === undefined
        ? new Response(null, { status: 204 })
        : Response.json(result, { headers: { 'cache-control': 'no-store' } })
    } catch (thrown) {
      const error = asPlatformError(thrown)
      if (error.status >= 500) console.error(thrown)
      const { code, sentence } = error
      return Response.json(
        { error: { code, message: sentence.en, sentence } },
        { status: error.status, headers: { 'cache-control': 'no-store' } },
      )
    }
  }
}

async function personOf(request: Request): Promise<Person> {
  const person = await services().people.current(request.headers)
  if (!person) throw new PlatformError('signed-out')
  return person
}

async function bodyOf<B>(request: Request, shape: z.ZodType<B>): Promise<B> {
  const text = await request.text()
  try {
    return shape.parse(JSON.parse(text === '' ? '{}' : text))
  } catch (cause) {
    throw new PlatformError('bad-request', { cause })
  }
}
