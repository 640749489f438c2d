/** What all views have in common: their page, and what they ask of the editor. */
import { Range, Uri, ViewColumn, window, workspace, type Webview } from 'vscode';
import type { PlaceView } from '../server/protocol.js';

/** Selects a place in its editor, which stays where it is open. */
export async function reveal({ uri, range }: PlaceView, focus: boolean): Promise<void> {
  const target = Uri.parse(uri);
  const visible = window.visibleTextEditors.find(({ document }) => document.uri.toString() === target.toString());
  const selection = new Range(range.start.line, range.start.character, range.end.line, range.end.character);
  try {
    await window.showTextDocument(target, { viewColumn: visible?.viewColumn ?? ViewColumn.One, preserveFocus: !focus, selection });
  } catch (error) {
    void window.showErrorMessage(`${target.path} cannot be opened: ${String(error)}`);
  }
}

/** Asks where to, beside the file that the view is about. */
export async function save(name: string, text: string, beside: string): Promise<void> {
  const target = await window.showSaveDialog({ defaultUri: Uri.joinPath(Uri.parse(beside), '..', name) });
  if (target) await workspace.fs.writeFile(target, new TextEncoder().encode(text));
}

/**
 * Fills a view with `dist/NAME.js` and `dist/NAME.css`; nothing may be loaded. Both stand in the page itself: in the browser a view that comes back waits
 * half a minute for each resource that it asks for, because the service worker still talks to the one before it.
 */
export async function fill(webview: Webview, extension: Uri, name: string): Promise<void> {
  const textOf = async (file: string) => new TextDecoder().decode(await workspace.fs.readFile(Uri.joinPath(extension, 'dist', file)));
  try {
    const [script, style] = await Promise.all([textOf(`${name}.js`), textOf(`${name}.css`)]);
    webview.html = pageOf(name, script, style);
  } catch (error) {
    void window.showErrorMessage(`The ${name} view cannot be shown: ${String(error)}`);
  }
}

function pageOf(name: string, script: string, style: string): string {
  const nonce = crypto.randomUUID().replaceAll('-', '');
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>IOMMU ${name}</title>
  <style nonce="${nonce}">${style.replaceAll('</style', '<\\/style')}</style>
</head>
<body>
  <div id="app"></div>
  <script nonce="${nonce}">${script.replaceAll('</script', '<\\/script')}</script>
</body>
</html>`;
}
