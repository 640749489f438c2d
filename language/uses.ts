/** Which files a text uses, found without parsing it: whoever reads files must know before there is a tree. */
import { URI, UriUtils } from 'langium';

const STRING_OR_COMMENT = /("(?:\\.|[^"\\\n])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const USE = /(?:^|[\s}"])use\s*"([^"\n]+)"/g;

/** URIs of the `use` statements, resolved against the file's own. */
export function usedUris(uri: string, text: string): string[] {
  const code = text.replace(STRING_OR_COMMENT, '$1');
  return [...code.matchAll(USE)].map(([, path]) => resolveUse(path!, URI.parse(uri)).toString());
}

/** Where `use "path"` in the file `from` leads. */
export const resolveUse = (path: string, from: URI): URI => UriUtils.resolvePath(UriUtils.dirname(savedAs(from)), path);

/** A document that is not saved yet but has a place uses files from there. */
const savedAs = (uri: URI): URI => (uri.scheme === 'untitled' && uri.path.startsWith('/') ? uri.with({ scheme: 'file' }) : uri);
