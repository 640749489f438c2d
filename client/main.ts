/** The extension on a desktop and on a remote machine: the language server is a process of its own. */
import type { ExtensionContext } from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import { startWorkbench } from './workbench.js';
import { provideTasks } from './tasks.js';

export async function activate(context: ExtensionContext): Promise<void> {
  const module = context.asAbsolutePath('dist/server.cjs');
  context.subscriptions.push(provideTasks(context.asAbsolutePath('dist/iommu.cjs')));
  await startWorkbench(context, (options) =>
    new LanguageClient('iommu', 'IOMMU', {
      run: { module, transport: TransportKind.ipc },
      debug: { module, transport: TransportKind.ipc, options: { execArgv: ['--nolazy', '--inspect=6009'] } },
    }, options));
}
