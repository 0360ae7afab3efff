import { defineConfig } from '@playwright/test'
import { findBrowser } from './e2e/support/browser.ts'

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // The tests share the machine with the clusters they start: two at once would only wait for each other.
  workers: 1,
  fullyParallel: false,
  forbidOnly: Boolean(process.env['CI']),
  timeout: 120_000,
  // one test of 23 was once refused a terminal by a loaded machine; a second try tells a fault from a hiccup, and is reported as flaky
  retries: 1,
  // what is awaited comes in a second or two; a machine with other work to do takes longer, and that is no fault
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: {
    ...(await findBrowser()),
    viewport: { width: 1440, height: 900 },
    // A trace tells most, and costs much.
    trace: process.env['TRACE'] ? 'retain-on-failure' : 'off',
    screenshot: 'only-on-failure',
  },
})
