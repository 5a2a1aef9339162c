import { type BrowserContextOptions, type Browser as Chromium, chromium, type Page } from 'playwright-core'

/** Where Debian and Ubuntu put it. */
const CHROMIUM = '/usr/bin/chromium'

/** What a page did that a user would notice: what it complained of, and every answer it got. */
export interface Visit {
  readonly page: Page
  /** Uncaught exceptions, errors on the console, requests that failed. */
  readonly complaints: string[]
  readonly answers: { readonly url: string; readonly status: number; readonly headers: Record<string, string> }[]
}

/** Headless Chromium that finds the given hosts at the given places and nothing else in the world. */
export class Browser implements AsyncDisposable {
  readonly #chromium: Chromium

  private constructor(chromium: Chromium) {
    this.#chromium = chromium
  }

  /** `hosts`: name -> origin of the node that answers for it. Plain HTTP counts as secure there, as HTTPS would. */
  static async launch(hosts: Readonly<Record<string, string>>, extra: readonly string[] = []): Promise<Browser> {
    const rules = Object.entries(hosts).map(([host, origin]) => `MAP ${host} ${new URL(origin).host}`)
    const secure = Object.keys(hosts).map((host) => `http://${host}`)
    return new Browser(
      await chromium.launch({
        executablePath: CHROMIUM,
        args: [
          // The kernel's sandbox is not to be had as root.
          '--no-sandbox',
          '--disable-background-networking',
          '--disable-component-update',
          '--autoplay-policy=no-user-gesture-required',
          `--host-resolver-rules=${[...rules, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'].join(', ')}`,
          `--unsafely-treat-insecure-origin-as-secure=${secure.join()}`,
          ...extra,
        ],
      }),
    )
  }

  /** A page of a visitor who was never here before; `options` are those of a browser context. */
  async visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
    const context = await this.#chromium.newContext(options)
    const page = await context.newPage()
    const visit: Visit = { page, complaints: [], answers: [] }
    page.on('pageerror', (error) => visit.complaints.push(`exception: ${error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error') visit.complaints.push(`console: ${message.text()} ${message.location().url}`)
    })
    page.on('requestfailed', (request) => {
      // A video that was read far enough stops its request.
      const why = request.failure()?.errorText
      if (why !== 'net::ERR_ABORTED') visit.complaints.push(`failed: ${request.url()} ${why}`)
    })
    page.on('response', (response) => {
      visit.answers.push({ url: response.url(), status: response.status(), headers: response.headers() })
    })
    await page.goto(url)
    return visit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chromium.close()
  }
}
