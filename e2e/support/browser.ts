import { existsSync } from 'node:fs'
import path from 'node:path'
import type { LaunchOptions } from '@playwright/test'
import packaged from '@sparticuz/chromium'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser tests run in: Chromium of this machine, else the one that comes with npm's packages, else Playwright's own. */
export async function findBrowser(): Promise<{ launchOptions: LaunchOptions }> {
  const installed = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .flatMap((folder) => names.map((name) => path.join(folder, name)))
    .find((file) => existsSync(file))
  if (installed) return { launchOptions: { executablePath: installed, args: args() } }
  if (process.platform === 'linux' && process.arch === 'x64')
    return { launchOptions: { executablePath: await packaged.executablePath(), args: [...args(), ...packagedArgs] } }
  return { launchOptions: { args: args() } }
}

/** Chromium refuses its own sandbox to root. What it visits here is ours alone. */
function args(): string[] {
  return process.getuid?.() === 0 ? ['--no-sandbox'] : []
}

/** What the packaged build needs: it has neither a zygote nor graphics of the machine. */
const packagedArgs = ['--no-zygote', '--in-process-gpu', '--use-gl=angle', '--use-angle=swiftshader', '--font-render-hinting=none']
