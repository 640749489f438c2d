/** Files as the client sees them, for a server that is a worker: only the opened folders, only when asked for. */
import { URI, type FileSystemNode, type FileSystemProvider } from 'langium';
import type { Connection } from 'vscode-languageserver';
import { READ_FILE_REQUEST, READ_FOLDER_REQUEST, type FileParams, type FolderEntry } from '../protocol.js';

export class ClientFileSystem implements FileSystemProvider {
  constructor(private readonly connection: Connection) {}

  async readDirectory(uri: URI): Promise<FileSystemNode[]> {
    const entries = await this.ask<readonly FolderEntry[]>(READ_FOLDER_REQUEST, uri);
    return entries.map((entry) => ({ uri: URI.parse(entry.uri), isDirectory: entry.folder, isFile: !entry.folder }));
  }

  readFile(uri: URI): Promise<string> {
    return this.ask<string>(READ_FILE_REQUEST, uri);
  }

  async readBinary(uri: URI): Promise<Uint8Array> {
    return new TextEncoder().encode(await this.readFile(uri));
  }

  async exists(uri: URI): Promise<boolean> {
    return this.readFile(uri).then(() => true, () => false);
  }

  async stat(uri: URI): Promise<FileSystemNode> {
    return { uri, isFile: await this.exists(uri), isDirectory: false };
  }

  statSync = (uri: URI): FileSystemNode => refuse(uri);
  existsSync = (): boolean => false;
  readBinarySync = (uri: URI): Uint8Array => refuse(uri);
  readFileSync = (uri: URI): string => refuse(uri);
  readDirectorySync = (uri: URI): FileSystemNode[] => refuse(uri);

  private ask<Answer>(method: string, uri: URI): Promise<Answer> {
    const params: FileParams = { uri: uri.toString() };
    return this.connection.sendRequest<Answer>(method, params);
  }
}

function refuse(uri: URI): never {
  throw new Error(`${uri.toString()} can only be read asynchronously here`);
}
