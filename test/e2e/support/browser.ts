import { type BrowserContextOptions, type Browser as Chromium, chromium, type Page } from 'playwright-core'

/** Where Debian and Ubuntu put it. */
export const CHROMIUM = '/usr/bin/chromium'

/** What a page did that a user would notice: what it complained of, and every answer it got. */
export interface Visit {
  readonly page: Page
  /** Uncaught exceptions, errors on the console, requests that failed. */
  readonly complaints: string[]
  readonly answers: { readonly url: string; readonly status: number; readonly headers: Record<string, string> }[]
}

export interface BrowserOptions {
  /** Further arguments of Chromium. */
  readonly args?: readonly string[]
  /** Another program than Debian's, which ends in it. */
  readonly program?: string
  /** Names that are looked up as usual: by the system's list of hosts. */
  readonly resolves?: readonly string[]
  /** Pages that were left wait to be gone back to, as for users; Playwright switches that off. */
  readonly keepsPages?: boolean
}

/** Headless Chromium that finds the given hosts at the given places and nothing else in the world. */
export class Browser implements AsyncDisposable {
  readonly #chromium: Chromium

  private constructor(chromium: Chromium) {
    this.#chromium = chromium
  }

  /**
   * `hosts`: name, or name and port, or a pattern with `*` -> origin of the node that answers for it; the first that fits
   * counts. Plain HTTP counts as secure at a name without a port, as HTTPS would.
   */
  static async launch(hosts: Readonly<Record<string, string>>, options: BrowserOptions = {}): Promise<Browser> {
    const { args = [], program = CHROMIUM, resolves = [], keepsPages = false } = options
    const rules = Object.entries(hosts).map(([host, origin]) => `MAP ${host} ${new URL(origin).host}`)
    const excluded = ['127.0.0.1', ...resolves].map((host) => `EXCLUDE ${host}`)
    const secure = Object.keys(hosts).flatMap((host) => (/[*:]/.test(host) ? [] : [`http://${host}`]))
    return new Browser(
      await chromium.launch({
        executablePath: program,
        ignoreDefaultArgs: keepsPages ? ['--disable-back-forward-cache'] : [],
        args: [
          // The kernel's sandbox is not to be had as root.
          '--no-sandbox',
          '--disable-background-networking',
          '--disable-component-update',
          '--autoplay-policy=no-user-gesture-required',
          `--host-resolver-rules=${[...rules, 'MAP * ~NOTFOUND', ...excluded].join(', ')}`,
          `--unsafely-treat-insecure-origin-as-secure=${secure.join()}`,
          ...args,
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

  /** The visitor leaves for ever. */
  async close({ page }: Visit): Promise<void> {
    await page.context().close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chromium.close()
  }
}
