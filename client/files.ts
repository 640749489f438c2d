/** Files for a server that has none: those of the opened folders. Anything else is refused. */
import { Disposable, FileType, Uri, workspace } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { READ_FILE_REQUEST, READ_FOLDER_REQUEST, type FileParams, type FolderEntry } from '../server/protocol.js';

export function provideFiles(client: BaseLanguageClient): Disposable {
  return Disposable.from(
    client.onRequest(READ_FILE_REQUEST, async (params: FileParams) => new TextDecoder().decode(await workspace.fs.readFile(inside(params)))),
    client.onRequest(READ_FOLDER_REQUEST, async (params: FileParams): Promise<FolderEntry[]> => {
      const folder = inside(params);
      const entries = await workspace.fs.readDirectory(folder);
      return entries.map(([name, type]) => ({ uri: Uri.joinPath(folder, name).toString(), folder: (type & FileType.Directory) !== 0 }));
    }),
  );
}

/** @throws Error for what is in no opened folder */
function inside({ uri }: FileParams): Uri {
  const parsed = Uri.parse(uri);
  if (workspace.getWorkspaceFolder(parsed) === undefined) throw new Error(`${uri} is in no opened folder`);
  return parsed;
}
