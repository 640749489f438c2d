import type { Keys } from '../view/help.js';

/** What the help of the view lists. */
export const KEYS: Keys = [
  ['← →', 'previous or next step, in both models'],
  ['d D', 'next or previous step at which they differ'],
  ['Home End', 'first or last step'],
  ['Enter', 'go to the line in the file; on a box, show what it is'],
  ['s', 'save this step as an SVG file'],
  ['Tab', 'steps, boxes of both drawings, what differs'],
];
