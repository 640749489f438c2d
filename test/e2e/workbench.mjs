/** What a person does in VS Code, as functions over a browser page. Every wait is generous: the machine may be busy. */
const SOON = 30_000;
const LATER = 60_000;

export class Workbench {
  constructor(page) {
    this.page = page;
  }

  async open(url) {
    await this.page.goto(url);
    await this.shown();
  }

  async shown() {
    await this.page.locator('.monaco-workbench .part.editor').waitFor({ timeout: LATER });
  }

  /** As a person does it: VS Code then writes its state down first, which it does only now and then otherwise. */
  async reload() {
    const loaded = this.page.waitForEvent('load', { timeout: LATER });
    await this.command('Developer: Reload Window');
    await loaded;
    await this.shown();
  }

  /** Opens a file from the explorer, in an editor of its own. */
  async openFile(name) {
    // In the first group, whatever view beside it has the keyboard; from the explorer, whatever the side bar shows.
    await this.page.keyboard.press('Control+1');
    if (!(await this.page.locator('.explorer-folders-view').isVisible())) await this.page.keyboard.press('Control+Shift+E');
    await this.page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).dblclick({ timeout: LATER });
    await this.page.locator('.tab.active', { hasText: name }).first().waitFor({ timeout: SOON });
    await this.editor.locator('.view-line').first().waitFor({ timeout: SOON });
  }

  /** Closes everything; what nobody saved is thrown away. */
  async closeAllEditors() {
    const { page } = this;
    await this.command('View: Close All Editors');
    const tabs = page.locator('.editor-group-container .tab');
    const discard = page.locator('.monaco-dialog-box .monaco-button', { hasText: /Don.t Save/ });
    for (const started = Date.now(); Date.now() - started < SOON && (await tabs.count()) > 0;) {
      if (await discard.first().isVisible()) await discard.first().click();
      await page.waitForTimeout(100);
    }
  }

  /** The first editor that is shown. */
  get editor() {
    return this.page.locator('.editor-instance .monaco-editor').first();
  }

  line(text) {
    return this.editor.locator('.view-line', { hasText: text }).first();
  }

  async languageMode(name) {
    await this.page.locator('.statusbar-item[id="status.editor.mode"]', { hasText: name }).waitFor({ timeout: LATER });
  }

  /** Colours of the text: with a grammar there is more than one. */
  async textColours() {
    await this.editor.locator('.view-line span span').first().waitFor({ timeout: SOON });
    return this.editor.locator('.view-line span span').evaluateAll((spans) => [...new Set(spans.map((span) => getComputedStyle(span).color))]);
  }

  get squiggles() {
    return this.editor.locator('.squiggly-error, .squiggly-warning, .squiggly-info');
  }

  async squiggle(severity = 'error') {
    await this.editor.locator(`.squiggly-${severity}`).first().waitFor({ timeout: LATER });
  }

  async noSquiggle(severity = 'error') {
    await this.page.waitForFunction((name) => document.querySelectorAll(`.editor-instance .squiggly-${name}`).length === 0, severity, { timeout: SOON });
  }

  async problems() {
    await this.page.keyboard.press('Control+Shift+M');
    const rows = this.page.locator('.markers-panel .monaco-list-row');
    await rows.nth(1).waitFor({ timeout: SOON });
    return rows.allInnerTexts();
  }

  async closePanel() {
    await this.command('View: Toggle Panel Visibility', 'Toggle Panel Visibility');
  }

  /** Text of the hover over the first place of a line where `word` stands. */
  async hover(lineText, word) {
    const box = await this.wordBox(lineText, word);
    await this.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const hover = this.page.locator('.monaco-hover:not(.hidden) .hover-contents, .monaco-hover:not(.hidden) .hover-row').first();
    await hover.waitFor({ timeout: SOON });
    await this.page.waitForFunction(() => !/^Loading/.test(document.querySelector('.monaco-hover:not(.hidden)')?.textContent ?? 'Loading'), undefined, { timeout: SOON });
    return this.page.locator('.monaco-hover:not(.hidden)').first().innerText();
  }

  /** Where a word of a line is on the screen. */
  async wordBox(lineText, word) {
    const line = this.line(lineText);
    await line.waitFor({ timeout: SOON });
    const box = await line.evaluate((element, wanted) => {
      const whole = (element.textContent ?? '').replaceAll('\u00a0', ' ');
      const start = whole.indexOf(wanted);
      if (start < 0) return null;
      const range = document.createRange();
      const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      let at = 0;
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const end = at + (node.textContent ?? '').length;
        if (at <= start && start < end) range.setStart(node, start - at);
        if (at < start + wanted.length && start + wanted.length <= end) range.setEnd(node, start + wanted.length - at);
        at = end;
      }
      const { x, y, width, height } = range.getBoundingClientRect();
      return { x, y, width, height };
    }, word);
    if (!box) throw new Error(`"${word}" is not shown in the line "${lineText}"`);
    return box;
  }

  async clickWord(lineText, word) {
    const box = await this.wordBox(lineText, word);
    await this.page.mouse.click(box.x + 2, box.y + box.height / 2);
  }

  /** Clicks where an element is: the driver's own click waits without end in pages whose web views replace their frames. */
  async click(locator, button = 'left') {
    await locator.waitFor({ timeout: SOON });
    await locator.evaluate((element) => element.scrollIntoView({ block: 'center' }));
    const box = await locator.boundingBox();
    if (!box) throw new Error('The element is not on the screen.');
    await this.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2, { button });
  }

  /** Opens the quick input by a key and writes into it; again where something takes the keyboard, and with it the input, away. */
  async quickInput(key, text) {
    const input = this.page.locator('.quick-input-widget input').first();
    for (let tries = 1; ; tries++) {
      await this.page.keyboard.press(key);
      try {
        await input.waitFor({ timeout: SOON / 3 });
        await input.fill(text, { timeout: SOON / 3 });
        return input;
      } catch (error) {
        if (tries === 3) throw error;
      }
    }
  }

  /** Runs a command by its full title. */
  async command(title, shown = title) {
    const { page } = this;
    const input = await this.quickInput('F1', `>${title}`);
    await page.locator('.quick-input-list .monaco-list-row.focused', { hasText: shown.replace(/^IOMMU: /, '') }).first().waitFor({ timeout: SOON });
    // While the list is still being filled it now and then has nothing chosen, and Enter does nothing.
    const isOpen = async () => (await input.isVisible().catch(() => false)) && (await input.inputValue({ timeout: 500 }).catch(() => '')) === `>${title}`;
    await page.keyboard.press('Enter');
    for (let tries = 0; tries < 10 && (await isOpen()); tries++) {
      await page.waitForTimeout(500);
      if (await isOpen()) await page.keyboard.press('Enter');
    }
  }

  /** What has the keyboard and what is open, in a line: for the report of a check that failed. */
  async situation() {
    return this.page.evaluate(() => {
      const shown = (selector) => [...document.querySelectorAll(selector)].filter((element) => element.getClientRects().length > 0).map((element) => (element.value ?? element.textContent ?? '').trim().slice(0, 80));
      return JSON.stringify({ keyboard: document.activeElement?.className.slice(0, 80), quickInput: shown('.quick-input-widget input'), peek: shown('.peekview-widget .head'), notifications: shown('.notification-list-item-message'), dialog: shown('.monaco-dialog-box') });
    });
  }

  /** Takes an item of the quick pick that is open. */
  async pick(text) {
    await this.click(this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first());
  }

  /** The inside of the web view. */
  get view() {
    return this.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
  }

  /** Puts the cursor on a line, counted from 1: a click could miss it while lenses still move the text. */
  async goToLine(line) {
    const { page } = this;
    await this.quickInput('Control+G', `:${line}`);
    await page.keyboard.press('Enter');
    await this.cursorOnLine(line);
  }

  /** Waits until the cursor of the first editor is on a line, counted from 1. */
  async cursorOnLine(line) {
    await this.editor.locator('.line-numbers.active-line-number', { hasText: new RegExp(`^${line}$`) }).waitFor({ timeout: SOON });
  }
}
