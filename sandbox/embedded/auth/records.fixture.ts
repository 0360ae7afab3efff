import type { Records } from '../machinery/context.ts'

/** Records in memory, for tests. */
export function memoryRecords(): Records {
  const values = new Map<string, string>()
  return {
    get: <T>(key: string) => (values.has(key) ? (JSON.parse(values.get(key) as string) as T) : undefined),
    put: (key, value) => void values.set(key, JSON.stringify(value)),
    delete: (key) => void values.delete(key),
    keys: (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  }
}
