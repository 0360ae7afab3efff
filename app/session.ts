/** Who asks, once a request. */
import { headers } from 'next/headers'
import { notFound, redirect } from 'next/navigation'
import { cache } from 'react'
import { type Person, type Role, services } from '../platform/services.ts'

export const viewer = cache(async (): Promise<Person | null> => services().people.current(await headers()))

/** For pages that need a person: sends a stranger to sign in and back again. */
export async function requireViewer(locale: string, path: string): Promise<Person> {
  const person = await viewer()
  if (!person) redirect(`/${locale}/sign-in?next=${encodeURIComponent(path)}`)
  return person
}

const rank: Record<Role, number> = { learner: 0, instructor: 1, admin: 2 }

export function atLeast(person: Person | null, role: Role): boolean {
  return person !== null && rank[person.role] >= rank[role]
}

/** For pages of one audience: whoever is not of it is told that there is no such page. */
export async function requireRole(locale: string, path: string, role: Role): Promise<Person> {
  const person = await requireViewer(locale, path)
  if (!atLeast(person, role)) notFound()
  return person
}
