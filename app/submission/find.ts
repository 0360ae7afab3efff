import { notFound } from 'next/navigation'
import { asPlatformError } from '../../platform/errors.ts'
import { type Person, type SubmissionView, services } from '../../platform/services.ts'

/** The submission, or the page that says there is none (also for one that is somebody else's). */
export async function findSubmission(person: Person, id: string): Promise<SubmissionView> {
  try {
    return await services().grading.submission(person, id)
  } catch (error) {
    if (asPlatformError(error).status === 404) notFound()
    throw error
  }
}
