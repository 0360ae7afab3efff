import { expect, it } from 'vitest'
import en from './en.json' with { type: 'json' }
import zh from './zh.json' with { type: 'json' }

const flat = (messages: object) =>
  new Map(
    Object.entries(messages).flatMap(([space, texts]) =>
      Object.entries(texts as Record<string, string>).map(([key, text]) => [`${space}.${key}`, text] as const),
    ),
  )

it('says everything in both languages', () => {
  expect([...flat(zh).keys()].sort()).toEqual([...flat(en).keys()].sort())
})

it('fills the same places in both languages', () => {
  const chinese = flat(zh)
  for (const [key, text] of flat(en)) expect([key, places(chinese.get(key)!)]).toEqual([key, places(text)])
})

/** Names of the outermost {places}; what stands inside the arms of a plural or select is text. */
function places(text: string): string[] {
  const names = new Set<string>()
  let depth = 0
  for (const [index, character] of [...text].entries()) {
    if (character === '{' && depth++ === 0) names.add(/^\w+/.exec([...text].slice(index + 1).join(''))![0])
    if (character === '}') depth--
  }
  return [...names].sort()
}
