import { expect, type Locator, type Page } from '@playwright/test'

/** The terminal in front, as a person sees it and types into it. */
export class TerminalPane {
  readonly page: Page
  readonly panel: Locator
  readonly rows: Locator
  #commands = 0

  constructor(page: Page) {
    this.page = page
    this.panel = page.locator('.terminals-panel:not([hidden])')
    this.rows = this.panel.locator('.xterm-rows > div')
  }

  /** Waits until the shell asks for a command. */
  async ready(): Promise<void> {
    await expect(this.rows.filter({ hasText: /[$#]\s*$/ }).last()).toBeVisible({ timeout: 60_000 })
    await expect(this.panel.locator('.terminal-status')).toBeEmpty()
  }

  async focus(): Promise<void> {
    await this.panel.locator('.xterm-helper-textarea').focus()
  }

  /** Types a line and Enter. */
  async type(line: string): Promise<void> {
    await this.focus()
    await this.page.keyboard.type(line)
    await this.page.keyboard.press('Enter')
  }

  /** Puts a text in as the clipboard would, all at once. */
  async paste(text: string): Promise<void> {
    await this.focus()
    await this.page.evaluate((data) => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text/plain', data)
      document.activeElement!.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
    }, text)
  }

  /** The lines on the screen, without blanks at their ends. */
  async lines(): Promise<string[]> {
    const texts = await this.rows.allTextContents()
    return texts.map((text) => text.replaceAll('\u00a0', ' ').trimEnd())
  }

  /** The screen as one string; what the terminal broke at its edge is whole again where rows are full. */
  async text(): Promise<string> {
    return (await this.lines()).join('\n')
  }

  async shows(what: string | RegExp, timeout = 30_000): Promise<void> {
    const text = expect.poll(() => this.text(), { message: `the terminal shows ${what}`, timeout })
    await (typeof what === 'string' ? text.toContain(what) : text.toMatch(what))
  }

  /** Turns back page by page until the text is there. */
  async scrollsBackTo(what: string): Promise<void> {
    await this.focus()
    await expect
      .poll(
        async () => {
          await this.page.keyboard.press('Shift+PageUp')
          return this.text()
        },
        { message: `scrolling back shows ${what}`, intervals: [50] },
      )
      .toContain(what)
  }

  /** Runs a command on a cleared screen to its end: what it printed there, and its exit code. */
  async run(command: string, timeout = 30_000): Promise<{ output: string; code: number }> {
    const mark = `end-${++this.#commands}`
    const end = new RegExp(`${mark}:(\\d+)\\n`)
    await this.type(`clear; ${command}; echo ${mark}":$?"`)
    await this.shows(end, timeout)
    const [output, code] = (await this.text()).split(end)
    return { output: output!, code: Number(code) }
  }
}
