/** VS Code with its extension host in Node: the editor that `npm start` serves, with a workspace on disk. */
import { fetchEditor, startEditor } from '../../../client/start/editor.mjs';

export const name = 'node';

/** @param {{ vsix: string, workspace: string, data: string, port: number }} options */
export async function startHost({ vsix, workspace, data, port }) {
  const editor = await startEditor(await fetchEditor(), { data, vsix, port });
  return { url: editor.address(workspace), stop: editor.stop };
}
