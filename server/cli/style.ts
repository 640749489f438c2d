/** Colours, only for a person: not in pipes and files, not with NO_COLOR. (Older Node colours pipes as well.) */
import { styleText } from 'node:util';

const wanted = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;

export const style: typeof styleText = (format, text) => (wanted ? styleText(format, text) : text);
