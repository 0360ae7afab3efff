import { expect, type Page } from '@playwright/test'
import { type Locale, words } from './words.ts'

/** Skips so many minutes of the cluster's time by the menu of its clock, or to what happens next, and waits until it says so. */
export async function skipAhead(page: Page, locale: Locale, minutes: 1 | 5 | 10 | 'next'): Promise<void> {
  const { clock } = words[locale]
  const clockOnPage = page.locator('.cluster-clock')
  const item = minutes === 'next' ? clock.toNext : minutes === 1 ? clock.oneMinute : clock.minutes.replace('{minutes}', String(minutes))
  await clockOnPage.getByRole('button', { name: clock.skip, exact: true }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
  await expect(clockOnPage.getByRole('status')).not.toBeEmpty({ timeout: 45_000 })
}
