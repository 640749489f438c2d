import type { Keys } from '../view/help.js';

/** What the help of the view lists. */
export const KEYS: Keys = [
  ['↑ ↓', 'previous or next row of the list or of the trace'],
  ['n p', 'next or previous step'],
  ['f', 'the first fault'],
  ['Home End', 'first or last'],
  ['Enter', 'go to the line in the file'],
  ['c', 'copy as text'],
  ['Tab', 'list, path, trace, selected step'],
];
