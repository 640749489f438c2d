/** What both kinds of extension host share: the language client, the commands, the trace view, the status item. */
import { commands, window, workspace, type ExtensionContext } from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';
import { provideDebugger } from './debug/debugger.js';
import { showCalls } from './calls.js';
import { compareModels, ComparePanels } from './compare-panels.js';
import { exportOwner } from './export.js';
import { importHost } from './import/import-host.js';
import { providePages } from './pages.js';
import { simulate, traceDma } from './simulate.js';
import { Simulations } from './simulations.js';
import { showFindingsCount } from './status.js';
import { provideTests } from './tests/test-explorer.js';
import { TracePanels } from './trace-panels.js';

export type MakeClient = (options: LanguageClientOptions) => BaseLanguageClient;

/** Starts the language server and everything that talks to it. */
export async function startWorkbench(context: ExtensionContext, makeClient: MakeClient): Promise<void> {
  const client = makeClient(clientOptions());
  const simulations = new Simulations(client);
  const panels = new TracePanels(context.extensionUri, simulations);
  const comparisons = new ComparePanels(context.extensionUri, client, simulations);
  context.subscriptions.push(
    client,
    simulations,
    panels,
    comparisons,
    window.registerWebviewPanelSerializer(TracePanels.viewType, panels),
    window.registerWebviewPanelSerializer(ComparePanels.viewType, comparisons),
    showFindingsCount(),
    providePages(client),
    provideDebugger(client),
    commands.registerCommand('iommu.simulate', (file?: unknown, action?: unknown) => simulate(panels, file, action)),
    commands.registerCommand('iommu.traceDma', (file?: unknown, action?: unknown) => traceDma(simulations, panels, file, action)),
    commands.registerCommand('iommu.compare', (file?: unknown) => compareModels(comparisons, file)),
    commands.registerCommand('iommu.showCalls', (file?: unknown, owner?: unknown) => showCalls(client, file, owner)),
    commands.registerCommand('iommu.importHost', () => importHost(client)),
    commands.registerCommand('iommu.export', () => exportOwner(client)),
    commands.registerCommand('iommu.restartServer', () => client.stop().then(() => client.start())),
  );
  await client.start();
  context.subscriptions.push(provideTests(client, simulations));
}

/** Hints and lenses are switched here, so that every server behaves alike. */
function clientOptions(): LanguageClientOptions {
  const enabled = (name: string) => workspace.getConfiguration('iommu').get<boolean>(`${name}.enabled`, true);
  return {
    documentSelector: [{ language: 'iommu' }],
    synchronize: { fileEvents: workspace.createFileSystemWatcher('**/*.iommu') },
    outputChannelName: 'IOMMU',
    middleware: {
      provideInlayHints: (document, range, token, next) => (enabled('inlayHints') ? next(document, range, token) : []),
      provideCodeLenses: (document, token, next) => (enabled('codeLens') ? next(document, token) : []),
    },
  };
}
