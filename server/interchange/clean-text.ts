/**
 * Pasted text as the program printed it: without byte order marks, terminal colours, mark-up of mails, forums and web pages, and with
 * one kind of line end and of space. Everything that reads what people paste reads it through this.
 */
import { ImportError } from './import-error.js';

/** What a terminal takes for itself: colours, titles; with the escape character, or as `cat -v` writes it. */
const TERMINAL = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)|[@-Z\\^_])|\^\[\[[\d;]*m/g;
/** Spaces that are not U+0020, as web pages have them, and what is as wide as nothing. */
const SPACES = /[\u00a0\u2000-\u200a\u202f\u205f\u3000\f\v]/g;
const WIDTHLESS = /[\u200b-\u200d\u2060\ufeff]/g;

/** Mark-up of the kinds that people paste, by names: `<access denied>` and `[size=16M]` are lspci's own. */
const LINE_BREAK = /<br\s*\/?>\n?/gi;
const TAG = /<\/?(?:html|body|head|pre|code|samp|span|div|p|tt|font|b|i|u|strong|em|table|tbody|thead|tr|td|th|blockquote|details|summary)(?:\s[^<>\n]*)?\/?>/gi;
const FORUM_TAG = /\[\/?(?:code|quote|spoiler|color|pre|html|noparse)(?:=[^[\]\n]*)?\]/gi;
const ENTITY = /&(lt|gt|amp|quot|apos|nbsp|#\d{1,6}|#x[0-9a-f]{1,5});/gi;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: ' ' };

/** A mail as it is sent: "=" begins a byte in hexadecimal, and joins lines. Real "=" are coded, so these never occur otherwise. */
const QUOTED_PRINTABLE = /DEVSEL=3D|primary=3D|=C2=A0/;

/** More than this share of zero bytes: two bytes for each character, of which every second is 0. */
const UTF16_SHARE = 0.3;

/**
 * @param source which input, for the error.
 * @throws ImportError for binary data.
 */
export function cleanText(text: string, source: string): string {
  let clean = withoutZeros(text, source).replace(TERMINAL, '').replace(/\r\n?/g, '\n').replace(WIDTHLESS, '').replace(SPACES, ' ');
  if (QUOTED_PRINTABLE.test(clean)) clean = clean.replace(/=\n/g, '').replace(/=C2=A0/g, ' ').replace(/=([0-7][0-9A-F])/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
  return clean.replace(LINE_BREAK, '\n').replace(TAG, '').replace(FORUM_TAG, '').replace(ENTITY, entity);
}

/** A byte order mark is no part of a text. */
export const withoutMark = (text: string): string => text.replace(/^\ufeff/, '');

/** UTF-16 that was read as UTF-8 is ASCII with zeros between; other zeros mean that it is no text. */
function withoutZeros(text: string, source: string): string {
  const first = text.indexOf('\0');
  if (first < 0) return text;
  const zeros = text.split('\0').length - 1;
  if (zeros < text.length * UTF16_SHARE) throw new ImportError('this is binary data, not text', source, text.slice(0, first).split('\n').length);
  return text.replace(/[\0\ufffd]/g, '');
}

function entity(whole: string, name: string): string {
  const lower = name.toLowerCase();
  if (!lower.startsWith('#')) return ENTITIES[lower]!;
  const code = lower.startsWith('#x') ? parseInt(lower.slice(2), 16) : Number(lower.slice(1));
  return code < 0x20 || code > 0xffff ? whole : code === 0xa0 ? ' ' : String.fromCharCode(code);
}
