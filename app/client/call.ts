/** The one way islands call the API. */
import type { Text } from '../../platform/model.ts'
import { spoken } from '../i18n/spoken.ts'

/** An answer that is not 2xx, with its sentence in the reader's language. */
class CallError extends Error {
  readonly code: string
  readonly status: number

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'CallError'
    this.status = status
    this.code = code
  }
}

export async function call<T = void>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const text = await ask(path, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  })
  return (text === '' ? undefined : JSON.parse(text)) as T
}

/** A file as text. */
export function read(path: string, signal: AbortSignal): Promise<string> {
  return ask(path, { signal })
}

async function ask(path: string, request: RequestInit): Promise<string> {
  const response = await fetch(path, request)
  if (!response.ok) throw await errorOf(response)
  return response.text()
}

async function errorOf(response: Response): Promise<CallError> {
  const answer = (await response.json().catch(() => ({}))) as {
    error?: { code?: string; message?: string; sentence?: Text }
    code?: string
    message?: string
  }
  const { error = {} } = answer
  const sentence = error.sentence
    ? spoken(error.sentence, document.documentElement.lang)
    : (error.message ?? answer.message ?? response.statusText)
  return new CallError(response.status, error.code ?? answer.code ?? 'unknown', sentence)
}
