'use client'
import { useId, useState } from 'react'
import { call } from '../../client/call.ts'

interface Props {
  id: string
  question: string
  choices: { text: string; right: boolean; why: string }[]
  /** Where the answer is kept; null: nowhere. */
  lesson: string | null
  answered: number | null
  words: { label: string; right: string; wrong: string; notSaved: string }
}

/** One question. Every choice says why it holds or does not, as soon as it is taken; any number of tries. */
export function QuizForm({ id, question, choices, lesson, answered, words }: Props) {
  const [taken, setTaken] = useState(answered)
  const [fault, setFault] = useState('')
  const name = useId()
  const choose = async (index: number) => {
    setTaken(index)
    setFault('')
    if (!lesson) return
    const answer = { lesson, question: id, choice: index, right: choices[index]!.right }
    await call('PUT', '/api/progress/answers', answer).catch((error: Error) => setFault(`${words.notSaved} ${error.message}`))
  }
  const chosen = taken === null ? undefined : choices[taken]
  return (
    <fieldset className="quiz">
      <legend>
        <span className="label">{words.label}</span> {question}
      </legend>
      {choices.map((choice, index) => (
        <label
          key={choice.text}
          className="quiz-choice"
          data-taken={index === taken || undefined}
          data-right={index === taken ? choice.right : undefined}
        >
          <input type="radio" name={name} checked={index === taken} onChange={() => choose(index)} />
          <span>{choice.text}</span>
        </label>
      ))}
      <div aria-live="polite" className="quiz-why" data-right={chosen?.right}>
        {chosen ? (
          <p>
            <strong>{chosen.right ? words.right : words.wrong}</strong> {chosen.why}
          </p>
        ) : null}
        {fault ? <p>{fault}</p> : null}
      </div>
    </fieldset>
  )
}
