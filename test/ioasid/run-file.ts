/** A file of the repository, simulated. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { simulateText, type Simulated } from '../scenario/simulate-text.js';

const ROOT = join(import.meta.dirname, '../..');

export const simulateFile = (name: string): Promise<Simulated> => simulateText(readFileSync(join(ROOT, name), 'utf8'));
