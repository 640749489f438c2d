/** The commands "Simulate" and "Trace DMA". */
import { Uri, window, type QuickPickItem } from 'vscode';
import { actionOnLine, normalUri, type Simulations } from './simulations.js';
import type { TracePanels } from './trace-panels.js';
import type { SimulationView } from '../server/protocol.js';

/** Shows the simulation of a file beside it. Arguments as menus, code lenses and the palette pass them. */
export async function simulate(panels: TracePanels, file: unknown, action: unknown): Promise<void> {
  const uri = fileOf(file, panels);
  if (uri) await panels.show(uri, typeof action === 'string' ? action : undefined);
  else void window.showInformationMessage('Open an .iommu file to simulate it.');
}

/** Shows one DMA: the one named, the one at the cursor, the only one, or the one that is picked. */
export async function traceDma(simulations: Simulations, panels: TracePanels, file: unknown, action: unknown): Promise<void> {
  const uri = fileOf(file, panels);
  if (!uri) {
    void window.showInformationMessage('Open an .iommu file to trace its DMA.');
    return;
  }
  const chosen = typeof action === 'string' ? action : await chooseDma(simulations, uri);
  if (chosen) await panels.show(uri, chosen);
}

async function chooseDma(simulations: Simulations, uri: string): Promise<string | undefined> {
  const simulation = await simulations.of(uri).catch((error: unknown) => void window.showErrorMessage(`The simulation failed: ${String(error)}`));
  if (!simulation) return undefined;
  const editor = window.activeTextEditor;
  const atCursor = editor?.document.uri.toString() === uri ? actionOnLine(simulation, uri, editor.selection.active.line, ['dma', 'never']) : undefined;
  if (atCursor) return atCursor.id;
  const items = dmaItems(simulation);
  if (items.length === 0) void window.showInformationMessage('This file asks for no DMA. Add a statement such as: dma gpu read 0x1000 size 64');
  if (items.length <= 1) return items[0]?.id;
  return (await window.showQuickPick(items, { placeHolder: 'Trace which DMA?', matchOnDescription: true, matchOnDetail: true }))?.id;
}

function dmaItems(simulation: SimulationView): (QuickPickItem & { id: string })[] {
  return simulation.runs.flatMap((run) =>
    run.actions
      .filter(({ kind }) => kind !== 'step')
      .map(({ id, text, result, good }) => ({ id, label: `$(${good ? 'check' : 'error'}) ${text}`, description: result, detail: run.name })));
}

/** The file that a command is about: its argument, the trace view in front, or the active editor. */
function fileOf(file: unknown, panels: TracePanels): string | undefined {
  if (typeof file === 'string') return normalUri(file);
  if (file instanceof Uri) return file.toString();
  const document = window.activeTextEditor?.document;
  return panels.activeFile ?? (document?.languageId === 'iommu' ? document.uri.toString() : undefined);
}
