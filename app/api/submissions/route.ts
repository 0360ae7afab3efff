import { services } from '../../../platform/services.ts'
import { answer } from '../answer.ts'

export const GET = answer(({ person, request }) => {
  const lab = new URL(request.url).searchParams.get('lab')
  return services().grading.submissions(person, lab ? { lab } : {})
})
