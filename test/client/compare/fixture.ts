/** The comparison view outside VS Code: its own bundle, a real comparison of a real example, and a stand-in for the editor. */
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { parseFiles } from '../../../language/index.js';
import { compare } from '../../../server/analysis/compare/compare.js';
import { modelNamed } from '../../../server/analysis/compare/models.js';
import type { CompareState, ComparisonView, FromCompareView, ToCompareView } from '../../../server/protocol-compare.js';
import { simulate } from '../../../server/simulator/index.js';
import { THEMES, type Theme } from '../trace/themes.js';

export const URI = 'file:///example.iommu';

export const example = (name: string): string => readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8');

/** As server and terminal compare a file. */
export async function compareText(text: string, left = 'type1@5.13', right = 'iommufd@6.19'): Promise<ComparisonView> {
  const { lowered } = await parseFiles([{ uri: URI, text }], URI);
  const { description, places } = lowered;
  return compare({ description, places, hosts: simulate(description).hosts, uri: URI, version: 1, title: 'example.iommu' }, [modelNamed(left)!, modelNamed(right)!]);
}

export async function bundleView(): Promise<{ readonly script: string; readonly style: string }> {
  const make = async (entry: string) => (await build({ entryPoints: [entry], bundle: true, write: false, minify: true, format: 'iife', target: 'es2022', logLevel: 'error' })).outputFiles[0]!.text;
  return { script: await make('client/compare/main.tsx'), style: await make('client/compare/compare.css') };
}

export interface ViewOptions {
  readonly theme?: Theme;
  readonly width?: number;
  readonly height?: number;
  readonly state?: CompareState;
}

/** A page that shows the view as VS Code does, content security policy included. */
export class ViewPage {
  private constructor(readonly page: Page, readonly errors: string[]) {}

  static async open(browser: Browser, bundle: { readonly script: string; readonly style: string }, { theme = 'dark', width = 1400, height = 900, state }: ViewOptions = {}): Promise<ViewPage> {
    const page = await browser.newPage({ viewport: { width, height }, reducedMotion: 'reduce' });
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
    const { body, tokens } = THEMES[theme];
    const files: Record<string, { readonly contentType: string; readonly body: string }> = {
      '/': { contentType: 'text/html', body: htmlOf(body) },
      '/compare.js': { contentType: 'text/javascript', body: bundle.script },
      '/compare.css': { contentType: 'text/css', body: bundle.style },
      '/tokens.css': { contentType: 'text/css', body: `html { ${Object.entries(tokens).map(([name, value]) => `${name}: ${value};`).join(' ')} }` },
      '/fake.js': { contentType: 'text/javascript', body: `
        window.messages = []; window.viewState = ${JSON.stringify(state ?? null)};
        window.acquireVsCodeApi = () => ({ postMessage: (m) => window.messages.push(m), getState: () => window.viewState, setState: (s) => { window.viewState = s; } });` },
      '/favicon.ico': { contentType: 'image/x-icon', body: '' },
    };
    await page.route('http://view.localhost/**', (route) => route.fulfill(files[new URL(route.request().url()).pathname] ?? { status: 404 }));
    await page.goto('http://view.localhost/');
    await page.waitForFunction(() => (window as unknown as { messages: { type: string }[] }).messages.some(({ type }) => type === 'ready'));
    return new ViewPage(page, errors);
  }

  async show(comparison: ComparisonView, run?: string): Promise<void> {
    await this.send({ type: 'show', comparison, run });
    await this.page.locator('.app').waitFor();
  }

  send(message: ToCompareView | { readonly type: 'nonsense' }): Promise<void> {
    return this.page.evaluate((data) => window.postMessage(data, '*'), message);
  }

  messages(): Promise<FromCompareView[]> {
    return this.page.evaluate(() => (window as unknown as { messages: FromCompareView[] }).messages);
  }

  state(): Promise<CompareState> {
    return this.page.evaluate(() => (window as unknown as { viewState: CompareState }).viewState);
  }

  /** Text of the selected step. */
  step(): Promise<string> {
    return this.page.locator('.step[aria-selected=true] .text').innerText();
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

const htmlOf = (body: string): string => `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>IOMMU compare</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src http://view.localhost; script-src 'nonce-fixed'">
<link rel="stylesheet" href="/tokens.css"><link rel="stylesheet" href="/compare.css"></head>
<body class="${body}"><div id="app"></div><script nonce="fixed" src="/fake.js"></script><script nonce="fixed" src="/compare.js"></script></body></html>`;
