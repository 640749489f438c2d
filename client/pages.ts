/** The page of a diagnostic, opened from its code in the Problems list. */
import { workspace, type Disposable } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { PAGE_REQUEST, PAGE_SCHEME, type PageParams } from '../server/protocol.js';

/** "iommu-page:/ownership/group-not-viable.md" is the page of ownership/group-not-viable; package.json asks for its preview. */
export function providePages(client: BaseLanguageClient): Disposable {
  return workspace.registerTextDocumentContentProvider(PAGE_SCHEME, {
    async provideTextDocumentContent({ path }) {
      const params: PageParams = { code: path.replace(/^\//, '').replace(/\.md$/, '') };
      return (await client.sendRequest<string | null>(PAGE_REQUEST, params)) ?? `There is no page for ${params.code}.`;
    },
  });
}
