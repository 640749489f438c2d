/** What the extension writes for a person: the calls of a program as a scenario, and settings for other programs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('workspace/guest.iommu', import.meta.url), 'utf8').split('\n');
/** Line number, counted from 1, of the first line with a text. */
const lineOf = (part) => text.findIndex((line) => line.includes(part)) + 1;

export const OUTPUT_CHECKS = [
  ['"IOMMU: Show the Calls" opens them as a scenario that runs', async ({ host, workbench, page, screenshot }) => {
    await workbench.openFile('guest.iommu');
    await workbench.goToLine(lineOf('vm guest'));
    await workbench.command('IOMMU: Show the Calls');
    // Beside the file where it is on a disk, at its end in the browser's memory.
    if (host === 'node') await page.locator('.tab.active', { hasText: 'guest-calls' }).waitFor({ timeout: 60_000 });
    await workbench.languageMode('IOMMU');
    await workbench.editor.locator('.view-line', { hasText: /bind-iommufd/ }).first().waitFor({ timeout: 30_000 });
    await workbench.editor.locator('.codelens-decoration a', { hasText: /\d+ steps: simulate/ }).first().waitFor({ timeout: 60_000 });
    await screenshot('13-calls');
  }],
  ['"IOMMU: Export…" writes the command of QEMU', async ({ workbench, page, screenshot }) => {
    await workbench.openFile('guest.iommu');
    await workbench.command('IOMMU: Export…', 'Export');
    await workbench.pick('QEMU command');
    await page.locator('.tab.active', { hasText: /Untitled/ }).waitFor({ timeout: 60_000 });
    const command = await workbench.editor.locator('.view-lines').innerText();
    assert.match(command.replaceAll(' ', ' '), /qemu-system-x86_64/);
    assert.match(command, /vfio-pci,host=0000:01:00\.0/);
    await screenshot('14-export');
  }],
];
