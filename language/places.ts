/** Where described things stand in the text. Made by lowering; only the outermost step turns a subject into a place. */
import type { Range } from 'vscode-languageserver-types';
import type { MachineDescription, SubjectId } from '../server/simulator/description.js';

export interface Place {
  readonly uri: string;
  /** The whole statement. */
  readonly range: Range;
  /** The name, or the first word of a nameless statement: where a diagnostic goes. */
  readonly nameRange: Range;
  /** Between the braces, when it has them. */
  readonly bodyRange?: Range;
  /** Property statements of the thing by keyword ("driver", "acs"), each whole. */
  readonly properties: Readonly<Record<string, Range>>;
}

/** A file lowered, together with the files it uses. */
export interface Lowered {
  readonly description: MachineDescription;
  readonly places: ReadonlyMap<SubjectId, Place>;
}
