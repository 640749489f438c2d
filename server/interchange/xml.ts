/** XML as people write it: two spaces, single quotes, short elements on one line. */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly content: string | readonly Element[];
}

/** Attributes whose value is undefined are left out. */
export function element(name: string, attributes: Readonly<Record<string, string | undefined>> = {}, content: string | readonly Element[] = []): Element {
  const given = Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { name, attributes: Object.fromEntries(given), content };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;', '\n': '&#10;', '\r': '&#13;', '\t': '&#9;' };

/** What XML 1.0 has no way to write, escaped or not: control characters and lone surrogates. */
const UNWRITABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const escaped = (text: string, characters: RegExp): string => text.replace(UNWRITABLE, '\ufffd').replace(characters, (character) => ENTITIES[character] ?? character);
export const textContent = (text: string): string => escaped(text, /[&<>\r]/g);
export const attributeValue = (text: string): string => escaped(text, /[&<>'\n\r\t]/g);

/** A comment; two hyphens cannot stand in one. */
export const comment = (text: string): string => `<!-- ${text.replace(UNWRITABLE, '\ufffd').replace(/-(?=-)/g, '- ').replace(/-$/, '- ')} -->`;

export function printElement({ name, attributes, content }: Element, indent = ''): string {
  const head = `${indent}<${name}${Object.entries(attributes).map(([key, value]) => ` ${key}='${attributeValue(value)}'`).join('')}`;
  if (content.length === 0) return `${head}/>`;
  if (typeof content === 'string') return `${head}>${textContent(content)}</${name}>`;
  return [`${head}>`, ...content.map((child) => printElement(child, `${indent}  `)), `${indent}</${name}>`].join('\n');
}
