// A file system in memory for the editor in the browser; /ws.json of its server says what is in it at first.
const vscode = require('vscode');

const { FileSystemError, FileType, FileChangeType } = vscode;
const parentOf = (path) => path.slice(0, path.lastIndexOf('/')) || '/';
const nameOf = (path) => path.slice(path.lastIndexOf('/') + 1);

exports.activate = (context) => {
  const started = Date.now();
  const files = new Map();
  const folders = new Set(['/']);
  const changes = new vscode.EventEmitter();
  const tell = (type, uri) => changes.fire([{ type, uri }]);

  const put = (path, data) => {
    files.set(path, { data, ctime: files.get(path)?.ctime ?? started, mtime: Date.now() });
    for (let folder = parentOf(path); !folders.has(folder); folder = parentOf(folder)) folders.add(folder);
  };
  const fill = async () => {
    const response = await fetch(context.extensionUri.with({ path: '/ws.json' }).toString(true));
    for (const [path, base64] of Object.entries(await response.json())) put(path, Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
  };
  const ready = fill();

  context.subscriptions.push(vscode.workspace.registerFileSystemProvider('memfs', {
    onDidChangeFile: changes.event,
    watch: () => new vscode.Disposable(() => {}),
    async stat(uri) {
      await ready;
      const file = files.get(uri.path);
      if (file) return { type: FileType.File, ctime: file.ctime, mtime: file.mtime, size: file.data.length };
      if (folders.has(uri.path)) return { type: FileType.Directory, ctime: started, mtime: started, size: 0 };
      throw FileSystemError.FileNotFound(uri);
    },
    async readDirectory(uri) {
      await ready;
      const children = (paths, type) => [...paths].filter((path) => path !== '/' && parentOf(path) === uri.path).map((path) => [nameOf(path), type]);
      return [...children(folders, FileType.Directory), ...children(files.keys(), FileType.File)];
    },
    async readFile(uri) {
      await ready;
      const file = files.get(uri.path);
      if (!file) throw FileSystemError.FileNotFound(uri);
      return file.data;
    },
    async writeFile(uri, data, { create, overwrite }) {
      await ready;
      const known = files.has(uri.path);
      if (!known && !create) throw FileSystemError.FileNotFound(uri);
      if (known && create && !overwrite) throw FileSystemError.FileExists(uri);
      put(uri.path, data);
      tell(known ? FileChangeType.Changed : FileChangeType.Created, uri);
    },
    createDirectory(uri) {
      folders.add(uri.path);
      tell(FileChangeType.Created, uri);
    },
    delete(uri) {
      for (const path of [...files.keys()]) if (path === uri.path || path.startsWith(`${uri.path}/`)) files.delete(path);
      folders.delete(uri.path);
      tell(FileChangeType.Deleted, uri);
    },
    rename(from, to) {
      const file = files.get(from.path);
      if (!file) throw FileSystemError.FileNotFound(from);
      files.delete(from.path);
      put(to.path, file.data);
      tell(FileChangeType.Deleted, from);
      tell(FileChangeType.Created, to);
    },
  }));
};
