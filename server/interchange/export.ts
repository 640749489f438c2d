/** All targets of an export, by name. */
import { exportCommandLine } from './export-cmdline.js';
import { exportDriverctl } from './export-driverctl.js';
import { exportLibvirt } from './export-libvirt.js';
import { exportModprobe } from './export-modprobe.js';
import { planExport, type Exported, type ExportPlan, type ExportSubject } from './export-plan.js';
import { exportQemu } from './export-qemu.js';
import { comment } from './xml.js';

export type { Exported, ExportSubject } from './export-plan.js';

export interface ExportTarget {
  readonly name: string;
  readonly title: string;
  /** VMs only: a program brings its own way to be started. */
  readonly forVms: boolean;
  /** Language of the text, as editors name it. */
  readonly language: 'plaintext' | 'shellscript' | 'xml';
  write(plan: ExportPlan): Exported;
}

export const EXPORT_TARGETS: readonly ExportTarget[] = [
  { name: 'cmdline', title: 'Kernel command line', forVms: false, language: 'plaintext', write: exportCommandLine },
  { name: 'modprobe', title: 'modprobe.d file', forVms: false, language: 'plaintext', write: exportModprobe },
  { name: 'driverctl', title: 'driverctl calls', forVms: false, language: 'shellscript', write: exportDriverctl },
  { name: 'qemu', title: 'QEMU command', forVms: true, language: 'shellscript', write: exportQemu },
  { name: 'libvirt', title: 'libvirt domain XML', forVms: true, language: 'xml', write: exportLibvirt },
];

export const exportTarget = (name: string): ExportTarget | undefined => EXPORT_TARGETS.find((target) => target.name === name);

export const exportTo = (target: ExportTarget, subject: ExportSubject): Exported => target.write(planExport(subject));

/** The text with its notes as comments: behind the comments that a file begins with; behind a command line, which has to be the first line. */
export function withNotes({ name, language }: ExportTarget, { text, notes }: Exported): string {
  const lines = notes.map((note) => (language === 'xml' ? comment(note) : `# ${note}`));
  if (lines.length === 0) return text;
  if (name === 'cmdline') return `${text}\n${lines.join('\n')}\n`;
  const all = text.split('\n');
  const head = all.findIndex((line) => !/^(#|<!--)/.test(line));
  return [...all.slice(0, head), ...lines, ...all.slice(head)].join('\n');
}
