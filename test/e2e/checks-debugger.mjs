/** The debugger: what a person does with the scenario of `workspace/steps.iommu`. */
import { readFileSync } from 'node:fs';

const SOON = 30_000;
const text = readFileSync(new URL('workspace/steps.iommu', import.meta.url), 'utf8').split('\n');
/** Line number, counted from 1, of the first line with a text. */
const lineOf = (part) => text.findIndex((line) => line.includes(part)) + 1;

const callStack = (page) => page.locator('.debug-call-stack .monaco-list-row');
const variable = (page, name) => page.locator('.debug-variables .monaco-list-row', { hasText: name });

/** Waits until the top frame of the call stack has a text. */
const stoppedAt = (page, what) => callStack(page).filter({ hasText: what }).first().waitFor({ timeout: SOON });

/** Events of the first DMA that one can tell apart, in order. */
const WALK = [/sends a write/, /passes it upstream/, /root complex/, /ivhd0 gets/, /device table entry/];

/** Opens a scope or a variable that is closed. */
async function unfold(workbench, locator) {
  await locator.first().waitFor({ timeout: SOON });
  if (await locator.first().getAttribute('aria-expanded') === 'false') await workbench.click(locator.first().locator('.monaco-tl-twistie'));
}

async function addCondition(workbench, page, line, condition) {
  await workbench.goToLine(lineOf(line));
  await workbench.command('Debug: Add Conditional Breakpoint...', 'Add Conditional Breakpoint');
  const input = page.locator('.breakpoint-widget .inputContainer .monaco-editor').first();
  await input.waitFor({ timeout: SOON });
  await page.locator('.breakpoint-widget .inputContainer .monaco-editor.focused').waitFor({ timeout: SOON });
  await page.keyboard.type(condition);
  await input.locator('.view-line', { hasText: condition }).waitFor({ timeout: SOON });
  // What may begin a line is proposed here too, and Enter would take it.
  await page.waitForTimeout(1500);
  if (await page.locator('.suggest-widget.visible').isVisible()) await page.keyboard.press('Escape');
  await input.locator('.view-line', { hasText: new RegExp(`^${condition}$`) }).waitFor({ timeout: SOON });
  await page.keyboard.press('Enter');
  await input.waitFor({ state: 'detached', timeout: SOON });
}

export const DEBUGGER_CHECKS = [
  ['debugger: a breakpoint is set on a DMA', async ({ workbench, page }) => {
    await page.keyboard.press('Control+1');
    await page.keyboard.press('Control+Shift+E');
    await workbench.openFile('steps.iommu');
    await workbench.languageMode('IOMMU');
    await page.locator('.codelens-decoration a:visible').first().waitFor({ timeout: 60_000 });
    await workbench.goToLine(lineOf('dma gpu write 0x10_1000'));
    await workbench.command('Debug: Toggle Breakpoint', 'Toggle Breakpoint');
    await workbench.editor.locator('.codicon-debug-breakpoint, .codicon-debug-breakpoint-unverified').first().waitFor({ timeout: SOON });
  }],
  ['debugger: F5 stops before the first step, without launch.json', async ({ workbench, page }) => {
    await workbench.goToLine(lineOf('scenario "one mapping"'));
    await page.keyboard.press('F5');
    await page.locator('.debug-toolbar').waitFor({ timeout: 60_000 });
    await page.keyboard.press('Control+Shift+D');
    await stoppedAt(page, 'unbind audio');
  }],
  ['debugger: F5 continues to the breakpoint', async ({ workbench, page }) => {
    await page.locator('.debug-toolbar .codicon-debug-continue').waitFor({ timeout: SOON });
    await page.keyboard.press('F5');
    await stoppedAt(page, 'dma gpu write 0x10_1000');
    await workbench.editor.locator('.debug-top-stack-frame-line').first().waitFor({ timeout: SOON });
  }],
  ['debugger: the variables show the mappings', async ({ workbench, page, screenshot }) => {
    await unfold(workbench, variable(page, /^Mappings/));
    await unfold(workbench, page.locator('.debug-variables .monaco-list-row', { hasText: /1 mapping/ }).first());
    await page.locator('.debug-variables .monaco-list-row', { hasText: /0x100000 64KiB rw/ }).first().waitFor({ timeout: SOON });
    await screenshot('10-debugger');
  }],
  ['debugger: a step into a DMA is its walk, event by event', async ({ page, screenshot }) => {
    for (const event of WALK) {
      await page.keyboard.press('F11');
      await stoppedAt(page, event);
    }
    await variable(page, /device table entry/).first().waitFor({ timeout: SOON });
    await screenshot('11-debugger-walk');
  }],
  ['debugger: it steps out, and back', async ({ workbench, page }) => {
    await page.keyboard.press('Shift+F11');
    await stoppedAt(page, 'dma gpu write 0x20_0000');
    await workbench.click(page.locator('.debug-toolbar .codicon-debug-step-back'));
    await stoppedAt(page, 'dma gpu write 0x10_1000');
    await callStack(page).filter({ hasText: '0x20_0000' }).first().waitFor({ state: 'detached', timeout: SOON });
  }],
  ['debugger: it ends, and the console has what the kernel logged', async ({ workbench, page }) => {
    // The button is there as soon as the editor knows that it has stopped; a key that comes earlier is lost.
    await workbench.click(page.locator('.debug-toolbar .codicon-debug-continue'));
    await page.locator('.debug-toolbar').waitFor({ state: 'hidden', timeout: SOON });
    await workbench.command('View: Debug Console', 'Debug Console').catch(() => {});
    await page.locator('.repl .monaco-list-row', { hasText: 'IO_PAGE_FAULT' }).first().waitFor({ timeout: SOON });
  }],
  ['debugger: of two breakpoints with the condition `fault` it stops at the one whose DMA faults', async ({ workbench, page }) => {
    await workbench.goToLine(lineOf('dma gpu write 0x10_1000'));
    await workbench.command('Debug: Toggle Breakpoint', 'Toggle Breakpoint');
    await workbench.editor.locator('.codicon-debug-breakpoint').first().waitFor({ state: 'detached', timeout: SOON });
    await addCondition(workbench, page, 'dma gpu write 0x10_1000', 'fault');
    await addCondition(workbench, page, 'dma gpu write 0x20_0000', 'fault');
    await page.keyboard.press('F5');
    await page.locator('.debug-toolbar').waitFor({ timeout: 60_000 });
    await stoppedAt(page, 'unbind audio');
    await workbench.click(page.locator('.debug-toolbar .codicon-debug-continue'));
    await stoppedAt(page, 'dma gpu write 0x20_0000');
    await workbench.click(page.locator('.debug-toolbar .codicon-debug-continue'));
    await page.locator('.debug-toolbar').waitFor({ state: 'hidden', timeout: SOON });
  }],
];
