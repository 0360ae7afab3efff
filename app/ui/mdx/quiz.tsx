import { getTranslations } from 'next-intl/server'
import type { PageContext } from './components.tsx'
import { QuizForm } from './quiz-form.tsx'

export interface QuizProps {
  id: string
  question: string
  choices: { text: string; right?: boolean; why: string }[]
  page: PageContext
}

export async function Quiz({ id, question, choices, page }: QuizProps) {
  const t = await getTranslations('quiz')
  return (
    <QuizForm
      id={id}
      question={question}
      choices={choices.map((choice) => ({ text: choice.text, right: choice.right ?? false, why: choice.why }))}
      lesson={page.signedIn ? page.lesson : null}
      answered={page.answers[id]?.choice ?? null}
      words={{ label: t('label'), right: t('right'), wrong: t('wrong'), notSaved: t('notSaved') }}
    />
  )
}
