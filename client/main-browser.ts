/** The extension in a browser: the language server is a worker. */
import { Uri, type ExtensionContext } from 'vscode';
import { LanguageClient } from 'vscode-languageclient/browser';
import { provideFiles } from './files.js';
import { startWorkbench } from './workbench.js';

export async function activate(context: ExtensionContext): Promise<void> {
  await startWorkbench(context, (options) => {
    const worker = new Worker(Uri.joinPath(context.extensionUri, 'dist/server.web.js').toString(true));
    context.subscriptions.push({ dispose: () => worker.terminate() });
    const client = new LanguageClient('iommu', 'IOMMU', worker, options);
    context.subscriptions.push(provideFiles(client));
    return client;
  });
}
