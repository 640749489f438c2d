/**
 * The frame of a diagnostic: one file each holds its check, message, fix, documentation and example. Checks look at the
 * description and the report; they never simulate and never know of files.
 */
import type { SubjectId } from '../simulator/description.js';
import type { Facts } from './facts.js';

export type Severity = 'error' | 'warning' | 'information' | 'hint';

export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  readonly subject: SubjectId;
  /** What would happen, at which call, why. Names things as the file does. */
  readonly message: string;
  readonly related: readonly { readonly subject: SubjectId; readonly message: string }[];
  readonly fixes: readonly Fix[];
}

/** A repair, in terms of described things; the editor turns it into text edits. */
export interface Fix {
  readonly title: string;
  readonly preferred: boolean;
  readonly edits: readonly Edit[];
}

export type Edit =
  /** A new statement directly after the subject's. */
  | { readonly kind: 'insert-after'; readonly subject: SubjectId; readonly text: string }
  /** A new statement inside the subject's braces (made when missing). */
  | { readonly kind: 'insert-inside'; readonly subject: SubjectId; readonly text: string }
  /** Replaces (or adds) a property statement of the subject: `text` is the whole new statement. */
  | { readonly kind: 'set-property'; readonly subject: SubjectId; readonly property: string; readonly text: string }
  | { readonly kind: 'replace'; readonly subject: SubjectId; readonly text: string }
  | { readonly kind: 'remove'; readonly subject: SubjectId }
  /** The statements of functions go inside the braces of `subject`, each with a new address. */
  | { readonly kind: 'move-inside'; readonly subject: SubjectId; readonly moved: readonly { readonly subject: SubjectId; readonly address: string }[] };

export interface DiagnosticRule {
  /** Stable: "ownership/group-not-viable". */
  readonly code: string;
  readonly severity: Severity;
  /** One line. */
  readonly title: string;
  /** Markdown for its page: what happens in reality, why, how to fix it. */
  readonly documentation: string;
  /** An `.iommu` file that has the finding, and the same file repaired. Both are run by the tests. */
  readonly example: { readonly bad: string; readonly good: string };
  check(facts: Facts): Iterable<Found>;
}

/** What a check says; `severity` only where it differs from the rule's. */
export type Found = Omit<Finding, 'code' | 'severity'> & { readonly severity?: Severity };

/** A finding without relations or fixes. */
export const finding = (code: string, severity: Severity, found: { readonly subject: SubjectId; readonly message: string }): Finding => ({ code, severity, ...found, related: [], fixes: [] });
