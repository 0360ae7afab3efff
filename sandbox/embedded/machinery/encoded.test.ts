import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { forgetEncoded, jsonLine } from './encoded.ts'

test('the bytes of an object are made once, until it is forgotten', () => {
  const object = Object.freeze({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } })
  const bytes = jsonLine(object)
  expect(jsonLine(object)).toBe(bytes)
  forgetEncoded(object)
  expect(jsonLine(object)).not.toBe(bytes)
})

test('nothing holds what has been forgotten, however much comes and goes', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const held: WeakRef<object>[] = []
  const lately: object[] = []
  for (let index = 0; index < 2_000; index++) {
    const object = Object.freeze({ index })
    jsonLine(object)
    held.push(new WeakRef(object))
    lately.push(object)
    if (lately.length > 50) forgetEncoded(lately.shift() as object)
  }
  // a WeakRef holds its object for the rest of this turn
  await new Promise(setImmediate)
  collect()
  expect(held.filter((reference) => reference.deref() !== undefined).length).toBeLessThan(100)
})
