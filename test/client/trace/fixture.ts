/** The web view outside VS Code: its own bundle in a page with the editor's tokens and a stand-in for the editor. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';
import { build } from 'esbuild';
import type { FromView, SimulationView, ToView, ViewState } from '../../../server/protocol.js';
import { THEMES, type Theme } from './themes.js';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Undefined when this machine has no Chromium. */
export const chromiumPath = PLACES.find((place) => place !== undefined && existsSync(place));

export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu'] });

/** Script and style sheet of the view. */
export async function bundleView(): Promise<{ readonly script: string; readonly style: string }> {
  const make = async (entry: string) => (await build({ entryPoints: [entry], bundle: true, write: false, minify: true, format: 'iife', target: 'es2022', logLevel: 'error' })).outputFiles[0]!.text;
  return { script: await make('client/trace/main.tsx'), style: await make('client/trace/trace.css') };
}

export interface ViewOptions {
  readonly theme?: Theme;
  readonly width?: number;
  readonly height?: number;
  readonly state?: ViewState;
  readonly reducedMotion?: boolean;
}

/** A page that shows the view as VS Code does, content security policy included. */
export class ViewPage {
  private constructor(readonly page: Page, readonly errors: string[]) {}

  static async open(browser: Browser, bundle: { readonly script: string; readonly style: string }, options: ViewOptions = {}): Promise<ViewPage> {
    const { theme = 'dark', width = 900, height = 800, state = null, reducedMotion = true } = options;
    const page = await browser.newPage({ viewport: { width, height }, reducedMotion: reducedMotion ? 'reduce' : 'no-preference' });
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
    const { body, tokens } = THEMES[theme];
    const files: Record<string, { readonly contentType: string; readonly body: string }> = {
      '/': { contentType: 'text/html', body: htmlOf(body) },
      '/trace.js': { contentType: 'text/javascript', body: bundle.script },
      '/trace.css': { contentType: 'text/css', body: bundle.style },
      '/tokens.css': { contentType: 'text/css', body: `html { ${Object.entries(tokens).map(([name, value]) => `${name}: ${value};`).join(' ')} }` },
      '/fake.js': { contentType: 'text/javascript', body: `
        window.messages = []; window.viewState = ${JSON.stringify(state)};
        window.acquireVsCodeApi = () => ({ postMessage: (m) => window.messages.push(m), getState: () => window.viewState, setState: (s) => { window.viewState = s; } });` },
      '/favicon.ico': { contentType: 'image/x-icon', body: '' },
    };
    await page.route('http://view.localhost/**', (route) => route.fulfill(files[new URL(route.request().url()).pathname] ?? { status: 404 }));
    await page.goto('http://view.localhost/');
    const view = new ViewPage(page, errors);
    await page.waitForFunction(() => (window as unknown as { messages: { type: string }[] }).messages.some(({ type }) => type === 'ready'));
    return view;
  }

  async show(simulation: SimulationView, select?: string): Promise<void> {
    await this.send({ type: 'show', simulation, select });
    await this.page.locator('.app').waitFor();
  }

  /** Milliseconds from the message to the drawn view, as the page itself measures them. */
  timeToShow(simulation: SimulationView): Promise<number> {
    return this.page.evaluate(async (text) => {
      const message = JSON.parse(text) as ToView;
      const start = performance.now();
      window.postMessage(message, '*');
      while (!document.querySelector('#step-0')) await new Promise(requestAnimationFrame);
      return performance.now() - start;
    }, JSON.stringify({ type: 'show', simulation }));
  }

  send(message: ToView | { readonly type: 'nonsense' }): Promise<void> {
    return this.page.evaluate((data) => window.postMessage(data, '*'), message);
  }

  messages(): Promise<FromView[]> {
    return this.page.evaluate(() => (window as unknown as { messages: FromView[] }).messages);
  }

  state(): Promise<ViewState> {
    return this.page.evaluate(() => (window as unknown as { viewState: ViewState }).viewState);
  }

  /** Text of the selected row of the list, of the selected step. */
  selectedRow(): Promise<string> {
    return this.page.locator('[role=option][aria-selected=true] .text').innerText();
  }

  async selectedStep(): Promise<number> {
    return Number(await this.page.locator('[role=row][aria-selected=true] .number').innerText());
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

const htmlOf = (body: string): string => `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>IOMMU trace</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src http://view.localhost; script-src 'nonce-fixed'">
<link rel="stylesheet" href="/tokens.css"><link rel="stylesheet" href="/trace.css"></head>
<body class="${body}"><div id="app"></div><script nonce="fixed" src="/fake.js"></script><script nonce="fixed" src="/trace.js"></script></body></html>`;
